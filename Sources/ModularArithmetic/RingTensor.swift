/// Integers modulo 2^64 with a shape, row-major. They may be secret or a share of a secret: neither is printed.
public struct RingTensor: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// The largest number of elements.
    public static let limit = 1 << 31

    /// Sizes of its dimensions; none for a single number.
    public let shape: [Int]
    /// Its elements, as many as the product of the shape.
    public var words: [UInt64] {
        didSet { precondition(words.count == oldValue.count, "A tensor's elements change, and not their number.") }
    }

    /// - Throws: ``ArithmeticError`` where the elements are not as many as the shape says.
    public init(shape: [Int], words: [UInt64]) throws(ArithmeticError) {
        let count = try Self.count(shape)
        guard words.count == count else {
            throw .sizes("\(words.count) elements for the shape \(shape)", expected: "\(count)")
        }
        self.shape = shape
        self.words = words
    }

    /// Zeros.
    ///
    /// - Throws: ``ArithmeticError``.
    public init(zeros shape: [Int]) throws(ArithmeticError) {
        try self.init(shape: shape, words: [UInt64](repeating: 0, count: Self.count(shape)))
    }

    /// How many elements a shape has.
    ///
    /// - Throws: ``ArithmeticError/parameter(_:expected:)`` where a size is negative or there are more than ``limit``.
    public static func count(_ shape: [Int]) throws(ArithmeticError) -> Int {
        var count = 1
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard size >= 0, !overflow, product <= limit else {
                throw .parameter("shape \(shape)", expected: "sizes of 0 and more, and at most \(limit) elements")
            }
            count = product
        }
        return count
    }

    /// The shape alone.
    public var description: String { "RingTensor(shape: \(shape))" }
    /// The shape alone.
    public var customMirror: Mirror { Mirror(self, children: ["shape": shape]) }
}
