/// Recursive length prefix: Ethereum's encoding of nested lists of bytes (Yellow Paper, appendix B).
public indirect enum RLP: Sendable, Hashable {
    /// Bytes.
    case bytes([UInt8])
    /// A list.
    case list([RLP])

    /// The deepest nesting that is read.
    public static let deepest = 64

    /// A number: its bytes without leading zeros, most significant first; zero is no bytes.
    public static func number(_ number: UInt128) -> RLP {
        let bytes = (0..<16).map { UInt8(truncatingIfNeeded: number >> (8 * (15 - $0))) }
        return .bytes(Array(bytes.drop { $0 == 0 }))
    }

    /// The encoding.
    public var encoded: [UInt8] {
        switch self {
        case .bytes(let bytes):
            if bytes.count == 1, bytes[0] < 0x80 { return bytes }
            return Self.head(0x80, bytes.count) + bytes
        case .list(let items):
            let body = items.flatMap(\.encoded)
            return Self.head(0xc0, body.count) + body
        }
    }

    private static func head(_ base: UInt8, _ count: Int) -> [UInt8] {
        if count < 56 { return [base + UInt8(count)] }
        let length = (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * (7 - $0))) }.drop { $0 == 0 }
        return [base + 55 + UInt8(length.count)] + length
    }

    /// The item of these bytes, all of them; nil where they are not what ``encoded`` gives, or nested deeper than ``deepest``.
    public init?(_ bytes: [UInt8]) {
        guard let (item, end) = Self.read(bytes[...], depth: 0), end == bytes.count else { return nil }
        self = item
    }

    private static func read(_ bytes: ArraySlice<UInt8>, depth: Int) -> (item: RLP, end: Int)? {
        guard depth <= deepest, let first = bytes.first else { return nil }
        if first < 0x80 { return (.bytes([first]), bytes.startIndex + 1) }
        let isList = first >= 0xc0
        guard let body = body(bytes, code: Int(first) - (isList ? 0xc0 : 0x80)) else { return nil }
        guard isList else {
            // A byte below 0x80 stands for itself alone.
            if body.count == 1, bytes[body.lowerBound] < 0x80 { return nil }
            return (.bytes(Array(bytes[body])), body.upperBound)
        }
        var items: [RLP] = []
        var start = body.lowerBound
        while start < body.upperBound {
            guard let (item, end) = read(bytes[start..<body.upperBound], depth: depth + 1) else { return nil }
            items.append(item)
            start = end
        }
        return (.list(items), body.upperBound)
    }

    private static func body(_ bytes: ArraySlice<UInt8>, code: Int) -> Range<Int>? {
        let start = bytes.startIndex + 1
        if code < 56 { return code <= bytes.endIndex - start ? start..<start + code : nil }
        let lengthCount = code - 55
        guard lengthCount <= bytes.endIndex - start, bytes[start] != 0, lengthCount <= 7 else { return nil }
        let length = bytes[start..<start + lengthCount].reduce(0) { $0 << 8 | Int($1) }
        let body = start + lengthCount
        guard length >= 56, length <= bytes.endIndex - body else { return nil }
        return body..<body + length
    }
}
