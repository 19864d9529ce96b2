import DatasiteProtocol
import Foundation
import Synchronization
import Testing
import TransparencyLog

@testable import Datasite

/// What witnesses and monitors hold against a site that was put back, again and again, until it has begun another log.
@Suite("What is held against a datasite's log", .timeLimit(.minutes(10)))
struct SiteLogEvidenceTests {
    private let test: TestSite
    private let witness: WitnessFolder
    private let told: Told
    private let clock: Clock

    private final class Clock: Sendable {
        let seconds = Mutex(Double(1_800_000_000))
    }

    /// What a witness's operator is told.
    private final class Told: Sendable {
        private let lines = Mutex<[String]>([])
        func take(_ line: String) { lines.withLock { $0.append(line) } }
        func count(_ words: String) -> Int { lines.withLock { $0.count { $0.contains(words) } } }
    }

    init() throws {
        let (told, clock) = (Told(), Clock())
        test = try TestSite()
        (self.told, self.clock) = (told, clock)
        witness = try WitnessFolder(
            path: test.path + "/witness", name: "witness.example.org", now: { clock.seconds.withLock { $0 } }
        ) { told.take($0) }
        try Data("witnesses: [{key: \"\(witness.key)\", url: \"http://127.0.0.1:1\"}]".utf8).write(
            to: URL(filePath: test.path + "/parley.yaml"))
        #expect(chmod(test.path + "/parley.yaml", 0o600) == 0)
    }

    private func ask(_ site: Datasite) async throws { _ = try await site.ask(TestSite.count(0.1), as: .ada) }

    private func checkpoint(_ site: Datasite) throws -> SignedCheckpoint {
        try SignedCheckpoint(parsing: site.publishLog())
    }

    private func show(_ checkpoint: SignedCheckpoint, from old: UInt64 = 0) async throws -> (status: Int, words: String)
    {
        let request = try AddCheckpointRequest(
            oldSize: old, proof: ConsistencyProof(hashes: []), checkpoint: checkpoint)
        let answer = try await witness.answer(request.bytes)
        return (answer.status, String(decoding: answer.body, as: UTF8.self))
    }

    private func compare(_ site: Datasite) async throws {
        let named = try #require(try test.site.witnesses().first)
        try await site.compareLog(with: named) { [witness] url in
            let parts = url.split(separator: "/").map(String.init)
            return parts.last == "evidence"
                ? witness.evidence(parts[parts.count - 2]) : witness.latest(parts[parts.count - 2])
        }
    }

    /// A site that was put back, was told so, and goes on with its owner's word.
    private func restored(_ folder: String, told checkpoint: SignedCheckpoint) throws -> Datasite {
        #expect(throws: Problem.self) { try test.reopened(folder).compareLog(checkpoint.bytes) }
        let site = try test.reopened(folder)
        #expect(site.suspension != nil)
        _ = try site.acceptRestore()
        return site
    }

    @Test("The number of a log has one text")
    func names() throws {
        let site = String(repeating: "0a", count: 16)
        #expect(SiteLogName("parley.log/\(site)")?.number == 1)
        for number in [2, 10, 1_000_000] {
            let name = try #require(SiteLogName("parley.log/\(site)/\(number)"))
            #expect(name.number == number && name.site == site && "\(name)" == "parley.log/\(site)/\(number)")
        }
        for end in [
            "/", "/0", "/1", "/02", "/+2", "/-2", "/ 2", "/2 ", "/2/", "/2/3", "/x", "/٢", "/2\u{301}", "/1000001",
            "/99999999999999999999", "0", "/2\0",
        ] {
            #expect(SiteLogName("parley.log/\(site)\(end)") == nil, "\(end)")
        }
        for text in [
            "", "parley.log", "parley.log/", "other/\(site)", "parley.log/\(site.uppercased())",
            "parley.log/\(site.dropLast())",
            "parley.log/\(site.dropLast())g/2",
        ] {
            #expect(SiteLogName(text) == nil, "\(text)")
        }
    }

    @Test("A copy from before the next log was begun stops when it is shown that one, whose number is not used again")
    func laterLog() async throws {
        try await ask(test.site)
        try test.site.publishLog()
        let old = try test.copy()
        try await ask(test.site)
        let newest = try checkpoint(test.site)
        let copy = try test.copy()
        let second = try checkpoint(restored(old, told: newest))
        #expect("\(second.checkpoint.origin)".hasSuffix("/2"))
        let site = try test.reopened(copy)
        try site.compareLog(newest.bytes)
        // What another key signed under that name stops nothing.
        let key = try SigningKey.generate(name: KeyName(second.checkpoint.origin.bytes), kind: .ed25519)
        let forged = try SignedCheckpoint(signing: second.checkpoint, with: [key.signer])
        #expect(await problem { try site.compareLog(forged.bytes) }?.kind == .forbidden)
        #expect(site.suspension == nil)
        let third = try checkpoint(restored(copy, told: second))
        #expect("\(third.checkpoint.origin)".hasSuffix("/3"), "\(third.checkpoint.origin)")
    }

