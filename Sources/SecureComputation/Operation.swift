internal import ModularArithmetic

/// A step of a program on secret values. Those that say so take one round, in which both parties open masked values; the others are local.
enum Operation: Sendable, Hashable {
    /// A party's input, held to the bound. Local: its share is the input, the other's is zero.
    case input(ComputingParty)
    /// What three parties hold in shares already: a column of a ``TableMachine``'s table. Local.
    case shared
    /// Numbers that all know.
    case constant([UInt64])
    /// A sum of values, each times a number that all know.
    case combination([Term])
    /// Elements of a value by their places; -1 gives zero.
    case gather(Value, places: [Int])
    /// Values one behind the other.
    case concatenation([Value])
    /// Sums of so many elements that follow each other.
    case sums(Value, of: Int)
    /// A product with a right operand that all know.
    case publicProduct(BilinearMap, Value, right: [UInt64])
    /// A product of two secret values. One round.
    case product(BilinearMap, Value, Value)
    /// A product with the weights of one party. One round, in which that party sends nothing.
    case weighted(BilinearMap, Value, Weights)
    /// The value itself, opened under a mask that serves all products with it. One round with a dealer; local where three compute.
    case masked(Value)
    /// Division by 2^bits. One round.
    case truncation(Value, bits: Int, isExact: Bool)
    /// What follows from the sign. One round.
    case sign(SignOperation)
    /// The signs of x - t alone, as bits: a value of what is opened and of bits, for ``compactProduct(_:)`` only. One round.
    case compactSign(Value, thresholds: [UInt64])
    /// The sign's products. One round, in which a bit an element is opened.
    case compactProduct(CompactProduct)
    /// The value to a party. One round, in which that party sends nothing.
    case reveal(Value, to: ComputingParty)

    /// One of the values of a combination.
    struct Term: Sendable, Hashable {
        let value: Value
        let factor: UInt64
    }

    /// Values that it takes.
    var operands: [Value] {
        switch self {
        case .input, .shared, .constant: []
        case .combination(let terms): terms.map(\.value)
        case .concatenation(let values): values
        case .gather(let value, _), .sums(let value, _), .publicProduct(_, let value, _), .weighted(_, let value, _),
            .truncation(let value, _, _), .reveal(let value, _), .compactSign(let value, _), .masked(let value):
            [value]
        case .compactProduct(let product): [product.sign]
        case .product(_, let left, let right): [left, right]
        case .sign(let sign): [sign.value] + (sign.carried.map { [$0] } ?? [])
        }
    }

    /// Whether it takes a round.
    var isInteractive: Bool {
        switch self {
        case .product, .weighted, .masked, .truncation, .sign, .compactSign, .compactProduct, .reveal: true
        default: false
        }
    }
}

/// What is wanted of the comparisons d(t) = (x >= t) of one value with numbers that all know. All of it follows from one opening, of one key an element.
struct SignOperation: Sendable, Hashable {
    /// What d(t) multiplies.
    enum Result: Sendable, Hashable {
        /// d(t) as 0 or 1.
        case bit
        /// d(t) (x - t).
        case excess
        /// d(t) times x - t divided by 2^bits, to one unit.
        case truncated(bits: Int)
        /// d(t) times another secret value.
        case carried
    }

    /// x, below 2^62 in magnitude.
    let value: Value
    /// The numbers t, as words.
    let thresholds: [UInt64]
    /// In the order in which they stand in the result, threshold by threshold.
    let results: [Result]
    /// The other value.
    let carried: Value?

    /// The words of the comparison functions' beta: one for the bit, one each for what it multiplies.
    var layout: [Item] {
        var items: [Item] = [.one]
        for result in results {
            switch result {
            case .bit: break
            case .excess: items.append(.mask)
            case .truncated: items += [.truncatedMask, .signOfMask]
            case .carried: items.append(.carriedMask)
            }
        }
        return items
    }

    /// A word of beta, before the sign.
    enum Item: Sendable, Hashable {
        case one, mask, truncatedMask, signOfMask, carriedMask
    }

    var truncatedBits: Int {
        for case .truncated(let bits) in results { return bits }
        return 0
    }
}
