/// Where a plan's columns are in JSON objects: by member name, exactly, else regardless of ASCII case.
public struct NDJSONLayout: Sendable, Hashable {
    /// What becomes of a member.
    enum Place: Hashable {
        case column(Int)
        case ignored
    }

    private let names: [[UInt8]: Place]
    private let folded: [[UInt8]: Int]
    private let ignoresRest: Bool

    /// The places of the schema's columns; `ignored` members may be there and are not loaded.
    public init(schema: Schema, ignored: IgnoredColumns = .named([])) {
        var names: [[UInt8]: Place] = [:]
        var folded: [[UInt8]: Int] = [:]
        if case .named(let ignored) = ignored { for name in ignored { names[Array(name.utf8)] = .ignored } }
        for (index, column) in schema.columns.enumerated() {
            names[Array(column.name.utf8)] = .column(index)
            folded[Array(column.name.lowercased().utf8)] = index
        }
        self.names = names
        self.folded = folded
        ignoresRest = ignored == .rest
    }

    /// Nil where the member is neither declared nor ignored.
    func place(of name: [UInt8]) -> Place? {
        if let place = names[name] { return place }
        if let column = folded[Array(String(decoding: name, as: UTF8.self).lowercased().utf8)] {
            return .column(column)
        }
        return ignoresRest ? .ignored : nil
    }

    /// The names of members in the order in which they first occur in some lines; at most `most`. Lines that are no object
    /// have none.
    public static func names(in bytes: [UInt8], most: Int) -> [String] {
        bytes.withUnsafeBytes { bytes in
            var names: [String] = []
            var seen: Set<[UInt8]> = []
            var start = 0
            while start < bytes.count, names.count < most {
                let end = bytes[start...].firstIndex(of: 0x0a) ?? bytes.count
                var scanner = JSONScanner(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                start = end + 1
                guard scanner.consume(0x7b), !scanner.consume(0x7d) else { continue }
                repeat {
                    guard let name = scanner.string(), scanner.consume(0x3a), scanner.skipValue(depth: 0) else { break }
                    if seen.insert(name).inserted { names.append(String(decoding: name, as: UTF8.self)) }
                } while scanner.consume(0x2c)
            }
            return names
        }
    }
}

/// The columns of a file that its manifest may leave out: what is neither declared nor ignored is refused, so that a
/// misspelt name is noticed.
public enum IgnoredColumns: Sendable, Hashable {
    /// Members of those names.
    case named(Set<String>)
    /// Every member that is no column's.
    case rest
}

/// Parses one JSON object a line (RFC 8259) into a worker's batch. Members that are missing are null.
struct NDJSONParser {
    private let state: IngestState
    private let layout: NDJSONLayout
    private var result = BlockResult()
    private var seen: [Bool]
    private var wrongCells: [Int] = []
    /// How many members came before the first one that is neither declared nor ignored; nil: there is none.
    private var undeclared: Int?
    private var places: [[UInt8]: NDJSONLayout.Place] = [:]
    /// What kind of value stands in the first wrong cell, if only its kind is wrong.
    private var found: String?

    init(_ layout: NDJSONLayout, state: IngestState) {
        self.layout = layout
        self.state = state
        seen = Array(repeating: false, count: state.intakes.count)
    }

    mutating func parse(_ block: UnsafeRawBufferPointer) -> BlockResult {
        let stopsAtFirst = state.plan.onError == .refuse
        var start = 0
        while start < block.count, !(stopsAtFirst && !result.wrong.isEmpty) {
            var end = start
            while end < block.count, block[end] != 0x0a { end += 1 }
            parseLine(UnsafeRawBufferPointer(rebasing: block[start..<end]))
            if end < block.count { result.lines += 1 }
            start = end + 1
        }
        return result
    }

