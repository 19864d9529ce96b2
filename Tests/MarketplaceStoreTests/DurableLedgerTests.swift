import Foundation
import MarketplaceStore
import Secrets
import Testing

@testable import Marketplace

@Suite("Entries that are durable before they are answered")
struct DurableLedgerTests {
    @Test(
        "Power is lost 400 times: what was answered is there, the rest is there or not, and the state is that of the entries in their order"
    )
    func powerLoss() throws {
        var random = SeededGenerator(seed: 11)
        let entries = bookEntries(3_000)
        for round in 0..<8 {
            var disk = FaultyDisk()
            var answered = 0
            for _ in 0..<50 {
                let ledger = try DurableLedger(disk, from: Book())
                let stored = ledger.position.count
                #expect(stored >= answered, "round \(round)")
                var plain = Book()
                for entry in entries.prefix(stored) { _ = plain.apply(entry) }
                #expect(ledger.state.stateHash == plain.stateHash)
                var next = stored
                for _ in 0..<random.next(upperBound: UInt64(4)) {
                    let batch = Array(entries[next..<next + 1 + Int(random.next(upperBound: UInt64(8)))])
                    #expect(try ledger.apply(batch) == batch.map { plain.apply($0) })
                    next += batch.count
                }
                answered = next
                // The last batch is written, and the power goes before it is durable.
                disk.failsToSynchronize = true
                let batch = Array(entries[next..<next + 1 + Int(random.next(upperBound: UInt64(20)))])
                #expect(throws: StoreError.self) { try ledger.apply(batch) }
                #expect(ledger.state.stateHash == plain.stateHash, "nothing is applied that is not durable")
                disk = disk.afterPowerLoss(&random)
            }
        }
    }

    @Test("A full disk: nothing is applied, the log is as before, and goes on when there is room")
    func full() throws {
        let entries = bookEntries(40)
        let disk = FaultyDisk()
        let ledger = try DurableLedger(disk, from: Book())
        _ = try ledger.apply(Array(entries[..<10]))
        let (bytes, hash) = (disk.bytes, ledger.state.stateHash)
        for room in [0, 1, 51, 52, 60, 300] {
            disk.room = room
            #expect(throws: StoreError.disk(DiskError(action: "write", reason: "no space left"))) {
                try ledger.apply(Array(entries[10..<14]))
            }
            #expect(disk.bytes == bytes && ledger.state.stateHash == hash)
        }
        disk.room = .max
        _ = try ledger.apply(Array(entries[10...]))
        #expect(try DurableLedger(FaultyDisk(disk.bytes), from: Book()).state.stateHash == ledger.state.stateHash)
    }

    @Test("After a failed synchronisation, or a failed cut, nothing is taken until the log is opened anew")
    func stopped() throws {
        let entries = bookEntries(10)
        for fails in [true, false] {
            let disk = FaultyDisk()
            let ledger = try DurableLedger(disk, from: Book())
            _ = try ledger.apply(Array(entries[..<4]))
            disk.failsToSynchronize = fails
            if !fails { (disk.room, disk.failsToCut) = (10, true) }
            #expect(throws: StoreError.self) { try ledger.apply(Array(entries[4..<6])) }
            (disk.failsToSynchronize, disk.failsToCut, disk.room) = (false, false, .max)
            #expect {
                try ledger.apply(Array(entries[6..<7]))
            } throws: { error in
                if case .stopped = error as? StoreError { true } else { false }
            }
            #expect(ledger.position.count == 4)
            let again = try DurableLedger(disk, from: Book())
            #expect(try again.apply(Array(entries[4...])).count == 6)
        }
    }

    @Test("One synchronisation a batch; what is known, late or twice in a batch is answered and not stored")
    func onlyNew() throws {
        let entries = bookEntries(20)
        let disk = FaultyDisk()
        let ledger = try DurableLedger(disk, from: Book())
        let before = disk.synchronisations
        let answers = try ledger.apply(Array(entries[..<10]))
        #expect(disk.synchronisations == before + 1 && ledger.position.count == 10)
        #expect(try ledger.apply(Array(entries[..<10])) == answers)
        #expect(disk.synchronisations == before + 1 && ledger.position.count == 10)
        let late = BookEntry(key: hashed("late"), time: 3, steps: entries[1].steps)
        let other = BookEntry(key: entries[11].key, time: 11, steps: entries[12].steps)
        let mixed = try ledger.apply([entries[11], late, entries[11], other, entries[12]])
        #expect(mixed[1] == .clockWentBack(latest: 11) && mixed[2] == mixed[0] && mixed[3] == .keyIsTaken)
        #expect(ledger.position.count == 12)
        #expect(try DurableLedger(FaultyDisk(disk.bytes), from: Book()).state.stateHash == ledger.state.stateHash)
    }

    @Test("Every kind of a market's entries is read back as it was, and the market is the same")
    func market() throws {
        let disk = FaultyDisk()
        let ledger = try DurableLedger(disk, from: Market.ofTests())
        let entries = try SignedEntry.examples()
        for (place, entry) in entries.enumerated() {
            #expect(try SignedEntry(journalBytes: entry.journalBytes) == entry, "entry \(place)")
            _ = try ledger.apply([entry])
        }
        #expect(ledger.position.count == entries.count)
        let again = try DurableLedger(FaultyDisk(disk.bytes), from: Market.ofTests())
        #expect(again.state.fingerprint == ledger.state.fingerprint && again.position == ledger.position)
        var random = SeededGenerator(seed: 5)
        for entry in entries {
            for _ in 0..<200 {
                var bytes = entry.journalBytes
                bytes[Int(random.next(upperBound: UInt64(bytes.count)))] ^= 1 << UInt8(random.next() % 8)
                if let read = try? SignedEntry(journalBytes: bytes) { #expect(read.journalBytes == bytes) }
            }
        }
    }

    @Test("Many callers at once: each has its own answer, and batches are shared")
    func groups() async throws {
        let ledger = try DurableLedger(FaultyDisk(), from: Book())
        _ = try ledger.apply(bookEntries(1))
        let store = GroupCommit(ledger)
        let answers = try await withThrowingTaskGroup(of: (Int, BookAnswer).self) { group in
            for number in 0..<500 {
                group.addTask {
                    let entry = BookEntry(
                        key: hashed("caller \(number)"), time: 0,
                        steps: [.move(Movement(from: account("outside"), to: account("a1"), amount: 1))])
                    return (number, try await store.submit(entry))
                }
            }
            return try await group.reduce(into: [Int: BookAnswer]()) { $0[$1.0] = $1.1 }
        }
        #expect(answers.count == 500)
        let places = answers.values.compactMap { if case .done(let number) = $0 { number } else { nil } }
        #expect(Set(places) == Set(1...500))
        for number in 0..<500 {
            #expect(store.read { $0.state.answer(to: hashed("caller \(number)")) } == answers[number])
        }
        #expect(store.read { $0.state[account("a1")]?.balance } == 550)
    }
}
