import DatasiteProtocol
import Foundation
import Tables

extension Datasite {
    /// Drafts a manifest from a file: names and types only. What only the owner can know (bounds, domains, the privacy
    /// unit, the budget) stands there as a placeholder, and the draft is refused until she has set it: taken from the
    /// rows, it would tell about them.
    public static func describe(_ file: String) throws -> String {
        try reportingProblems { try ManifestDraft(file).text }
    }
}

/// Names and types of a file's columns, from its first rows.
struct ManifestDraft {
    private struct Guess {
        var name: String
        var types = Set(ValueType.allCases)
        var isNullable = false
        var isSeen = false
        /// Whether a row has the column's name as its value.
        var isRepeated = false

        /// The narrowest type that all values have.
        var type: ValueType {
            guard isSeen else { return .text }
            let order: [ValueType] = [.boolean, .integer, .real, .date, .timestamp]
            return order.first(where: types.contains) ?? .text
        }

        mutating func see(_ field: String?) {
            guard let field, !field.isEmpty else {
                isNullable = true
                return
            }
            isSeen = true
            isRepeated = isRepeated || field == name
            types = types.filter { ManifestDraft.reads(field, as: $0) }
        }
    }

    private static let sampledBytes = 4 << 20
    private static let sampledRows = 10_000

    private let file: String
    private var guesses: [Guess] = []
    /// Columns that a manifest cannot declare, and why.
    private var unread: [(name: String, words: String)] = []

    init(_ file: String) throws {
        self.file = file
        if let parquet = try FileColumns.parquet(file) {
            try take(parquet.columns)
            return
        }
        let start = try FileColumns.beginning(of: file, bytes: Self.sampledBytes)
        guard !start.isEmpty else { throw Problem.invalidData("the file is empty") }
        try FileColumns.requireText(start, isCut: start.count + 3 >= Self.sampledBytes)
        if let format = FileColumns.csvFormat(file) {
            try sample(start, format)
        } else {
            sample(lines: start)
        }
        guard !guesses.isEmpty else { throw Problem.invalidData("the file has no columns") }
    }

    /// A file that says what its columns are.
    private mutating func take(_ columns: [ParquetColumn]) throws {
        for column in columns {
            if let type = column.type {
                guesses.append(Guess(name: column.name, types: [type], isNullable: true, isSeen: true))
            } else {
                unread.append((column.name, column.words))
            }
        }
        guard !guesses.isEmpty else { throw Problem.invalidData("the file has no columns that are read") }
    }

    static func reads(_ field: String, as type: ValueType) -> Bool {
        switch type {
        case .integer: Int64(field) != nil && !isCode(field)
        case .real where isCode(field): false
        case .real: YAMLValue.double(field) != nil || ["nan", "inf", "-inf"].contains(field.lowercased())
        case .text: true
        case .boolean: field == "true" || field == "false"
        case .date: Timestamp.days(field[...]) != nil
        case .timestamp: Timestamp.seconds(field[...]) != nil
        }
    }

    /// Whether digits are a code and no number, so that two of them would become one: they begin with a zero that does
    /// not count, or are more than 64 bits hold.
    private static func isCode(_ field: String) -> Bool {
        let digits = field.drop { $0 == "-" || $0 == "+" }
        let isZeroed = digits.hasPrefix("0") && digits.dropFirst().first?.isWholeNumber == true
        return isZeroed || (Int64(field) == nil && digits.utf8.allSatisfy { (0x30...0x39).contains($0) })
    }

    private mutating func sample(_ bytes: [UInt8], _ format: CSVFormat) throws {
        let names = try FileColumns.header(bytes, format)
        try FileColumns.refuseValues(names)
        guesses = names.map { Guess(name: $0) }
        bytes.withUnsafeBytes { bytes in
            // The last row may be cut off.
            let end =
                bytes.count < Self.sampledBytes ? bytes.count : RowBoundary.last(in: bytes, quote: format.quote) ?? 0
            var place = 0
            var rows = 0
            while place < end, rows <= Self.sampledRows,
                let row = CSVHeader(UnsafeRawBufferPointer(rebasing: bytes[place..<end]), format)
            {
                place += row.bytes
                if rows > 0, row.names.count == guesses.count {
                    for index in guesses.indices { guesses[index].see(row.names[index]) }
                }
                rows += 1
            }
        }
        // A record of words alone: most of them are other people's values too.
        if 2 * guesses.count(where: \.isRepeated) > guesses.count {
            throw FileColumns.noHeader("most of its cells occur in the rows below")
        }
    }

