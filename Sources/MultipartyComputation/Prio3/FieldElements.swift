internal import Foundation

/// A vector of elements of either field: what is stored and summed without regard to the circuit that it is of.
enum FieldElements: Sendable, Equatable {
    case field64([Field64])
    case field128([Field128])

    var count: Int {
        switch self {
        case .field64(let vector): return vector.count
        case .field128(let vector): return vector.count
        }
    }

    /// The elements' encodings, one after another.
    var encoded: [UInt8] {
        switch self {
        case .field64(let vector): return vector.encoded
        case .field128(let vector): return vector.encoded
        }
    }

    /// Whether the other vector is of the same field and length.
    func isSummable(with other: FieldElements) -> Bool {
        switch (self, other) {
        case (.field64(let vector), .field64(let other)): return vector.count == other.count
        case (.field128(let vector), .field128(let other)): return vector.count == other.count
        default: return false
        }
    }

    /// Adds, entry by entry, a vector of the same field and length.
    mutating func add(_ other: FieldElements) {
        switch (self, other) {
        case (.field64(var vector), .field64(let other)):
            self = .field64([])
            vector.add(other)
            self = .field64(vector)
        case (.field128(var vector), .field128(let other)):
            self = .field128([])
            vector.add(other)
            self = .field128(vector)
        default: preconditionFailure("Vectors of two fields have no sum.")
        }
    }

    /// Adds, entry by entry, as many integers.
    mutating func add(integers: [Int64]) {
        switch self {
        case .field64: add(.field64(integers.map { Field64(signed: $0) }))
        case .field128: add(.field128(integers.map { Field128(signed: $0) }))
        }
    }
}

extension FieldElements: CustomStringConvertible, CustomReflectable {
    /// The number alone: elements are shares of secrets.
    var description: String { "FieldElements(\(count))" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension FieldElements: Codable {
    private enum Key: String, CodingKey { case field, elements }

    /// Throws for a field that is neither 64 nor 128 and for bytes that do not encode elements of it.
    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        let bytes = [UInt8](try fields.decode(Data.self, forKey: .elements))
        let field = try fields.decode(Int.self, forKey: .field)
        switch field {
        case 64: self = .field64(try [Field64](encoded: bytes[...], name: "a stored share"))
        case 128: self = .field128(try [Field128](encoded: bytes[...], name: "a stored share"))
        default:
            throw DecodingError.dataCorruptedError(
                forKey: .field, in: fields, debugDescription: "expected a field of 64 or 128 bits")
        }
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Key.self)
        switch self {
        case .field64: try fields.encode(64, forKey: .field)
        case .field128: try fields.encode(128, forKey: .field)
        }
        try fields.encode(Data(encoded), forKey: .elements)
    }
}

extension Array where Element: NTTField {
    /// The elements' encodings, one after another.
    var encoded: [UInt8] {
        let size = count * Element.encodedSize
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
            if let base = UnsafeMutableRawPointer(buffer.baseAddress) {
                for index in indices {
                    self[index].encode(to: base + index * Element.encodedSize)
                }
            }
            initialized = size
        }
    }

    /// The elements that are encoded one after another. Throws `malformed` for a last one that is cut off and for one that
    /// is not below the modulus.
    init(encoded: ArraySlice<UInt8>, name: String) throws(Prio3Error) {
        guard encoded.count % Element.encodedSize == 0 else {
            throw .malformed(name, expected: "a multiple of \(Element.encodedSize) bytes")
        }
        self = []
        reserveCapacity(encoded.count / Element.encodedSize)
        encoded.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            for offset in stride(from: 0, to: bytes.count, by: Element.encodedSize) {
                guard let element = Element(encoded: base + offset) else { return }
                append(element)
            }
        }
        guard count * Element.encodedSize == encoded.count else {
            throw .malformed(name, expected: "field elements below the modulus, unlike the one at place \(count)")
        }
    }

    /// Adds a vector of the same length, entry by entry.
    mutating func add(_ other: [Element]) {
        precondition(count == other.count, "Vectors of two lengths have no sum.")
        withUnsafeMutableBufferPointer { elements in
            for index in other.indices { elements[index] += other[index] }
        }
    }

    /// Takes a vector of the same length away, entry by entry.
    mutating func subtract(_ other: [Element]) {
        precondition(count == other.count, "Vectors of two lengths have no difference.")
        withUnsafeMutableBufferPointer { elements in
            for index in other.indices { elements[index] -= other[index] }
        }
    }
}