    @Test("Of all that a witness holds the latest log's number counts, though the first of it stops the site already")
    func latestCounts() async throws {
        try witness.add(test.site.logKey())
        try await ask(test.site)
        try test.site.publishLog()
        let (old, again, full) = (try test.copy(), try test.copy(), try test.copy())
        try await ask(test.site)
        let newest = try checkpoint(test.site)
        #expect(try await show(newest).status == 200)
        let second = try restored(old, told: newest)
        let signed = try checkpoint(second)
        try witness.add(second.logKey())
        #expect(try await show(signed).status == 200)
        let site = try test.reopened(again)
        await #expect(throws: Problem.self) { try await compare(site) }
        #expect(site.suspension != nil)
        _ = try test.reopened(again).acceptRestore()
        #expect(try test.reopened(again).logKey().contains("/3+"))
        // Of one log the largest is kept, in whatever order they come; and where the disk does not take it the site stops all the same.
        let stopped = try test.reopened(full)
        let before = try checkpoint(stopped)
        try FileManager.default.createDirectory(
            atPath: full + "/log/contradiction.partial", withIntermediateDirectories: false)
        #expect(throws: Problem.self) { try stopped.compareLog(newest.bytes) }
        #expect(stopped.suspension != nil && !LogFolder(path: full + "/log").isContradicted)
        #expect(before.head.size < newest.head.size)
        await #expect(throws: Problem.self) { try await ask(stopped) }
    }

    @Test("A site that has stopped by its counter takes what its counter, put back as well, knows nothing of")
    func stoppedAlready() async throws {
        try await ask(test.site)
        try test.site.publishLog()
        let first = try test.copy()
        try await ask(test.site)
        try test.site.publishLog()
        let second = try test.copy()
        try await ask(test.site)
        let newest = try checkpoint(test.site)
        // Of the second copy, with the first one's database.
        for name in ["parley.sqlite", "parley.sqlite-wal", "parley.sqlite-shm"] {
            try? FileManager.default.removeItem(atPath: second + "/" + name)
            try? FileManager.default.copyItem(atPath: first + "/" + name, toPath: second + "/" + name)
        }
        let site = try test.reopened(second)
        #expect(site.suspension != nil && !LogFolder(path: second + "/log").isContradicted)
        #expect(throws: Problem.self) { try site.compareLog(newest.bytes) }
        #expect(LogFolder(path: second + "/log").isContradicted)
        #expect(try test.reopened(second).acceptRestore().contains { $0.contains("its whole budget is charged") })
    }

    @Test(
        "A witness says what it was not told of, shows its operator a site's next log once, and cosigns an ended one no more"
    )
    func nextLog() async throws {
        let own = try checkpoint(test.site)
        let unknown = try await show(own)
        #expect(unknown.status == 404 && unknown.words.contains("was not told of the log \(own.checkpoint.origin)"))
        #expect(unknown.words.contains("parley log key") && witness.knowsNoLog)
        try witness.add(test.site.logKey())
        #expect(try await show(own).status == 200 && !witness.knowsNoLog)
        let old = try test.copy()
        try await ask(test.site)
        let newest = try checkpoint(test.site)
        let copy = try test.copy()
        let next = try restored(old, told: newest)
        let second = try checkpoint(next)
        let key = try SigningKey.generate(name: KeyName(second.checkpoint.origin.bytes), kind: .ed25519)
        #expect(
            try await show(SignedCheckpoint(signing: second.checkpoint, with: [key.signer])).status == 404)
        #expect(told.count("has begun another log") == 0)
        for _ in 0..<3 { #expect(try await show(second).status == 404) }
        #expect(told.count("has begun another log") == 1)
        try witness.add(next.logKey())
        #expect(told.count("is a later log") == 1)
        #expect(try await show(second).status == 200)
        let ended = try await show(own, from: own.head.size)
        #expect(ended.status == 404 && ended.words.contains("has ended"), "\(ended.words)")
        // A copy from before it was begun finds it at the witness.
        let site = try test.reopened(copy)
        await #expect(throws: Problem.self) { try await compare(site) }
        #expect(site.suspension != nil)
    }

    @Test("What a witness keeps against a log stops the newest copy too, which knows nothing of the other history")
    func evidence() async throws {
        try witness.add(test.site.logKey())
        let old = try test.copy()
        try await ask(test.site)
        let seen = try checkpoint(test.site)
        #expect(try await show(seen).status == 200)
        let copy = try test.copy()
        let site = try test.reopened(copy)
        try await compare(site)
        #expect(site.suspension == nil)
        let fork = try test.reopened(old)
        try await ask(fork)
        let other = try checkpoint(fork)
        #expect(other.head.size == seen.head.size && other.head != seen.head)
        #expect(try await show(other, from: seen.head.size).status == 422)
        #expect(told.count("showed two histories") == 1)
        await #expect(throws: Problem.self) { try await compare(test.reopened(copy)) }
        #expect(try test.reopened(copy).suspension != nil)
    }

    @Test("Whoever asks a witness for the same again and again has nothing signed and nothing stored")
    func again() async throws {
        try witness.add(test.site.logKey())
        let own = try checkpoint(test.site)
        let first = try await show(own)
        let file = test.path + "/witness/\(sha256Hex(own.checkpoint.origin.bytes)).json"
        let stored = try FileManager.default.attributesOfItem(atPath: file)[.systemFileNumber] as? Int
        for _ in 0..<20 { #expect(try await show(own, from: own.head.size) == first) }
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.systemFileNumber] as? Int == stored)
        // A minute later there is a newer time to tell.
        clock.seconds.withLock { $0 += 61 }
        let later = try await show(own, from: own.head.size)
        #expect(later.status == 200 && later != first)
    }

    @Test("A witness's key is shown while it runs, which another one in its folder is told")
    func running() throws {
        let path = test.path + "/witness"
        #expect(try WitnessFolder.key(in: path) == witness.key)
        #expect(try WitnessFolder.key(in: path + "/none") == nil)
        let problem = try #require(throws: Problem.self) { try WitnessFolder(path: path, name: nil) }
        #expect(problem.detail.contains("a witness runs in") && problem.hint?.contains("--log") == true)
    }
}
