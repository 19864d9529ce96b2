internal import ModularArithmetic

/// What each party claims of what it sent, before any folding. Party j sent z_j, which is to be x_j y_j + x_j y_(j+1) + x_(j+1) y_j + F(k_j) - F(k_(j+1)). The party before it, the **first** of both who verify, knows x_j, y_j, z_j and
/// F(k_j), and the party behind it, the **second**, x_(j+1), y_(j+1) and F(k_(j+1)): so what they know gives shares of what the cross terms x_j y_(j+1) + y_j x_(j+1) must sum to, weighted at random,
/// without a message (Boyle, Gilboa, Ishai and Nof 2019, section 4).
protocol ProofStatement: Sendable {
    associatedtype Ring: ProofRing
    /// Nothing is claimed.
    var isEmpty: Bool { get }
    /// How many coefficients the first polynomial has beside the claim.
    var coefficientCount: Int { get }
    /// How many elements the vectors have behind the first fold.
    var vectorCount: Int { get }
    /// The prover's, of its own components and the next ones.
    func coefficients(_ coins: ProofCoins) -> [UInt64]
    /// A share of the claim: the first one's for the party behind, or the second one's for the party before.
    func claim(isFirst: Bool, _ coins: ProofCoins) -> [UInt64]
    /// A share of what else is claimed, of vectors that the first fold does not see.
    func laterClaim(isFirst: Bool, _ coins: ProofCoins) -> [UInt64]
    /// A vector of a party's own or next components behind the first fold, the first one's or the second one's: of the own proof where both are of the same kind, else of the party's behind or before.
    func vector(isOwn: Bool, isFirst: Bool, _ coins: ProofCoins, _ challenge: UInt64) -> [UInt64]
}

/// Random weights of one prover's claims, from two words that it sees when all that it claims is sent.
struct ProofCoins: Sendable {
    private let key: CipherKey

    init(_ seed: [UInt64]) { key = CipherKey(words: (seed[0], seed[1])) }

    /// - Parameter stream: Another one for each use.
    func words(_ count: Int, _ stream: Int) -> [UInt64] { key.words(count, stream: UInt64(stream)) }
}

extension VerifiedRecords.Terms {
    func x(_ isOwn: Bool) -> [UInt64] { isOwn ? x.own : x.next }
    func y(_ isOwn: Bool) -> [UInt64] { isOwn ? y.own : y.next }
}

/// Conjunctions, 64 a word, and what a party claims of its own bits, of which the two verifiers know a component each, of the result too. A word of errors is an element of GF(2^64), which is not zero where a bit is wrong; the sum of all, each times its random weight, then is zero with a probability of 2^-64.
struct GateStatement: ProofStatement {
    typealias Ring = BitProofRing
    let terms: VerifiedRecords.Terms
    let steps: [(step: Int, count: Int)]
    /// By party.
    let claims: [VerifiedRecords.Terms]
    let party: ComputingParty
    let keys: PairwiseKeys

    /// The longest of the three provers'.
    private var longest: Int { terms.x.count + (claims.map(\.x.count).max() ?? 0) }
    var isEmpty: Bool { longest == 0 }
    var coefficientCount: Int { isEmpty ? 0 : 126 }
    var vectorCount: Int { 2 * longest }

    private func weights(_ coins: ProofCoins, _ prover: ComputingParty) -> [UInt64] {
        coins.words(terms.x.count + claims[prover.rawValue].x.count, 0)
    }

    private func operands(isOwn: Bool, _ prover: ComputingParty) -> BinaryField.GateOperands {
        let claimed = claims[prover.rawValue]
        return BinaryField.GateOperands(x: terms.x(isOwn) + claimed.x(isOwn), y: terms.y(isOwn) + claimed.y(isOwn))
    }

    func coefficients(_ coins: ProofCoins) -> [UInt64] {
        guard !isEmpty else { return [] }
        var all = BinaryField.gates(
            weights(coins, party), operands(isOwn: true, party), operands(isOwn: false, party))
        all.remove(at: 63)
        return all
    }

    func claim(isFirst: Bool, _ coins: ProofCoins) -> [UInt64] {
        let key = isFirst ? keys.next : keys.own
        var words = steps.flatMap { key.words($0.count, MaskStream($0.step, .gates)) }
        if isFirst {
            for i in words.indices { words[i] ^= terms.z.next[i] ^ (terms.x.next[i] & terms.y.next[i]) }
        }
        let prover = isFirst ? party.next : party.previous
        let claimed = claims[prover.rawValue]
        for i in 0..<claimed.x.count {
            words.append(
                isFirst
                    ? claimed.z.next[i] ^ (claimed.x.next[i] & claimed.y.next[i])
                    : claimed.z.own[i] ^ (claimed.x.own[i] & claimed.y.own[i]))
        }
        return [BinaryField.innerProduct(weights(coins, prover), words, count: words.count)]
    }

