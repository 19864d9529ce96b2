import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Testing

@testable import Datasite

@Suite("Tampering with a datasite's own records is found")
struct JournalTests {
    private func prepared() async throws -> TestSite {
        let test = try TestSite()
        for _ in 0..<3 { _ = try await test.site.ask(TestSite.count(0.5), as: .ada) }
        _ = await problem { _ = try await test.site.ask(TestSite.count(50), as: .ada) }
        for name in ["bea", "eve"] { _ = try test.site.addUser(name, role: .auditor) }
        _ = try test.site.rotateUser("bea")
        try test.site.revokeUser("bea")
        _ = try test.site.rotateUser("bea", reinstating: true)
        try test.site.revokeUser("eve")
        _ = try test.site.addVersion(of: "visits", file: try test.file("new", TestSite.rows(people: 50)))
        try test.site.setPolicy(
            of: "visits",
            policyText: """
                {loss: pure, total: {epsilon: 20}, per-researcher: {epsilon: 9}, aggregates: [count],
                 windows: [{days: 7, limit: {epsilon: 8}}]}
                """)
        #expect(try test.site.verify().problems == [])
        return test
    }

    @Test(
        "Each change is found by verify",
        arguments: [
            ("UPDATE journal SET entry = replace(entry, '500000000000', '400000000000') WHERE number = 4", "journal"),
            ("DELETE FROM journal WHERE number = 5", "journal"),
            ("DELETE FROM journal WHERE number = (SELECT max(number) - 1 FROM journal)", "journal"),
            ("UPDATE journal SET hash = zeroblob(32) WHERE number = 2", "journal"),
            ("UPDATE populations SET spent_amount = spent_amount - 1", "ledger"),
            ("UPDATE populations SET spent_delta = 1", "ledger"),
            ("UPDATE researcher_spending SET amount = 0", "ledger"),
            ("UPDATE requests SET state = 'reserved' WHERE number = 1", "requests"),
            ("UPDATE answers SET answer = x'00'", "receipts"),
            ("UPDATE answers SET receipt = x'7b7d'", "receipts"),
            ("DELETE FROM answers", "receipts"),
            (
                "UPDATE answers SET receipt = (SELECT receipt FROM answers a WHERE a.request <> answers.request LIMIT 1)",
                "receipts"
            ),
            ("UPDATE versions SET description = zeroblob(32)", "files"),
            ("UPDATE users SET role = 'owner'", "users: ada has another role"),
            ("UPDATE users SET revoked = 1", "users: the journal says that ada is not revoked"),
            ("UPDATE users SET revoked = NULL", "users: the journal says that eve is revoked"),
            ("UPDATE users SET token = x'00' WHERE name = 'bea'", "users: the token of bea"),
            ("DELETE FROM users WHERE name = 'bea'", "users: bea is missing"),
            ("INSERT INTO users VALUES ('mal', 'owner', x'00', 0, NULL)", "users: mal was added by no entry"),
            ("UPDATE populations SET limit_amount = 2 * limit_amount", "limits: those of the population patients"),
            ("UPDATE populations SET limit_delta = 1", "limits"),
            ("UPDATE populations SET conversion_delta = 0.5", "limits"),
            ("UPDATE populations SET selection_delta = 0.5", "limits"),
            ("UPDATE populations SET researcher_amount = NULL", "limits"),
            ("UPDATE populations SET unit_is_row = 1", "limits"),
            ("UPDATE populations SET raised = NULL", "limits"),
            ("UPDATE windows SET limit_amount = limit_amount + 1", "limits"),
            ("DELETE FROM windows", "limits"), ("INSERT INTO windows VALUES (1, 60, 9, 0)", "limits"),
            ("UPDATE datasets SET manifest = replace(manifest, '[0, 100]', '[0, 99]')", "datasets: manifest or policy"),
            ("UPDATE datasets SET policy = NULL", "datasets: manifest or policy"),
            ("UPDATE datasets SET policy = replace(policy, '[count]', '[sum]')", "datasets: manifest or policy"),
            (
                "UPDATE datasets SET version = (SELECT id FROM versions WHERE removed IS NOT NULL)",
                "datasets: visits is of"
            ),
            ("UPDATE datasets SET name = 'visit'", "datasets: visits is missing"),
            (
                """
                INSERT INTO populations (name, unit_is_row, kind, conversion_delta, selection_delta, limit_amount, limit_delta)
                    SELECT 'others', unit_is_row, kind, conversion_delta, selection_delta, limit_amount, limit_delta
                    FROM populations;
                UPDATE datasets SET population = 2
                """, "datasets: visits belongs to another population"
            ),
        ])
    func tampering(_ change: String, _ found: String) async throws {
        let test = try await prepared()
        try test.execute(change)
        let problems = try test.site.verify().problems
        #expect(problems.contains { $0.hasPrefix(found) }, "\(problems)")
    }

