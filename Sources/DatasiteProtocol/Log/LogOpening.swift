/// What a `.tlog-proof` of an entry carries along for whom the site tells the names in it: the log's entry, and what opens its commitments. It says nothing of any
/// other entry: each has openings of its own, which follow from each other in no way.
///
/// Whoever has it can show it to others, and prove the names to them.
public struct LogOpening: Sendable, Hashable {
    /// A name, or several with a line break between, and the 64 hexadecimal digits that open the commitment to it.
    public struct Name: Sendable, Hashable {
        /// The name.
        public let text: String
        /// What opens its commitment.
        public let opening: String

        /// A name and its opening.
        public init(text: String, opening: String) { (self.text, self.opening) = (text, opening) }
    }

    /// The log's entry, whose place the proof shows.
    public let entry: LogEntry
    /// The datasets; nil: not told, or none.
    public let datasets: Name?
    /// Who did it; nil: not told.
    public let actor: Name?

    /// An opening of an entry, of one name at least.
    ///
    /// - Throws: A `JSONError`: a name is not the one that the entry commits to, or there is none.
    public init(entry: LogEntry, datasets: Name?, actor: Name?) throws(JSONError) {
        (self.entry, self.datasets, self.actor) = (entry, datasets, actor)
        guard datasets != nil || actor != nil else { throw JSONError("it opens nothing of the entry") }
        for (name, commitment, words) in [
            (datasets, entry.datasets, "the datasets' names"), (actor, entry.actor, "the name of who did it"),
        ] {
            guard let name else { continue }
            // Were it of another length, what opens and what is named could be cut apart elsewhere.
            guard name.opening.utf8.count == 64, LogEntry.isHexadecimal(name.opening) else {
                throw JSONError("what opens \(words) has 64 hexadecimal digits")
            }
            guard LogEntry.commitment(to: name.text, opening: name.opening) == commitment else {
                throw JSONError("the entry commits to others than \(words) here")
            }
        }
    }

    /// The bytes that are carried along.
    public var extra: [UInt8] {
        var members: [String: CanonicalJSON] = ["entry": .string(String(decoding: entry.bytes, as: UTF8.self))]
        for (key, name) in [("datasets", datasets), ("actor", actor)] {
            guard let name else { continue }
            members[key] = .object(["name": .string(name.text), "opening": .string(name.opening)])
        }
        return CanonicalJSON.object(members).bytes
    }

    /// - Throws: A `JSONError`: what is carried along is no opening, or one of another entry. Only the bytes that ``extra`` gives again are read.
    public init(decoding extra: [UInt8]) throws(JSONError) {
        var object = try StrictObject(StrictJSON(parsing: extra))
        let entry = try LogEntry(decoding: Array(object.string("entry").utf8))
        func name(_ key: String) throws(JSONError) -> Name? {
            guard var named = try object.optionalObject(key) else { return nil }
            let name = Name(text: try named.string("name"), opening: try named.string("opening"))
            try named.finish()
            return name
        }
        let (datasets, actor) = (try name("datasets"), try name("actor"))
        try object.finish()
        try self.init(entry: entry, datasets: datasets, actor: actor)
        guard self.extra == extra else { throw JSONError("an opening is in canonical form") }
    }
}
