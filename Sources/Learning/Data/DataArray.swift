/// How one number of a file is stored, little-endian.
public enum ElementType: String, Sendable, CaseIterable {
    /// One byte: 0 or 1.
    case boolean = "b1"
    /// 8 bits, from 0 on.
    case unsigned8 = "u1"
    /// 16 bits, from 0 on.
    case unsigned16 = "u2"
    /// 8 bits, with a sign.
    case integer8 = "i1"
    /// 16 bits, with a sign.
    case integer16 = "i2"
    /// 32 bits, with a sign.
    case integer32 = "i4"
    /// 64 bits, with a sign.
    case integer64 = "i8"
    /// IEEE 754 binary16.
    case float16 = "f2"
    /// IEEE 754 binary32.
    case float32 = "f4"
    /// IEEE 754 binary64.
    case float64 = "f8"

    /// Bytes of one number.
    public var size: Int {
        switch self {
        case .boolean, .unsigned8, .integer8: 1
        case .unsigned16, .integer16, .float16: 2
        case .integer32, .float32: 4
        case .integer64, .float64: 8
        }
    }
}

/// Numbers of one type as a file holds them, in row-major order. They may be private: it prints as shape and type.
public struct DataArray: Sendable {
    /// The extents, outermost first.
    public let shape: [Int]
    /// How each number is stored.
    public let type: ElementType
    /// Little-endian, as many as shape and type say.
    public let bytes: [UInt8]

    /// - Throws: Bytes that do not fit shape and type.
    public init(shape: [Int], type: ElementType, bytes: [UInt8]) throws(DataError) {
        guard try Self.byteCount(shape, type) == bytes.count else {
            throw DataError(
                "\(bytes.count) bytes", expected: "those of \(shape.extents) values of \(type.size) bytes each")
        }
        self.shape = shape
        self.type = type
        self.bytes = bytes
    }

    /// The bytes that so many values take.
    ///
    /// - Throws: Extents below zero, or more than a machine can number.
    static func byteCount(_ shape: [Int], _ type: ElementType) throws(DataError) -> Int {
        var count = type.size
        for extent in shape {
            let (product, overflows) = count.multipliedReportingOverflow(by: extent)
            guard extent >= 0, !overflows else {
                throw DataError(
                    "shape", "extents that no memory holds", expected: "extents from 0 on with a product below 2^63")
            }
            count = product
        }
        return count
    }

    /// The number of values.
    public var count: Int { bytes.count / type.size }
    /// The number of rows: the first extent.
    public var rows: Int { shape.first ?? 1 }
    /// The extents of one row.
    public var rowShape: [Int] { Array(shape.dropFirst()) }

