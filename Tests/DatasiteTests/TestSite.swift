import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Secrets
import Synchronization
import Testing

@testable import Datasite

/// A datasite in a temporary folder, with one small table of people and a clock that a test sets.
final class TestSite: Sendable {
    let path: String
    let clock = TestClock()
    let site: Datasite

    init(policy: String = "{loss: pure, total: {epsilon: 10}}", people: Int = 60, researchers: [String] = ["ada"])
        throws
    {
        path = FileManager.default.temporaryDirectory.path + "/parley-site-" + hexadecimal(SecureRandom.bytes(8))
        try Datasite.create(at: path, name: "test", limits: .reference)
        site = try Datasite(path: path, configuration: Self.configuration(clock))
        try add("visits", policy: policy, people: people)
        for name in researchers { _ = try site.addUser(name, role: .researcher) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    static func configuration(_ clock: TestClock) -> Datasite.Configuration {
        var configuration = Datasite.Configuration()
        configuration.clock = clock.clock
        configuration.threads = 2
        return configuration
    }

    /// Another object on the same folder: as another process would have.
    func reopened(_ path: String? = nil) throws -> Datasite {
        try Datasite(path: path ?? self.path, configuration: Self.configuration(clock))
    }

    @discardableResult
    func add(
        _ name: String, policy: String, population: String = "patients", people: Int = 60, to other: Datasite? = nil
    ) throws -> AdditionReport {
        try (other ?? site).addDataset(
            file: try file(name, Self.rows(people: people)),
            manifestText: Self.manifest(name, policy: policy, population: population))
    }

    func file(_ name: String, _ text: String) throws -> String {
        let path = self.path + "/" + name + ".csv"
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    static func rows(people: Int, amount: Int = 7) -> String {
        var text = "person,kind,amount\n"
        for person in 0..<people {
            for row in 0...(person % 3) {
                text += "\(person),\(["a", "b", "c"][row]),\((person * amount + row) % 100)\n"
            }
        }
        return text
    }

    static func manifest(_ name: String, policy: String, population: String = "patients") -> String {
        """
        name: \(name)
        title: Visits
        description: Made up
        population: \(population)
        unit: {column: person, rows: 3, groups: 3}
        capacity: {rows: 10000, units: 5000}
        policy: \(policy)
        columns:
          - {name: person, type: integer, nullable: false}
          - {name: kind, type: category, domain: [a, b, c], nullable: false}
          - {name: amount, type: integer, bounds: [0, 100], nullable: false}
        """
    }

    static func count(_ epsilon: Double, _ dataset: String = "visits") -> AskRequest {
        AskRequest(
            dataset: dataset, sql: "SELECT kind, COUNT(*) FROM \(dataset) GROUP BY kind", budget: .epsilon(epsilon))
    }

    /// What the population's ledger says, in units of 1e-12.
    func spent(_ site: Datasite? = nil, population: String = "patients") throws -> Int64 {
        try (site ?? self.site).store.pool.read {
            try Int64.fetchOne(
                $0, sql: "SELECT spent_amount FROM populations WHERE name = ?", arguments: [population]) ?? -1
        }
    }

    func integer(_ sql: String) throws -> Int {
        try site.store.pool.read { try Int.fetchOne($0, sql: sql) ?? -1 }
    }

    /// A column of texts, or of bytes that are one.
    func read(_ sql: String) throws -> [String] {
        try site.store.pool.read { db in
            try Row.fetchAll(db, sql: sql).map { String(decoding: $0[0] as Data, as: UTF8.self) }
        }
    }

    /// Reserves and stops, as a crash right after the commit would.
    func reserveOnly(_ request: AskRequest, key: String?, _ site: Datasite? = nil) async throws -> String {
        let site = site ?? self.site
        let attempt = try attempt(request, key: key, site)
        guard case .reserved(let id, _) = try await site.commit.perform({ try attempt.run(in: &$0) }) else {
            throw Problem.unavailable("not reserved")
        }
        return id
    }

    /// A question as the writer gets it, planned on the catalogue as it is now.
    func attempt(_ request: AskRequest, key: String? = nil, _ site: Datasite? = nil) throws -> ReserveAttempt {
        let site = site ?? self.site
        let question = try site.question(request, in: try site.catalogue())
        let submission = Submission(engine: QuestionWork.self, body: question.planned.body, key: key)
        return ReserveAttempt(question.planned, submission, asker: .ada, waits: false)
    }

    /// Gives the database the form that the fourth schema had.
    func returnToFourthSchema() throws {
        try execute(
            """
            PRAGMA foreign_keys = OFF;
            CREATE TABLE requests_4 (
                number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, researcher TEXT NOT NULL, key TEXT, digest TEXT NOT NULL,
                dataset TEXT NOT NULL, version TEXT NOT NULL, second_version TEXT, body TEXT NOT NULL, kind TEXT NOT NULL,
                amount INTEGER NOT NULL CHECK (amount >= 0), delta INTEGER NOT NULL CHECK (delta >= 0),
                population INTEGER NOT NULL REFERENCES populations, second_population INTEGER REFERENCES populations,
                state TEXT NOT NULL, approvals_needed INTEGER NOT NULL, reason TEXT, created INTEGER NOT NULL,
                lost INTEGER NOT NULL DEFAULT 0, UNIQUE (researcher, key));
            INSERT INTO requests_4
                SELECT r.number, r.id, r.researcher, r.key, r.digest, a.dataset, a.version,
                    (SELECT version FROM request_assets WHERE request = r.id AND position = 1), r.body, r.kind, r.amount,
                    r.delta, a.population, NULL, r.state, r.approvals_needed, r.reason, r.created, r.lost
                FROM requests r JOIN request_assets a ON a.request = r.id WHERE a.position = 0;
            DROP TABLE large_bodies; DROP TABLE ladders; DROP TABLE final_evaluations;
            DROP TABLE request_events; DROP TABLE additions; DROP TABLE request_assets; DROP TABLE uses; DROP TABLE requests; DROP TABLE grdb_migrations;
            ALTER TABLE requests_4 RENAME TO requests;
            CREATE INDEX requests_by_researcher ON requests (researcher, number);
            CREATE INDEX requests_pending ON requests (created) WHERE state = 'pending';
            PRAGMA user_version = 4; PRAGMA foreign_keys = ON;
            """)
    }

    func execute(_ sql: String) throws {
        try site.store.pool.writeWithoutTransaction { try $0.execute(sql: sql) }
    }

    /// The names of versions' folders.
    func versionFolders() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/data").filter { !$0.hasSuffix(".lock") }.sorted()
    }

    /// A copy of the folder at one moment under load: the counter first, which is never ahead of the database.
    func copyAtOnce() throws -> String {
        let copy = path + "-copy-" + hexadecimal(SecureRandom.bytes(4))
        try FileManager.default.createDirectory(
            atPath: copy, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        for name in ["generation", "site.key", "rows.secret", "data"] {
            try FileManager.default.copyItem(atPath: path + "/" + name, toPath: copy + "/" + name)
        }
        let queue = try DatabaseQueue(path: copy + "/parley.sqlite")
        try site.store.pool.backup(to: queue)
        try queue.close()
        return copy
    }

    /// A copy of the folder's files as they are now: what a crash would leave.
    func copy() throws -> String {
        let copy = path + "-copy-" + hexadecimal(SecureRandom.bytes(4))
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        return copy
    }
}

extension Identity {
    static let ada = Identity(name: "ada", role: .researcher)
    static let auditor = Identity(name: "aud", role: .auditor)
    static let folder = Datasite.localOwner
}

/// A clock that stands until it is moved. Sleeping takes no time; the instants slept until are kept.
final class TestClock: Sendable {
    private let seconds = Mutex<Int64>(1_800_000_000)
    private let sleeps = Mutex<[Duration]>([])

    func advance(_ by: Int64) { seconds.withLock { $0 += by } }
    var departures: [Duration] { sleeps.withLock { $0 } }

    var clock: SiteClock {
        let start = ContinuousClock.now
        return SiteClock(
            now: { self.seconds.withLock { $0 } }, instant: { ContinuousClock.now - start },
            sleepUntil: { until in self.sleeps.withLock { $0.append(until) } })
    }
}

extension AskResult {
    var answer: [UInt8]? { if case .released(let answer, _) = self { answer } else { nil } }
    var receipt: [UInt8]? { if case .released(_, let receipt) = self { receipt } else { nil } }
    var pendingID: String? { if case .pending(let summary) = self { summary.id } else { nil } }
}

/// The problem that `body` throws.
func problem(_ body: () async throws -> Void) async -> Problem? {
    do {
        try await body()
        return nil
    } catch { return error as? Problem }
}

let unit = 1_000_000_000_000 as Int64