    private mutating func sample(lines bytes: [UInt8]) {
        for line in bytes.split(separator: UInt8(ascii: "\n")).prefix(Self.sampledRows) {
            guard let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any] else { continue }
            for key in object.keys.sorted() where !guesses.contains(where: { $0.name == key }) {
                guesses.append(Guess(name: key))
            }
            for index in guesses.indices {
                guesses[index].see(Self.field(object[guesses[index].name]))
            }
        }
    }

    private static func field(_ value: Any?) -> String? {
        switch value {
        case let text as String: text
        case let number as NSNumber:
            // What a JSON reader makes of true and false.
            if String(cString: number.objCType) == "c" { number.boolValue ? "true" : "false" } else { "\(number)" }
        default: nil
        }
    }

    // MARK: - Text

    var text: String {
        let set = YAMLValue.placeholder
        let stem = URL(filePath: file).lastPathComponent.prefix { $0 != "." }
        let letters = stem.unicodeScalars.map { $0.isASCII && $0.properties.isAlphabetic ? Character($0) : "_" }
        let name = String((letters.first == "_" ? ["t"] + letters : letters).prefix(64))
        var lines = [
            "# A draft. Everything here becomes public. Replace each \(set): the draft is refused until all are set.",
            "# Take bounds and domains from what is publicly known (a study's design, a code book), never from the rows:",
            "# what is taken from the rows tells about them.",
            "name: \(name.isEmpty ? "table" : name)",
            "title: \(set)",
            "description: \(set)",
            "",
            "# The people protected: the privacy budget belongs to them, whatever tables are added about them.",
            "population: \(set)",
            "# The column that names the protected unit (a person, a household), the most rows that one may have, and the",
            "# most groups of one answer that it may be in. Or, if each row is a unit of its own: `unit: row`.",
            "unit: {column: \(set), rows: \(set), groups: \(set)}",
            "# The most rows and units that this table may ever hold.",
            "capacity: {rows: \(set), units: \(set)}",
            "",
            "policy:",
            "  # zcdp (zero-concentrated differential privacy) or pure; for pure, remove delta.",
            "  loss: zcdp",
            "  # Well below one over the number of people.",
            "  delta: 1e-6",
            "  # For all researchers together, for the lifetime of the population.",
            "  total: {epsilon: \(set)}",
            "  per-researcher: {epsilon: \(set)}",
            "  # Or {owners: 2}: each request waits until two owners approve.",
            "  approval: automatic",
            "",
            "# Numbers, dates and timestamps that are summed or averaged need `bounds: [lower, upper]`; columns that are",
            "# grouped by need a `domain: [...]` or are selected privately. Remove what does not apply.",
            "columns:",
        ]
        for guess in guesses { lines += Self.lines(guess) }
        if !unread.isEmpty {
            lines += ["", "# Of kinds that are not read."]
            lines.append("ignore:")
            lines += unread.map { "  - \(Self.quoted($0.name))  # \($0.words)" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines(_ guess: Guess) -> [String] {
        let set = YAMLValue.placeholder
        var lines = [
            "  - name: \(quoted(guess.name))", "    type: \(guess.type.rawValue)",
            "    nullable: \(guess.isNullable || !guess.isSeen)",
        ]
        switch guess.type {
        case .integer, .real, .date, .timestamp: lines.append("    bounds: [\(set), \(set)]")
        case .text: lines.append("    domain: [\(set)]")
        case .boolean: break
        }
        lines.append("    description: \(set)")
        return lines
    }

    /// Names that YAML would read as something else, or could not read, are quoted.
    private static func quoted(_ name: String) -> String {
        let isWord = name.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        if isWord, let first = name.utf8.first, first > UInt8(ascii: "9") { return name }
        return "\"" + name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
