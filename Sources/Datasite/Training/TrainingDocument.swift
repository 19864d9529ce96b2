import DatasiteProtocol
import Federation
import Learning

/// A plan of training as its file says it: what is learned from what, and how. All of it is public.
struct TrainingDocument: Sendable {
    /// The one that is read.
    static let version = 1

    /// The result's name, and the name of its folder.
    var name = ""
    var description = ""
    var data: TrainingDataSection
    /// A dataset of a datasite, in the place of files.
    var dataset: TrainingDatasetSection?
    var model: TrainingModelSection
    /// nil: all layers begin anew, and are trained.
    var transfer: TrainingTransferSection?
    var loss = Loss.crossEntropy
    var optimizer = Optimizer.gradientDescent()
    var rate: Float = 0.1
    var schedule = TrainingSchedule.constant
    var averaging: Float?
    var batch = 64
    var epochs = 1
    var augment: [TrainingAugmentation] = []
    var classWeights: [Float]?
    var metrics: [Metric] = []
    var selection: (metric: Metric, isBetterHigher: Bool)?
    var seed: UInt64 = 0
    /// Whether the seed was said.
    var isSeeded = false
    var threads = 1
    /// nil: without privacy.
    var privacy: TrainingPrivacySection?
    /// nil: one trains alone.
    var federation: TrainingFederationSection?
    /// nil: no devices train it.
    var devices: TrainingDevicesSection?
    /// Whether it asks for trials of a search, each a training.
    var isSearch = false

    private static let keys: Set<String> = [
        "version", "name", "description", "data", "model", "loss", "optimizer", "schedule", "averaging", "batch",
        "epochs",
        "augment", "class-weights", "metrics", "select", "seed", "threads", "privacy", "search", "federation",
        "devices",
    ]

    /// - Throws: A `Problem` (`invalid-manifest`) that names line, column and key of each part that is wrong.
    init(_ text: String) throws { try self.init(YAMLValue.document(text)) }

    /// - Throws: As above.
    init(_ root: YAMLValue) throws {
        let keys = try root.mapping(Self.keys)
        func required(_ key: String) throws -> YAMLValue {
            guard let value = keys[key] else { throw root.problem("the key `\(key)` is missing") }
            return value
        }
        let version = try required("version")
        guard try version.integer("the plan's version, 1") == Self.version else {
            throw version.problem("expected 1, the version that is read here")
        }
        // What `reading` gives in place of a part that is wrong is never used: `refuse` ends it.
        var problems = ManifestProblems()
        let named = keys["data"].flatMap { try? $0.members("").contains { $0.key == "dataset" } } ?? false
        dataset = named ? try problems.reading { try TrainingDatasetSection(required("data")) } : nil
        let data = named ? nil : try problems.reading { try TrainingDataSection(required("data")) }
        let model = try problems.reading { try TrainingModelSection(required("model")) }
        self.data = data ?? TrainingDataSection()
        self.model = model ?? .layers("[]")
        transfer = try problems.reading { try transfer(required("model")) } ?? nil
        name = try problems.reading { try Self.name(required("name")) } ?? ""
        description = try problems.reading { try keys["description"]?.text("a description") ?? "" } ?? ""
        loss = try problems.reading { try Self.word(required("loss"), Loss.allCases) } ?? loss
        privacy = try problems.reading { try keys["privacy"].map(TrainingPrivacySection.init) } ?? nil
        try readSearch(keys, &problems)
        try readSteps(keys, &problems)
        try readMeasures(keys, &problems)
        try readFederation(keys, &problems)
        try readDevices(keys, &problems)
        try problems.refuse()
    }

    private func transfer(_ model: YAMLValue) throws -> TrainingTransferSection? {
        guard model.isMapping, let section = try TrainingTransferSection(model) else { return nil }
        guard dataset == nil else {
            throw model.problem(
                "a plan holds no weights, and a datasite opens no file of yours: there all layers begin anew and are trained",
                hint: "leave out `weights`, `fresh` and `train`")
        }
        return section
    }

    private mutating func readSearch(_ keys: [String: YAMLValue], _ problems: inout ManifestProblems) throws {
        guard let value = keys["search"] else { return }
        isSearch = true
        _ = try problems.reading {
            guard dataset == nil else {
                throw value.problem(
                    "a datasite trains one model a request", hint: "send one plan a trial: each is charged")
            }
            _ = try TrainingSearchSection(value)
        }
    }

    private mutating func readSteps(_ keys: [String: YAMLValue], _ problems: inout ManifestProblems) throws {
        if let value = keys["optimizer"],
            let read = try problems.reading({ try TrainingOptimizer(value) })
        {
            (optimizer, rate) = (read.optimizer, read.rate)
        }
        schedule = try problems.reading { try keys["schedule"].map(TrainingSchedule.init) ?? .constant } ?? .constant
        averaging = try problems.reading { try keys["averaging"].map { try $0.float(0..<1) } } ?? nil
        batch = try problems.reading { try keys["batch"]?.count() ?? 64 } ?? 64
        epochs = try problems.reading { try keys["epochs"]?.count(atMost: 100_000) ?? 1 } ?? 1
        augment =
            try problems.reading { try keys["augment"].map(Self.augmentations) ?? [] } ?? []
        classWeights =
            try problems.reading { try keys["class-weights"]?.sequence().map { try $0.float(0..<1e9) } } ?? nil
        threads = try problems.reading { try keys["threads"]?.count(atMost: 256) ?? 1 } ?? 1
        isSeeded = keys["seed"] != nil
        seed =
            try problems.reading {
                try keys["seed"].map { value in
                    guard let seed = UInt64(try value.text("a seed")) else {
                        throw value.problem("expected a whole number from 0 to 18446744073709551615")
                    }
                    return seed
                } ?? 0
            } ?? 0
    }

