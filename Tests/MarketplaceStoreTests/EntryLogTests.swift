import MarketplaceStore
import Secrets
import Testing

@testable import Marketplace

@Suite("The log of entries")
struct EntryLogTests {
    private let entries = bookEntries(12)
    private var batches: [[BookEntry]] {
        [Array(entries[..<1]), Array(entries[1..<5]), Array(entries[5..<8]), Array(entries[8...])]
    }

    private func open(_ bytes: [UInt8]) throws(StoreError) -> DurableLedger<Book> {
        try DurableLedger(FaultyDisk(bytes), from: Book())
    }

    private func book(_ count: Int) -> Book {
        var book = Book()
        for entry in entries.prefix(count) { _ = book.apply(entry) }
        return book
    }

    @Test("Cut anywhere, it is read up to the last whole record, and the state is that of so many entries")
    func cutAnywhere() throws {
        let (bytes, starts) = EntryLog.log(batches)
        for length in 0...bytes.count {
            let ledger = try open(Array(bytes.prefix(length)))
            let whole = (starts.dropFirst() + [bytes.count]).count { $0 <= length }
            #expect(ledger.position.count == whole && ledger.state.stateHash == book(whole).stateHash)
            let isWhole = length == bytes.count || length == 0 || length == 32 || starts.contains(length)
            #expect(ledger.wasTorn == !isWhole, "\(length) bytes")
        }
    }

    @Test(
        "A damaged byte that was answered is refused; in the last record it is cut; in the log's first bytes it is another state's"
    )
    func damagedAnywhere() throws {
        let (bytes, starts) = EntryLog.log(batches)
        var refused = 0
        for place in bytes.indices {
            var damaged = bytes
            damaged[place] ^= 1 << UInt8(place % 8)
            let record = starts.lastIndex { $0 <= place }
            do throws(StoreError) {
                let ledger = try open(damaged)
                #expect(record == 11 && ledger.wasTorn && ledger.position.count == 11, "byte \(place)")
            } catch {
                refused += 1
                guard let record else {
                    #expect(error == .log(.otherState))
                    continue
                }
                #expect(error == .log(.damaged(byte: starts[record], record: record)), "byte \(place)")
                #expect(record < 11)
            }
        }
        #expect(refused == starts[11])
    }

    @Test("Zeros, ones, or a stretch taken out or put twice, in what was answered: refused, and the file is as it was")
    func damagedStretches() throws {
        let (bytes, starts) = EntryLog.log(batches)
        var random = SeededGenerator(seed: 7)
        for _ in 0..<400 {
            // Something whole of a later batch stays behind.
            let start = 32 + Int(random.next(upperBound: UInt64(starts[8] - 40)))
            let count = 1 + Int(random.next(upperBound: UInt64(min(200, starts[8] - start))))
            let range = start..<start + count
            let (before, inside, behind) = (bytes[..<start], bytes[range], bytes[range.upperBound...])
            let forms: [[UInt8]] = [
                [UInt8](repeating: 0, count: count), [UInt8](repeating: 255, count: count), [], Array(inside + inside),
            ]
            .map { Array(before) + $0 + Array(behind) }
            for form in forms where form != bytes {
                let disk = FaultyDisk(form)
                #expect(throws: StoreError.self) { try DurableLedger(disk, from: Book()) }
                #expect(disk.bytes == form)
            }
        }
    }

    @Test("A record that is missing as a whole, the last but one too, is refused; two exchanged too")
    func missing() throws {
        let (bytes, starts) = EntryLog.log(batches)
        let ends = Array(starts.dropFirst()) + [bytes.count]
        for place in 0..<11 {
            let without = bytes[..<starts[place]] + bytes[ends[place]...]
            #expect(throws: StoreError.log(.damaged(byte: starts[place], record: place))) { try open(Array(without)) }
            let first = bytes[starts[place]..<ends[place]]
            let second = bytes[ends[place]..<ends[place + 1]]
            let exchanged = Array(bytes[..<starts[place]]) + Array(second + first) + Array(bytes[ends[place + 1]...])
            #expect(throws: StoreError.self) { try open(exchanged) }
        }
    }