    func laterClaim(isFirst: Bool, _ coins: ProofCoins) -> [UInt64] { [0] }

    func vector(isOwn: Bool, isFirst: Bool, _ coins: ProofCoins, _ challenge: UInt64) -> [UInt64] {
        let prover = isOwn == isFirst ? party : isFirst ? party.next : party.previous
        let operands = operands(isOwn: isOwn, prover)
        guard isFirst else {
            let factors = Array(BinaryField.powers(challenge, 64).reversed())
            return BinaryField.map(factors, operands.y) + BinaryField.map(factors, operands.x)
        }
        let weights = weights(coins, prover)
        let factors = BinaryField.powers(BinaryField.product(2, challenge), 64)
        return [operands.x, operands.y].flatMap { BinaryField.product(weights, BinaryField.map(factors, $0)) }
    }
}

/// Products modulo 2^64, and those that a party claims of its own numbers. Sixteen errors of products of elements are words of an element of GR(2^64, 64), and the sum of all, each times a random element of zeros and ones, is zero with a probability of 2^-64 where one is not. Products of matrices
/// Z = X Y are weighted by a random row and a random column (Freivalds 1979): r Z s = (r X)(Y s), an inner product, wrong with a probability of 2^-63; convolutions by the product of matrices that they are.
struct NumberStatement: ProofStatement {
    typealias Ring = NumberProofRing
    let elements: VerifiedRecords.Terms
    let steps: [(step: Int, count: Int)]
    /// By party: products that it claims of its own numbers.
    let claims: [VerifiedRecords.Terms]
    let products: [(map: BilinearMap, step: Int, terms: VerifiedRecords.Terms)]
    let party: ComputingParty
    let keys: PairwiseKeys

    /// Products of elements that share a weight.
    static let group = 16

    /// Weights of a prover's products of elements.
    private func length(_ prover: ComputingParty) -> Int {
        (elements.x.count + claims[prover.rawValue].x.count + Self.group - 1) / Self.group
    }
    private var longest: Int { ComputingParty.three.map(length).max() ?? 0 }
    private var forms: [MatrixForm] { products.flatMap { MatrixForm.forms($0.map) } }

    var isEmpty: Bool { longest == 0 && products.isEmpty }
    var coefficientCount: Int { longest == 0 ? 0 : 2 * Self.group - 2 }
    var vectorCount: Int { 2 * longest + forms.reduce(0) { $0 + 2 * $1.inner } }

    /// In as many parts as a group has, zeros behind.
    private func padded(_ words: [UInt64], _ length: Int) -> [UInt64] {
        words + [UInt64](repeating: 0, count: Self.group * length - words.count)
    }

    private func x(_ isOwn: Bool, _ prover: ComputingParty) -> [UInt64] {
        padded(elements.x(isOwn) + claims[prover.rawValue].x(isOwn), length(prover))
    }

    private func y(_ isOwn: Bool, _ prover: ComputingParty) -> [UInt64] {
        padded(elements.y(isOwn) + claims[prover.rawValue].y(isOwn), length(prover))
    }

    func coefficients(_ coins: ProofCoins) -> [UInt64] {
        guard coefficientCount > 0 else { return [] }
        let (group, width, length) = (Self.group, Ring.width, length(party))
        let operands = [x(true, party), y(true, party), x(false, party), y(false, party)]
        let patterns = coins.words(length, 1)
        var table = [UInt64](repeating: 0, count: group * group * width)
        let strip = 256
        for first in stride(from: 0, to: length, by: strip) {
            let count = min(strip, length - first)
            var cross = [UInt64](repeating: 0, count: group * group * count)
            for u in 0..<group {
                for v in 0..<group {
                    let (target, left, right) = ((u * group + v) * count, u * length + first, v * length + first)
                    for i in 0..<count {
                        let one = operands[0][left + i] &* operands[3][right + i]
                        cross[target + i] = one &+ operands[1][left + i] &* operands[2][right + i]
                    }
                }
            }
            let sums = RingMatrices.product(
                rows: group * group, inner: count, columns: width, cross,
                GaloisRing.elements(bits: Array(patterns[first..<first + count])))
            for i in table.indices { table[i] &+= sums[i] }
        }
        return (0..<2 * group - 1).filter { $0 != group - 1 }.flatMap { place in
            // The sum of x^u times the entry of u and v, where they are of this place.
            let rows = (0..<group).flatMap { u in
                let v = u + group - 1 - place
                let first = (u * group + v) * width
                return (0..<group).contains(v) ? Array(table[first..<first + width]) : Ring.zero
            }
            return GaloisRing.combination(rows, rows: group, bits: 2, isDescending: false)
        }
    }

