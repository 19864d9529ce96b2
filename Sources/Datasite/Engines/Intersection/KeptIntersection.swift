import Crypto
public import DatasiteProtocol
import Foundation
import GRDB
import Governance
import MultipartyComputation
import Tables

/// What came of an intersection, as it stays in the site's folder: as private as the rows, for its owners and for later computation there. It prints nothing.
struct KeptIntersection: Codable, Sendable, CustomReflectable {
    let dataset: String
    /// Of the table whose identifiers were compared.
    let version: String
    let columns: [String]
    /// The other site's key, in base64.
    let peer: String
    /// The session's digest, the same at both sites, in hexadecimal digits.
    let session: String
    /// How many identifiers both sites have; nil: this site was not to know.
    let size: Int?
    /// Which, as ``Tables/Table`` writes them, in ascending order of their bytes: the n-th is the n-th at the other site too, where it knows them. nil: this site was not to know.
    let identifiers: [Data]?
    /// How many identifiers this site has beyond its capacity: they were not compared.
    let leftOut: Int

    var customMirror: Mirror { Mirror(self, children: []) }
}

/// An intersection with another site, as owners see it.
public struct OwnIntersection: Sendable, Hashable {
    /// The request's id.
    public var request: String
    /// The dataset.
    public var dataset: String
    /// The columns that identify together.
    public var columns: [String]
    /// The other site's key, in base64: there is a dataset of the same name, and people may be in both.
    public var peer: String
    /// What becomes known, and to whom, in words.
    public var known: String
    /// Who asked.
    public var researcher: String
    /// When it was asked for.
    public var time: String
    /// Where the request stands. From `reserved` on the other site may have learned what it was to learn.
    public var state: String
    /// How many identifiers both sites have: private; nil: it is not known here.
    public var size: Int?
    /// Whether it is kept which, for later computation.
    public var isKept: Bool
    /// How many of this site's identifiers were not compared, since they lie beyond the capacity: private; nil: not known yet.
    public var leftOut: Int?
}

extension Datasite {
    /// What an owner knows of intersections with other sites, the newest first: those that were charged.
    ///
    /// - Throws: `forbidden` for others than owners.
    public func intersections(as identity: Identity) throws -> [OwnIntersection] {
        try Self.requireOwner(identity)
        return try read { db in try IntersectedRequest.charged(db) }.map { found in
            let kept = folder.kept(of: found.row.id).saved(.intersection)
                .flatMap { try? JSONDecoder().decode(KeptIntersection.self, from: Data($0)) }
            let here = Data(base64Encoded: found.request.invitation.sites.first ?? "") == publicKey
            return OwnIntersection(
                request: found.row.id, dataset: found.row.asked.dataset, columns: found.request.columns,
                peer: found.peer(of: publicKey), known: found.known(isFirst: here), researcher: found.row.researcher,
                time: Timestamp.text(found.row.created), state: found.row.state.rawValue, size: kept?.size,
                isKept: kept?.identifiers != nil, leftOut: kept?.leftOut)
        }
    }

    /// Which of the site's identifiers an intersection found at the other site too, a row each: their columns' values as text, in the order that both sites keep. Private.
    ///
    /// - Parameter request: The intersection's request.
    /// - Throws: `forbidden` for others than owners; `not-found`: nothing is kept of it, or only how many.
    public func matches(of request: String, as identity: Identity) throws -> (columns: [String], rows: [[String]]) {
        try Self.requireOwner(identity)
        guard try read({ db in try IntersectedRequest.charged(db) }).contains(where: { $0.row.id == request }) else {
            throw Problem.absent(
                "there is no intersection \(DisplayedName.of(request))", hint: "`parley data intersections` lists them")
        }
        guard let saved = folder.kept(of: request).saved(.intersection),
            let kept = try? JSONDecoder().decode(KeptIntersection.self, from: Data(saved)),
            let identifiers = kept.identifiers, let entry = try catalogue().datasets[kept.dataset]
        else {
            throw Problem.absent(
                "which identifiers are at both sites is not known here",
                hint: "it is for an intersection that was asked with the output `identifiers`, for this site")
        }
        let types = kept.columns.map { name in
            entry.manifest.schema.columns.first { $0.name == name }?.type ?? .text
        }
        return (kept.columns, identifiers.compactMap { TableIdentifiers.values(of: $0, types) })
    }

    /// This site's public key.
    private var publicKey: Data { signingKey.publicKey.rawRepresentation }

    /// For owners: with which sites' datasets a population's may share people (docs/privacy.md, rule 9).
    func overlaps(of population: Int64, _ db: Database) throws -> [BudgetReport.Overlap] {
        try IntersectedRequest.charged(db).filter { $0.row.populations.contains(population) }.map { found in
            BudgetReport.Overlap(
                dataset: found.row.asked.dataset, site: found.peer(of: publicKey), columns: found.request.columns,
                time: Timestamp.text(found.row.created))
        }.reduce(into: []) { list, overlap in
            // The newest of each site and dataset.
            if !list.contains(where: { ($0.dataset, $0.site) == (overlap.dataset, overlap.site) }) {
                list.append(overlap)
            }
        }
    }
}

/// A charged request for an intersection: it says that people may be in both sites' populations, whatever came of it.
private struct IntersectedRequest {
    let row: RequestRow
    let request: IntersectionRequest

    /// The newest first: at most 10,000.
    static func charged(_ db: Database) throws -> [IntersectedRequest] {
        let ids = try String.fetchAll(
            db,
            sql:
                "SELECT id FROM requests WHERE engine = :engine AND \(RequestRow.isSpent) ORDER BY number DESC LIMIT 10000",
            arguments: ["engine": IntersectionWork.engine.rawValue])
        return try ids.compactMap { id in
            guard let row = try RequestRow.find(id, db),
                let request = try? IntersectionWork.request(row.body)
            else { return nil }
            return IntersectedRequest(row: row, request: request)
        }
    }

    func peer(of site: Data) -> String {
        request.invitation.sites.first { Data(base64Encoded: $0) != site } ?? ""
    }

    func known(isFirst: Bool) -> String {
        let who =
            switch request.recipients {
            case .both: "to both"
            case .first: isFirst ? "here" : "there"
            case .second: isFirst ? "there" : "here"
            }
        return "\(request.output == .size ? "how many" : "which") \(who)"
    }
}
