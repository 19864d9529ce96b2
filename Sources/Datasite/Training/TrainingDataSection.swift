import Learning

/// What is learned from: files of one format, and what is publicly declared of their numbers.
struct TrainingDataSection: Sendable, Equatable {
    enum Format: String, CaseIterable, Sendable { case idx, npy, npz, png, csv }

    /// Rows of one purpose.
    struct Part: Sendable, Equatable {
        /// Of `idx` and `npy` a file, of `npz` an array, of `png` a folder, of `csv` the table's file.
        var inputs = ""
        /// Of `idx` and `npy` a file, of `npz` an array, of `png` a CSV file.
        var labels = ""
    }

    /// What a model is validated on.
    enum Validation: Sendable, Equatable {
        case part(Part)
        /// Every so many rows of training, held out: chosen by the plan's seed.
        case share(Double)
    }

    enum Target: Sendable, Equatable {
        /// Labels from 0 to below.
        case classes(Int)
        /// Labels as words.
        case domain([String])
        /// Values within bounds, of a table's column.
        case bounds(lower: Double, upper: Double)
        /// So many values a row, as they are.
        case values(Int)

        /// How many outputs a model needs for it, at least.
        var width: Int {
            switch self {
            case .classes(let count), .values(let count): count
            case .domain(let words): words.count
            case .bounds: 1
            }
        }
    }

    var format = Format.idx
    /// Of `npz`: the archive.
    var file = ""
    var train = Part()
    var validation: Validation?
    /// Whether the plan declares the rows that it is validated on public.
    var isValidationPublic = false
    var test: Part?
    /// Of a row as the model takes it; nil: as it follows from the files.
    var shape: [Int]?
    var channelsLast = false
    var scaling = InputScaling.none
    var target = Target.classes(2)
    /// The label's or target's column, of `png` and `csv`.
    var labelColumn = "label"
    var columns: [InputColumn] = []

    init() {}

    init(_ value: YAMLValue) throws {
        let keys = try value.mapping([
            "format", "file", "train", "validation", "test", "shape", "channels", "scale", "classes", "values", "label",
            "columns",
        ])
        func required(_ key: String) throws -> YAMLValue {
            guard let found = keys[key] else { throw value.problem("the key `\(key)` is missing") }
            return found
        }
        format = try TrainingDocument.word(required("format"), Format.allCases)
        let allowed = Self.keys(format)
        if let stranger = keys.keys.sorted().first(where: { !allowed.contains($0) }) {
            throw (keys[stranger] ?? value).problem(
                "data of format \(format.rawValue) have no `\(stranger)`",
                hint: "they have \(allowed.sorted().joined(separator: ", "))")
        }
        if format == .npz { file = try Self.path(required("file")) }
        train = try part(required("train"))
        if let value = keys["validation"] { try readValidation(value) }
        test = try keys["test"].map { try part($0) }
        shape = try keys["shape"]?.sequence().map { try $0.count(atMost: 1 << 24) }
        channelsLast = try keys["channels"].map { try TrainingDocument.word($0, ["first", "last"]) == "last" } ?? false
        scaling = try keys["scale"].map(Self.scaling) ?? .none
        try readTarget(keys, value)
        if format == .csv { columns = try required("columns").sequence().map(Self.column) }
    }

    private static func keys(_ format: Format) -> Set<String> {
        let all: Set<String> = ["format", "train", "validation", "test"]
        return switch format {
        case .idx, .npy: all.union(["shape", "channels", "scale", "classes", "values"])
        case .npz: all.union(["file", "shape", "channels", "scale", "classes", "values"])
        case .png: all.union(["scale", "classes", "label"])
        case .csv: all.union(["columns", "label"])
        }
    }

    /// - Parameter more: Keys beside the files'.
    private func part(_ value: YAMLValue, more: Set<String> = []) throws -> Part {
        func read(_ inputs: String, _ labels: String?) throws -> Part {
            let keys = try value.mapping(more.union([inputs, labels].compactMap(\.self)))
            guard let first = keys[inputs] else { throw value.problem("the key `\(inputs)` is missing") }
            var part = Part(inputs: format == .npz ? try first.text("an array's name") : try Self.path(first))
            guard let labels else { return part }
            guard let second = keys[labels] else { throw value.problem("the key `\(labels)` is missing") }
            part.labels = format == .npz ? try second.text("an array's name") : try Self.path(second)
            return part
        }
        return switch format {
        case .idx, .npy, .npz: try read("inputs", "labels")
        case .png: try read("folder", "labels")
        case .csv: try read("file", nil)
        }
    }