    private mutating func readFederation(
        _ keys: [String: YAMLValue], _ problems: inout ManifestProblems
    ) throws {
        guard let value = keys["federation"] else { return }
        federation = try problems.reading {
            for key in ["epochs", "schedule", "select", "search"] {
                if let other = keys[key] {
                    throw other.problem("a plan with `federation` has rounds, and no `\(key)`", hint: "leave it out")
                }
            }
            let section = try TrainingFederationSection(value, rate: rate, isPrivate: privacy != nil)
            // What such a round has no place for would be left out without a word.
            if section.strategy.kind == .fedSGD, optimizer != .gradientDescent() {
                throw (keys["optimizer"] ?? value).problem(
                    "each round is one step of gradient descent, by the server", hint: "{kind: sgd, rate: \(rate)}")
            }
            return section
        }
    }

    private mutating func readDevices(_ keys: [String: YAMLValue], _ problems: inout ManifestProblems) throws {
        guard let value = keys["devices"] else { return }
        devices = try problems.reading {
            for key in ["epochs", "schedule", "select", "search", "federation", "privacy"] {
                if let other = keys[key] {
                    throw other.problem(
                        "a plan with `devices` has cycles, and no `\(key)`",
                        hint: key == "privacy" ? "devices: {..., privacy: {clip: 1, noise: 1}}" : "leave it out")
                }
            }
            return try TrainingDevicesSection(value)
        }
    }

    private mutating func readMeasures(_ keys: [String: YAMLValue], _ problems: inout ManifestProblems) throws {
        metrics =
            try problems.reading { try keys["metrics"]?.sequence().map { try Self.word($0, Metric.allCases) } ?? [] }
            ?? []
        if let value = keys["metrics"], Set(metrics).count != metrics.count {
            _ = try problems.reading { throw value.problem("a metric is named twice") }
        }
        guard let value = keys["select"] else { return }
        selection = try problems.reading {
            let keys = try value.mapping(["metric", "direction"])
            guard let named = keys["metric"] else { throw value.problem("the key `metric` is missing") }
            let metric = try Self.word(named, Metric.allCases)
            guard let direction = keys["direction"] else { return (metric, metric.isBetterHigher) }
            return (metric, try Self.word(direction, ["higher", "lower"]) == "higher")
        }
        if data.validation == nil, problems.isEmpty {
            _ = try problems.reading {
                throw value.problem("there is nothing to select by", hint: "name `validation` in `data`")
            }
        }
        if let metric = selection?.metric, !metrics.contains(metric) { metrics.append(metric) }
    }

    private static func augmentations(_ value: YAMLValue) throws -> [TrainingAugmentation] {
        let listed = try value.sequence().map(TrainingAugmentation.init)
        let flips = listed.count { $0 == .flip }
        guard flips <= 1, listed.count - flips <= 1 else {
            throw value.problem("expected `flip` and `{shift: PIXELS}`, each at most once")
        }
        return listed
    }

    /// How many steps draw each of so many units once on average.
    func stepsPerEpoch(_ units: Int) -> Int {
        let batch = max(1, min(batch, units))
        return (units + batch - 1) / batch
    }

    /// It names files and a folder.
    static func name(_ value: YAMLValue) throws -> String {
        let name = try value.text("a name")
        guard name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._-]{0,63}/) != nil else {
            throw value.problem(
                "expected 1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first")
        }
        return name
    }

    static func word<Word: RawRepresentable<String>>(_ value: YAMLValue, _ words: [Word]) throws -> Word {
        let text = try word(value, words.map(\.rawValue))
        guard let word = Word(rawValue: text) else {
            throw value.problem("expected one of the words that are read here")
        }
        return word
    }

    static func word(_ value: YAMLValue, _ words: [String]) throws -> String {
        let expected = "one of " + words.joined(separator: ", ")
        let text = try value.text(expected)
        guard words.contains(text) else { throw value.problem("expected \(expected)") }
        return text
    }
}

extension YAMLValue {
    func float(_ range: Range<Double>) throws -> Float {
        let number = try number()
        guard range.contains(number) else {
            throw problem("expected a number from \(range.lowerBound) to below \(range.upperBound)")
        }
        return Float(number)
    }
}

/// The learning rate over the steps, in epochs.
enum TrainingSchedule: Sendable, Equatable {
    case constant
    case cosine(warmup: Double, floor: Float)
    case steps(at: [Double], factor: Float)

