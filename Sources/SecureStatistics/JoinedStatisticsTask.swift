public import SecureComputation

/// One site's table of people: an identifier that each has once, numbers, and perhaps which of some public groups each is in.
public struct PeopleTable: Sendable, Hashable {
    /// Whose it is.
    public let owner: ComputingParty
    /// How many people there may be, public. A site that has fewer fills up with rows that match nobody.
    public let capacity: Int
    /// Numbers, held to their bounds.
    public let columns: [ColumnBounds]

    /// - Parameter capacity: 1 to 2^20.
    /// - Throws: ``SecureStatisticsError/task(_:expected:)``.
    public init(
        owner: ComputingParty, capacity: Int, columns: [ColumnBounds]
    ) throws(SecureStatisticsError) {
        guard (1...JointTable.rowLimit).contains(capacity), columns.count <= 63,
            capacity * (columns.count + 1) <= JointTable.numberLimit
        else {
            throw .task(
                "\(capacity) people with \(columns.count) columns",
                expected: "1 to 2^20, with at most 63, of 2^23 numbers altogether")
        }
        (self.owner, self.capacity, self.columns) = (owner, capacity, columns)
    }

    func append(to bytes: inout CanonicalBytes) {
        bytes.append(owner.rawValue)
        bytes.append(capacity)
        bytes.append(columns.count)
        for column in columns {
            bytes.append(column.name)
            bytes.append(column.lower)
            bytes.append(column.upper)
        }
    }
}

/// Which statistics of the people who are in both tables.
public enum JoinedMeasure: Sendable, Hashable {
    /// How many there are, and all columns' sums, means, variances and covariances.
    case moments
    /// How many there are in each group, and all columns' sums there: of groups from 0 up to the number, which a site has.
    case groups(of: ComputingParty, count: Int)
}

/// Statistics of the people who are in two sites' tables, computed by three parties, none of whom learns who is in both: what all agree on before they begin, and compare by ``digest``.
public struct JoinedStatisticsTask: Sendable, Hashable {
    /// The most groups.
    public static let groupLimit = 256
    /// Two sites' tables.
    public let tables: [PeopleTable]
    /// No identifier of a person is larger, or negative.
    public let identifierBound: Int64
    /// What is released.
    public let measure: JoinedMeasure
    /// How much of one person: whether her rows are there; nil: opened without noise.
    public let privacy: JointPrivacy?
    /// Who gets it.
    public let recipients: [ComputingParty]

    /// A task.
    ///
    /// - Parameter identifierBound: At most 2^40.
    /// - Throws: ``SecureStatisticsError/task(_:expected:)``.
    public init(
        _ left: PeopleTable, _ right: PeopleTable, identifierBound: Int64, measure: JoinedMeasure,
        privacy: JointPrivacy?, recipients: [ComputingParty]
    ) throws(SecureStatisticsError) {
        guard left.owner != right.owner else { throw .task("two tables of one owner", expected: "of two") }
        guard (0...(1 << 40)).contains(identifierBound) else {
            throw .task("identifiers up to \(identifierBound)", expected: "at most 2^40")
        }
        let names = (left.columns + right.columns).map(\.name)
        guard Set(names).count == names.count else { throw .task("names of columns", expected: "different ones") }
        if case .groups(let owner, let count) = measure {
            guard (1...Self.groupLimit).contains(count), [left.owner, right.owner].contains(owner),
                (count + 1) * min(left.capacity, right.capacity) <= JointTable.numberLimit
            else {
                throw .task(
                    "\(count) groups of the \(owner) party",
                    expected: "1 to 256 of an owner, of 2^23 numbers altogether")
            }
        }
        try JointSetting.threeParties.check([left.owner, right.owner], recipients: recipients)
        (tables, self.identifierBound, self.measure) = ([left, right], identifierBound, measure)
        (self.privacy, self.recipients) = (privacy, recipients)
    }

    /// All columns, the left table's first.
    public var columns: [ColumnBounds] { tables.flatMap(\.columns) }

    /// All of it, unambiguously.
    var canonicalBytes: [UInt8] {
        var bytes = CanonicalBytes("parley/joined-statistics/1")
        for table in tables { table.append(to: &bytes) }
        bytes.append(Int(identifierBound))
        switch measure {
        case .moments: bytes.append(0)
        case .groups(let owner, let count):
            bytes.append(1)
            bytes.append(owner.rawValue)
            bytes.append(count)
        }
        bytes.append(privacy == nil ? 0 : 1)
        privacy?.append(to: &bytes)
        bytes.append(recipients)
        return bytes.bytes
    }

    /// SHA-256 of all of it.
    public var digest: [UInt8] { CanonicalBytes.digest(canonicalBytes) }
}

/// What a site puts in, in the clear at its own place.
public struct People: Sendable, CustomStringConvertible, CustomReflectable {
    /// Each person's, once.
    public var identifiers: [Int64]
    /// The table's columns, each of all people.
    public var columns: [[Double]]
    /// Each person's group, where the site has groups. Another number than a group's counts in none.
    public var groups: [Int64]?

    /// What a site puts in.
    public init(identifiers: [Int64], columns: [[Double]], groups: [Int64]? = nil) {
        (self.identifiers, self.columns, self.groups) = (identifiers, columns, groups)
    }

    /// The name alone.
    public var description: String { "People" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
