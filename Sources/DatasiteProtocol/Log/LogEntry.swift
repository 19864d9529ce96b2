import Crypto

/// One entry of a datasite's transparency log: what everybody may know of an entry of its journal, for ever.
///
/// It is a fixed function of the journal's entry. It holds random identifiers, what was charged, the digest of what was let out (which holds a nonce), and
/// commitments with random openings; no name, no account, no text, no time, and nothing that is private (docs/privacy.md, rule 36). Entries of one kind
/// have one length. Refusals are one entry a day, with their number; that an earlier log of the site ended is one with what was signed of it last.
///
/// Its bytes are canonical JSON: members of text alone, numbers as hexadecimal digits of fixed length.
public struct LogEntry: Sendable, Hashable {
    /// What happened: as the journal calls it, or ``refusals``.
    public var kind: String
    /// The request's identifier, 32 hexadecimal digits; nil: of none.
    public var request: String?
    /// The hash of the journal's entry, 64 hexadecimal digits, which a receipt names too; nil: of an entry of an earlier version, which others could guess.
    public var journal: String?
    /// Commits to the datasets' names, with an opening that the site gives to those who may know them; nil: none, or of an earlier version.
    public var datasets: String?
    /// Commits likewise to who did it.
    public var actor: String?
    /// The version that was added, a random identifier of 32 hexadecimal digits; nil: none.
    public var version: String?
    /// SHA-256 of what was let out, 64 hexadecimal digits; nil: nothing was.
    public var answer: String?
    /// What the ledger was charged, or given back.
    public var charge: Receipt.Charge
    /// Of ``refusals``: how many, and on which day (UTC).
    public var count: (number: Int64, day: String)? {
        get { dayCount.map { ($0.number, $0.day) } }
        set { dayCount = newValue.map { DayCount(number: $0.number, day: $0.day) } }
    }

    /// Of ``logEnded``: which of the site's logs ended, and what was signed of it last.
    public var ended: EndedLog?

    /// An earlier log of the same site, as it was signed last.
    public struct EndedLog: Sendable, Hashable {
        /// Which of the site's logs: 1 is the first.
        public let number: Int64
        /// How many entries it had.
        public let size: Int64
        /// The root over them, 64 hexadecimal digits.
        public let root: String

        /// A log's end.
        public init(number: Int64, size: Int64, root: String) {
            (self.number, self.size, self.root) = (number, size, root)
        }
    }

    private struct DayCount: Sendable, Hashable {
        let number: Int64
        let day: String
    }

    private var dayCount: DayCount?

    /// The kind of the entry that counts a day's refusals.
    public static let refusals = "refusals of a day"
    /// The kind of the entry that says with what an earlier log of the site ended.
    public static let logEnded = "log ended"

    /// An entry of that kind, with what is left out said to be none.
    public init(kind: String, charge: Receipt.Charge = .init(kind: nil)) {
        (self.kind, self.charge) = (kind, charge)
    }

    /// So many refusals on a day.
    public static func refusals(_ number: Int64, on day: String) -> LogEntry {
        var entry = LogEntry(kind: refusals)
        entry.count = (number, day)
        return entry
    }

    // MARK: Bytes

    private static let amountCount = 8

    /// As the log has it.
    public var bytes: [UInt8] {
        if let count {
            return CanonicalJSON.object([
                "kind": .string(kind), "day": .string(count.day), "number": .string(Self.digits(count.number)),
            ]).bytes
        }
        if let ended {
            return CanonicalJSON.object([
                "kind": .string(kind), "journal": .string(journal ?? Self.zeros(64)),
                "log": .string(Self.digits(ended.number)), "root": .string(ended.root),
                "size": .string(Self.digits(ended.size)),
            ]).bytes
        }
        let amounts = (0..<Self.amountCount).map { place in
            Self.digits(charge.amounts.indices.contains(place) ? charge.amounts[place] : 0)
        }
        return CanonicalJSON.object([
            "kind": .string(kind), "request": .string(request ?? Self.zeros(32)),
            "journal": .string(journal ?? Self.zeros(64)), "datasets": .string(datasets ?? Self.zeros(64)),
            "actor": .string(actor ?? Self.zeros(64)), "version": .string(version ?? Self.zeros(32)),
            "answer": .string(answer ?? Self.zeros(64)), "loss": .string(Self.names[charge.kind ?? ""] ?? "none"),
            "amounts": .string(amounts.joined()), "delta": .string(Self.digits(charge.delta)),
            "uses": .string(Self.digits(charge.uses)),
        ]).bytes
    }

    /// Of one length each.
    private static let names = ["pure": "pure", "zcdp": "zcdp", "renyi": "reny"]

    private static func digits(_ number: Int64) -> String {
        let text = String(UInt64(bitPattern: number), radix: 16)
        return zeros(16 - text.count) + text
    }

    private static func zeros(_ count: Int) -> String { String(repeating: "0", count: count) }