    /// Each value as float32, rounded to nearest.
    public func floats() -> [Float] {
        bytes.withUnsafeBytes { bytes in
            func map<Value>(_ type: Value.Type, _ convert: (Value) -> Float) -> [Float] {
                (0..<count).map {
                    convert(bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Value>.size, as: type))
                }
            }
            return switch type {
            case .boolean: map(UInt8.self) { $0 == 0 ? 0 : 1 }
            case .unsigned8: map(UInt8.self) { Float($0) }
            case .integer8: map(Int8.self) { Float($0) }
            case .unsigned16: map(UInt16.self) { Float(UInt16(littleEndian: $0)) }
            case .integer16: map(Int16.self) { Float(Int16(littleEndian: $0)) }
            case .integer32: map(Int32.self) { Float(Int32(littleEndian: $0)) }
            case .integer64: map(Int64.self) { Float(Int64(littleEndian: $0)) }
            case .float16: map(UInt16.self) { Self.float(half: UInt16(littleEndian: $0)) }
            case .float32: map(UInt32.self) { Float(bitPattern: UInt32(littleEndian: $0)) }
            case .float64: map(UInt64.self) { Float(Double(bitPattern: UInt64(littleEndian: $0))) }
            }
        }
    }

    /// Each value as decimal text, whole numbers exactly; empty where it is no finite number.
    ///
    /// - Parameter asBooleans: Whether 0 is "false" and all else "true".
    public func texts(asBooleans: Bool = false) -> [String] {
        let numbers = floatingTypes.contains(type) ? doubles().map(Self.text) : integers().map(String.init)
        return asBooleans ? numbers.map { $0.isEmpty ? "" : $0 == "0" ? "false" : "true" } : numbers
    }

    private var floatingTypes: [ElementType] { [.float16, .float32, .float64] }

    private static func text(_ value: Double) -> String {
        guard value.isFinite else { return "" }
        return value == value.rounded() && abs(value) < 0x1p53 ? String(Int64(value)) : "\(value)"
    }

    private func doubles() -> [Double] {
        guard type == .float64 else { return floats().map(Double.init) }
        return bytes.withUnsafeBytes { bytes in
            (0..<count).map {
                Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)))
            }
        }
    }

    private func integers() -> [Int64] {
        guard type == .integer64 || type == .integer32 else { return floats().map { Int64($0) } }
        return bytes.withUnsafeBytes { bytes in
            (0..<count).map { index in
                type == .integer64
                    ? Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: Int64.self))
                    : Int64(Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self)))
            }
        }
    }

    /// IEEE 754 half precision, which not every processor's compiler has a type for.
    private static func float(half bits: UInt16) -> Float {
        let sign: Float = bits >> 15 == 0 ? 1 : -1
        let (exponent, fraction) = (Int(bits >> 10 & 31), Float(bits & 1023))
        switch exponent {
        case 0: return sign * fraction * 0x1p-24
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default: return sign * Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
        }
    }

    /// One label a row: whole numbers from 0 on. An extent of 1 behind the rows counts for nothing.
    ///
    /// - Parameter classes: Labels are below it.
    /// - Throws: Numbers that are no labels: how many rows, not which or what.
    public func labels(classes: Int) throws(DataError) -> [Int32] {
        guard rowShape.allSatisfy({ $0 == 1 }) else {
            throw DataError("labels", "a shape of \(shape.extents)", expected: "one label a row: \(rows), or \(rows)x1")
        }
        let values = floats()
        let wrong = values.count { !($0 >= 0 && $0 < Float(classes) && $0 == $0.rounded()) }
        guard wrong == 0 else {
            throw DataError(
                "labels", "rows whose label is outside the declared domain",
                expected: "whole numbers from 0 to \(classes - 1)")
        }
        return values.map { Int32($0) }
    }

    /// Arrays of one row each, as one of several rows.
    ///
    /// - Throws: The first that is not like the others.
    public static func stacked(_ arrays: [DataArray], names: [String]) throws(DataError) -> DataArray {
        guard let first = arrays.first else { throw DataError("no arrays", expected: "at least one") }
        for (array, name) in zip(arrays, names) where array.shape != first.shape || array.type != first.type {
            throw DataError(
                name, "\(array.shape.extents) of type \(array.type.rawValue)",
                expected: "\(first.shape.extents) of type \(first.type.rawValue), as the first")
        }
        return try DataArray(
            shape: [arrays.count] + first.shape, type: first.type, bytes: Array(arrays.map(\.bytes).joined()))
    }

    /// Images of [rows, height, width, channels] as [rows, channels, height, width].
    ///
    /// - Throws: Another number of extents.
    public func channelsFirst() throws(DataError) -> DataArray {
        guard shape.count == 4 else {
            throw DataError("a shape of \(shape.extents)", expected: "rows x height x width x channels")
        }
        let (pixels, channels, size) = (shape[1] * shape[2], shape[3], type.size)
        let moved = [UInt8](unsafeUninitializedCapacity: bytes.count) { target, count in
            for row in 0..<rows {
                for pixel in 0..<pixels {
                    for channel in 0..<channels {
                        let from = ((row * pixels + pixel) * channels + channel) * size
                        let to = ((row * channels + channel) * pixels + pixel) * size
                        for byte in 0..<size { target[to + byte] = bytes[from + byte] }
                    }
                }
            }
            count = bytes.count
        }
        return try DataArray(shape: [rows, channels, shape[1], shape[2]], type: type, bytes: moved)
    }
}