    /// The sum of words, each sixteen as an element times its random one.
    private func weighted(_ words: [UInt64], _ length: Int, _ coins: ProofCoins) -> [UInt64] {
        let rows = RingMatrices.product(
            rows: Self.group, inner: length, columns: Ring.width, padded(words, length),
            GaloisRing.elements(bits: coins.words(length, 1)))
        return GaloisRing.combination(rows, rows: Self.group, bits: 2, isDescending: false)
    }

    /// What a verifier knows of a result: less the mask and the product of what it holds itself, at the first one.
    private func known(_ mask: [UInt64], _ z: [UInt64], isFirst: Bool) -> [UInt64] {
        isFirst ? zip(z, mask).map { $0 &- $1 } : mask
    }

    func claim(isFirst: Bool, _ coins: ProofCoins) -> [UInt64] {
        let key = isFirst ? keys.next : keys.own
        let mask = steps.flatMap { key.words($0.count, MaskStream($0.step, .product)) }
        var words = known(mask, elements.z.next, isFirst: isFirst)
        if isFirst { for i in words.indices { words[i] &-= elements.x.next[i] &* elements.y.next[i] } }
        let prover = isFirst ? party.next : party.previous
        let claimed = claims[prover.rawValue]
        for i in 0..<claimed.x.count {
            words.append(
                isFirst
                    ? claimed.z.next[i] &- claimed.x.next[i] &* claimed.y.next[i]
                    : claimed.z.own[i] &- claimed.x.own[i] &* claimed.y.own[i])
        }
        return weighted(words, length(prover), coins)
    }

    func laterClaim(isFirst: Bool, _ coins: ProofCoins) -> [UInt64] {
        let key = isFirst ? keys.next : keys.own
        var (sum, stream) = (Ring.zero, 2)
        for (map, step, terms) in products {
            let mask = key.words(map.resultCount, MaskStream(step, .product))
            let words = known(mask, terms.z.next, isFirst: isFirst)
            for form in MatrixForm.forms(map) {
                let weights = form.weights(coins, &stream)
                sum = Ring.added(sum, form.result(words, weights))
                guard isFirst else { continue }
                let (left, right) = (form.left(terms.x.next, weights), form.right(terms.y.next, weights))
                sum = Ring.subtracted(sum, Ring.innerProduct(left, from: 0, right, from: 0, count: form.inner))
            }
        }
        return sum
    }

    func vector(isOwn: Bool, isFirst: Bool, _ coins: ProofCoins, _ challenge: UInt64) -> [UInt64] {
        var vector = elementVector(isOwn: isOwn, isFirst: isFirst, coins, challenge)
        var stream = 2
        for (map, _, terms) in products {
            for form in MatrixForm.forms(map) {
                let weights = form.weights(coins, &stream)
                let (left, right) = (form.left(terms.x(isOwn), weights), form.right(terms.y(isOwn), weights))
                vector += isFirst ? left + right : right + left
            }
        }
        return vector
    }

    private func elementVector(
        isOwn: Bool, isFirst: Bool, _ coins: ProofCoins, _ challenge: UInt64
    ) -> [UInt64] {
        guard coefficientCount > 0 else { return [] }
        // Powers of the challenge, ascending with x, or descending.
        var factors = [GaloisRing.element(bits: 1)]
        while factors.count < Self.group {
            let next = GaloisRing.product(factors[factors.count - 1], bits: challenge)
            factors.append(isFirst ? GaloisRing.timesX(next) : next)
        }
        let table = (isFirst ? factors : factors.reversed()).flatMap { $0 }
        let prover = isOwn == isFirst ? party : isFirst ? party.next : party.previous
        let length = length(prover)
        func mapped(_ words: [UInt64]) -> [UInt64] {
            RingMatrices.product(
                rows: length, inner: Self.group, columns: Ring.width, words, transposed: true, table)
        }
        let operands = [x(isOwn, prover), y(isOwn, prover)]
        guard isFirst else { return mapped(operands[1]) + mapped(operands[0]) }
        let patterns = coins.words(length, 1)
        return operands.flatMap { GaloisRing.product(mapped($0), bits: patterns) }
    }
}
