import Foundation
import Marketplace
import MarketplaceStore

/// Durable transfers a second, beside a loop that writes the same bytes and synchronises as often; by the clock, since it waits for the disk.
struct MarketStoreBenchmark {
    let workplace: Workplace

    func run() async throws {
        for batch in [1, 64, 1_000] { try batches(batch) }
        try await callers()
    }

    private static let accounts = (0..<1_000).map { MarketBenchmark.account("party/p\($0)") }

    /// An entry that opens 1,000 accounts and gives them money.
    private static func opening() -> BookEntry {
        BookEntry(
            key: MarketBenchmark.name(-1), time: 0,
            steps: [.open(Market.outside, rule: .unbounded)] + accounts.map { .open($0, rule: .neverBelowZero) }
                + accounts.map { .move(Movement(from: Market.outside, to: $0, amount: 1_000_000)) })
    }

    private static func transfer(_ number: Int) -> BookEntry {
        let movement = Movement(from: accounts[number % 1_000], to: accounts[(number * 7 + 1) % 1_000], amount: 1)
        return BookEntry(key: MarketBenchmark.name(number), time: Int64(number), steps: [.move(movement)])
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = wallSeconds()
        try body()
        return wallSeconds() - start
    }

    /// Adds batches of three entries, and prints how many are durable after each, until it is killed: a test of the store kills it.
    static func appendUntilKilled(path: String) throws {
        let ledger = try DurableLedger(try LogFile(path: path), from: Book())
        _ = try ledger.apply([opening()])
        var number = ledger.position.count
        while true {
            _ = try ledger.apply((number..<number + 3).map(transfer))
            number += 3
            try FileHandle.standardOutput.write(contentsOf: Data("\(ledger.position.count)\n".utf8))
        }
    }

    /// Opens a market's folder, or makes one, and credits until it is killed: prints how many entries have been answered.
    static func operateUntilKilled(folder path: String) throws {
        guard let key = PlatformKey(seed: MarketBenchmark.name(9).bytes),
            let policy = DepositPolicy(detectionMillionths: 800_000, leastExpectation: 300_000)
        else { throw MarketBenchmark.Contradiction(what: "no key, or no policy") }
        let party = MarketBenchmark.party("sue")
        let folder: MarketFolder
        if FileManager.default.fileExists(atPath: path) {
            folder = try MarketFolder(at: path, key: key)
        } else {
            folder = try MarketFolder.create(
                at: path, operatorName: MarketBenchmark.party("clerk"), policy: policy, key: key)
        }
        if folder.market.keys[party] == nil { try folder.operate(.register(party, key: key.signer.publicKey)) }
        while true {
            try folder.operate(.credit(party, amount: 1))
            try FileHandle.standardOutput.write(contentsOf: Data("\(folder.count)\n".utf8))
        }
    }

    private func batches(_ size: Int) throws {
        let path = workplace.path("market-\(size)")
        let count = size == 1 ? 2_000 : size * 200
        let transfers = (0..<count).map(Self.transfer)
        let frames = stride(from: 0, to: count, by: size).map { start in
            EntryLog.batch(
                transfers[start..<start + size].map(\.journalBytes),
                after: LogPosition(count: 0, digest: MarketBenchmark.name(0))
            ).bytes
        }
        let plain = try LogFile(path: path + "-plain")
        let plainTime = try Self.seconds {
            for frame in frames {
                try plain.write(frame)
                try plain.synchronize()
            }
        }
        var ledger: DurableLedger<Book>? = try DurableLedger(try LogFile(path: path), from: Book())
        _ = try ledger?.apply([Self.opening()])
        let time = try Self.seconds {
            for start in stride(from: 0, to: count, by: size) {
                _ = try ledger?.apply(Array(transfers[start..<start + size]))
            }
        }
        let hash = ledger?.state.stateHash
        ledger = nil
        let replay = try Self.seconds { ledger = try DurableLedger(try LogFile(path: path), from: Book()) }
        guard let ledger, ledger.state.stateHash == hash, ledger.position.count == count + 1 else {
            throw MarketBenchmark.Contradiction(what: "the log read again gives another state")
        }
        report(
            "market-store",
            [
                ("batch", Double(size)), ("transfers_per_s", Double(count) / time),
                ("plain_loop_per_s", Double(count) / plainTime),
                ("synchronisations_per_s", Double(count / size) / time),
                ("replayed_per_s", Double(count) / replay), ("bytes_per_entry", Double(frames[0].count / size)),
            ])
    }

    /// 2,000 callers at a time, each of whom waits for its own answer before it asks again.
    private func callers() async throws {
        let (callers, each) = (2_000, 50)
        let ledger = try DurableLedger(try LogFile(path: workplace.path("market-callers")), from: Book())
        _ = try ledger.apply([Self.opening()])
        let store = GroupCommit(ledger)
        let start = wallSeconds()
        let done = try await withThrowingTaskGroup(of: Int.self) { group in
            for caller in 0..<callers {
                group.addTask {
                    var done = 0
                    for number in 0..<each {
                        let step = Self.transfer(caller * each + number).steps
                        let entry = BookEntry(key: MarketBenchmark.name(caller * each + number), time: 0, steps: step)
                        if case .done = try await store.submit(entry) { done += 1 }
                    }
                    return done
                }
            }
            return try await group.reduce(0, +)
        }
        let time = wallSeconds() - start
        guard done == callers * each, store.read({ $0.state.isBalanced }) else {
            throw MarketBenchmark.Contradiction(what: "not every caller's transfer was done")
        }
        report(
            "market-store-callers",
            [("callers", Double(callers)), ("transfers", Double(done)), ("transfers_per_s", Double(done) / time)])
    }
}
