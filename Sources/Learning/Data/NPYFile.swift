/// NumPy's format of one array, versions 1 to 3 (NumPy Enhancement Proposal 1).
public enum NPYFile {
    static let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]
    private static let largestHeader = 1 << 16

    /// Whether a file begins as one of this format does.
    public static func isBegun(by bytes: [UInt8]) -> Bool { bytes.starts(with: magic) }

    /// - Parameter bytes: The whole file.
    /// - Throws: What is wrong in it.
    public static func read(_ bytes: [UInt8]) throws(DataError) -> DataArray {
        var cursor = ByteCursor(bytes[...])
        guard try cursor.take(6).elementsEqual(magic) else {
            throw DataError("header", "other bytes", expected: "an .npy file, which begins with \\x93NUMPY")
        }
        let major = try cursor.littleEndian(1)
        _ = try cursor.take(1)
        guard (1...3).contains(major) else {
            throw DataError("header", "version \(major)", expected: "version 1, 2 or 3")
        }
        let length = try cursor.littleEndian(major == 1 ? 2 : 4)
        guard length <= largestHeader else {
            throw DataError("header", "\(length) bytes", expected: "at most \(largestHeader)")
        }
        var header = NPYHeader(text: Array(try cursor.take(length)))
        try header.read()
        let count = try DataArray.byteCount(header.shape, header.type)
        guard count == cursor.left else {
            throw DataError(
                "values", "\(cursor.left) bytes",
                expected: "\(count), those of \(header.shape.extents) values of \(header.type.size) bytes")
        }
        var values = Array(try cursor.take(count))
        if header.isBigEndian { values = values.reversedElements(of: header.type.size) }
        if header.isFortranOrder { values = rowMajor(values, header.shape, size: header.type.size) }
        return try DataArray(shape: header.shape, type: header.type, bytes: values)
    }

    /// Values whose first extent varies fastest, with the last one fastest.
    private static func rowMajor(_ bytes: [UInt8], _ shape: [Int], size: Int) -> [UInt8] {
        var strides: [Int] = []
        var next = size
        for extent in shape {
            strides.append(next)
            next *= extent
        }
        var index = [Int](repeating: 0, count: shape.count)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for _ in 0..<bytes.count / size {
            let from = zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 }
            result.append(contentsOf: bytes[from..<from + size])
            for axis in index.indices.reversed() {
                index[axis] += 1
                if index[axis] < shape[axis] { break }
                index[axis] = 0
            }
        }
        return result
    }
}

/// The header: a literal of Python, a dictionary of three keys.
private struct NPYHeader {
    private let text: [UInt8]
    private var place = 0
    private(set) var type = ElementType.unsigned8
    private(set) var isBigEndian = false
    private(set) var isFortranOrder = false
    private(set) var shape: [Int] = []

    init(text: [UInt8]) { self.text = text }

    private static let form = "{'descr': '<f4', 'fortran_order': False, 'shape': (10, 28, 28), }"
    private func wrong(_ what: String) -> DataError {
        DataError("header", what, expected: "a header such as \(Self.form)")
    }

    mutating func read() throws(DataError) {
        var keys: Set<String> = []
        try expect("{")
        while !skip("}") {
            let key = try word()
            guard keys.insert(key).inserted else { throw wrong("a key given twice") }
            try expect(":")
            switch key {
            case "descr": try readType()
            case "fortran_order": isFortranOrder = try boolean()
            case "shape": try readShape()
            default: throw wrong("a key that is none of descr, fortran_order and shape")
            }
            if !skip(",") {
                try expect("}")
                break
            }
        }
        guard keys.count == 3 else { throw wrong("not all of descr, fortran_order and shape") }
        skipBlanks()
        guard place == text.count else { throw wrong("more behind the dictionary") }
    }

    private mutating func readType() throws(DataError) {
        skipBlanks()
        if place < text.count, text[place] == UInt8(ascii: "[") {
            throw DataError(
                "header", "an array of records", expected: "one number type: save each field as an array of its own")
        }
        let name = try word()
        guard !name.hasPrefix("|O"), name != "O" else {
            throw DataError("header", "Python objects", expected: "numbers: they are never unpickled here")
        }
        guard let order = name.first, "<>|=".contains(order), let type = ElementType(rawValue: String(name.dropFirst()))
        else {
            throw DataError(
                "header", "an element type that is not read",
                expected:
                    "b1, u1, u2, i1, i2, i4, i8, f2, f4 or f8: whole numbers by array.astype('int64'), others by 'float32'"
            )
        }
        self.type = type
        isBigEndian = order == ">"
    }

    private mutating func readShape() throws(DataError) {
        try expect("(")
        while !skip(")") {
            guard shape.count < 32 else { throw wrong("more than 32 extents") }
            shape.append(try number())
            if !skip(",") {
                try expect(")")
                break
            }
        }
    }

    private mutating func skipBlanks() {
        while place < text.count, [0x20, 0x0A, 0x09].contains(text[place]) { place += 1 }
    }

    private mutating func skip(_ mark: Character) -> Bool {
        skipBlanks()
        guard place < text.count, text[place] == mark.asciiValue else { return false }
        place += 1
        return true
    }

    private mutating func expect(_ mark: Character) throws(DataError) {
        if !skip(mark) { throw wrong("no '\(mark)' at byte \(place)") }
    }

    private mutating func word() throws(DataError) -> String {
        skipBlanks()
        guard place < text.count, text[place] == 0x27 || text[place] == 0x22 else {
            throw wrong("no quoted word at byte \(place)")
        }
        let quote = text[place]
        guard let end = text[(place + 1)...].firstIndex(of: quote) else { throw wrong("a word without an end") }
        defer { place = end + 1 }
        return String(decoding: text[place + 1..<end], as: UTF8.self)
    }

    private mutating func number() throws(DataError) -> Int {
        skipBlanks()
        let start = place
        while place < text.count, (0x30...0x39).contains(text[place]) { place += 1 }
        guard place - start <= 18, let value = Int(String(decoding: text[start..<place], as: UTF8.self)) else {
            throw wrong("an extent that is no whole number")
        }
        return value
    }

    private mutating func boolean() throws(DataError) -> Bool {
        skipBlanks()
        for (name, value) in [("True", true), ("False", false)] where text[place...].starts(with: name.utf8) {
            place += name.utf8.count
            return value
        }
        throw wrong("a fortran_order that is neither True nor False")
    }
}