    private mutating func readValidation(_ value: YAMLValue) throws {
        let members = try value.members("a part, or {share: 0.1}")
        if members.first?.key == "share" {
            guard let share = try value.mapping(["share"])["share"] else {
                throw value.problem("expected {share: 0.1}")
            }
            validation = .share(Double(try share.float(0x1p-20..<1)))
            return
        }
        validation = .part(try part(value, more: ["public"]))
        isValidationPublic = try members.first { $0.key == "public" }?.value.boolean() ?? false
    }

    /// Below the folder of the data, wherever that is.
    static func path(_ value: YAMLValue) throws -> String {
        let path = try value.text("a file's name")
        guard WholeFile.isBelow(path) else {
            throw value.problem("expected a name below the folder of the data, without `..`")
        }
        return path
    }

    static func scaling(_ value: YAMLValue) throws -> InputScaling {
        let keys = try value.mapping(["bounds", "mean", "deviation"])
        if let bounds = keys["bounds"], keys.count == 1 {
            let (lower, upper) = try bounds.bounds()
            return .bounds(lower: Float(lower), upper: Float(upper))
        }
        guard let mean = keys["mean"], let deviation = keys["deviation"], keys.count == 2 else {
            throw value.problem("expected {bounds: [lower, upper]}, or {mean: ..., deviation: ...}")
        }
        func numbers(_ value: YAMLValue) throws -> [Float] {
            try value.isSequence ? value.sequence().map { Float(try $0.number()) } : [Float(value.number())]
        }
        return .standard(mean: try numbers(mean), deviation: try numbers(deviation))
    }

    private mutating func readTarget(_ keys: [String: YAMLValue], _ value: YAMLValue) throws {
        if let label = keys["label"] {
            let inner = try label.mapping(["column", "domain", "bounds"])
            if let column = inner["column"] { labelColumn = try column.text("a column's name") }
            if let domain = inner["domain"] {
                let words = try domain.sequence().map { try $0.text("a label") }
                guard words.count >= 2, Set(words).count == words.count else {
                    throw domain.problem("expected at least two different labels")
                }
                target = .domain(words)
            } else if let bounds = inner["bounds"], format == .csv {
                let (lower, upper) = try bounds.bounds()
                target = .bounds(lower: lower, upper: upper)
            } else if keys["classes"] == nil {
                throw label.problem(
                    "expected `domain`: its labels\(format == .csv ? ", or `bounds`: of a number" : "")")
            }
            guard inner["domain"] == nil || inner["bounds"] == nil else {
                throw label.problem("expected `domain` or `bounds`, not both")
            }
            guard inner["domain"] == nil || keys["classes"] == nil else {
                throw label.problem("expected `domain` or `classes`, not both")
            }
            if inner["domain"] != nil || inner["bounds"] != nil { return }
        }
        if let classes = keys["classes"], keys["values"] == nil {
            let count = try classes.count(atMost: 1 << 16)
            guard count >= 2 else { throw classes.problem("expected at least 2") }
            target = .classes(count)
        } else if let values = keys["values"], keys["classes"] == nil {
            target = .values(try values.count(atMost: 1 << 16))
        } else {
            throw value.problem(
                format == .csv
                    ? "the key `label` is missing"
                    : "expected `classes`: how many labels there can be, or `values`: how many a row")
        }
    }

    private static func column(_ value: YAMLValue) throws -> InputColumn {
        let keys = try value.mapping(["name", "domain", "bounds", "missing"])
        guard let name = try keys["name"]?.text("a column's name") else {
            throw value.problem("the key `name` is missing")
        }
        let form: InputColumn.Form
        switch (keys["domain"], keys["bounds"]) {
        case (let domain?, nil):
            guard keys["missing"] == nil else {
                throw value.problem("a category has no `missing`: name it in the domain")
            }
            form = .oneOf(try domain.sequence().map { try $0.text("a value") })
        case (nil, let bounds?):
            let (lower, upper) = try bounds.bounds()
            form = .number(lower: lower, upper: upper, missing: try keys["missing"]?.number())
        default: throw value.problem("expected `domain` (categories) or `bounds` (a number), one of them")
        }
        do throws(DataError) { return try InputColumn(name, form) } catch { throw value.problem("\(error)") }
    }
}
