import DatasiteProtocol
import Foundation
import Yams

/// What is wrong in a manifest: where and what would be right.
enum ManifestError {
    /// So many problems are told at once.
    static let shownProblems = 12

    static func problem(_ detail: String, hint: String? = nil) -> Problem {
        Problem.invalidManifest(detail, hint: hint)
    }

    /// One problem that lists several, one a line.
    static func list(_ heading: String, _ lines: [String], hint: String? = nil) -> Problem {
        let more = lines.count - shownProblems
        let shown = lines.prefix(shownProblems) + (more > 0 ? ["and \(more) more"] : [])
        return problem(([heading] + shown.map { "  " + $0 }).joined(separator: "\n"), hint: hint)
    }
}

/// Gathers the problems of parts that do not depend on each other, so that all are told at once.
struct ManifestProblems {
    private var found: [Problem] = []
    var isEmpty: Bool { found.isEmpty }

    /// Reads a part; nil where something is wrong in it.
    mutating func reading<Part>(_ body: () throws -> Part) throws -> Part? {
        do { return try body() } catch let problem as Problem {
            found.append(problem)
            return nil
        }
    }

    /// Throws what was gathered, if anything was.
    func refuse() throws {
        guard found.count > 1 else {
            if let only = found.first { throw only }
            return
        }
        throw ManifestError.list(
            "\(found.count) things are wrong:", found.map { $0.detail + ($0.hint.map { " (\($0))" } ?? "") })
    }
}

/// A place in a YAML document. Read as nodes, so that an error names line and column and `yes`, `no` and `on` stay words.
struct YAMLValue {
    /// What a drafted manifest holds where only the owner can know: refused until it is replaced.
    static let placeholder = "SET"
    static let largestDocument = 8 << 20

    let node: Node
    /// The keys that lead here.
    let path: String

    /// The root of a document that has no anchors, aliases or duplicate keys.
    static func document(_ text: String) throws -> YAMLValue {
        guard text.utf8.count <= largestDocument else { throw Problem.tooLarge("a manifest has at most 8 MB") }
        do {
            // Anchors are weak references into the parser: it must outlive the walk.
            let parser = try Parser(yaml: text)
            let node = try parser.singleRoot()
            try withExtendedLifetime(parser) { try node.map(refuseAnchors) }
            guard let node else { throw ManifestError.problem("the document is empty") }
            return YAMLValue(node: node, path: "")
        } catch let error as YamlError {
            throw ManifestError.problem(
                describe(error), hint: "look at the indentation (blanks, no tabs), brackets and quotes up to here")
        }
    }

    private static func refuseAnchors(_ node: Node) throws {
        guard node.anchor == nil else {
            throw ManifestError.problem("\(place(node.mark))anchors and aliases are not allowed: write the value out")
        }
        switch node {
        case .mapping(let mapping):
            for (key, value) in mapping {
                try refuseAnchors(key)
                try refuseAnchors(value)
            }
        case .sequence(let sequence): try sequence.forEach(refuseAnchors)
        default: break
        }
    }

    /// Refuses a draft in which several places are not set yet, and names them; a single one is told where it is read,
    /// with what is expected there.
    func refuseUnset() throws {
        let unset = unset()
        guard unset.count > 1 else { return }
        throw ManifestError.list(
            "\(unset.count) values are not set yet:",
            unset.map { "line \($0.node.mark?.line ?? 0), `\($0.path)`" }, hint: "replace each \(Self.placeholder)")
    }

    private func unset() -> [YAMLValue] {
        switch node {
        case .scalar(let scalar): scalar.string == Self.placeholder ? [self] : []
        case .mapping(let mapping):
            mapping.flatMap { key, value in
                let key = key.string ?? ""
                return YAMLValue(node: value, path: path.isEmpty ? key : "\(path).\(key)").unset()
            }
        case .sequence(let sequence):
            sequence.enumerated().flatMap { YAMLValue(node: $1, path: "\(path)[\($0)]").unset() }
        default: []
        }
    }

