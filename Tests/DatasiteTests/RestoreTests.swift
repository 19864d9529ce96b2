import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Testing

@testable import Datasite

@Suite("A restored backup is noticed, and charges what it lost")
struct RestoreTests {
    /// Puts an older database in place of the present one, as a restore does. The generation file stays.
    private func restore(_ backup: String, into path: String) throws {
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: path + "/parley.sqlite" + suffix)
        }
        try FileManager.default.copyItem(atPath: backup + "/parley.sqlite", toPath: path + "/parley.sqlite")
    }

    @Test("It answers nothing until the owner accepts, who is charged the difference; nothing reserved is completed")
    func difference() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 5}, per-researcher: {epsilon: 3}}")
        _ = try await test.site.ask(TestSite.count(0.5), as: .ada)
        let held = try await test.reserveOnly(TestSite.count(0.5), key: "held")
        let backup = try test.copyAtOnce()
        _ = try await test.site.ask(TestSite.count(1), as: .ada, idempotencyKey: "lost")
        try restore(backup, into: test.path)

        let after = try test.reopened()
        let refusal = await problem { _ = try await after.ask(TestSite.count(0.1), as: .ada) }
        #expect(refusal?.kind == .siteUnavailable)
        #expect(await problem { _ = try await after.answer(held, as: .ada) }?.status == 503)
        #expect(await problem { _ = try await after.preview(TestSite.count(0.1), as: .ada) }?.status == 503)
        #expect(refusal?.hint?.contains("`parley verify --accept-restore`") == true)
        #expect(after.suspension == refusal)
        // Whoever has the database of before open still has that, and notices.
        #expect(test.site.suspension == DatabaseFile.problem)
        let found = try after.verify()
        #expect(found.checks.filter { !$0.problems.isEmpty }.map(\.name) == ["generation counter"])
        #expect(found.checks.count == 8 && !found.isSound)
        // What is public, or was released, is still to be read.
        #expect(try after.dataset("visits").mockRows.count == 5)
        #expect(try await !after.mock(TestSite.count(1), as: .ada).isEmpty)
        #expect(try !after.acceptRestore().isEmpty)
        #expect(try test.spent(after) == 2 * unit)
        let own = try after.budget(as: .ada)[0].lines[1]
        #expect(own.spent.epsilon == 2)
        #expect(await problem { _ = try await after.answer(held, as: .ada) }?.status == 409)
        // Her lost answer's key is not known any more: it is a new request, charged again.
        _ = try await after.ask(TestSite.count(1), as: .ada, idempotencyKey: "lost")
        #expect(try test.spent(after) == 3 * unit)
        #expect(try after.verify().problems == [])
        #expect(try test.reopened().verify().problems == [])
        #expect(await problem { _ = try after.acceptRestore() }?.status == 409)
    }

    @Test("A whole folder put back, its counter too, is not noticed by the site: two receipts then name one place")
    func wholeFolder() async throws {
        let test = try TestSite()
        let backup = try test.copyAtOnce()
        defer { try? FileManager.default.removeItem(atPath: backup) }
        func receipt(_ site: Datasite) async throws -> Receipt.Body {
            try Receipt(decoding: try #require(try await site.ask(TestSite.count(1), as: .ada).receipt)).body
        }
        let before = try await receipt(test.site)
        let restored = try test.reopened(backup)
        #expect(try restored.verify().isSound)
        let after = try await receipt(restored)
        #expect(before.publicKey == after.publicKey && before.journalIndex == after.journalIndex)
        #expect(before.journalHash != after.journalHash)
    }

    @Test("A damaged table is what its check found, and no check is both well and wrong")
    func damagedTable() throws {
        let test = try TestSite()
        let folder = try test.path + "/data/" + test.site.datasets()[0].version
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0 != "table.json" }.sorted()
        let part = try #require(try names.first { try !Data(contentsOf: URL(filePath: folder + "/" + $0)).isEmpty })
        var bytes = try Data(contentsOf: URL(filePath: folder + "/" + part))
        bytes[0] ^= 1
        try bytes.write(to: URL(filePath: folder + "/" + part))
        let report = try test.site.verify()
        #expect(report.checks.filter { !$0.problems.isEmpty }.map(\.name) == ["tables' files"])
        #expect(report.problems == ["files: visits is damaged in \(part)"])
    }

    @Test("Without the counter's file nothing is known, and everything is charged")
    func everything() async throws {
        let test = try TestSite()
        _ = try await test.site.ask(TestSite.count(1), as: .ada)
        try FileManager.default.removeItem(atPath: test.path + "/generation")
        let after = try test.reopened()
        #expect(await problem { _ = try await after.ask(TestSite.count(0.1), as: .ada) }?.status == 503)
        _ = try after.acceptRestore()
        #expect(try test.spent(after) == 10 * unit)
        #expect(await problem { _ = try await after.ask(TestSite.count(0.1), as: .ada) }?.status == 403)
    }

    @Test("A population that the backup does not know is charged when it is added again")
    func lostPopulation() async throws {
        let test = try TestSite()
        let backup = try test.copyAtOnce()
        try test.add("others", policy: "{loss: pure, total: {epsilon: 2}}", population: "neighbours")
        _ = try await test.site.ask(TestSite.count(1.5, "others"), as: .ada)
        try restore(backup, into: test.path)
        let after = try test.reopened()
        _ = try after.acceptRestore()
        _ = try after.addDataset(
            file: test.path + "/others.csv",
            manifestText: TestSite.manifest(
                "others", policy: "{loss: pure, total: {epsilon: 2}}", population: "neighbours"))
        #expect(try test.spent(after, population: "neighbours") == 3 * unit / 2)
        #expect(try after.verify().problems == [])
    }

    @Test("What waited for approval is neither answered twice for one charge nor given back")
    func pending() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}, approval: owner}")
        let id = try #require(try await test.site.ask(TestSite.count(0.9), as: .ada).pendingID)
        let backup = try test.copyAtOnce()
        #expect(try await test.site.approve(id, by: .folder).state == "released")
        try restore(backup, into: test.path)

        let after = try test.reopened()
        _ = try after.acceptRestore()
        #expect(try test.spent(after) == 9 * unit / 10)
        #expect(await problem { _ = try await after.approve(id, by: .folder) }?.status == 409)
        #expect(await problem { _ = try await after.deny(id, by: .folder, reason: "no") }?.status == 409)
        #expect(await problem { _ = try await after.answer(id, as: .ada) }?.status == 403)
        #expect(await problem { _ = try await after.ask(TestSite.count(0.2), as: .ada) }?.status == 403)
        #expect(try test.spent(after) == 9 * unit / 10)
        #expect(try after.verify().problems == [])
    }

    @Test("A hold that was denied in the time that was lost does not hide what was released there")
    func deniedMeanwhile() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}, approval: owner}")
        let held = try #require(try await test.site.ask(TestSite.count(0.5), as: .ada).pendingID)
        let backup = try test.copyAtOnce()
        _ = try await test.site.deny(held, by: .folder, reason: "no")
        let other = try #require(try await test.site.ask(TestSite.count(0.4), as: .ada).pendingID)
        #expect(try await test.site.approve(other, by: .folder).state == "released")
        try restore(backup, into: test.path)

        let after = try test.reopened()
        _ = try after.acceptRestore()
        #expect(await problem { _ = try await after.deny(held, by: .folder, reason: "no") }?.status == 409)
        #expect(try test.spent(after) == 4 * unit / 10)
        #expect(try after.verify().problems == [])
    }

    @Test("Where nothing is known, a hold cannot reopen the budget")
    func pendingUnknown() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}, approval: owner}")
        let held = try #require(try await test.site.ask(TestSite.count(0.5), as: .ada).pendingID)
        try FileManager.default.removeItem(atPath: test.path + "/generation")
        let after = try test.reopened()
        _ = try after.acceptRestore()
        #expect(await problem { _ = try await after.deny(held, by: .folder, reason: "no") }?.status == 409)
        #expect(try test.spent(after) == unit)
        #expect(try after.verify().problems == [])
    }

    @Test("What was lost by another measure of loss has no rate of exchange: everything is charged")
    func otherKind() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 1}}")
        let backup = try test.copyAtOnce()
        try test.site.setPolicy(of: "visits", policyText: "{loss: zcdp, delta: 1e-6, total: {rho: 5}}")
        var question = TestSite.count(1)
        question.budget = .rho(0.5)
        _ = try await test.site.ask(question, as: .ada)
        try restore(backup, into: test.path)

        let after = try test.reopened()
        _ = try after.acceptRestore()
        #expect(try test.spent(after) == unit)
        #expect(await problem { _ = try await after.ask(TestSite.count(0.1), as: .ada) }?.status == 403)
    }

    @Test("What a restore lost counts for each researcher and in every window, new windows too")
    func everyScope() async throws {
        let policy =
            "{loss: pure, total: {epsilon: 5}, per-researcher: {epsilon: 1}, windows: [{days: 7, limit: {epsilon: 1}}]}"
        let test = try TestSite()
        let backup = try test.copyAtOnce()
        try test.add("others", policy: policy, population: "neighbours")
        _ = try await test.site.ask(TestSite.count(1, "others"), as: .ada)
        try restore(backup, into: test.path)
        let after = try test.reopened()
        _ = try after.acceptRestore()
        _ = try after.addDataset(
            file: test.path + "/others.csv",
            manifestText: TestSite.manifest("others", policy: policy, population: "neighbours"))
        let refused = await problem { _ = try await after.ask(TestSite.count(0.1, "others"), as: .ada) }
        #expect(refused?.status == 403)
        func report() throws -> [String: Double?] {
            let report = try after.budget(as: .folder).first { $0.population == "neighbours" }
            return Dictionary(uniqueKeysWithValues: (report?.lines ?? []).map { ($0.scope, $0.spent.epsilon) })
        }
        let before = try report()
        #expect(before.count == 3 && before.values.allSatisfy { $0 == 1 }, "\(before)")
        try after.setPolicy(
            of: "others",
            policyText:
                "{loss: pure, total: {epsilon: 5}, per-researcher: {epsilon: 1}, windows: [{days: 14, limit: {epsilon: 1}}]}"
        )
        let changed = try report()
        #expect(changed.count == 3 && changed.values.allSatisfy { $0 == 1 }, "\(changed)")
        #expect(try after.verify().problems == [])
    }

    @Test("A database put back under a running server is noticed by its next commit")
    func underARunningServer() async throws {
        let test = try TestSite()
        try test.execute("UPDATE meta SET value = 1 WHERE key = 'generation'")
        #expect(await problem { _ = try await test.site.ask(TestSite.count(1), as: .ada) }?.status == 503)
        #expect(try test.spent() == 0)
    }

    @Test("A torn write of the counter leaves the record before it; noise is no record")
    func tornWrite() throws {
        let path = FileManager.default.temporaryDirectory.path + "/generation-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = GenerationFile(path: path)
        func record(_ generation: Int64) -> GenerationFile.Record {
            .init(
                generation: generation,
                spent: [.init(population: -5, loss: .init(kind: .pure, amount: generation * 3, delta: 1))],
                head: .init(number: generation + 7, hash: (0..<32).map { UInt8(250 - 5 * $0) }))
        }
        #expect(try file.read() == nil)
        try file.reset(to: record(1))
        for generation in 2...9 { try file.advance(to: record(Int64(generation))) }
        try file.advance(to: record(4))
        #expect(try file.read() == record(9))
        var bytes = try Data(contentsOf: URL(filePath: path))
        for slot in 0..<2 {
            var torn = bytes
            torn[slot * GenerationFile.slotBytes + 40] ^= 1
            try torn.write(to: URL(filePath: path))
            let left = try #require(try file.read())
            #expect(left == record(9) || left == record(8))
        }
        bytes = Data(repeating: 7, count: 8_192)
        try bytes.write(to: URL(filePath: path))
        #expect(try file.read() == nil)
    }

    @Test("More populations than the counter's slot holds are remembered as not known")
    func manyPopulations() {
        let spent = (0..<200).map {
            GenerationFile.Record.Spent(population: Int64($0), loss: .init(kind: .pure, amount: 1))
        }
        let bytes = GenerationFile.encode(.init(generation: 7, spent: spent))
        #expect(GenerationFile.decode(bytes) == .init(generation: 7, spent: nil))
        let head = Journal.Head(number: 3, hash: (0..<32).map { UInt8($0) })
        #expect(
            GenerationFile.decode(GenerationFile.encode(.init(generation: 7, spent: spent, head: head)))
                == .init(generation: 7, spent: nil, head: head))
        let largest = GenerationFile.encode(.init(generation: 7, spent: Array(spent.prefix(120)), head: head))
        #expect(largest.count <= GenerationFile.slotBytes && GenerationFile.decode(largest)?.head == head)
        // A file of an earlier version names no entry.
        let old = GenerationFile.Record(generation: 7, spent: Array(spent.prefix(3)))
        #expect(GenerationFile.decode(GenerationFile.encode(old)) == old)
        #expect(GenerationFile.decode(largest)?.spent?.count == 120)
        for cut in [0, 31, 40, largest.count - 1] { #expect(GenerationFile.decode(Array(largest.prefix(cut))) == nil) }
    }
}
