import Foundation
import MarketplaceStore
import Secrets
import Testing

@testable import Marketplace

func account(_ name: String) -> AccountName {
    guard let account = AccountName(name) else { preconditionFailure("\(name) is no account") }
    return account
}

func party(_ name: String) -> PartyName {
    guard let party = PartyName(name) else { preconditionFailure("\(name) is no name") }
    return party
}

func hashed(_ text: String) -> Digest256 { .sha256(Array(text.utf8)) }

/// A disk in memory that fails when it is told to, and forgets what was not made durable: any of its sectors, which then read as zeros.
final class FaultyDisk: Disk {
    private(set) var bytes: [UInt8]
    private var durable: [UInt8]
    /// How many more bytes there is room for.
    var room = Int.max
    var failsToSynchronize = false
    var failsToCut = false
    private(set) var synchronisations = 0

    init(_ bytes: [UInt8] = []) { (self.bytes, durable) = (bytes, bytes) }

    func read() -> [UInt8] { bytes }

    func write(_ new: [UInt8]) throws(DiskError) {
        let taken = min(room, new.count)
        bytes += new.prefix(taken)
        room -= taken
        if taken < new.count { throw DiskError(action: "write", reason: "no space left") }
    }

    func synchronize() throws(DiskError) {
        if failsToSynchronize { throw DiskError(action: "synchronize", reason: "input/output error") }
        synchronisations += 1
        durable = bytes
    }

    func cut(to count: Int) throws(DiskError) {
        if failsToCut { throw DiskError(action: "cut", reason: "input/output error") }
        room = room == .max ? room : room + bytes.count - count
        bytes.removeLast(bytes.count - count)
    }

    /// What a loss of power leaves: what was durable, and of what was written since each sector or zeros, up to some length.
    func afterPowerLoss(_ random: inout SeededGenerator) -> FaultyDisk {
        let length = durable.count + Int(random.next(upperBound: UInt64(max(0, bytes.count - durable.count) + 1)))
        var left = Array(bytes.prefix(length))
        for sector in stride(from: durable.count / 512 * 512, to: length, by: 512) where random.next() % 3 == 0 {
            for place in max(sector, durable.count)..<max(durable.count, min(sector + 512, length)) { left[place] = 0 }
        }
        return FaultyDisk(left)
    }
}

/// Entries of a book: the first opens eight accounts, the others move between them; some are refused.
func bookEntries(_ count: Int) -> [BookEntry] {
    let names = (0..<8).map { account("a\($0)") }
    let outside = account("outside")
    return (0..<count).map { number in
        let steps: [BookStep] =
            number == 0
            ? [.open(outside, rule: .unbounded)] + names.map { .open($0, rule: .neverBelowZero) }
                + names.map { .move(Movement(from: outside, to: $0, amount: 50)) }
            : [.move(Movement(from: names[number % 8], to: names[(number * 3 + 1) % 8], amount: Int64(number % 23)))]
        return BookEntry(key: hashed("entry \(number)"), time: Int64(number), steps: steps)
    }
}

extension EntryLog {
    /// A log of these batches, and where each record begins.
    static func log(_ batches: [[BookEntry]]) -> (bytes: [UInt8], starts: [Int]) {
        var position = LogPosition(count: 0, digest: Book().beginning)
        var bytes = position.digest.bytes
        var starts: [Int] = []
        for batch in batches {
            let entries = batch.map(\.journalBytes)
            var start = bytes.count
            for entry in entries {
                starts.append(start)
                start += entry.count + overhead
            }
            let (new, end) = self.batch(entries, after: position)
            bytes += new
            position = end
        }
        return (bytes, starts)
    }
}
