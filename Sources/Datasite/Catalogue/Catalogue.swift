import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Secrets
import Synchronization
import Tables

/// Users, datasets and policies as they are stored: what every request needs and no row of a table.
struct Catalogue: Sendable {
    struct User: Sendable {
        var identity: Identity
        var tokenHash: [UInt8]
    }

    struct Entry: Sendable {
        var manifest: Manifest
        /// The policy in force: the manifest's, or what the owner set later.
        var policy: Policy?
        var version: String
        var population: Int64?
        /// The synthetic table that mock answers come from; nil: they are made up from the manifest.
        var synthetic: SyntheticMock?

        var isLookup: Bool { manifest.lookupKey != nil }

        var description: DatasetDescription {
            DatasetDescription(
                name: manifest.name, schema: manifest.schema, unit: manifest.unit, weightColumn: manifest.weightColumn,
                capacityRows: manifest.capacityRows, capacityUnits: manifest.capacityUnits,
                population: manifest.population, leastAmount: policy?.leastPlanned ?? 0)
        }

        /// The privacy unit in words.
        var unitWords: String { manifest.unitColumnName ?? "row" }
    }

    var version: Int64 = 0
    var users: [[UInt8]: User] = [:]
    var datasets: [String: Entry] = [:]

    static func read(_ db: Database) throws -> Catalogue {
        var catalogue = Catalogue(version: try Meta.integer(db, "catalogue"))
        for row in try Row.fetchAll(db, sql: "SELECT name, role, token FROM users WHERE revoked IS NULL") {
            guard let role = Role(rawValue: row[1]) else { continue }
            let hash = Array(row[2] as Data)
            catalogue.users[hash] = User(identity: Identity(name: row[0], role: role), tokenHash: hash)
        }
        for row in try Row.fetchAll(db, sql: "SELECT name, version, population, manifest, policy FROM datasets") {
            let document = try ManifestDocument(row["manifest"], isStored: true)
            catalogue.datasets[row["name"]] = Entry(
                manifest: document.manifest, policy: try Policy.inForce(row, document.manifest, db),
                version: row["version"], population: row["population"],
                synthetic: try SyntheticMock.find(version: row["version"], of: document.manifest, db))
        }
        return catalogue
    }

    /// The user of a token. The hash is compared in constant time; finding it by its hash reveals nothing, since the
    /// hash of a guess says nothing about the hash of a token.
    func user(token: String) -> Identity? {
        let hash = Array(SHA256.hash(data: Array(token.utf8)))
        guard let user = users[hash], constantTimeEqual(user.tokenHash, hash) else { return nil }
        return user.identity
    }
}

extension Catalogue {
    /// There is no dataset of that name: the one that was probably meant, or where to look.
    func absent(_ name: String) -> Problem {
        let nearest = NameSuggestion.nearest(to: name, among: datasets.keys.sorted())
        return .absent(
            "there is no dataset \(DisplayedName.of(name))",
            hint: nearest.map { "did you mean \($0)? `parley data list` names all" } ?? "`parley data list` names all")
    }
}

extension Policy {
    /// What holds of a dataset: the policy that the owner set later, or its manifest's, with the population's limits.
    ///
    /// - Parameter row: The dataset's, with the columns `policy` and `population`.
    static func inForce(_ row: Row, _ manifest: Manifest, _ db: Database) throws -> Policy? {
        var policy = try (row["policy"] as String?).map { try PolicyReader.document($0) } ?? manifest.policy
        if let id = row["population"] as Int64?, let population = try PopulationRow.find(id, db) {
            try policy?.takeLimits(of: population, db)
        }
        return policy
    }

    /// Limits belong to the population, whichever dataset's policy last set them, and so do the unit of loss and delta.
    mutating func takeLimits(of population: PopulationRow, _ db: Database) throws {
        regime.kind = population.kind
        (regime.conversionDelta, regime.selectionDelta) = (population.conversionDelta, population.selectionDelta)
        total = population.limit
        perResearcher = population.researcherLimit
        researcherLimits = try population.researcherLimits(db)
        leastShare = population.leastShare
        windows = try population.windows(db)
        regime.total = Double(total.largestRho) * PrivacyLoss.amountUnit
    }
}

/// The catalogue in memory, read again when another connection changed it: `PRAGMA data_version` says at once whether
/// anything was committed since, by this process or another, and the catalogue's own counter whether it was this.
final class CatalogueCache: Sendable {
    private struct State {
        var dataVersion: Int64 = -1
        var catalogue = Catalogue()
    }

    /// Its own connection, which never writes: so that every commit counts as another connection's.
    private let connection: DatabaseQueue
    private let file: DatabaseFile
    private let state = Mutex(State())

    init(path: String, file: DatabaseFile) throws {
        self.file = file
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(20)
        configuration.label = "datasite.catalogue"
        connection = try DatabaseQueue(path: path, configuration: configuration)
    }

    func close() throws { try connection.close() }

    /// The catalogue as of now.
    func current() throws -> Catalogue {
        try file.check()
        return try connection.unsafeRead { db in
            let dataVersion = try Int64.fetchOne(db.cachedStatement(sql: "PRAGMA data_version")) ?? 0
            let known = state.withLock { $0 }
            if known.dataVersion == dataVersion { return known.catalogue }
            let version = try Meta.integer(db, "catalogue")
            var catalogue = known.catalogue
            if version != known.catalogue.version || known.dataVersion == -1 {
                try db.execute(sql: "BEGIN")
                defer { try? db.execute(sql: "COMMIT") }
                catalogue = try Catalogue.read(db)
            }
            state.withLock { $0 = State(dataVersion: dataVersion, catalogue: catalogue) }
            return catalogue
        }
    }
}
