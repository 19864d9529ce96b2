/// Uniform numbers from random words, for what is drawn after the noise: post-processing.
enum Uniform {
    /// An integer in `0 ..< bound` (bound at least 1): the high word of a product, to a bias below bound / 2^64.
    static func below<R: RandomNumberGenerator>(_ bound: UInt64, using generator: inout R) -> UInt64 {
        generator.next().multipliedFullWidth(by: bound).high
    }

    /// A real number in [0, 1), a multiple of 2^-53.
    static func fraction<R: RandomNumberGenerator>(using generator: inout R) -> Double {
        Double(generator.next() >> 11) * 0x1p-53
    }

    /// Puts the elements in random order (Fisher and Yates).
    static func shuffle<Element, R: RandomNumberGenerator>(_ elements: inout [Element], using generator: inout R) {
        var last = elements.count - 1
        while last > 0 {
            elements.swapAt(last, Int(below(UInt64(last + 1), using: &generator)))
            last -= 1
        }
    }

    /// How often each item occurs among `count` draws in proportion to the weights: systematic sampling. Expectations are
    /// exact, and each number is within one of its expectation. Equal weights if all are 0.
    static func allocate<R: RandomNumberGenerator>(
        _ count: Int, weights: [Double], using generator: inout R
    ) -> [Int] {
        let total = weights.reduce(0, +)
        let isFlat = !(total > 0 && total.isFinite)
        let offset = fraction(using: &generator)
        var sum = 0.0
        var taken = 0
        return weights.indices.map { item in
            sum += isFlat ? 1 / Double(weights.count) : weights[item] / total
            let isLast = item == weights.count - 1
            let upTo = isLast ? count : min(count, max(taken, Int((sum * Double(count) + offset).rounded(.down))))
            defer { taken = upTo }
            return upTo - taken
        }
    }
}
