import Testing

@testable import Federation

@Suite("Weighted sums, for hierarchies of aggregators")
struct WeightedSumTests {
    static func vectors(_ count: Int, length: Int, seed: UInt64) -> [(vector: [Float], weight: Double)] {
        var draws = Draws(seed: seed)
        return (0..<count).map { _ in
            let scale = Float(0x1p-20) * Float(1 << draws.below(40))
            return (draws.vector(length, spread: scale), 0.1 + 100 * draws.uniform())
        }
    }

    private func sum(_ vectors: ArraySlice<(vector: [Float], weight: Double)>) throws -> WeightedSum {
        var sum = try WeightedSum(length: vectors.first?.vector.count ?? 1)
        for (vector, weight) in vectors { try sum.add(vector, weight: weight) }
        return sum
    }

    @Test("Groupings differ by at most 1e-12 of the sum of absolute values, for groups of any sizes and two levels")
    func grouping() throws {
        let vectors = Self.vectors(200, length: 50, seed: 7)
        let flat = try sum(vectors[...])
        var absolute = [Double](repeating: 0, count: 50)
        for (vector, weight) in vectors {
            for index in 0..<50 { absolute[index] += weight * abs(Double(vector[index])) }
        }
        for size in [1, 3, 16, 77, 199] {
            var top = try WeightedSum(length: 50)
            var middle = try WeightedSum(length: 50)
            for (number, start) in stride(from: 0, to: 200, by: size).enumerated() {
                try middle.merge(try sum(vectors[start..<min(start + size, 200)]))
                if number % 4 == 3 {
                    try top.merge(middle)
                    middle = try WeightedSum(length: 50)
                }
            }
            try top.merge(middle)
            #expect(top.vectors == 200 && abs(top.totalWeight / flat.totalWeight - 1) < 1e-12)
            for index in 0..<50 {
                #expect(abs(top.sums[index] - flat.sums[index]) <= 1e-12 * absolute[index])
            }
        }
    }

    @Test("Chunks of any size give whole vectors' result to the bit, and one order one result")
    func chunks() throws {
        let vectors = Self.vectors(20, length: 53, seed: 8)
        let whole = try sum(vectors[...])
        for size in [1, 7, 52, 53] {
            var chunked = try WeightedSum(length: 53)
            for (vector, weight) in vectors {
                for start in stride(from: 0, to: 53, by: size) {
                    try chunked.add(chunk: Array(vector[start..<min(start + size, 53)]), weight: weight)
                }
            }
            #expect(chunked == whole)
        }
        #expect(try sum(vectors[...]).mean().map(\.bitPattern) == whole.mean().map(\.bitPattern))
    }

    @Test("Small updates beside large ones are not lost, as they would be in Float")
    func precision() throws {
        var sum = try WeightedSum(length: 1)
        try sum.add([1e8])
        for _ in 0..<1000 { try sum.add([1]) }
        try sum.add([-1e8])
        #expect(sum.sums == [1000])
        #expect(try sum.mean() == [Float(1000.0 / 1002)])
    }

    @Test("A vector that has not come whole blocks mean, merge and the next vector")
    func incomplete() throws {
        var sum = try WeightedSum(length: 3)
        #expect(throws: StrategyError.noUpdates) { try sum.mean() }
        try sum.add([1, 2, 3])
        try sum.add(chunk: [1, 2], weight: 1)
        let open = StrategyError.incompleteVector(received: 2, expected: 3)
        #expect(throws: open) { try sum.mean() }
        #expect(throws: open) { try sum.add([1, 2, 3]) }
        #expect(throws: open) { try sum.merge(WeightedSum(length: 3)) }
        var parent = try WeightedSum(length: 3)
        #expect(throws: open) { try parent.merge(sum) }
        #expect(throws: StrategyError.updateLength(participant: 1, found: 4, expected: 3)) {
            try sum.add(chunk: [1, 2], weight: 1)
        }
        #expect(throws: StrategyError.weight(participant: 1)) { try sum.add(chunk: [3], weight: 2) }
        #expect(throws: StrategyError.nonFiniteUpdate(participant: 1, position: 2)) {
            try sum.add(chunk: [.infinity], weight: 1)
        }
        try sum.add(chunk: [3], weight: 1)
        #expect(try sum.mean() == [1, 2, 3] && sum.vectors == 2)
    }

    @Test("Bad vectors and weights are refused, and leave the sum as it was")
    func refusals() throws {
        var sum = try WeightedSum(length: 2)
        try sum.add([1, 1])
        let before = sum
        #expect(throws: StrategyError.updateLength(participant: 1, found: 3, expected: 2)) { try sum.add([1, 2, 3]) }
        for weight in [0, -1, .nan, .infinity, 0x1p51, 0x1p-51] {
            #expect(throws: StrategyError.weight(participant: 1)) { try sum.add([1, 2], weight: weight) }
        }
        #expect(throws: StrategyError.nonFiniteUpdate(participant: 1, position: 1)) { try sum.add([1, -.infinity]) }
        #expect(throws: StrategyError.length(of: "sums to merge", found: 3, expected: 2)) {
            try sum.merge(WeightedSum(length: 3))
        }
        #expect(sum == before)
        #expect(throws: StrategyError.self) { try WeightedSum(length: 0) }
    }

    @Test("The first entry that is not finite is found wherever it stands")
    func nonFinite() {
        for count in 1...20 {
            for position in 0..<count {
                for bad in [Float.nan, .infinity, -.infinity] {
                    var vector = [Float](repeating: .greatestFiniteMagnitude, count: count)
                    #expect(vector.firstNonFinite == nil)
                    vector[position] = bad
                    vector[count - 1] = bad
                    #expect(vector.firstNonFinite == position)
                }
            }
        }
        #expect([Float]().firstNonFinite == nil)
    }
}
