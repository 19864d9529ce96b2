import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import SyntheticData
import Tables

/// The synthetic table of a dataset's version: a stored release, the same for all who look (docs/privacy.md, rule 24).
struct SyntheticMock: Sendable {
    /// The request whose stored answer it is.
    var request: String
    var loss: PrivacyLoss
    /// Its first rows, as the catalogue shows them.
    var preview: [[Scalar]]

    /// The columns whose values are not from it, but made up from the manifest; nil: its own notes alone say which.
    var madeUp: [String]?
    /// The others.
    var released: [String] = []

    static let previewRows = 5

    static func find(version: String, of manifest: Manifest, _ db: Database) throws -> SyntheticMock? {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT s.request, s.preview, r.body, r.kind, r.amount, r.delta FROM synthetic s JOIN requests r ON r.id = s.request
                WHERE s.version = :version
                """, arguments: ["version": version])
        guard let row, let kind = PrivacyLossKind(rawValue: row["kind"]) else { return nil }
        let preview = try JSONDecoder().decode([[Scalar]].self, from: Data((row["preview"] as String).utf8))
        var found = SyntheticMock(request: row["request"], loss: try row.loss(kind), preview: preview)
        found.nameColumns(row["body"], manifest)
        return found
    }

    /// Which columns a release holds follows from its request and the manifest alone, as it did when it was planned.
    private mutating func nameColumns(_ body: String, _ manifest: Manifest) {
        guard let request = try? JSONDecoder().decode(SynthesisRequest.self, from: Data(body.utf8)),
            let planned = try? SynthesisWork.planned(request, manifest)
        else { return }
        let unit = manifest.unit.column.map { [manifest.schema.columns[$0].name] } ?? []
        let names = Set(planned.leftOut.map(\.name))
        madeUp = manifest.schema.columns.map(\.name).filter { names.contains($0) }
        released = manifest.schema.columns.map(\.name).filter { !names.contains($0) && !unit.contains($0) }
    }

    /// Which columns are from the release, and which are not; empty where all are.
    var columnWords: String {
        guard let madeUp else { return "which of its columns are made up, the notes of the release say" }
        guard !madeUp.isEmpty else { return "" }
        return
            "of it: \(released.joined(separator: ", ")); made up from the manifest: \(madeUp.joined(separator: ", "))"
    }

    /// What it is and what it cost, in words.
    func source(conversionDelta: Double) -> String {
        "a synthetic table, released at \(LossWords.text(loss, conversionDelta: conversionDelta))"
            + (columnWords.isEmpty ? "" : " (\(columnWords))")
    }
}

/// A dataset's synthetic table as it was released: public, the same for all (docs/privacy.md, rule 24).
public struct SyntheticTableRelease: Sendable, Hashable {
    /// The request under which it was released.
    public var request: String
    /// An ``DatasiteProtocol/Answer`` whose columns are the dataset's, as JSON: the stored bytes.
    public var answer: [UInt8]
    /// Its receipt: the stored bytes.
    public var receipt: [UInt8]
}

extension Datasite {
    /// The request under which a dataset's present synthetic table was released.
    ///
    /// - Throws: `not-found`, also where there is none.
    public func syntheticRequest(of name: String) throws -> String {
        let catalogue = try catalogue()
        guard let entry = catalogue.datasets[name] else { throw catalogue.absent(name) }
        guard let synthetic = entry.synthetic else {
            throw Problem.absent(
                entry.isLookup
                    ? "\(name) is a public lookup table: there is no synthetic one" : "\(name) has no synthetic table",
                hint: entry.isLookup ? nil : "an owner releases one with `parley data synthesize \(name)`")
        }
        return synthetic.request
    }

    /// A dataset's synthetic table, whole.
    public func syntheticTable(of name: String) throws -> SyntheticTableRelease {
        let request = try syntheticRequest(of: name)
        let stored = try storedAnswer(request)
        return SyntheticTableRelease(request: request, answer: stored.answer, receipt: stored.receipt)
    }

    /// The rows of a synthetic table, from the stored release.
    func syntheticRows(_ synthetic: SyntheticMock, _ entry: Catalogue.Entry) throws -> [[Value]] {
        let bytes = try storedAnswer(synthetic.request).answer
        let answer = try JSONDecoder().decode(Answer.self, from: Data(bytes))
        let types = entry.manifest.schema.columns.map(\.type)
        guard answer.rows.allSatisfy({ $0.count == types.count }) else {
            throw Problem.unavailable("the synthetic table of \(entry.manifest.name) does not fit its columns")
        }
        return answer.rows.map { row in zip(row, types).map { AnswerEncoding.value($0.value, $1) } }
    }
}