    /// Cuts the last answer out of all that the database says of it: what is left agrees with itself.
    private func cutLastAnswer(_ test: TestSite, more: String = "") throws {
        try test.execute(
            """
            BEGIN;
            DELETE FROM journal WHERE number > (SELECT max(number) FROM journal) - 2;
            DELETE FROM answers WHERE rowid = (SELECT max(rowid) FROM answers);
            UPDATE populations SET spent_amount = spent_amount - \(unit / 2);
            UPDATE researcher_spending SET amount = amount - \(unit / 2);
            DELETE FROM request_assets WHERE request = (SELECT id FROM requests ORDER BY number DESC LIMIT 1);
            DELETE FROM requests WHERE number = (SELECT max(number) FROM requests);
            \(more)
            COMMIT;
            """)
    }

    @Test("A last answer that is cut out of journal, ledger and answers is missed by the generation file")
    func lastAnswerCutOut() async throws {
        for more in ["", "UPDATE meta SET value = value + 5 WHERE key = 'generation';"] {
            let test = try TestSite()
            for _ in 0..<3 { _ = try await test.site.ask(TestSite.count(0.5), as: .ada) }
            #expect(try test.site.verify().problems == [])
            try cutLastAnswer(test, more: more)
            for site in [test.site, try test.reopened()] {
                let report = try site.verify()
                #expect(report.checks.filter { !$0.problems.isEmpty }.map(\.name) == ["generation counter"])
                #expect(report.problems.contains { $0.contains("another spending of the population patients") })
                #expect(report.problems.contains { $0.contains("names the journal's entry") })
            }
        }
    }

    @Test("A generation file of an earlier version, which names no entry, still misses what was spent")
    func lastAnswerCutOutEarlier() async throws {
        let test = try TestSite()
        for _ in 0..<3 { _ = try await test.site.ask(TestSite.count(0.5), as: .ada) }
        let file = GenerationFile(path: test.path + "/generation")
        var record = try #require(try file.read())
        #expect(record.head != nil)
        record.head = nil
        try file.reset(to: record)
        #expect(try test.site.verify().problems == [])
        try cutLastAnswer(test)
        #expect(try test.site.verify().problems.contains { $0.contains("another spending") })
    }

    @Test("A generation file that is ahead, or gone, while the datasite is open is found")
    func generationFile() async throws {
        let test = try TestSite()
        let file = GenerationFile(path: test.path + "/generation")
        var record = try #require(try file.read())
        record.generation += 1
        try file.reset(to: record)
        #expect(try test.site.verify().problems.contains { $0.contains("commits that the database has not") })
        try FileManager.default.removeItem(atPath: file.path)
        #expect(try test.site.verify().problems == ["generation: its file is missing or damaged"])
    }

