internal import Foundation

/// The secret out of shares of which some may be wrong, and which were.
///
/// Runs at the coordinator, on shares that were told to it: nothing here need be constant in time.
struct ShareDecoding {
    /// What was found.
    struct Decoded {
        let secret: Data
        /// The places, among the shares that were given, of those that are wrong.
        let wrong: [Int]
    }

    /// How many choices of shares to leave out are tried, beyond what unique decoding finds.
    static let tries = 512

    let threshold: Int
    private var knownPoints: [UInt16] = []
    private var knownWeights: [UInt16] = []

    init(threshold: Int) { self.threshold = threshold }

    /// Nil where no choice was found that `isRight` takes.
    ///
    /// The first `threshold` shares are tried, then Gao's decoding (2003), which corrects up to half as many wrong shares as there are shares beyond the
    /// threshold, then leaving shares out, fewest first: what is right can be recognised, so that more wrong ones may be found than decoding alone could.
    mutating func decode(_ shares: [(point: UInt16, value: Data)], isRight: (Data) -> Bool) -> Decoded? {
        guard shares.count >= threshold, threshold > 0, Set(shares.map(\.point)).count == shares.count else {
            return nil
        }
        let points = shares.map(\.point)
        let values = shares.map { SecretSharing.block($0.value) }
        let first = Array(points.prefix(threshold))
        if first != knownPoints {
            knownPoints = first
            knownWeights = SecretSharing.weights(first)
        }
        let secret = SecretSharing.data(SecretSharing.combine(Array(values.prefix(threshold)), weights: knownWeights))
        if isRight(secret) { return Decoded(secret: secret, wrong: []) }
        if shares.count == threshold { return nil }
        if let decoded = GaoDecoding(points: points, threshold: threshold)?.decode(values), isRight(decoded.secret) {
            return decoded
        }
        return leavingOut(points, values, isRight)
    }

    private func leavingOut(_ points: [UInt16], _ values: [BinaryField.Block], _ isRight: (Data) -> Bool) -> Decoded? {
        var left = Self.tries
        for size in 1...(points.count - threshold) {
            var out = Array(0..<size)
            while true {
                left -= 1
                if left < 0 { return nil }
                let kept = Array(points.indices.filter { !out.contains($0) }.prefix(threshold))
                let weights = SecretSharing.weights(kept.map { points[$0] })
                let secret = SecretSharing.data(SecretSharing.combine(kept.map { values[$0] }, weights: weights))
                if isRight(secret) {
                    return Decoded(secret: secret, wrong: wrong(points, values, right: kept))
                }
                guard let position = out.indices.last(where: { out[$0] < points.count - size + $0 }) else { break }
                out[position] += 1
                for next in out.indices where next > position { out[next] = out[next - 1] + 1 }
            }
        }
        return nil
    }

    /// Shares that do not lie on the polynomial of the right ones.
    private func wrong(_ points: [UInt16], _ values: [BinaryField.Block], right: [Int]) -> [Int] {
        points.indices.filter { place in
            guard !right.contains(place) else { return false }
            // The polynomial at this point is the polynomial moved by the point, at zero.
            let weights = SecretSharing.weights(right.map { points[$0] ^ points[place] })
            return SecretSharing.combine(right.map { values[$0] }, weights: weights) != values[place]
        }
    }
}

/// Gao's decoding of a Reed-Solomon code (Gao 2003, "A new algorithm for decoding Reed-Solomon codes", algorithm 1), an element after the other.
struct GaoDecoding {
    typealias Polynomial = [UInt16]
    let points: [UInt16]
    let threshold: Int
    /// The product of x - a over the points a; coefficients from the constant term up.
    private let vanishing: Polynomial

    init?(points: [UInt16], threshold: Int) {
        guard points.count > threshold else { return nil }
        self.points = points
        self.threshold = threshold
        var product: Polynomial = [1]
        for point in points {
            var next = [0] + product
            for index in product.indices { next[index] ^= BinaryField.multiply(product[index], point) }
            product = next
        }
        vanishing = product
    }

