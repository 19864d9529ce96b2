/// In which form content is asked for: by the query's `format`, else by `Accept` (specs.ipfs.tech/http-gateways/trustless-gateway; RFC
/// 9110, section 12.5.1; IPIP-412).
struct GatewayFormat: Sendable, Hashable {
    enum Kind: String, Sendable { case raw, car }

    let kind: Kind
    /// Whether blocks of a CAR that occur twice are sent twice.
    var givesDuplicates = false
    /// What the query did not say and `Accept` did: then an address that says all of it is named, for caches.
    var isNegotiated = false

    static let raw = "application/vnd.ipld.raw"
    static let car = "application/vnd.ipld.car"

    /// The media type of the answer, with what is known of a CAR.
    var contentType: String {
        kind == .raw ? Self.raw : "\(Self.car); version=1; order=dfs; dups=\(givesDuplicates ? "y" : "n")"
    }

    init(query: GatewayQuery, accept: String?) throws(GatewayRefusal) {
        let accepted = Self.accepted(accept ?? "")
        if let name = query["format"] {
            guard let kind = Kind(rawValue: name) else {
                throw GatewayRefusal(status: 406, message: "format=\(name.prefix(32)): expected raw or car")
            }
            self.kind = kind
            let parameters = accepted.first { $0.kind == kind }?.parameters ?? [:]
            isNegotiated = accepted.first.map { $0.kind != kind } ?? false
            try choose(query: query, accept: kind == .car ? parameters : [:])
            return
        }
        for choice in accepted {
            var format = GatewayFormat(choice.kind)
            format.isNegotiated = true
            // The next choice may be one that can be had.
            guard (try? format.choose(query: query, accept: choice.parameters)) != nil else { continue }
            self = format
            return
        }
        let types = (accept ?? "").split(separator: ",").map { $0.prefix { $0 != ";" }.filter { $0 != " " } }
        guard !types.isEmpty, !types.allSatisfy({ $0 == "*/*" }) else {
            throw GatewayRefusal(
                status: 400,
                message:
                    "a block or a CAR must be asked for: ?format=raw or ?format=car, or Accept: \(Self.raw) or \(Self.car)"
            )
        }
        throw GatewayRefusal(
            status: 406,
            message: "expected Accept: \(Self.raw), or \(Self.car) with version=1, order=dfs or unk, dups=y or n")
    }

    private init(_ kind: Kind) { self.kind = kind }

    private mutating func choose(query: GatewayQuery, accept: [String: String]) throws(GatewayRefusal) {
        guard kind == .car else { return }
        func wanted(_ name: String) -> String? { query["car-" + name] ?? accept[name] }
        for (name, values) in [("version", ["1"]), ("order", ["dfs", "unk"]), ("dups", ["y", "n"])] {
            guard let value = wanted(name), !values.contains(value) else { continue }
            throw GatewayRefusal(
                status: 406,
                message: "\(name)=\(value.prefix(32)) of a CAR: expected \(values.joined(separator: " or "))")
        }
        givesDuplicates = wanted("dups") == "y"
        // The query is what counts; where the header says something too, the answer says what it is.
        if ["version", "order", "dups"].contains(where: { accept[$0] != nil }) { isNegotiated = true }
    }

    /// What is read here, the most wanted first; in the order of the header where two are wanted equally.
    private static func accepted(_ header: String) -> [(kind: Kind, parameters: [String: String])] {
        var choices: [(kind: Kind, parameters: [String: String], quality: Double)] = []
        for range in header.split(separator: ",").prefix(32) {
            let parts = range.split(separator: ";").map { trimmed($0).lowercased() }
            let kind: Kind? = parts.first == raw ? .raw : parts.first == car ? .car : nil
            guard let kind else { continue }
            var parameters: [String: String] = [:]
            for part in parts.dropFirst() {
                let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                    trimmed($0)
                }
                if pair.count == 2, parameters[pair[0]] == nil {
                    parameters[pair[0]] = pair[1].filter { $0 != "\"" }
                }
            }
            let quality = parameters["q"].map { Double($0) ?? 0 } ?? 1
            if quality > 0 { choices.append((kind, parameters, quality)) }
        }
        return choices.enumerated().sorted {
            ($1.element.quality, $0.offset) < ($0.element.quality, $1.offset)
        }.map { ($0.element.kind, $0.element.parameters) }
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let space: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        let start = text.drop(while: space)
        return String(start.reversed().drop(while: space).reversed())
    }
}

/// The keys of a query that a gateway knows; others are left alone, as the specification wants.
struct GatewayQuery: Sendable {
    private static let keys: Set<String> = [
        "format", "dag-scope", "entity-bytes", "car-version", "car-order", "car-dups", "filename",
    ]

    private var values: [String: String] = [:]

    subscript(_ key: String) -> String? { values[key] }

    init(_ query: String) throws(GatewayRefusal) {
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let key = Percent.decoded(parts[0].utf8), Self.keys.contains(key) else { continue }
            guard parts.count == 2, let value = Percent.decoded(parts[1].utf8) else {
                throw GatewayRefusal(status: 400, message: "\(key): expected a value, percent-encoded UTF-8")
            }
            guard values.updateValue(value, forKey: key) == nil else {
                throw GatewayRefusal(status: 400, message: "\(key): expected it once")
            }
        }
    }
}

/// RFC 3986, section 2.1.
enum Percent {
    /// The text; nil where a percent sign is without two hexadecimal digits, or the bytes are no UTF-8.
    static func decoded(_ text: some Collection<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Everything but letters, digits, `-`, `.`, `_` and `~` as two digits.
    static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// All that is not printable ASCII as two digits a byte; a text for people, which cannot be read back.
    static func printable(_ text: String) -> String {
        text.utf8.allSatisfy { (0x20..<0x7F).contains($0) }
            ? text
            : text.utf8.map { (0x20..<0x7F).contains($0) ? String(UnicodeScalar($0)) : encoded($0) }.joined()
    }

    private static func encoded(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return digits.count == 1 ? "%0" + digits : "%" + digits
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
