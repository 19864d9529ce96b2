import DatasiteProtocol
import Learning
import Yams

/// Random search: `search: {trials: 8, over: {optimizer.rate: [0.1, 0.3], batch: [250, 500]}}`. Each trial draws a value for each key.
struct TrainingSearchSection {
    /// A key of the plan, and the values it may have.
    struct Choice {
        let path: [String]
        let values: [YAMLValue]
        var key: String { path.joined(separator: ".") }
    }

    static let mostTrials = 1_000
    /// What may differ between trials: rows, unit and promise are those of all, and so is what they are compared by.
    static let searched = [
        "augment", "averaging", "batch", "class-weights", "epochs", "model", "optimizer", "privacy.clip",
        "privacy.noise", "schedule",
    ]

    let trials: Int
    let choices: [Choice]

    init(_ value: YAMLValue) throws {
        let keys = try value.mapping(["trials", "over"])
        guard let trials = keys["trials"], let over = keys["over"] else {
            throw value.problem("the key `\(keys["trials"] == nil ? "trials" : "over")` is missing")
        }
        self.trials = try trials.count(atMost: Self.mostTrials)
        choices = try over.members("keys of the plan, each with a list of values").map { key, values in
            let path = key.replacing("_", with: "-").split(separator: ".", omittingEmptySubsequences: false).map(
                String.init)
            let isFile = path.first == "model" && TrainingTransferSection.keys.contains(path.last ?? "")
            guard Self.searched.contains(where: { key == $0 || key.hasPrefix($0 + ".") }), !isFile else {
                throw values.problem(
                    "it is the same in all trials",
                    hint: "keys that may differ begin with \(Self.searched.joined(separator: ", "))")
            }
            let listed = try values.sequence()
            guard !listed.isEmpty else { throw values.problem("expected a list of values") }
            return Choice(path: path, values: listed)
        }
        let names = choices.map(\.key)
        guard !choices.isEmpty, Set(names).count == names.count else {
            throw over.problem("expected at least one key of the plan, each once, with a list of values")
        }
    }

    /// Values that no trial draws are read too, each at its place.
    func check(_ root: YAMLValue, _ document: TrainingDocument) throws {
        for choice in choices {
            for value in choice.values {
                guard try TrainingDocument(root.replacing(choice.path, by: value)).transfer == document.transfer else {
                    throw value.problem("`weights`, `fresh` and `train` are the same in all trials")
                }
            }
        }
    }

    /// The trials' plans. With privacy none of them selects: that is done once, among all.
    func plans(_ root: YAMLValue, _ draws: [[Int]], isPrivate: Bool) throws -> [YAMLValue] {
        var base = try root.replacing(["search"], by: nil)
        if isPrivate { base = try base.replacing(["select"], by: nil) }
        return try draws.map { draw in
            try zip(choices, draw).reduce(base) { try $0.replacing($1.0.path, by: $1.0.values[$1.1]) }
        }
    }
}

extension YAMLValue {
    /// The plan with that noise in the place of its epsilon.
    func withNoise(_ noise: Double) throws -> YAMLValue {
        let value = YAMLValue(node: Node("\(noise)"), path: "privacy.noise")
        return try replacing(["privacy", "epsilon"], by: nil).replacing(["privacy", "noise"], by: value)
    }

    /// The same document with another value, or without one, at a path of keys.
    ///
    /// - Throws: That there is no mapping on the way.
    func replacing(_ path: [String], by value: YAMLValue?) throws -> YAMLValue {
        guard let key = path.first else { return value ?? self }
        guard case .mapping(let mapping) = node else { throw problem("has no `\(key)`, which `search` names") }
        var pairs = mapping.map { ($0.key, $0.value) }
        let rest = Array(path.dropFirst())
        let place = pairs.firstIndex { $0.0.scalar?.string.replacing("_", with: "-") == key }
        if rest.isEmpty, value == nil {
            if let place { pairs.remove(at: place) }
        } else if let place {
            let child = YAMLValue(node: pairs[place].1, path: self.path.isEmpty ? key : "\(self.path).\(key)")
            pairs[place].1 = try child.replacing(rest, by: value).node
        } else {
            guard let value, rest.isEmpty else { throw problem("the key `\(key)`, which `search` names, is missing") }
            pairs.append((Node(key), value.node))
        }
        return YAMLValue(node: .mapping(Node.Mapping(pairs, mapping.tag, mapping.style, mapping.mark)), path: self.path)
    }

    /// As text, without comments.
    func yaml() throws -> String {
        do { return try Yams.serialize(node: node, width: -1, allowUnicode: true) } catch {
            throw problem("cannot be written: \(error)")
        }
    }
}
