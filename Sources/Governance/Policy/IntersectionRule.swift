import Tables

/// What a policy says of intersecting identifiers with another site's: which, how many, and who learns what (docs/privacy.md, rules 9 and 34).
public struct IntersectionRule: Sendable, Hashable {
    /// The kind of work that it is of.
    public static let engine: EngineName = "set-intersection"

    /// What becomes known without differential privacy.
    public enum Output: String, Sendable, Hashable, CaseIterable {
        /// How many identifiers both sites have.
        case size
        /// Which, too.
        case identifiers
    }

    /// To whom something becomes known.
    public enum Recipient: String, Sendable, Hashable, CaseIterable {
        /// This site's owners.
        case here
        /// The other site's.
        case there
    }

    /// The most identifiers that a policy may name: 32 MiB of points, in one message.
    public static let largestCapacity = 1 << 20
    /// The most columns that identify together.
    public static let mostColumns = 8

    /// Which columns may be matched: each a set of columns that identify together.
    public var columns: Set<[String]>
    /// The most that may become known.
    public var output: Output
    /// To whom it may.
    public var recipients: Set<Recipient>
    /// The most distinct identifiers that this site brings: those beyond are left out, and nobody but its owner is told.
    public var capacity: Int
    /// The most identifiers that the other site may bring to one session: so many guesses it has there.
    public var guesses: Int
    /// Whether this site's list is filled up to its capacity, so that the other does not learn how many identifiers it has.
    public var isPadded: Bool

    /// A rule, by its parts.
    public init(
        columns: Set<[String]>, output: Output, recipients: Set<Recipient>, capacity: Int, guesses: Int? = nil,
        isPadded: Bool = true
    ) {
        (self.columns, self.output, self.recipients) = (columns, output, recipients)
        (self.capacity, self.guesses, self.isPadded) = (capacity, guesses ?? capacity, isPadded)
    }

    /// Whether these columns may be matched, in any order.
    public func allows(columns asked: [String]) -> Bool {
        columns.contains { $0.count == asked.count && Set($0) == Set(asked) }
    }

    /// Whether so much may become known.
    public func allows(_ asked: Output) -> Bool { asked == .size || output == .identifiers }
}

extension IntersectionRule {
    /// What of a rule cannot be meant, by what a manifest declares.
    func doubts(of manifest: Manifest) -> [ManifestProblem] {
        let path = "policy.engines.\(Self.engine.rawValue)"
        let names = Set(manifest.schema.columns.map(\.name))
        let unknown = Set(columns.joined()).subtracting(names).sorted().map {
            ManifestProblem(path: "\(path).columns", message: "names \($0), and the table has no such column")
        }
        let byUnit = columns.allSatisfy { $0 == manifest.unitColumnName.map { [$0] } }
        let declared = byUnit ? manifest.capacityUnits : manifest.capacityRows
        guard capacity < declared else { return unknown }
        return unknown + [
            ManifestProblem(
                path: "\(path).capacity",
                message:
                    "is less than the \(declared) \(byUnit ? "units" : "rows") that the table may hold: identifiers beyond it are left out, and what both sites have in common is then too small"
            )
        ]
    }
}