    @Test(
        "Out of order: a hole of zeros in the last batch is cut, other damage there is refused, and a hole that was answered too"
    )
    func holes() throws {
        let many = bookEntries(60)
        let (bytes, starts) = EntryLog.log([Array(many[..<20]), Array(many[20...])])
        func withHole(_ sector: Int, _ value: UInt8) -> [UInt8] {
            var bytes = bytes
            for place in 512 * sector..<512 * sector + 512 { bytes[place] = value }
            return bytes
        }
        let first = starts[20] / 512 + 1
        for sector in first..<bytes.count / 512 - 2 {
            let ledger = try open(withHole(sector, 0))
            #expect(ledger.wasTorn && ledger.position.count == starts.count { $0 <= 512 * sector } - 1)
            #expect(throws: StoreError.self) { try open(withHole(sector, 1)) }
        }
        for sector in 1..<first - 1 { #expect(throws: StoreError.self) { try open(withHole(sector, 0)) } }
    }

    @Test("Another policy, another operator, a book: none reads the other's log")
    func otherState() throws {
        let other = try #require(DepositPolicy(detectionMillionths: 800_000, leastExpectation: 300_001))
        let states = [
            Market.ofTests(), .ofTests("another"), .ofTests(operatorName: party("b")), .ofTests(policy: other),
        ]
        for (place, state) in states.enumerated() {
            let disk = FaultyDisk()
            _ = try DurableLedger(disk, from: state)
            for (index, reader) in states.enumerated() where index != place {
                #expect(throws: StoreError.log(.otherState)) { try DurableLedger(disk, from: reader) }
            }
            #expect(throws: StoreError.log(.otherState)) { try DurableLedger(disk, from: Book()) }
        }
    }

    @Test("A noted position: a log that was cut to a whole record, or written anew, is refused")
    func noted() throws {
        let (bytes, starts) = EntryLog.log(batches)
        let end = try open(bytes).position
        let middle = try open(Array(bytes.prefix(starts[5]))).position
        for position in [end, middle, LogPosition(count: 0, digest: Book().beginning)] {
            _ = try DurableLedger(FaultyDisk(bytes), from: Book(), through: position)
        }
        #expect(throws: StoreError.log(.position(expected: end, count: 11))) {
            try DurableLedger(FaultyDisk(Array(bytes.prefix(starts[11]))), from: Book(), through: end)
        }
        let rewritten = EntryLog.log([Array(entries[..<4] + entries[5...])]).bytes
        #expect(throws: StoreError.log(.position(expected: middle, count: 11))) {
            try DurableLedger(FaultyDisk(rewritten), from: Book(), through: middle)
        }
    }

    @Test("Records that hold no entry are refused by number, whatever their bytes; nothing traps")
    func hostile() throws {
        var random = SeededGenerator(seed: 3)
        let good = entries[1].journalBytes
        for _ in 0..<2_000 {
            var bytes = good
            for _ in 0...random.next(upperBound: UInt64(3)) {
                bytes[Int(random.next(upperBound: UInt64(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.next() % 4 == 0 { bytes.removeLast(Int(random.next(upperBound: UInt64(bytes.count)))) }
            if let entry = try? BookEntry(journalBytes: bytes) { #expect(entry.journalBytes == bytes) }
        }
        let position = LogPosition(count: 0, digest: Book().beginning)
        let log = Book().beginning.bytes + EntryLog.batch([good, Array(good.dropLast()), good], after: position).bytes
        #expect {
            try open(log)
        } throws: { error in
            if case .log(.entry(record: 1, _)) = error as? StoreError { true } else { false }
        }
    }
}