extension DataArray: CustomStringConvertible, CustomReflectable {
    /// Shape and type: values may be private.
    public var description: String { "DataArray(\(shape.extents), \(type.rawValue))" }
    /// Shape and type: values may be private.
    public var customMirror: Mirror { Mirror(self, children: ["shape": shape]) }
}

/// Numbers read from a file one after the other.
struct ByteCursor {
    let bytes: ArraySlice<UInt8>
    private(set) var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    var left: Int { bytes.endIndex - position }

    mutating func take(_ count: Int) throws(DataError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= left else {
            throw DataError("it ends early", expected: "\(count) more bytes where \(left) are left")
        }
        defer { position += count }
        return bytes[position..<position + count]
    }

    mutating func littleEndian(_ count: Int) throws(DataError) -> Int {
        try take(count).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    mutating func bigEndian(_ count: Int) throws(DataError) -> Int {
        try take(count).reduce(0) { $0 << 8 | Int($1) }
    }
}

/// What a reader is given from outside, since this module links no library: what inflates, and how much it may.
public struct Inflation: Sendable {
    /// What is around deflated bytes (RFC 1951).
    public enum Wrapper: Sendable {
        /// Nothing.
        case none
        /// RFC 1950.
        case zlib
    }

    /// Inflates into the target; false unless the bytes fill it exactly.
    let inflate: @Sendable (Wrapper, UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) -> Bool
    /// CRC-32 (RFC 1952) of bytes that follow others of that one.
    let checksum: @Sendable (UInt32, UnsafeRawBufferPointer) -> UInt32
    /// No file may inflate to more bytes.
    let largest: Int

    /// - Parameters:
    ///   - largest: No file may inflate to more bytes.
    ///   - inflate: Fills its target and says whether the deflated bytes were just that.
    ///   - checksum: The CRC-32 (RFC 1952) of bytes that follow others of that one.
    public init(
        largest: Int,
        inflate: @escaping @Sendable (Wrapper, UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) -> Bool,
        checksum: @escaping @Sendable (UInt32, UnsafeRawBufferPointer) -> UInt32
    ) {
        self.largest = largest
        self.inflate = inflate
        self.checksum = checksum
    }

    /// Deflate reaches 1,032 bytes for one: what claims more is no honest file, and nothing is allocated for it.
    static let largestRatio = 1_032

    /// - Parameter count: Bytes, as the file declares them.
    /// - Throws: A size that is not plausible or not allowed, before memory is taken for it.
    func inflated(_ bytes: ArraySlice<UInt8>, _ wrapper: Wrapper, count: Int) throws(DataError) -> [UInt8] {
        guard count <= largest else {
            throw DataError("\(count) bytes when inflated", expected: "at most \(largest) bytes: a smaller file")
        }
        guard count <= 64 + Self.largestRatio * bytes.count else {
            throw DataError(
                "\(count) bytes declared for \(bytes.count) compressed ones",
                expected: "at most \(Self.largestRatio) for each, which is as much as deflate can")
        }
        var isRight = false
        let result = [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
            bytes.withUnsafeBytes { isRight = inflate(wrapper, $0, UnsafeMutableRawBufferPointer(target)) }
            initialized = isRight ? count : 0
        }
        guard isRight else {
            throw DataError("compressed bytes that are damaged", expected: "deflated bytes that hold just \(count)")
        }
        return result
    }

    func checksum(_ bytes: ArraySlice<UInt8>) -> Int { Int(bytes.withUnsafeBytes { checksum(0, $0) }) }
}
