import DatasiteProtocol
import Foundation
import Tables

/// A manifest to be completed, and what its owner should look at.
public struct ManifestDraft: Sendable {
    /// The YAML, for the owner to complete.
    public var text: String
    /// For the owner alone: they tell about the file's contents.
    public var notes: [String]
}

/// What the owner says of how a file is written.
public struct DraftOptions: Sendable {
    /// Texts that stand for a missing value.
    public var missing: [String] = []
    /// The mark before decimals, `.` or `,`; nil: told from the file.
    public var decimal: String?
    /// The mark between thousands; nil: told from the file.
    public var thousands: String?
    /// The text's encoding, by its name in a manifest; nil: told from the file.
    public var encoding: String?
    /// Whether the table is a public one, to be joined: it protects nobody, and so has no unit, bounds or policy.
    public var isLookup = false

    /// What the draft says of the capacity: the fuzzers' package, which drafts too, has no clock.
    var capacityComment: [String] = []

    /// Options under which everything is told from the file.
    public init() {}
}

extension ManifestDraft {
    init(_ file: String?, arrays: [ArrayFile] = [], _ options: DraftOptions) throws {
        let drafted = try DraftedArrays(arrays)
        guard let named = file ?? arrays.first?.path else {
            throw Problem.invalidRequest("no file is given", hint: "name the table's file")
        }
        guard !options.isLookup || arrays.isEmpty else {
            throw Problem.invalidRequest("a public lookup table has no arrays")
        }
        guard let file else {
            self.init(text: DraftText.text(nil, drafted, of: named, options), notes: [])
            return
        }
        // By the manifest's own reader, so that what is drafted is read as it was drafted.
        let written = DraftText.form(options)
        let keys =
            written.isEmpty
            ? [:]
            : try YAMLValue.document(written.joined(separator: "\n")).mapping(["missing", "numbers", "encoding"])
        var form = FileForm()
        form.encoding = try keys["encoding"].map(ManifestDocument.encoding)
        let survey = try FileSurvey(file, form: form, fields: try FieldForm(reading: keys))
        var options = options
        if options.encoding == nil, survey.form.encoding == .windows1252 { options.encoding = "windows-1252" }
        self.init(text: DraftText.text(survey, drafted, of: file, options), notes: survey.notes)
    }
}

/// The draft as YAML.
enum DraftText {
    /// How the file is written, as the manifest says it.
    static func form(_ options: DraftOptions) -> [String] {
        var lines: [String] = []
        if !options.missing.isEmpty {
            lines.append("missing: [\(options.missing.map(quoted).joined(separator: ", "))]")
        }
        let numbers = [("decimal", options.decimal), ("thousands", options.thousands)]
            .compactMap { key, value in value.map { "\(key): \(quoted($0))" } }
        if !numbers.isEmpty { lines.append("numbers: {\(numbers.joined(separator: ", "))}") }
        if let encoding = options.encoding { lines.append("encoding: \(quoted(encoding))") }
        return lines
    }

