import DatasiteProtocol

/// Parameters as bytes in the form of `safetensors` 0.4 and later, which PyTorch reads and writes: the header's length in eight bytes,
/// little-endian; the header, JSON; the values, without gaps.
public enum SafeTensors {
    /// The longest header that is read, in bytes.
    public static let largestHeader = 1 << 24
    /// The most tensors that are read.
    public static let largestTensorCount = 1 << 16
    /// PyTorch's batch normalisation counts batches in a whole number of this name, which nothing here needs.
    private static let ignoredSuffix = "num_batches_tracked"

    /// Where a tensor's values are: what the header says of it, checked.
    private struct Entry {
        let name: String
        let shape: [Int]
        let type: ElementType
        let range: Range<Int>
    }

    /// How values are written.
    private enum ElementType: String, CaseIterable {
        case float64 = "F64"
        case float32 = "F32"
        case float16 = "F16"
        case brain16 = "BF16"
        case integer64 = "I64"

        var size: Int {
            switch self {
            case .float64, .integer64: 8
            case .float32: 4
            case .float16, .brain16: 2
            }
        }
    }

    /// Reads parameters: F32, and F16, BF16 and F64 turned into it. Nothing is made room for before all sizes are checked.
    ///
    /// - Throws: What is wrong, of which tensor.
    public static func read(_ bytes: [UInt8]) throws(ModelError) -> Parameters {
        let (header, data) = try parts(bytes)
        let value: StrictJSON
        do { value = try StrictJSON(parsing: Array(bytes[header]), largestDepth: 3) } catch {
            throw .data("the weights' header", expected: "JSON: \(error)")
        }
        guard case .object(var members) = value else { throw .data("the weights' header", expected: "a JSON object") }
        members["__metadata__"] = nil
        guard members.count <= largestTensorCount else {
            throw .data("the weights' \(members.count) tensors", expected: "at most \(largestTensorCount)")
        }
        var entries: [Entry] = []
        for (name, value) in members { entries.append(try entry(name, value, within: data.count)) }
        entries.sort {
            ($0.range.lowerBound, $0.range.upperBound, $0.name) < ($1.range.lowerBound, $1.range.upperBound, $1.name)
        }
        try checkGaps(entries, data.count)
        entries.removeAll { $0.type == .integer64 }
        let tensors = entries.map { entry in
            let first = data.lowerBound + entry.range.lowerBound
            return Tensor(shape: entry.shape, values: values(bytes[first..<first + entry.range.count], entry.type))
        }
        return Parameters(names: entries.map(\.name), tensors: tensors)
    }

