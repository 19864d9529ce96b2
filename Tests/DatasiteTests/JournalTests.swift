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
        ])
    func tampering(_ change: String, _ found: String) async throws {
        let test = try await prepared()
        try test.execute(change)
        let problems = try test.site.verify().problems
        #expect(problems.contains { $0.hasPrefix(found) }, "\(problems)")
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

    @Test("The digests of answers and the hashes of the journal confirm no guess: each is over 128 bits that nobody knows")
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
        _ = try await test.site.synthesize(SynthesisRequest(dataset: "visits", epsilon: 1))
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
        let id = try #require(
            try Receipt(decoding: try #require(try await test.site.ask(TestSite.count(0.5), as: .ada).receipt)).body.request)
        // What an earlier version wrote: the same bytes but for the nonce, in a chain of its own.
        try test.site.store.pool.write { db in
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
