/// Float32 values in row-major order, without gaps.
///
/// The first extent of a tensor that goes through a model counts rows (examples). What it holds may be private: it prints as
/// its shape alone.
public struct Tensor: Sendable {
    /// The extents, outermost first; empty for a single value.
    public let shape: [Int]
    /// As many as the product of the extents.
    public internal(set) var values: [Float]

    /// - Precondition: There are as many values as the shape says.
    public init(shape: [Int], values: [Float]) {
        precondition(shape.product == values.count, "a shape holds the product of its extents")
        self.shape = shape
        self.values = values
    }

    /// The same value everywhere.
    public init(shape: [Int], repeating value: Float = 0) {
        self.shape = shape
        values = [Float](repeating: value, count: shape.product)
    }

    /// What `fill` writes into memory that holds nothing yet; it writes all of it.
    init(shape: [Int], fill: (UnsafeMutablePointer<Float>) -> Void) {
        self.shape = shape
        let count = shape.product
        values = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            if let base = buffer.baseAddress, count > 0 { fill(base) }
            initialized = count
        }
    }

    /// The number of rows: the first extent.
    public var rows: Int { shape.first ?? 1 }
    /// The shape of one row: the extents behind the first.
    public var rowShape: [Int] { Array(shape.dropFirst()) }
    /// The number of values.
    public var count: Int { values.count }

    /// The same values under other extents.
    func reshaped(_ shape: [Int]) -> Tensor { Tensor(shape: shape, values: values) }

    /// Some rows, one after the other.
    func rows(_ range: Range<Int>) -> Tensor {
        let size = rowShape.product
        return Tensor(
            shape: [range.count] + rowShape, values: Array(values[range.lowerBound * size..<range.upperBound * size]))
    }

    /// Calls `body` with the values in place.
    func withValues<Result>(_ body: (UnsafePointer<Float>) -> Result) -> Result {
        values.withUnsafeBufferPointer { body($0.baseAddress ?? Self.nothing) }
    }

    /// Calls `body` with the values in place.
    mutating func withMutableValues<Result>(_ body: (UnsafeMutablePointer<Float>) -> Result) -> Result {
        values.withUnsafeMutableBufferPointer { body($0.baseAddress ?? UnsafeMutablePointer(mutating: Self.nothing)) }
    }

    /// Where an empty tensor's values are: kernels read and write none of them, and want an address all the same.
    private static var nothing: UnsafePointer<Float> { UnsafePointer(bitPattern: MemoryLayout<Float>.alignment)! }
}

extension Tensor: CustomStringConvertible, CustomReflectable {
    /// The shape alone: values may be private.
    public var description: String { "Tensor(\(shape.extents))" }
    /// The shape alone: values may be private.
    public var customMirror: Mirror { Mirror(self, children: ["shape": shape]) }
}

extension [Int] {
    /// In words: "3x28x28".
    var extents: String { isEmpty ? "a single value" : map(String.init).joined(separator: "x") }
}