    init(_ value: YAMLValue) throws {
        let keys = try value.mapping(["kind", "warmup-epochs", "floor", "at-epochs", "factor"])
        guard let kind = keys["kind"] else { throw value.problem("the key `kind` is missing") }
        let word = try TrainingDocument.word(kind, ["constant", "cosine", "steps"])
        let allowed = ["cosine": ["warmup-epochs", "floor"], "steps": ["at-epochs", "factor"]][word] ?? []
        if let stranger = keys.keys.first(where: { $0 != "kind" && !allowed.contains($0) }) {
            throw value.problem("a schedule of kind \(word) has no `\(stranger)`")
        }
        switch word {
        case "cosine":
            self = .cosine(
                warmup: Double(try keys["warmup-epochs"]?.float(0..<1e6) ?? 0),
                floor: try keys["floor"]?.float(0..<1) ?? 0)
        case "steps":
            guard let at = keys["at-epochs"] else { throw value.problem("the key `at-epochs` is missing") }
            self = .steps(
                at: try at.sequence().map { Double(try $0.float(0..<1e6)) },
                factor: try keys["factor"]?.float(0..<1) ?? 0.1)
        default: self = .constant
        }
    }

    func schedule(stepsPerEpoch: Int) -> Schedule {
        func steps(_ epochs: Double) -> Int { Int((epochs * Double(stepsPerEpoch)).rounded()) }
        return switch self {
        case .constant: .constant
        case .cosine(let warmup, let floor): .cosine(warmup: steps(warmup), floor: floor)
        case .steps(let at, let factor): .steps(at: at.map(steps), factor: factor)
        }
    }
}

/// `optimizer: {kind: sgd, rate: 0.1, ...}`.
struct TrainingOptimizer {
    var optimizer: Optimizer
    var rate: Float

    init(_ value: YAMLValue) throws {
        let keys = try value.mapping([
            "kind", "rate", "momentum", "nesterov", "weight-decay", "beta1", "beta2", "epsilon",
        ])
        guard let kind = keys["kind"], let rate = keys["rate"] else {
            throw value.problem("the key `\(keys["kind"] == nil ? "kind" : "rate")` is missing")
        }
        let word = try TrainingDocument.word(kind, ["sgd", "adam", "adamw"])
        let allowed = word == "sgd" ? ["momentum", "nesterov"] : ["beta1", "beta2", "epsilon"]
        if let stranger = keys.keys.first(where: { !(["kind", "rate", "weight-decay"] + allowed).contains($0) }) {
            throw value.problem("\(word) has no `\(stranger)`")
        }
        self.rate = try rate.float(0x1p-60..<1e6)
        let decay = try keys["weight-decay"]?.float(0..<1e6)
        if word == "sgd" {
            optimizer = .gradientDescent(
                momentum: try keys["momentum"]?.float(0..<1) ?? 0, nesterov: try keys["nesterov"]?.boolean() ?? false,
                weightDecay: decay ?? 0)
        } else {
            // As PyTorch has them: AdamW decays by a hundredth unless told otherwise.
            optimizer = .adam(
                beta1: try keys["beta1"]?.float(0..<1) ?? 0.9, beta2: try keys["beta2"]?.float(0..<1) ?? 0.999,
                epsilon: try keys["epsilon"]?.float(0x1p-60..<1) ?? 1e-8,
                weightDecay: decay ?? (word == "adamw" ? 0.01 : 0),
                isDecoupled: word == "adamw")
        }
    }
}

/// `flip`, or `{shift: 2}`.
enum TrainingAugmentation: Sendable, Equatable {
    case flip
    case shift(Int)

    init(_ value: YAMLValue) throws {
        guard value.isMapping else {
            guard try value.text("flip or {shift: PIXELS}") == "flip" else {
                throw value.problem("expected flip or {shift: PIXELS}")
            }
            self = .flip
            return
        }
        guard let pixels = try value.mapping(["shift"])["shift"] else {
            throw value.problem("expected flip or {shift: PIXELS}")
        }
        self = .shift(try pixels.count(atMost: 1 << 16))
    }
}

extension YAMLValue {
    /// As JSON: unquoted numbers and Booleans as such, all else as text. Keys as they are, whichever way they are joined.
    func json() throws -> String {
        if isSequence { return "[" + (try sequence().map { try $0.json() }).joined(separator: ", ") + "]" }
        if isMapping {
            let members = try members("a layer").map { "\(Self.quoted($0.key)): \(try $0.value.json())" }
            return "{" + members.joined(separator: ", ") + "}"
        }
        let text = try text("a value")
        let isNumber = text.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/) != nil
        return isPlain && (isNumber || text == "true" || text == "false") ? text : Self.quoted(text)
    }

    static func quoted(_ text: String) -> String {
        let escaped = text.unicodeScalars.map { scalar in
            switch scalar {
            case "\"": "\\\""
            case "\\": "\\\\"
            default:
                scalar.value < 0x20
                    ? "\\u" + String(repeating: "0", count: scalar.value < 16 ? 3 : 2) + String(scalar.value, radix: 16)
                    : String(scalar)
            }
        }
        return "\"" + escaped.joined() + "\""
    }
}
