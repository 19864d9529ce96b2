internal import Crypto
internal import ModularArithmetic

/// An unambiguous encoding, hashed as it grows: each run of words follows its length, so that two different sequences never give the same bytes.
struct CanonicalWords {
    private var hash = SHA256()

    init(_ label: String) { append(label) }

    mutating func append(_ words: [UInt64]) {
        for words in [[UInt64(words.count)], words] {
            words.map(\.littleEndian).withUnsafeBytes { hash.update(bufferPointer: $0) }
        }
    }

    mutating func append(_ numbers: [Int]) { append(numbers.map { UInt64(bitPattern: Int64($0)) }) }
    mutating func append(_ number: Int) { append([number]) }
    mutating func append(_ text: String) { append(text.utf8.map { UInt64($0) }) }

    /// A number for the kind, and all that tells one operation of a kind from another.
    mutating func append(_ operation: Operation) {
        append(operation.operands.map(\.place))
        switch operation {
        case .input(let party): append([1, party.rawValue])
        case .constant(let words):
            append(2)
            append(words)
        case .combination(let terms):
            append(3)
            append(terms.map(\.factor))
        case .gather(_, let places):
            append(4)
            append(places)
        case .concatenation: append(5)
        case .sums(_, let count): append([6, count])
        case .publicProduct(let map, _, let right):
            append(7)
            append(map)
            append(right)
        case .product(let map, _, _):
            append(8)
            append(map)
        case .weighted(let map, _, let weights):
            append([9, weights.place])
            append(map)
        case .truncation(_, let bits, let isExact): append([10, bits, isExact ? 1 : 0])
        case .sign(let sign):
            append([11, sign.carried == nil ? 0 : 1])
            append(sign.thresholds)
            append(sign.results)
        case .compactSign(_, let thresholds):
            append(12)
            append(thresholds)
        case .compactProduct(let product):
            append([13, product.count])
            append(product.thresholds)
            append(product.results)
        case .reveal(_, let party): append([14, party.rawValue])
        case .masked: append(15)
        case .shared: append(16)
        }
    }

    private mutating func append(_ results: [SignOperation.Result]) {
        for result in results {
            switch result {
            case .bit: append(1)
            case .excess: append(2)
            case .truncated(let bits): append([3, bits])
            case .carried: append(4)
            }
        }
        append(0)
    }

    private mutating func append(_ map: BilinearMap) {
        switch map {
        case .elements(let count): append([1, count])
        case .matrices(let product): append([2, product.rows, product.inner, product.columns])
        case .convolution(let c):
            append([
                3, c.batch, c.channels, c.height, c.width, c.outputs, c.kernelHeight, c.kernelWidth, c.stride,
                c.padding, c.groups,
            ])
        }
    }

    var digest: [UInt8] { Array(hash.finalize()) }
}
