import DatasiteProtocol

/// What a layer is told in a file: one of its fields.
public struct LayerField: Sendable {
    let key: String
    let value: Value

    /// What a field holds.
    public enum Value: Sendable {
        /// A whole number, at least 0.
        case integer(Int)
        /// A finite number.
        case number(Float)
        /// True or false.
        case boolean(Bool)
        /// A name.
        case text(String)
        /// Layers, in order.
        case layers([any Layer])
    }

    init(_ key: String, _ value: Value) {
        self.key = key
        self.value = value
    }
}

/// A layer's fields as a file has them, taken one by one: what is left at the end is an error.
public struct LayerFields {
    /// The layer's name; nil where the file gives none.
    public let name: String?
    private let kind: String
    private let place: String
    private var members: [String: StrictJSON]
    private var known: [String] = ["kind", "name"]

    /// - Parameter place: Where the layer stands in the file, for errors.
    init(kind: String, place: String, _ members: [String: StrictJSON]) throws(ModelError) {
        self.kind = kind
        self.place = place
        self.members = members
        self.members["kind"] = nil
        switch self.members.removeValue(forKey: "name") {
        case nil: name = nil
        case .string(let text) where LayerFields.isName(text): name = text
        default:
            throw .field(layer: "\(place) (\(kind))", field: "name", expected: LayerFields.nameRule)
        }
    }

    static let nameRule = "1 to 200 letters, digits, '_', '-' and '.'"
    static func isName(_ text: String, longest: Int = 200) -> Bool {
        (1...longest).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    private var title: String { "\(name ?? place) (\(kind))" }

    private mutating func take(_ key: String) -> StrictJSON? {
        known.append(key)
        return members.removeValue(forKey: key)
    }

    private func wrong(_ key: String, _ expected: String) -> ModelError {
        .field(layer: title, field: key, expected: expected)
    }

    /// A whole number from 0 to 16777216. `fallback`: where there is none.
    public mutating func integer(_ key: String, _ fallback: Int? = nil) throws(ModelError) -> Int {
        let value = take(key)
        if value == nil, let fallback { return fallback }
        guard case .number(let literal)? = value, let number = Int(literal), (0...1 << 24).contains(number) else {
            throw wrong(key, "a whole number from 0 to 16777216")
        }
        return number
    }

    /// A finite number. `fallback`: where there is none.
    public mutating func number(_ key: String, _ fallback: Float? = nil) throws(ModelError) -> Float {
        let value = take(key)
        if value == nil, let fallback { return fallback }
        guard case .number(let literal)? = value, let number = Float(literal), number.isFinite else {
            throw wrong(key, "a number")
        }
        return number
    }

    /// True or false. `fallback`: where there is neither.
    public mutating func boolean(_ key: String, _ fallback: Bool) throws(ModelError) -> Bool {
        guard let value = take(key) else { return fallback }
        guard case .boolean(let boolean) = value else { throw wrong(key, "true or false") }
        return boolean
    }

    /// A parameter's full name; nil where there is none.
    public mutating func text(_ key: String) throws(ModelError) -> String? {
        guard let value = take(key) else { return nil }
        // A parameter's name is its layer's and some more.
        guard case .string(let text) = value, Self.isName(text, longest: 300) else { throw wrong(key, Self.nameRule) }
        return text
    }

    /// Layers. `fallback`: where there are none.
    public mutating func layers(_ key: String, _ fallback: [any Layer]? = nil) throws(ModelError) -> [any Layer] {
        let value = take(key)
        if value == nil, let fallback { return fallback }
        guard case .array(let layers)? = value else { throw wrong(key, "a list of layers") }
        return try Architecture.layers(layers, in: "\(name ?? place).\(key)")
    }

    /// - Throws: A field that the layer does not have.
    func end() throws(ModelError) {
        guard let stranger = members.keys.min() else { return }
        throw wrong(String(stranger.prefix(100)), "left out: the layer has \(known.joined(separator: ", "))")
    }
}