    static func text(
        _ survey: FileSurvey?, _ drafted: DraftedArrays, of file: String, _ options: DraftOptions
    ) -> String {
        var lines = options.isLookup ? lookup(file) : protected(file, options, isTrainedOn: !drafted.arrays.isEmpty)
        let form = form(options)
        if !form.isEmpty { lines += ["# How the file is written."] + form + [""] }
        // It says which image is a row's, and is no column of its own.
        let files = drafted.hasFolder ? [ArrayInputs.fileColumn] : []
        let columns = survey?.columns.filter { !files.contains($0.name) } ?? []
        let ignored = (survey?.ignored ?? []) + files
        if !ignored.isEmpty {
            lines += ["# Columns of the file that are left out.", "ignore:"]
            lines += ignored.map { "  - \(quoted($0))" } + [""]
        }
        if !drafted.arrays.isEmpty { lines += arrays(drafted) + [""] }
        if options.isLookup {
            lines += ["# Numbers that are summed or averaged need `bounds: [lower, upper]`."]
        } else {
            lines += [
                "# Numbers, dates and timestamps that are summed or averaged need `bounds: [lower, upper]`; columns that are",
                "# grouped by need a `domain: [...]` or are selected privately. Remove what does not apply.",
            ]
        }
        lines += ["# `nullable: false` where a value is never missing, by the study's design.", "columns:"]
        for column in columns { lines += Self.lines(column.name, column.type, isLookup: options.isLookup) }
        for column in drafted.columns { lines += Self.lines(column.name, column.type, isLookup: false) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lookup(_ file: String) -> [String] {
        let set = YAMLValue.placeholder
        return [
            "# A draft of a public lookup table, such as codes and their names: its rows are shown to everybody, and it protects",
            "# nobody. Replace each \(set): the draft is refused until all are set.",
            "name: \(name(of: file))",
            "title: \(set)",
            "description: \(set)",
            "",
            "kind: lookup",
            "# The column by which other tables' rows find theirs here. Where a key has several rows, say the most of them:",
            "# `rows-per-key: N`.",
            "key: \(set)",
            "",
        ]
    }

    private static func protected(_ file: String, _ options: DraftOptions, isTrainedOn: Bool) -> [String] {
        let set = YAMLValue.placeholder
        let head = [
            "# A draft. Everything here becomes public. Replace each \(set): the draft is refused until all are set.",
            "# Take bounds and domains from what is publicly known (a study's design, a code book), never from the rows:",
            "# what is taken from the rows tells about them. (A public table of codes and their names: data describe --lookup.)",
            "name: \(name(of: file))",
            "title: \(set)",
            "description: \(set)",
            "",
            "# The people protected: the privacy budget belongs to them, whatever tables are added about them.",
            "population: \(set)",
            "# The column that names the protected unit (a person, a household), the most rows that one may have, and the",
            "# most groups of one answer that it may be in. Or, if each row is a unit of its own: `unit: row`.",
            "unit: {column: \(set), rows: \(set), groups: \(set)}",
            "# The most rows and units that this table may ever hold.",
        ]
        let rest = [
            "capacity: {rows: \(set), units: \(set)}",
            "",
            "policy:",
            "  # zcdp (zero-concentrated differential privacy); renyi, for tables on which models are trained too; or pure (then",
            "  # remove delta).",
            "  loss: \(isTrainedOn ? "renyi" : "zcdp")",
            "  # Well below one over the number of people.",
            "  delta: 1e-6",
            "  # For all researchers together, for the lifetime of the population.",
            "  total: {epsilon: \(set)}",
            "  per-researcher: {epsilon: \(set)}",
            "  # Or owner, or {owners: 2}: each request waits until so many owners approve.",
            "  approval: automatic",
        ]
        let training = [
            "  # What may be asked for, and of models the least and the most noise and clipping.",
            "  engines: {questions: {}, training: {approval: owner, noise: [0.7, 20], clip: [0.01, 10]}}",
        ]
        return head + options.capacityComment + rest + (isTrainedOn ? training : []) + [""]
    }

    /// A dataset's name of the file's: letters, digits and `_`, a letter first.
    private static func name(of file: String) -> String {
        let stem = URL(filePath: file).lastPathComponent.prefix { $0 != "." }
        let plain = stem.unicodeScalars.map { scalar in
            scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                ? Character(scalar) : "_"
        }
        let isLetterFirst = plain.first.map(\.isLetter) ?? false
        let name = String((isLetterFirst ? plain : ["t"] + plain).prefix(64))
        return plain.isEmpty ? "table" : name
    }

    private static func arrays(_ drafted: DraftedArrays) -> [String] {
        let set = YAMLValue.placeholder
        return [
            "# Numbers of which each row has one array: models are trained on them. Of an image the shape is channels, height and width",
            "# (files with the channels last are turned), of a signal steps and values of each.", "arrays:",
        ]
            + drafted.arrays.flatMap { array in
                let shape = array.shape.map(String.init).joined(separator: ", ")
                let bounds = array.element == .uint8 ? [] : ["    bounds: [\(set), \(set)]"]
                return [
                    "  - name: \(quoted(array.name))", "    shape: [\(shape)]", "    type: \(array.element.rawValue)",
                ]
                    + bounds + ["    description: \(set)"]
            }
    }

    private static func lines(_ name: String, _ type: ValueType, isLookup: Bool) -> [String] {
        let set = YAMLValue.placeholder
        var lines = ["  - name: \(quoted(name))", "    type: \(type.rawValue)", "    nullable: true"]
        // What is in a public table is known by itself.
        switch type {
        case _ where isLookup: break
        case .integer, .real, .date, .timestamp: lines.append("    bounds: [\(set), \(set)]")
        case .text: lines.append("    domain: [\(set)]")
        case .boolean: break
        }
        lines.append("    description: \(set)")
        return lines
    }

    /// Names that YAML would read as something else, or could not read, are quoted.
    static func quoted(_ name: String) -> String {
        let isWord = name.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        if isWord, let first = name.utf8.first, first > UInt8(ascii: "9"), name != YAMLValue.placeholder { return name }
        let escaped = name.unicodeScalars.map { scalar -> String in
            switch scalar {
            case "\\": "\\\\"
            case "\"": "\\\""
            case "\n": "\\n"
            case "\r": "\\r"
            case "\t": "\\t"
            default: isPrintable(scalar) ? String(scalar) : escape(scalar.value)
            }
        }
        return "\"" + escaped.joined() + "\""
    }

    /// Whether a YAML text may hold the character as it is, and an editor shows it.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        let categories: [Unicode.GeneralCategory] = [
            .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned,
        ]
        return !categories.contains(scalar.properties.generalCategory)
    }

    private static func escape(_ value: UInt32) -> String {
        value > 0xffff ? "\\U" + hex(value, 8) : "\\u" + hex(value, 4)
    }

    private static func hex(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
