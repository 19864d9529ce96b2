import Secrets
import Testing

@testable import Tables

@Suite("Many messages hashed side by side")
struct MessageHashingTests {
    @Test("Whatever instructions are used, each message has the hash that it has alone", arguments: 0...40)
    func equality(count: Int) {
        var dice = Dice(UInt64(count))
        func words(_ count: Int) -> [UInt64] {
            (0..<count).map { _ in dice.generator.next() }
        }
        let columns = (0..<dice.int(0...4)).map { _ in words(count + MessageHashing.slack) }
        // Runs of one message, of a few, and of all.
        var ends: [Int64] = []
        while (ends.last ?? 0) < count {
            let next = Int(ends.last ?? 0) + dice.int(1...dice.pick([1, 5, 50]))
            ends.append(Int64(min(next, count)))
        }
        let keys = words(2 * ends.count)
        var expected: [UInt64] = []
        for (run, end) in ends.enumerated() {
            for message in expected.count..<Int(end) {
                var stream = KeyedHash.Stream(KeyedHash(key0: keys[2 * run], key1: keys[2 * run + 1]))
                for column in columns { stream.combine(column[message]) }
                expected.append(stream.finalize(tailBytes: 4).first)
            }
        }
        for hashing in MessageHashing.all {
            #expect(hash(hashing, columns, keys, ends, count) == expected)
        }
    }

    private func hash(
        _ hashing: MessageHashing, _ columns: [[UInt64]], _ keys: [UInt64], _ ends: [Int64], _ count: Int
    ) -> [UInt64] {
        let memory = columns.map { column in
            let start = UnsafeMutablePointer<UInt64>.allocate(capacity: column.count)
            start.initialize(from: column, count: column.count)
            return start
        }
        defer { for start in memory { start.deallocate() } }
        var target = [UInt64](repeating: 0, count: count + MessageHashing.slack)
        target.withUnsafeMutableBufferPointer { target in
            memory.map { UnsafePointer($0) }.withUnsafeBufferPointer { columns in
                keys.withUnsafeBufferPointer { keys in
                    ends.withUnsafeBufferPointer { ends in
                        guard let start = target.baseAddress else { return }
                        hashing.hash(columns, keys: keys, ends: ends, tailBytes: 4, into: start)
                    }
                }
            }
        }
        return Array(target.prefix(count))
    }
}