    @Test("What was given back since the generation file was written is no tampering")
    func givenBackAfterwards() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 3}, approval: owner}")
        let id = try #require(try await test.site.ask(TestSite.count(1), as: .ada).pendingID)
        let file = GenerationFile(path: test.path + "/generation")
        let record = try #require(try file.read())
        _ = try await test.site.deny(id, by: .folder, reason: "no")
        // A crash between commit and file leaves the file of before.
        try file.reset(to: record)
        #expect(try test.site.verify().problems == [])
    }

    @Test("Entries that an earlier version wrote, without what they left behind, are compared as far as they say")
    func earlierEntries() async throws {
        let test = try await prepared()
        try await test.site.store.pool.write { db in
            var head = Journal.Head()
            for row in try Row.fetchAll(db, sql: "SELECT number, entry FROM journal ORDER BY number") {
                let text = (row[1] as String).replacing(#/,"state":\{[^}]*\}/#, with: "")
                head = .init(number: row[0], hash: Journal.hash(Array(text.utf8), after: head.hash))
                try db.execute(
                    sql: "UPDATE journal SET entry = ?, hash = ? WHERE number = ?",
                    arguments: [text, Data(head.hash), head.number])
            }
        }
        try test.execute("UPDATE users SET token = x'00' WHERE name = 'bea'; UPDATE datasets SET policy = NULL")
        func found(_ prefixes: String...) throws -> Bool {
            let report = try test.site.verify()
            let check = report.checks.first { $0.name.hasPrefix("users, limits") }
            return check?.problems.count == prefixes.count
                && zip(check?.problems ?? [], prefixes).allSatisfy { $0.hasPrefix($1) }
        }
        #expect(try found())
        try test.execute("UPDATE users SET role = 'owner' WHERE name = 'ada'")
        #expect(try found("users: ada has another role"))
    }

    @Test("A changed, cut or missing column file is found")
    func damagedFiles() async throws {
        let test = try await prepared()
        let version = try test.site.datasets()[0].version
        let part = test.site.folder.directory(ofVersion: version) + "/column-2"
        let bytes = try Data(contentsOf: URL(filePath: part))
        var other = bytes
        other[other.count / 2] ^= 1
        for damaged in [other, bytes.dropLast()] {
            try damaged.write(to: URL(filePath: part))
            #expect(try test.site.verify().problems.contains { $0.hasPrefix("files: visits is damaged") })
        }
        try FileManager.default.removeItem(atPath: part)
        #expect(try !test.site.verify().isSound)
        try bytes.write(to: URL(filePath: part))
        #expect(try test.site.verify().problems == [])
    }

    @Test("Receipts chain to the journal: each names its entry's hash and the one before")
    func receiptsChain() async throws {
        let test = try await prepared()
        let audit = try test.site.audit(as: .auditor)
        for id in try test.site.requests(as: .ada).map(\.id) {
            let body = try Receipt(decoding: try test.site.receipt(id, as: .ada)).body
            let entry = try #require(audit.first { $0.index == body.journalIndex })
            #expect(entry.hash == body.journalHash && entry.action == "released")
            #expect(audit.first { $0.index == body.journalIndex - 1 }?.hash == body.previousJournalHash)
        }
    }

    @Test(
        "The digests of answers and the hashes of the journal confirm no guess: each is over 128 bits that nobody knows"
    )
    func digestsCannotBeGuessed() async throws {
        let test = try TestSite()
        var nonces: [String] = []
        for _ in 0..<2 {
            let result = try await test.site.ask(TestSite.count(0.5), as: .ada)
            let bytes = try #require(result.answer)
            var answer = try JSONDecoder().decode(Answer.self, from: Data(bytes))
            nonces.append(try #require(answer.nonce))
            let receipt = try Receipt(decoding: try #require(result.receipt)).body
            #expect(try sha256Hex(AnswerEncoding.bytes(answer)) == receipt.answerDigest)
            answer.nonce = nil
            #expect(try sha256Hex(AnswerEncoding.bytes(answer)) != receipt.answerDigest)
        }
        _ = try await test.site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(1)))
        let table = try test.read("SELECT answer FROM answers ORDER BY rowid DESC LIMIT 1")
        nonces.append(try #require(try JSONDecoder().decode(Answer.self, from: Data(table[0].utf8)).nonce))
        let mock = try await test.site.mock(TestSite.count(1), as: .ada)
        #expect(try JSONDecoder().decode(Answer.self, from: Data(mock)).nonce == nil)

        struct Entry: Decodable { var nonce: String }
        for text in try test.read("SELECT entry FROM journal") {
            nonces.append(try JSONDecoder().decode(Entry.self, from: Data(text.utf8)).nonce)
        }
        #expect(nonces.count > 10 && Set(nonces).count == nonces.count)
        #expect(nonces.allSatisfy { $0.utf8.count == 32 && $0.allSatisfy(\.isHexDigit) })
        // Nobody who reads the audit trail sees them.
        let shown = "\(try test.site.audit(as: .auditor))"
        #expect(nonces.allSatisfy { !shown.contains($0) })
    }

    @Test("Answers and entries that an earlier version stored, without nonces, are read and verified")
    func withoutNonces() async throws {
        let test = try TestSite()
        let given = try #require(try await test.site.ask(TestSite.count(0.5), as: .ada).receipt)
        let id = try Receipt(decoding: given).body.request
        // What an earlier version wrote: the same bytes but for the nonce, in a chain of its own.
        try await test.site.store.pool.write { db in
            let stored = try #require(
                try Data.fetchOne(db, sql: "SELECT answer FROM answers WHERE request = ?", arguments: [id]))
            var answer = try JSONDecoder().decode(Answer.self, from: stored)
            answer.nonce = nil
            let bytes = try AnswerEncoding.bytes(answer)
            let oldDigest = sha256Hex(stored)
            var (head, previous) = (Journal.Head(), Journal.Head())
            for row in try Row.fetchAll(db, sql: "SELECT number, entry FROM journal ORDER BY number") {
                let text = (row[1] as String).replacing(#/"nonce":"[0-9a-f]*",/#, with: "")
                    .replacing(oldDigest, with: sha256Hex(bytes))
                previous = head
                head = .init(number: row[0], hash: Journal.hash(Array(text.utf8), after: head.hash))
                try db.execute(
                    sql: "UPDATE journal SET entry = ?, hash = ? WHERE number = ?",
                    arguments: [text, Data(head.hash), head.number])
            }
            let receipt = try #require(
                try Data.fetchOne(db, sql: "SELECT receipt FROM answers WHERE request = ?", arguments: [id]))
            var body = try Receipt(decoding: Array(receipt)).body
            body.answerDigest = sha256Hex(bytes)
            (body.journalHash, body.previousJournalHash) = (hexadecimal(head.hash), hexadecimal(previous.hash))
            try db.execute(
                sql: "UPDATE answers SET answer = ?, receipt = ?",
                arguments: [Data(bytes), Data(try Receipt.signed(body, by: test.site.signingKey).encoded)])
        }
        #expect(try !test.read("SELECT entry FROM journal").contains { $0.contains("nonce") })
        _ = try await test.site.ask(TestSite.count(0.5), as: .ada)
        let site = try test.reopened()
        #expect(try site.verify().problems == [])
        let answer = try await site.answer(id, as: .ada)
        #expect(try JSONDecoder().decode(Answer.self, from: Data(answer)).nonce == nil)
    }

    @Test("The hash of an entry is SHA-256 over label, previous hash and canonical JSON: a fixed vector")
    func vector() {
        let entry = JournalEntry(
            action: .refused, actor: "ada", time: 0, dataset: "visits",
            loss: .init(kind: .pure, amount: 5), detail: "a \"b\"\n")
        let bytes = entry.canonical(number: 1, nonce: "00ff")
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"action":"refused","actor":"ada","amount":5,"dataset":"visits","delta":0,"detail":"a \"b\"\n","kind":"pure","nonce":"00ff","number":1,"time":0}"#
        )
        let hash = Journal.hash(bytes, after: [UInt8](repeating: 0, count: 32))
        #expect(
            hexadecimal(hash) == sha256Hex(Array("parley journal v1\n".utf8) + [UInt8](repeating: 0, count: 32) + bytes)
        )
        #expect(JournalEntry.decode(String(decoding: bytes, as: UTF8.self))?.entry == entry)
    }
}