    /// Reads an entry.
    ///
    /// - Throws: A `JSONError`: what is wrong in it. Only the bytes that ``bytes`` gives again are read.
    public init(decoding bytes: [UInt8]) throws(JSONError) {
        guard bytes.count <= 4_096 else { throw JSONError("an entry of a log has at most 4096 bytes") }
        var object = try StrictObject(StrictJSON(parsing: bytes))
        self.init(kind: try object.string("kind"))
        switch kind {
        case Self.refusals:
            let day = try object.string("day")
            count = (try Self.number(object.string("number"), "number"), day)
        case Self.logEnded:
            journal = try Self.hash(object.string("journal"), 64, "journal")
            let (number, size) = (try object.string("log"), try object.string("size"))
            guard let root = try Self.hash(object.string("root"), 64, "root") else {
                throw JSONError("'root': expected a hash")
            }
            ended = EndedLog(
                number: try Self.number(number, "log"), size: try Self.number(size, "size"), root: root)
        default:
            request = try Self.hash(object.string("request"), 32, "request")
            journal = try Self.hash(object.string("journal"), 64, "journal")
            datasets = try Self.hash(object.string("datasets"), 64, "datasets")
            actor = try Self.hash(object.string("actor"), 64, "actor")
            version = try Self.hash(object.string("version"), 32, "version")
            answer = try Self.hash(object.string("answer"), 64, "answer")
            charge = try Self.charge(&object)
        }
        try object.finish()
        guard self.bytes == bytes else { throw JSONError("an entry of a log is in canonical form") }
    }

    private static func charge(_ object: inout StrictObject) throws(JSONError) -> Receipt.Charge {
        let loss = try object.string("loss")
        let amounts = try object.string("amounts")
        var charge = Receipt.Charge(kind: names.first { $0.value == loss }?.key)
        guard charge.kind != nil || loss == "none", amounts.utf8.count == 16 * amountCount else {
            throw JSONError("'loss' is none, pure, zcdp or reny, and 'amounts' are eight")
        }
        let digits = Array(amounts)
        var numbers: [Int64] = []
        for place in 0..<amountCount {
            numbers.append(try number(String(digits[16 * place..<16 * place + 16]), "amounts"))
        }
        charge.amounts = charge.kind == nil ? [] : loss == "reny" ? numbers : [numbers[0]]
        charge.delta = try number(object.string("delta"), "delta")
        charge.uses = try number(object.string("uses"), "uses")
        return charge
    }

    static func isHexadecimal(_ text: String) -> Bool {
        text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
    }

    private static func number(_ text: String, _ key: String) throws(JSONError) -> Int64 {
        guard text.utf8.count == 16, isHexadecimal(text), let number = UInt64(text, radix: 16) else {
            throw JSONError("'\(key)': expected 16 hexadecimal digits a number")
        }
        return Int64(bitPattern: number)
    }

    private static func hash(_ text: String, _ count: Int, _ key: String) throws(JSONError) -> String? {
        guard text.utf8.count == count, isHexadecimal(text) else {
            throw JSONError("'\(key)': expected \(count) hexadecimal digits")
        }
        return text == zeros(count) ? nil : text
    }

    // MARK: Commitments

    /// What an entry holds in the place of a name.
    ///
    /// - Parameters:
    ///   - name: A name, or several with a line break between.
    ///   - opening: 32 random bytes, in hexadecimal digits: without them nobody can try names.
    public static func commitment(to name: String, opening: String) -> String {
        var hash = SHA256()
        hash.update(data: Array("parley log name 1\n\(opening)\n\(name)".utf8))
        return hexadecimal(hash.finalize())
    }

    /// Whether the entry says of a release what its receipt says: the request, the answer and the journal's hash. What it was charged stands in the
    /// entry of the request's reservation.
    public func agrees(with receipt: Receipt) -> Bool {
        let body = receipt.body
        return kind == "released" && request == body.request && answer == body.answerDigest
            && (journal == nil || journal == body.journalHash)
    }
}

/// What a `.tlog-proof` of a release carries along: the receipt and the log's entry, which nothing but the proof and the signatures vouches for.
public struct ReceiptProof: Sendable, Hashable {
    /// The receipt, with its signature.
    public let receipt: Receipt
    /// The log's entry, whose place the proof shows.
    public let entry: LogEntry

    /// The bytes that are carried along.
    ///
    /// - Parameters:
    ///   - receipt: As the site stores it.
    ///   - entry: As the log has it.
    public static func extra(receipt: [UInt8], entry: [UInt8]) -> [UInt8] {
        CanonicalJSON.object([
            "entry": .string(String(decoding: entry, as: UTF8.self)),
            "receipt": .string(String(decoding: receipt, as: UTF8.self)),
        ]).bytes
    }

    /// - Throws: A `JSONError`: what is carried along is no receipt and entry, or they are of different releases.
    public init(decoding extra: [UInt8]) throws(JSONError) {
        var object = try StrictObject(StrictJSON(parsing: extra))
        entry = try LogEntry(decoding: Array(object.string("entry").utf8))
        let text = try object.string("receipt")
        do { receipt = try Receipt(decoding: Array(text.utf8)) } catch { throw JSONError("'receipt' is no receipt") }
        try object.finish()
        guard entry.agrees(with: receipt) else {
            throw JSONError("the receipt and the log's entry are not of the same release")
        }
    }
}