    private mutating func parseLine(_ line: UnsafeRawBufferPointer) {
        var scanner = JSONScanner(line)
        if scanner.isAtEnd { return }
        state.report.rowsRead += 1
        for column in seen.indices { seen[column] = false }
        wrongCells.removeAll(keepingCapacity: true)
        undeclared = nil
        found = nil
        guard parseObject(&scanner) else {
            return endWrongShape("one JSON object on one line, each name in it once")
        }
        if let undeclared {
            // Its name may be a person's: keys are data in some files.
            return endWrongShape(
                "only what the manifest declares: the object's member \(undeclared + 1) is neither among `columns` nor under "
                    + "`ignore`")
        }
        for column in seen.indices where !seen[column] { store(state.intakes[column].null(), column) }
        guard let first = wrongCells.first else { return state.commitRow() }
        let expected = state.intakes[first].expected + (found.map { "; \($0) stands there" } ?? "")
        state.endWrongRow(line: result.lines, column: first, expected: expected, wrongCells: wrongCells, &result)
    }

    private mutating func endWrongShape(_ expected: String) {
        state.endWrongRow(line: result.lines, column: nil, expected: expected, wrongCells: [], &result)
    }

    private mutating func parseObject(_ scanner: inout JSONScanner) -> Bool {
        guard scanner.consume(0x7b) else { return false }
        if scanner.consume(0x7d) { return scanner.isAtEnd }
        var members = 0
        repeat {
            defer { members += 1 }
            guard let name = scanner.string(), scanner.consume(0x3a) else { return false }
            let place = place(of: name)
            guard case .column(let column) = place else {
                if undeclared == nil, place == nil { undeclared = members }
                guard scanner.skipValue(depth: 0) else { return false }
                continue
            }
            // A name that comes twice would make the row mean two things.
            guard !seen[column], parseMember(column, &scanner) else { return false }
            seen[column] = true
        } while scanner.consume(0x2c)
        return scanner.consume(0x7d) && scanner.isAtEnd
    }

    /// The places of names that were met before are remembered: there are few.
    private mutating func place(of name: [UInt8]) -> NDJSONLayout.Place? {
        if let known = places[name] { return known }
        guard let place = layout.place(of: name) else { return nil }
        if places.count < 4_096 { places[name] = place }
        return place
    }

    private mutating func parseMember(_ column: Int, _ scanner: inout JSONScanner) -> Bool {
        let intake = state.intakes[column]
        switch scanner.peek() {
        case 0x22:
            guard let text = scanner.string() else { return false }
            // A string is a text, or anything else as it would stand in a file without types.
            store(text.withUnsafeBytes { intake.accept(field: $0, isQuoted: false) }, column)
        case 0x7b, 0x5b:
            guard scanner.skipValue(depth: 0) else { return false }
            if wrongCells.isEmpty { found = "a list or an object" }
            wrongCells.append(column)
        default:
            guard let token = scanner.token() else { return false }
            let word = literal(token, intake)
            if word == nil, wrongCells.isEmpty, [.text, .date, .timestamp].contains(intake.schema.type) {
                found = token[0] >= 0x61 ? "a word without quotes" : "a number without quotes"
            }
            store(word, column)
        }
        return true
    }

    /// A number, true, false or null.
    private func literal(_ token: UnsafeRawBufferPointer, _ intake: ColumnIntake) -> Int64? {
        if token.elementsEqual("null".utf8) { return intake.null() }
        let isFlag = token.elementsEqual("true".utf8) || token.elementsEqual("false".utf8)
        switch intake.schema.type {
        case .boolean: return isFlag || token.count == 1 ? intake.accept(field: token, isQuoted: false) : nil
        case .integer, .real: return isFlag ? nil : intake.accept(number: token)
        case .timestamp where intake.schema.form.epochTicks != nil: return isFlag ? nil : intake.accept(number: token)
        case .text, .date, .timestamp: return nil
        }
    }