    private static func parts(_ bytes: [UInt8]) throws(ModelError) -> (header: Range<Int>, data: Range<Int>) {
        guard bytes.count >= 8 else {
            throw .data("the weights' \(bytes.count) bytes", expected: "at least 8: the length of a header")
        }
        let length = bytes[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(largestHeader) else {
            throw .data("the weights' header of \(length) bytes", expected: "at most \(largestHeader) bytes")
        }
        guard length <= UInt64(bytes.count - 8) else {
            throw .data(
                "the weights' header of \(length) bytes",
                expected: "\(bytes.count - 8) bytes follow: the file is cut off")
        }
        return (8..<8 + Int(length), 8 + Int(length)..<bytes.count)
    }

    private static func entry(_ name: String, _ value: StrictJSON, within count: Int) throws(ModelError) -> Entry {
        let shown = name.utf8.count <= 200 ? name : String(name.prefix(50)) + "..."
        func wrong(_ expected: String) -> ModelError { .parameter(name: shown, expected: expected) }
        guard case .object(let members) = value, Set(members.keys) == ["dtype", "shape", "data_offsets"] else {
            throw wrong("needs dtype, shape and data_offsets, and nothing else")
        }
        let types = ElementType.allCases.filter { $0 != .integer64 || name.hasSuffix(ignoredSuffix) }
        guard case .string(let word)? = members["dtype"], let type = types.first(where: { $0.rawValue == word }) else {
            throw wrong("its dtype is none that is read: F32, F16, BF16, F64")
        }
        guard let shape = numbers(members["shape"]), shape.count <= 8 else {
            throw wrong("its shape is no list of at most 8 whole numbers")
        }
        guard let offsets = numbers(members["data_offsets"]), offsets.count == 2, offsets[0] <= offsets[1],
            offsets[1] <= count
        else {
            throw wrong("its data_offsets are not two whole numbers, in order, within the \(count) bytes of values")
        }
        var size = type.size
        for extent in shape {
            let (product, overflow) = size.multipliedReportingOverflow(by: extent)
            if overflow { throw wrong("its shape \(shape.extents) is larger than any file") }
            size = product
        }
        guard size == offsets[1] - offsets[0] else {
            throw wrong("has \(offsets[1] - offsets[0]) bytes; \(word) values of shape \(shape.extents) take \(size)")
        }
        return Entry(name: name, shape: shape, type: type, range: offsets[0]..<offsets[1])
    }

    private static func numbers(_ value: StrictJSON?) -> [Int]? {
        guard case .array(let elements)? = value else { return nil }
        let numbers = elements.compactMap { element -> Int? in
            guard case .number(let literal) = element, let number = Int(literal), number >= 0 else { return nil }
            return number
        }
        return numbers.count == elements.count ? numbers : nil
    }

    private static func checkGaps(_ entries: [Entry], _ count: Int) throws(ModelError) {
        var next = 0
        for entry in entries {
            guard entry.range.lowerBound == next else {
                throw .parameter(
                    name: String(entry.name.prefix(200)),
                    expected: "begins at byte \(entry.range.lowerBound); the values before it end at \(next)")
            }
            next = entry.range.upperBound
        }
        guard next == count else {
            throw .data("the weights' \(count) bytes of values", expected: "the header tells of \(next)")
        }
    }

    private static func values(_ bytes: ArraySlice<UInt8>, _ type: ElementType) -> [Float] {
        let words = stride(from: bytes.startIndex, to: bytes.endIndex, by: type.size).lazy.map { first in
            bytes[first..<first + type.size].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        return switch type {
        case .float64: words.map { Float(Double(bitPattern: $0)) }
        case .float32: words.map { Float(bitPattern: UInt32($0)) }
        case .float16: words.map { half(UInt16($0)) }
        case .brain16: words.map { Float(bitPattern: UInt32($0) << 16) }
        case .integer64: []
        }
    }

    /// IEEE 754 binary16, which not every platform has as a type.
    static func half(_ bits: UInt16) -> Float {
        let (exponent, fraction) = (Int(bits >> 10 & 31), Float(bits & 1023))
        let size: Float =
            switch exponent {
            case 0: fraction * 0x1p-24
            case 31: fraction == 0 ? .infinity : .nan
            default: (1024 + fraction) * Float(sign: .plus, exponent: exponent - 25, significand: 1)
            }
        return bits >> 15 == 1 ? -size : size
    }

    /// The texts beside the tensors, by their names; what is no text is left out.
    ///
    /// - Throws: What is wrong with the header.
    public static func metadata(_ bytes: [UInt8]) throws(ModelError) -> [String: String] {
        let (header, _) = try parts(bytes)
        guard let value = try? StrictJSON(parsing: Array(bytes[header]), largestDepth: 3),
            case .object(let members) = value, case .object(let texts)? = members["__metadata__"]
        else { return [:] }
        return texts.compactMapValues { if case .string(let text) = $0 { text } else { nil } }
    }

    /// Parameters as F32, in their order.
    ///
    /// - Parameter metadata: Texts beside them, by their names.
    public static func write(_ parameters: Parameters, metadata: [String: String] = [:]) -> [UInt8] {
        var members: [String: CanonicalJSON] =
            metadata.isEmpty ? [:] : ["__metadata__": .object(metadata.mapValues { .string($0) })]
        var next = 0
        for (name, tensor) in zip(parameters.names, parameters.tensors) {
            let end = next + 4 * tensor.count
            members[name] = .object([
                "dtype": .string(ElementType.float32.rawValue),
                "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
                "data_offsets": .array([.integer(Int64(next)), .integer(Int64(end))]),
            ])
            next = end
        }
        var header = CanonicalJSON.object(members).bytes
        // Values lie at a multiple of eight bytes, as in the files that Python writes.
        header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
        var bytes = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        bytes.reserveCapacity(8 + header.count + next)
        bytes += header
        for tensor in parameters.tensors {
            for value in tensor.values {
                let bits = value.bitPattern
                for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(shift))) }
            }
        }
        return bytes
    }
}

extension Model {
    /// The model's parameters from a file of them, in whatever order the file has them.
    ///
    /// - Throws: What is wrong with the file, or does not fit the model.
    public func parameters(safetensors bytes: [UInt8]) throws(ModelError) -> Parameters {
        let found = try SafeTensors.read(bytes)
        let names = declarations.map(\.name)
        let known = Set(names)
        let ordered = names.filter { found[$0] != nil } + found.names.filter { !known.contains($0) }
        let parameters = Parameters(names: ordered, tensors: ordered.compactMap { found[$0] })
        try check(parameters)
        return parameters
    }
}
