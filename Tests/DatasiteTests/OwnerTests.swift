import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Testing

@testable import Datasite

@Suite("The owner's folder, users and datasets")
struct OwnerTests {
    @Test("A name that is taken but for its case is taken: FROM and JOIN find tables regardless of case")
    func namesInCase() throws {
        let test = try TestSite()
        for name in ["visits", "Visits", "VISITS"] {
            let found = #expect(throws: Problem.self) {
                try test.add(name, policy: "{loss: pure, total: {epsilon: 1}, approval: automatic}")
            }
            #expect(found?.detail.hasPrefix("there is a dataset visits") == true)
        }
        #expect(try test.integer("SELECT count(*) FROM datasets") == 1)
    }

    @Test("A folder that others may enter is refused, and keys are for the owner alone")
    func modes() throws {
        let test = try TestSite()
        func mode(_ name: String) throws -> Int {
            try #require(
                try FileManager.default.attributesOfItem(atPath: test.path + name)[.posixPermissions] as? Int)
        }
        #expect(try mode("") == 0o700 && mode("/site.key") == 0o600 && mode("/rows.secret") == 0o600)
        for wide in [0o750, 0o701, 0o777] {
            try FileManager.default.setAttributes([.posixPermissions: wide], ofItemAtPath: test.path)
            #expect(throws: Problem.self) { try test.reopened() }
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: test.path)
        // The words name what is wrong, not what might be.
        let key = test.path + "/site.key"
        func words() -> Problem? {
            do {
                _ = try test.reopened()
                return nil
            } catch { return error as? Problem }
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
        #expect(words()?.status == 403 && words()?.detail == "others may read \(key) (mode 644)")
        #expect(words()?.hint?.hasPrefix("chmod 600 \(key)") == true)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
        try Data("short\n".utf8).write(to: URL(filePath: key))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
        #expect(words()?.detail == "\(key) does not hold 32 bytes in base64")
        try FileManager.default.removeItem(atPath: key)
        #expect(words()?.detail == "\(key) is missing")
    }

    @Test("Closed, a datasite leaves its folder alone: one file of the database, and nothing more happens in it")
    func closing() throws {
        for _ in 0..<10 {
            let test = try TestSite()
            let site = try test.reopened()
            _ = try site.addUser("eve", role: .researcher)
            _ = try site.budget(as: Datasite.localOwner)
            try site.close()
            try test.site.close()
            let files = try FileManager.default.contentsOfDirectory(atPath: test.path)
            #expect(files.filter { $0.hasPrefix("parley.sqlite") } == ["parley.sqlite"])
            #expect(throws: (any Error).self) { try site.addUser("bea", role: .researcher) }
        }
    }

    @Test("A datasite is not made over something, and what is no datasite is not opened")
    func creation() throws {
        let test = try TestSite()
        #expect(throws: Problem.self) { try Datasite.create(at: test.path) }
        #expect(throws: Problem.self) { try Datasite(path: test.path + "/data") }
        #expect(throws: Problem.self) { try Datasite(path: test.path + "/nowhere") }
    }

    @Test("A second server on one folder is refused until the first lets go")
    func serverLock() throws {
        let test = try TestSite()
        let first = try test.site.acquireServerLock()
        #expect(throws: Problem.self) { try test.reopened().acquireServerLock() }
        first.release()
        try test.reopened().acquireServerLock().release()
    }

    @Test("A token is known until it is rotated or revoked, also to a process that cached it; only its hash is stored")
    func tokens() async throws {
        let test = try TestSite()
        let server = try test.reopened()
        let token = try test.site.addUser("bea", role: .auditor)
        #expect(token.hasPrefix("parley_") && token.utf8.count == 7 + 43)
        #expect(try server.authenticate(token) == Identity(name: "bea", role: .auditor))
        let next = try test.site.rotateUser("bea")
        #expect(try server.authenticate(token) == nil)
        #expect(try server.authenticate(next)?.name == "bea")
        try test.site.revokeUser("bea")
        #expect(try server.authenticate(next) == nil)
        #expect(throws: Problem.self) { try test.site.addUser("local owner", role: .owner) }
        for wrong in ["", "parley_", "x" + next, String(next.dropLast())] {
            #expect(try server.authenticate(wrong) == nil)
        }
        for name in ["", "a b", "../x", "local owner", "1a"] {
            #expect(throws: Problem.self) { try test.site.addUser(name, role: .owner) }
        }
        // Nobody is taken for another.
        for name in ["Bea", "BEA", "Ada"] {
            let refusal = await problem { _ = try test.site.addUser(name, role: .researcher) }
            #expect(refusal?.status == 409 && refusal?.detail.contains("case alone") == true)
        }
        let stored = try test.integer("SELECT count(*) FROM users WHERE instr(CAST(token AS TEXT), 'parley_') > 0")
        #expect(stored == 0)
        #expect(try test.site.verify().problems == [])
    }

    @Test(
        "A name is one person's for ever: a revoked user's is given to nobody else, and she has access again on request"
    )
    func names() async throws {
        let test = try TestSite()
        let token = try test.site.addUser("bob", role: .researcher)
        _ = try await test.site.ask(TestSite.count(1), as: Identity(name: "bob", role: .researcher))
        try test.site.revokeUser("bob")
        #expect(try test.site.users().map { "\($0.name) \($0.isRevoked)" } == ["ada false", "bob true"])
        for role in [Role.researcher, .auditor] {
            let refusal = await problem { _ = try test.site.addUser("bob", role: role) }
            #expect(refusal?.status == 409 && refusal?.hint?.contains("parley user rotate bob --reinstate") == true)
        }
        let rotation = await problem { _ = try test.site.rotateUser("bob") }
        #expect(rotation?.status == 409 && rotation?.hint?.contains("--reinstate") == true)
        #expect(await problem { try test.site.revokeUser("bob") }?.status == 409)
        #expect(await problem { _ = try test.site.rotateUser("eve", reinstating: true) }?.status == 404)
        #expect(try test.site.authenticate(token) == nil)

        let again = try test.site.rotateUser("bob", reinstating: true)
        let bob = try #require(try test.reopened().authenticate(again))
        #expect(bob == Identity(name: "bob", role: .researcher))
        #expect(try test.site.requests(as: bob).count == 1)
        #expect(try test.site.budget(as: bob)[0].lines[1].spent.epsilon == 1)
        #expect(try test.site.audit(as: .folder).contains { $0.detail == "bob, access given again" })
        #expect(await problem { _ = try test.site.addUser("bob", role: .researcher) }?.status == 409)
        #expect(try test.site.verify().problems == [])
    }

    @Test("A new dataset counts at the next request of another process, and a removed one is gone")
    func catalogueIsFresh() async throws {
        let test = try TestSite()
        let server = try test.reopened()
        #expect(try server.datasets().map(\.name) == ["visits"])
        try test.add("more", policy: "{loss: pure, total: {epsilon: 10}}")
        #expect(try server.datasets().map(\.name) == ["more", "visits"])
        _ = try await server.ask(TestSite.count(1, "more"), as: .ada)
        try test.site.removeDataset("more")
        #expect(await problem { _ = try await server.ask(TestSite.count(1, "more"), as: .ada) }?.status == 404)
        #expect(try server.verify().problems == [])
    }

    @Test("The ledger outlives its dataset: removed and added again, what was spent stays spent")
    func ledgerOutlives() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}}")
        _ = try await test.site.ask(TestSite.count(0.8), as: .ada)
        try test.site.removeDataset("visits")
        try test.add("again", policy: "{loss: pure, total: {epsilon: 1}}", people: 5)
        #expect(try test.spent() == 8 * unit / 10)
        #expect(await problem { _ = try await test.site.ask(TestSite.count(0.3, "again"), as: .ada) }?.status == 403)
    }

    @Test("Datasets of one population share one budget, and must agree on it")
    func sharedPopulation() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}}")
        #expect(throws: Problem.self) { try test.add("more", policy: "{loss: pure, total: {epsilon: 2}}") }
        try test.add("more", policy: "{loss: pure, total: {epsilon: 1}}")
        _ = try await test.site.ask(TestSite.count(0.6), as: .ada)
        #expect(await problem { _ = try await test.site.ask(TestSite.count(0.6, "more"), as: .ada) }?.status == 403)
        try test.site.setPolicy(of: "more", policyText: "{loss: pure, total: {epsilon: 2}}")
        _ = try await test.site.ask(TestSite.count(1), as: .ada)
        #expect(try test.spent() == 16 * unit / 10)
        #expect(try test.site.dataset("visits").total?.epsilon == 2)
    }

    /// The manifest with another unit, and the file with a column for it.
    private func addVisits(_ test: TestSite, unit: String, name: String = "visits") throws {
        let lines = TestSite.rows(people: 20).split(separator: "\n")
        let text = "visit," + lines[0] + "\n" + lines.dropFirst().enumerated().map { "\($0),\($1)\n" }.joined()
        let manifest = TestSite.manifest(name, policy: "{loss: pure, total: {epsilon: 10}}")
            .replacing("unit: {column: person, rows: 3, groups: 3}", with: "unit: \(unit)")
            .replacing("columns:", with: "columns:\n  - {name: visit, type: integer, nullable: false}")
        _ = try test.site.addDataset(file: try test.file("visits2", text), manifestText: manifest)
    }

    @Test("A population's unit stays what it was: after a release its people do not come back as other units")
    func unitStays() async throws {
        let visit = "{column: visit, rows: 3, groups: 3}"
        let person = "{column: person, rows: 3, groups: 3}"
        let test = try TestSite()
        // Before anything is spent the owner may think again, and the first thought is forgotten.
        try test.site.removeDataset("visits")
        try addVisits(test, unit: visit)
        try test.site.removeDataset("visits")
        try addVisits(test, unit: person)
        let id = try #require(try await test.site.ask(TestSite.count(1), as: .ada).answer)
        #expect(!id.isEmpty)
        try test.site.removeDataset("visits")
        for (unit, words) in [
            (visit, "named by the column person, not by visit"), ("row", "units that a column names"),
        ] {
            for name in ["visits", "other"] {
                let refused = await problem { try addVisits(test, unit: unit, name: name) }
                #expect(refused?.kind == .invalidManifest)
                #expect(refused?.detail.contains(words) == true, "\(String(describing: refused))")
            }
        }
        #expect(try test.versionFolders() == [])
        try addVisits(test, unit: person)
        try addVisits(test, unit: person, name: "other")
        #expect(try test.spent() == unit)
    }

    @Test("Tables about the same people may call them by different names, if they did before anything was released")
    func twoNames() async throws {
        let test = try TestSite()
        try addVisits(test, unit: "{column: visit, rows: 3, groups: 3}", name: "other")
        _ = try await test.site.ask(TestSite.count(1), as: .ada)
        for name in ["visits", "other"] { try test.site.removeDataset(name) }
        try addVisits(test, unit: "{column: visit, rows: 3, groups: 3}", name: "other")
        try test.add("visits", policy: "{loss: pure, total: {epsilon: 10}}")
        _ = try test.site.addVersion(of: "visits", file: try test.file("new", TestSite.rows(people: 8)))
    }

    @Test("The owner is warned that another population's table holds the same people")
    func overlap() throws {
        let test = try TestSite(people: 60)
        let report = try test.add("more", policy: "{loss: pure, total: {epsilon: 1}}", population: "others", people: 40)
        #expect(report.warnings.contains { $0.hasPrefix("40 units occur in visits") })
        let same = try test.add("same", policy: "{loss: pure, total: {epsilon: 10}}")
        #expect(!same.warnings.contains { $0.contains("occur in visits") })
    }

    @Test("A new version keeps population and unit, lets go of the old files, and has another random name")
    func versions() async throws {
        let test = try TestSite()
        let before = try test.site.datasets()[0].version
        let file = try test.file("new", TestSite.rows(people: 8))
        let report = try test.site.addVersion(of: "visits", file: file)
        #expect(report.version != before && report.units == 8)
        #expect(try test.versionFolders() == [report.version])
        let moved = TestSite.manifest("visits", policy: "{loss: pure, total: {epsilon: 10}}", population: "elsewhere")
        #expect(throws: Problem.self) { try test.site.addVersion(of: "visits", file: file, manifestText: moved) }
        let rows = TestSite.manifest("visits", policy: "{loss: pure, total: {epsilon: 10}}")
            .replacing("unit: {column: person, rows: 3, groups: 3}", with: "unit: row")
        #expect(throws: Problem.self) { try test.site.addVersion(of: "visits", file: file, manifestText: rows) }
        #expect(throws: Problem.self) { try test.site.addVersion(of: "absent", file: file) }
        #expect(try test.versionFolders() == [report.version])
    }

    @Test("A policy that the owner set survives a new version of the rows")
    func policySurvives() throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}}")
        try test.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 2}, approval: owner}")
        _ = try test.site.addVersion(of: "visits", file: try test.file("new", TestSite.rows(people: 8)))
        let detail = try test.site.dataset("visits")
        #expect(detail.total?.epsilon == 2 && detail.approval == "each request waits for an owner")
    }

    @Test("A wrong file leaves nothing behind, and its error names line and column but no value")
    func wrongFile() throws {
        let test = try TestSite()
        let before = try test.versionFolders()
        let file = try test.file("bad", "person,kind,amount\n1,a,7\n2,b,secret99\n")
        do {
            _ = try test.site.addDataset(
                file: file, manifestText: TestSite.manifest("bad", policy: "{loss: pure, total: {epsilon: 10}}"))
            Issue.record("a wrong file was loaded")
        } catch let problem as Problem {
            #expect(problem.kind == .invalidData)
            #expect(problem.detail.contains("line 3") && problem.detail.contains("amount"))
            #expect(!"\(problem)".contains("secret99"))
        }
        #expect(try test.versionFolders() == before)
        #expect(try test.site.datasets().map(\.name) == ["visits"])
        let mapped = try test.site.addDataset(
            file: file, manifestText: TestSite.manifest("bad", policy: "{loss: pure, total: {epsilon: 10}}"),
            onError: .skipUnit)
        #expect(mapped.rows == 1 && mapped.warnings.contains { $0.contains("dropped because something was wrong") })
    }

    @Test("Columns that the manifest does not name are refused unless it ignores them")
    func undeclaredColumns() throws {
        let test = try TestSite()
        let file = try test.file("wide", "person,kind,amount,note\n1,a,7,x\n")
        let manifest = TestSite.manifest("wide", policy: "{loss: pure, total: {epsilon: 10}}")
        #expect(throws: Problem.self) { try test.site.addDataset(file: file, manifestText: manifest) }
        _ = try test.site.addDataset(file: file, manifestText: manifest + "\nignore: [note]\n")
        try test.site.removeDataset("wide")
        _ = try test.site.addDataset(file: file, manifestText: manifest + "\nignore: rest\n")
    }

    @Test("A server clears away what an interrupted addition left, and not what a living one is adding")
    func abandonedVersions() throws {
        let test = try TestSite()
        let living = try VersionLock(folder: test.site.folder)
        try FileManager.default.createDirectory(atPath: living.directory, withIntermediateDirectories: false)
        let abandoned = test.path + "/data/0123"
        for path in [abandoned, abandoned + ".partial"] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        // A kill between the installation of a version and its end leaves its lock behind.
        let installed = try test.path + "/data/" + test.site.datasets()[0].version + ".lock"
        for path in [abandoned + ".lock", installed] { try Data().write(to: URL(filePath: path)) }
        let lock = try test.site.acquireServerLock()
        lock.release()
        let locks = try FileManager.default.contentsOfDirectory(atPath: test.path + "/data").filter {
            $0.hasSuffix(".lock")
        }
        #expect(locks == [living.version + ".lock"])
        let present = try Set([living.version, test.site.datasets()[0].version])
        #expect(try Set(test.versionFolders()) == present)
    }

    @Test("What an interrupted addition left is named by a verification, and removed by the next addition")
    func leftovers() throws {
        let test = try TestSite()
        let abandoned = test.path + "/data/0123.partial"
        try FileManager.default.createDirectory(atPath: abandoned, withIntermediateDirectories: false)
        try Data("private".utf8).write(to: URL(filePath: abandoned + "/0.column"))
        let living = try VersionLock(folder: test.site.folder)
        try FileManager.default.createDirectory(
            atPath: living.directory + ".partial", withIntermediateDirectories: false)
        let report = try test.site.verify()
        #expect(report.isSound && report.remarks.count == 1)
        #expect(report.remarks.first?.contains(abandoned) == true)
        #expect(report.remarks.first?.contains("parley data add") == true)
        try test.add("more", policy: "{loss: pure, total: {epsilon: 10}}")
        #expect(!FileManager.default.fileExists(atPath: abandoned))
        #expect(FileManager.default.fileExists(atPath: living.directory + ".partial"))
        #expect(try test.site.verify().remarks == [])
    }

    @Test("An addition that is interrupted, at whatever step, adds nothing and leaves nothing", arguments: 0..<6)
    func interrupted(_ tenths: Int) async throws {
        let test = try TestSite()
        let before = try FileManager.default.contentsOfDirectory(atPath: test.path + "/data").sorted()
        let file = try test.file("more", TestSite.rows(people: 60))
        let manifest = TestSite.manifest("more", policy: "{loss: pure, total: {epsilon: 10}}")
        let refusal = await problem {
            _ = try test.site.addDataset(file: file, manifestText: manifest) { fraction in
                if fraction >= Double(2 * tenths) / 10 { throw CancellationError() }
            }
        }
        #expect(refusal?.detail == "the addition was interrupted: nothing was added")
        #expect(try FileManager.default.contentsOfDirectory(atPath: test.path + "/data").sorted() == before)
        #expect(try test.site.datasets().map(\.name) == ["visits"])
        _ = try test.site.addDataset(file: file, manifestText: manifest)
    }

    @Test("A lookup table is unique on its key, joins a question, and is not asked itself")
    func lookup() async throws {
        let test = try TestSite()
        let manifest = """
            name: kinds
            kind: lookup
            key: code
            columns:
              - {name: code, type: text}
              - {name: words, type: category, domain: [short, long]}
            """
        #expect(throws: Problem.self) {
            try test.site.addDataset(
                file: try test.file("twice", "code,words\na,short\na,long\n"), manifestText: manifest)
        }
        let report = try test.site.addDataset(
            file: try test.file("kinds", "code,words\na,short\nb,long\n"), manifestText: manifest)
        #expect(report.rows == 2 && report.units == nil)
        let joined = AskRequest(
            dataset: "visits",
            sql: "SELECT words, COUNT(*) FROM visits JOIN kinds ON kind = code GROUP BY words", budget: .epsilon(1))
        #expect(try await test.site.ask(joined, as: .ada).answer != nil)
        #expect(await problem { _ = try await test.site.ask(TestSite.count(1, "kinds"), as: .ada) }?.status == 422)
        #expect(try test.site.verify().problems == [])
    }

    @Test(
        "A join of two tables about the same people is charged once to their ledger; one of two populations is refused")
    func joins() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}}")
        try test.add("more", policy: "{loss: pure, total: {epsilon: 1}}")
        try test.add("others", policy: "{loss: pure, total: {epsilon: 1}}", population: "neighbours")
        func join(_ other: String) -> AskRequest {
            AskRequest(
                dataset: "visits",
                sql: "SELECT COUNT(*) FROM visits JOIN \(other) ON visits.person = \(other).person",
                budget: .epsilon(0.4))
        }
        #expect(try await test.site.ask(join("more"), as: .ada).answer != nil)
        #expect(try test.spent() == 4 * unit / 10)
        #expect(await problem { _ = try await test.site.ask(join("others"), as: .ada) }?.status == 422)
        #expect(try test.spent() == 4 * unit / 10)
        #expect(try test.spent(population: "neighbours") == 0)
        let id = try #require(try test.site.requests(as: .ada).first?.id)
        _ = try test.site.addVersion(of: "more", file: try test.file("new", TestSite.rows(people: 9)))
        // Its answer is stored, whatever became of the tables.
        #expect(try await !test.site.answer(id, as: .ada).isEmpty)
        #expect(try test.site.verify().problems == [])
    }

    @Test("A charge on two populations is made on both or on none")
    func twoPopulations() throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}}")
        try test.add("others", policy: "{loss: pure, total: {epsilon: 0.5}}", population: "neighbours")
        func charge(_ amount: Int64) throws -> Bool {
            try test.site.write { context in
                do {
                    try context.db.inSavepoint {
                        for population in [Int64(1), 2] {
                            try Ledger.charge(
                                PrivacyLoss(kind: .pure, amount: amount), population: population, researcher: "ada",
                                in: context)
                        }
                        return .commit
                    }
                    return true
                } catch is Ledger.Exceeded { return false }
            }
        }
        #expect(try charge(unit / 2) == true)
        #expect(try charge(1) == false)
        #expect(try test.spent() == unit / 2)
        #expect(try test.spent(population: "neighbours") == unit / 2)
    }
}
