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

    @Test("The hash of an entry is SHA-256 over label, previous hash and canonical JSON: a fixed vector")
    func vector() {
        let entry = JournalEntry(
            action: .refused, actor: "ada", time: 0, dataset: "visits",
            loss: .init(kind: .pure, amount: 5), detail: "a \"b\"\n")
        let bytes = entry.canonical(number: 1)
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"action":"refused","actor":"ada","amount":5,"dataset":"visits","delta":0,"detail":"a \"b\"\n","kind":"pure","number":1,"time":0}"#
        )
        let hash = Journal.hash(bytes, after: [UInt8](repeating: 0, count: 32))
        #expect(
            hexadecimal(hash) == sha256Hex(Array("parley journal v1\n".utf8) + [UInt8](repeating: 0, count: 32) + bytes)
        )
        #expect(JournalEntry.decode(String(decoding: bytes, as: UTF8.self))?.entry == entry)
    }
}
