public import Learning

/// The parameters of a flat vector: names and sizes, in order.
public struct ParameterLayout: Sendable, Hashable {
    /// Names, in the flat vector's order.
    public let names: [String]
    /// The number of entries of each.
    public let counts: [Int]

    /// Throws unless there are as many counts as names, at least one, none negative, and no name twice.
    public init(names: [String], counts: [Int]) throws(StrategyError) {
        guard !names.isEmpty, names.count == counts.count else {
            throw .length(of: "counts of parameters", found: counts.count, expected: max(1, names.count))
        }
        guard counts.allSatisfy({ $0 >= 0 }) else { throw .parameter("counts", expected: "0 or more each") }
        guard Set(names).count == names.count else { throw .parameter("names", expected: "each once") }
        self.names = names
        self.counts = counts
    }

    /// The flat vector's number of entries.
    public var total: Int { counts.reduce(0, +) }
}

/// Personalisation: the parameters that stay with each participant, such as a classifier's last layer, while the
/// others are learned together (Arivazhagan et al. 2019, FedPer). They are never sent.
///
/// In JSON a list of names. Fine-tuning after the last round needs nothing of this: it is a training that begins with the weights.
public struct LocalHead: Sendable, Hashable {
    /// The names of the parameters that stay, rising.
    public let names: [String]

    /// Each name once.
    public init(names: [String]) { self.names = Set(names).sorted() }

    /// The places in the flat vector of the entries that are shared, rising. Throws where a name is not the model's,
    /// or nothing is shared.
    public func sharedRanges(_ layout: ParameterLayout) throws(StrategyError) -> [Range<Int>] {
        let known = Set(layout.names)
        for name in names where !known.contains(name) {
            throw .unknownParameter(name, expected: layout.names)
        }
        let local = Set(names)
        var ranges: [Range<Int>] = []
        var start = 0
        for (name, count) in zip(layout.names, layout.counts) {
            if count > 0 && !local.contains(name) { ranges.append(start..<start + count) }
            start += count
        }
        guard !ranges.isEmpty else { throw .nothingShared }
        return ranges
    }

    /// The shared entries of a participant's flat vector, one behind the other: what strategies see.
    public func shared(_ vector: [Float], layout: ParameterLayout) throws(StrategyError) -> [Float] {
        let ranges = try sharedRanges(layout)
        guard vector.count == layout.total else {
            throw .length(of: "entries of the model", found: vector.count, expected: layout.total)
        }
        return ranges.flatMap { vector[$0] }
    }

    /// Puts shared entries back into a participant's flat vector, whose local ones stay.
    public func place(
        _ shared: [Float], into vector: inout [Float], layout: ParameterLayout
    ) throws(StrategyError) {
        let ranges = try sharedRanges(layout)
        guard vector.count == layout.total else {
            throw .length(of: "entries of the model", found: vector.count, expected: layout.total)
        }
        let wanted = ranges.reduce(0) { $0 + $1.count }
        guard shared.count == wanted else {
            throw .length(of: "shared entries", found: shared.count, expected: wanted)
        }
        var position = 0
        for range in ranges {
            vector.replaceSubrange(range, with: shared[position..<position + range.count])
            position += range.count
        }
    }
}

extension LocalHead: Codable {
    /// A list of names, each once.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let list = try container.decode([String].self)
        guard Set(list).count == list.count else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "a name twice: expected each once")
        }
        self.init(names: list)
    }

    /// The names, rising.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(names)
    }
}

/// A model of which participants share a part, while each keeps a head of its own.
public struct PersonalModel: Sendable {
    private let model: Model
    private let begun: Parameters
    private let layout: ParameterLayout
    private let head: LocalHead
    /// What is shared, the other way round.
    private let body: LocalHead
    /// Entries that are shared.
    public let sharedCount: Int

    /// - Parameters:
    ///   - layers: Those that stay, each with those within it.
    ///   - begun: What all begin with.
    /// - Throws: A `StrategyError`: no layer has this name, or nothing would stay, or nothing be shared.
    public init(_ model: Model, keeping layers: [String], begun: Parameters) throws(StrategyError) {
        let trained = model.declarations.indices.filter { model.declarations[$0].isTrainable }
        let names = trained.map { model.declarations[$0].name }
        for layer in layers where !names.contains(where: { $0.hasPrefix(layer + ".") }) {
            throw .unknownParameter(layer, expected: names)
        }
        let local = names.filter { name in layers.contains { name.hasPrefix($0 + ".") } }
        guard !local.isEmpty else { throw .parameter("local layers", expected: "at least one") }
        layout = try ParameterLayout(names: names, counts: trained.map { begun.tensors[$0].values.count })
        (self.model, self.begun) = (model, begun)
        (head, body) = (LocalHead(names: local), LocalHead(names: names.filter { !local.contains($0) }))
        sharedCount = try head.sharedRanges(layout).reduce(0) { $0 + $1.count }
        _ = try body.sharedRanges(layout)
    }

    /// The names of the parameters that are shared, in the model's order.
    public var sharedNames: [String] { layout.names.filter(body.names.contains) }

    /// The entries of a flat vector that are shared, and those that stay.
    ///
    /// - Parameter vector: As of `Model.trained(_:)`.
    public func divided(_ vector: [Float]) throws(StrategyError) -> (shared: [Float], own: [Float]) {
        (try head.shared(vector, layout: layout), try body.shared(vector, layout: layout))
    }

    /// A participant's flat vector.
    ///
    /// - Parameters:
    ///   - shared: ``sharedCount`` entries.
    ///   - own: The participant's; empty: as they begin.
    public func joined(shared: [Float], own: [Float]) throws(StrategyError) -> [Float] {
        var vector = model.trained(begun)
        try head.place(shared, into: &vector, layout: layout)
        if !own.isEmpty { try body.place(own, into: &vector, layout: layout) }
        return vector
    }

    /// A participant's model.
    public func parameters(shared: [Float], own: [Float]) throws -> Parameters {
        try model.parameters(begun, trained: joined(shared: shared, own: own))
    }
}
