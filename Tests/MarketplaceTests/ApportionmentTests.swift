import Secrets
import Testing

@testable import Marketplace

@Suite("Sums are divided exactly")
struct ApportionmentTests {
    @Test("Known answers, by hand")
    func known() throws {
        // 100 by 1 : 1 : 1 is 33.3 each: the first of three equal remainders has the unit.
        #expect(try Apportionment.split(100, by: [1, 1, 1]) == [34, 33, 33])
        // Hamilton's example: quotas 4.2, 3.1 and 2.7.
        #expect(try Apportionment.split(10, by: [42, 31, 27]) == [4, 3, 3])
        #expect(try Apportionment.split(7, by: [0, 5, 0]) == [0, 7, 0])
        #expect(try Apportionment.split(0, by: [3, 4]) == [0, 0])
        #expect(try Apportionment.split(2, by: [1, 1, 1, 1]) == [1, 1, 0, 0])
        #expect(try Apportionment.split(.max, by: [.max, .max]) == [.max / 2 + 1, .max / 2])
        #expect(try Apportionment.split(.max, by: [.max, 1, .max]).reduce(0) { $0 &+ $1 } == .max)
    }

    @Test("What cannot be divided is said")
    func wrong() {
        #expect(throws: ApportionmentError.negative) { try Apportionment.split(-1, by: [1]) }
        #expect(throws: ApportionmentError.negative) { try Apportionment.split(1, by: [2, -1]) }
        #expect(throws: ApportionmentError.noWeight) { try Apportionment.split(1, by: [0, 0]) }
        #expect(throws: ApportionmentError.noWeight) { try Apportionment.split(1, by: []) }
    }

    @Test("Parts sum to the total, each is its quota rounded down or up, and a larger weight never has less")
    func properties() throws {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<3_000 {
            let count = Int(random.next() % 12) + 1
            let bits = random.next() % 63
            let weights = (0..<count).map { _ in Int64(random.next() >> (1 + bits)) }
            let total = Int64(random.next() >> (1 + random.next() % 63))
            guard weights.contains(where: { $0 > 0 }) else { continue }
            let parts = try Apportionment.split(total, by: weights)
            #expect(parts.reduce(Int128(0)) { $0 + Int128($1) } == Int128(total))
            let sum = weights.reduce(Int128(0)) { $0 + Int128($1) }
            for (part, weight) in zip(parts, weights) {
                let quota = Int128(total) * Int128(weight)
                #expect(Int128(part) * sum > quota - sum && Int128(part) * sum < quota + sum)
                for (other, lighter) in zip(parts, weights) where lighter < weight { #expect(other <= part) }
            }
        }
    }

    @Test("Who splits an account in ten has at most a minor unit more for each")
    func split() throws {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<300 {
            let weights = (0..<5).map { _ in Int64(random.next() % 1_000_000) * 10 + 10 }
            let total = Int64(random.next() % 1_000_000)
            let whole = try Apportionment.split(total, by: weights)
            let tenth = [Int64](repeating: weights[0] / 10, count: 10)
            let parts = try Apportionment.split(total, by: tenth + weights.dropFirst())
            #expect(parts.prefix(10).reduce(0, +) <= whole[0] + 10)
        }
    }
}