    private static func describe(_ error: YamlError) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return "\(place(mark))\(problem)"
        case .duplicatedKeysInMapping(let duplicates, let context):
            return
                "\(place(context.mark))the key \(duplicates.map { "`\($0)`" }.joined(separator: ", ")) is given twice"
        case .reader(let problem, _, _, _): return "the text cannot be read: \(problem)"
        default: return "the text is not YAML"
        }
    }

    private static func place(_ mark: Mark?) -> String { mark.map { "line \($0.line), column \($0.column): " } ?? "" }

    // MARK: -

    /// A refusal that names this place.
    func problem(_ message: String, hint: String? = nil) -> Problem {
        ManifestError.problem("\(Self.place(node.mark))\(path.isEmpty ? "" : "`\(path)`: ")\(message)", hint: hint)
    }

    /// A mapping's values by key. Keys may be written with `_` for `-`. Unknown keys are refused.
    func mapping(_ allowed: Set<String>) throws -> [String: YAMLValue] {
        guard case .mapping(let mapping) = node else {
            throw problem("expected a mapping with the keys \(Self.list(allowed))")
        }
        var values: [String: YAMLValue] = [:]
        for (keyNode, value) in mapping {
            let at = YAMLValue(node: keyNode, path: path)
            guard case .scalar(let scalar) = keyNode else { throw at.problem("a key must be a word") }
            let key = scalar.string.replacing("_", with: "-")
            guard allowed.contains(key) else {
                throw at.problem("there is no key `\(scalar.string)` here", hint: "the keys are \(Self.list(allowed))")
            }
            let child = YAMLValue(node: value, path: path.isEmpty ? key : "\(path).\(key)")
            guard values.updateValue(child, forKey: key) == nil else {
                throw at.problem("the key `\(key)` is given twice")
            }
        }
        return values
    }

    /// A mapping's values by keys that are not known beforehand, in the order of the text.
    func members(_ expected: String) throws -> [(key: String, value: YAMLValue)] {
        guard case .mapping(let mapping) = node else { throw problem("expected a mapping: \(expected)") }
        return try mapping.map { keyNode, value in
            guard case .scalar(let scalar) = keyNode else {
                throw YAMLValue(node: keyNode, path: path).problem("a key must be a word")
            }
            return (scalar.string, YAMLValue(node: value, path: "\(path).\(scalar.string)"))
        }
    }

    private static func list(_ keys: Set<String>) -> String { keys.sorted().joined(separator: ", ") }

    func sequence() throws -> [YAMLValue] {
        guard case .sequence(let sequence) = node else { throw problem("expected a list") }
        return sequence.enumerated().map { YAMLValue(node: $1, path: "\(path)[\($0)]") }
    }

    var isSequence: Bool { if case .sequence = node { true } else { false } }
    var isMapping: Bool { if case .mapping = node { true } else { false } }

    /// A scalar's literal text.
    func text(_ expected: String = "a text") throws -> String {
        guard case .scalar(let scalar) = node else { throw problem("expected \(expected)") }
        guard scalar.string != Self.placeholder else {
            throw problem("is not set yet", hint: "replace \(Self.placeholder) by \(expected)")
        }
        return scalar.string
    }

    /// Text that is not quoted: what YAML would call a number or word.
    var isPlain: Bool {
        if case .scalar(let scalar) = node { scalar.style == .plain || scalar.style == .any } else { false }
    }

    func integer(_ expected: String = "an integer") throws -> Int {
        guard let value = Int(try text(expected).replacing("_", with: "")) else {
            throw problem("expected \(expected)")
        }
        return value
    }

    func number(_ expected: String = "a number") throws -> Double {
        let text = try text(expected)
        guard let value = Self.double(text) else { throw problem("expected \(expected)") }
        return value
    }

    /// Two numbers, the lower one first.
    func bounds() throws -> (lower: Double, upper: Double) {
        let both = try sequence().map { try $0.number() }
        guard both.count == 2, both[0] < both[1] else { throw problem("expected [lower, upper]") }
        return (both[0], both[1])
    }

    /// A decimal number, finite: no `inf`, no `nan`, no hexadecimal.
    static func double(_ text: String) -> Double? {
        let plain = text.replacing("_", with: "")
        let allowed = plain.utf8.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "+-.eE".utf8.contains(byte)
        }
        guard allowed, let value = Double(plain), value.isFinite else { return nil }
        return value
    }

    func boolean() throws -> Bool {
        switch try text("true or false") {
        case "true": return true
        case "false": return false
        default: throw problem("expected true or false")
        }
    }
}