    private mutating func store(_ word: Int64?, _ column: Int) {
        if let word {
            state.batch.column(column)[state.batch.count] = word
        } else {
            wrongCells.append(column)
        }
    }
}

/// Goes through one line of JSON.
struct JSONScanner {
    private let text: UnsafeRawBufferPointer
    private var place = 0
    /// Nesting beyond this is refused rather than followed.
    private static let largestDepth = 64

    init(_ text: UnsafeRawBufferPointer) {
        self.text = text
        skipSpace()
    }

    var isAtEnd: Bool { place == text.count }

    func peek() -> UInt8? { place < text.count ? text[place] : nil }

    /// Goes over that byte and the white space behind it, if it is next.
    mutating func consume(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        place += 1
        skipSpace()
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x09 || byte == 0x0d { place += 1 }
    }

    /// A number or word, up to what cannot be part of one.
    mutating func token() -> UnsafeRawBufferPointer? {
        let start = place
        while let byte = peek(),
            byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a || byte >= 0x30 && byte <= 0x39
                || byte == 0x2d || byte == 0x2b || byte == 0x2e
        { place += 1 }
        guard place > start else { return nil }
        let token = UnsafeRawBufferPointer(rebasing: text[start..<place])
        skipSpace()
        let first = token[0]
        let isNumber = first == 0x2d || first >= 0x30 && first <= 0x39
        let isWord = ["null", "true", "false"].contains { token.elementsEqual($0.utf8) }
        return isNumber || isWord ? token : nil
    }

    /// A string's bytes, unescaped; an unpaired surrogate is refused.
    mutating func string() -> [UInt8]? {
        guard peek() == 0x22 else { return nil }
        place += 1
        var bytes: [UInt8] = []
        while let byte = peek() {
            place += 1
            switch byte {
            case 0x22:
                skipSpace()
                return bytes
            case 0x5c: guard unescape(into: &bytes) else { return nil }
            case 0..<0x20: return nil
            default: bytes.append(byte)
            }
        }
        return nil
    }

    private mutating func unescape(into bytes: inout [UInt8]) -> Bool {
        guard let byte = peek() else { return false }
        place += 1
        switch byte {
        case 0x22, 0x5c, 0x2f: bytes.append(byte)
        case UInt8(ascii: "b"): bytes.append(8)
        case UInt8(ascii: "f"): bytes.append(12)
        case UInt8(ascii: "n"): bytes.append(10)
        case UInt8(ascii: "r"): bytes.append(13)
        case UInt8(ascii: "t"): bytes.append(9)
        case UInt8(ascii: "u"):
            guard var value = hexadecimal() else { return false }
            if (0xd800..<0xdc00).contains(value) {
                guard place + 1 < text.count, text[place] == 0x5c, text[place + 1] == UInt8(ascii: "u") else {
                    return false
                }
                place += 2
                guard let low = hexadecimal(), (0xdc00..<0xe000).contains(low) else { return false }
                value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(value) else { return false }
            bytes.append(contentsOf: String(Character(scalar)).utf8)
        default: return false
        }
        return true
    }

    private mutating func hexadecimal() -> UInt32? {
        guard place + 4 <= text.count else { return nil }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(text[place])).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
            place += 1
        }
        return value
    }

    /// Goes over any value.
    mutating func skipValue(depth: Int) -> Bool {
        guard depth < Self.largestDepth else { return false }
        switch peek() {
        case 0x22: return string() != nil
        case 0x7b:
            _ = consume(0x7b)
            if consume(0x7d) { return true }
            repeat {
                guard string() != nil, consume(0x3a), skipValue(depth: depth + 1) else { return false }
            } while consume(0x2c)
            return consume(0x7d)
        case 0x5b:
            _ = consume(0x5b)
            if consume(0x5d) { return true }
            repeat { guard skipValue(depth: depth + 1) else { return false } } while consume(0x2c)
            return consume(0x5d)
        default: return token() != nil
        }
    }
}
