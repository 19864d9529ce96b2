/// Any key of a JSON object, so that those nobody knows are seen.
struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// An object whose keys must be exactly those that are named.
struct StrictKeys {
    private let container: KeyedDecodingContainer<AnyKey>

    init(_ decoder: any Decoder) throws { container = try decoder.container(keyedBy: AnyKey.self) }

    /// Throws where a key stands that is not named.
    func only(_ known: [String]) throws {
        for name in container.allKeys.map(\.stringValue).sorted() where !known.contains(name) {
            let names = known.map { "\"\($0)\"" }.joined(separator: ", ")
            throw refusal("unknown key \"\(name)\": expected \(names)")
        }
    }

    /// The value of a key that must be there.
    func value<Value: Decodable>(_ name: String) throws -> Value {
        guard container.contains(AnyKey(name)) else { throw refusal("no key \"\(name)\": expected one") }
        return try container.decode(Value.self, forKey: AnyKey(name))
    }

    /// An error at this object's place.
    func refusal(_ text: String) -> DecodingError {
        .dataCorrupted(.init(codingPath: container.codingPath, debugDescription: text))
    }
}