    /// The constant terms of the polynomials that agree with all but at most (points - threshold) / 2 of the values; nil where an element has none.
    func decode(_ values: [BinaryField.Block]) -> ShareDecoding.Decoded? {
        let interpolated = interpolate(values)
        var secret = BinaryField.Block()
        var wrong = Set<Int>()
        for lane in 0..<16 {
            guard let (constant, locator) = decode(interpolated.map { $0[lane] }) else { return nil }
            secret[lane] = constant
            if locator.count > 1 { wrong.formUnion(points.indices.filter { Self.value(locator, points[$0]) == 0 }) }
        }
        return ShareDecoding.Decoded(secret: SecretSharing.data(secret), wrong: wrong.sorted())
    }

    /// The polynomials through all values.
    private func interpolate(_ values: [BinaryField.Block]) -> [BinaryField.Block] {
        var result = [BinaryField.Block](repeating: BinaryField.Block(), count: points.count)
        for (point, value) in zip(points, values) {
            // Synthetic division of the vanishing polynomial by x - point.
            var quotient = [UInt16](repeating: 0, count: points.count)
            var carried: UInt16 = 0
            for index in quotient.indices.reversed() {
                carried = vanishing[index + 1] ^ BinaryField.multiply(carried, point)
                quotient[index] = carried
            }
            let scaled = BinaryField.multiply(value, byPublic: BinaryField.inverse(Self.value(quotient, point)))
            for index in quotient.indices { result[index] ^= BinaryField.multiply(scaled, byPublic: quotient[index]) }
        }
        return result
    }

    private func decode(_ interpolated: Polynomial) -> (constant: UInt16, locator: Polynomial)? {
        var (before, rest) = (vanishing, Self.trimmed(interpolated))
        var (locatorBefore, locator): (Polynomial, Polynomial) = ([], [1])
        while 2 * (rest.count - 1) >= points.count + threshold {
            let (quotient, remainder) = Self.divide(before, rest)
            (before, rest) = (rest, remainder)
            (locatorBefore, locator) = (locator, Self.sum(locatorBefore, Self.product(quotient, locator)))
        }
        let (polynomial, remainder) = Self.divide(rest, locator)
        guard remainder.isEmpty, polynomial.count <= threshold else { return nil }
        return (polynomial.first ?? 0, locator)
    }

    private static func value(_ polynomial: Polynomial, _ point: UInt16) -> UInt16 {
        polynomial.reversed().reduce(0) { BinaryField.multiply($0, point) ^ $1 }
    }

    private static func trimmed(_ polynomial: Polynomial) -> Polynomial {
        Array(polynomial.prefix((polynomial.lastIndex { $0 != 0 } ?? -1) + 1))
    }

    private static func sum(_ a: Polynomial, _ b: Polynomial) -> Polynomial {
        let (long, short) = a.count >= b.count ? (a, b) : (b, a)
        var result = long
        for index in short.indices { result[index] ^= short[index] }
        return trimmed(result)
    }

    private static func product(_ a: Polynomial, _ b: Polynomial) -> Polynomial {
        guard !a.isEmpty && !b.isEmpty else { return [] }
        var result = Polynomial(repeating: 0, count: a.count + b.count - 1)
        for i in a.indices { for j in b.indices { result[i + j] ^= BinaryField.multiply(a[i], b[j]) } }
        return trimmed(result)
    }

    /// Quotient and remainder; the divisor is not zero.
    private static func divide(_ a: Polynomial, _ b: Polynomial) -> (Polynomial, Polynomial) {
        guard a.count >= b.count, let last = b.last else { return ([], a) }
        let inverse = BinaryField.inverse(last)
        var rest = a
        var quotient = Polynomial(repeating: 0, count: a.count - b.count + 1)
        for shift in quotient.indices.reversed() {
            let factor = BinaryField.multiply(rest[shift + b.count - 1], inverse)
            quotient[shift] = factor
            if factor != 0 { for index in b.indices { rest[shift + index] ^= BinaryField.multiply(b[index], factor) } }
        }
        return (trimmed(quotient), trimmed(Array(rest.prefix(b.count - 1))))
    }
}
