extension BookEntry: JournalEntry {
    /// ``time``.
    public var journalTime: Int64? { time }
    /// Never: who keeps a book has authenticated its entries.
    public var changesAdmission: Bool { false }

    /// The key, the time and the steps.
    public var journalBytes: [UInt8] {
        var bytes = CanonicalBytes("book-record")
        bytes.append(key)
        bytes.append(time)
        bytes.append(steps) { $1.append(to: &$0) }
        return bytes.bytes
    }

    /// The entry of these bytes.
    ///
    /// - Throws: ``MalformedEntry``.
    public init(journalBytes: [UInt8]) throws(MalformedEntry) {
        var reader = try CanonicalReader(journalBytes, label: "book-record")
        let key = try reader.digest()
        let time = try reader.integer()
        // A step has at least 16 bytes; one entry more than the limit is one that was refused, and is kept.
        let steps = try reader.list(atMost: journalBytes.count / 16) { reader throws(MalformedEntry) in
            try BookStep(reading: &reader)
        }
        try reader.end()
        self.init(key: key, time: time, steps: steps)
        guard self.journalBytes == journalBytes else { throw reader.malformed("the canonical form of an entry") }
    }
}

extension BookStep {
    init(reading reader: inout CanonicalReader) throws(MalformedEntry) {
        switch try reader.integer() {
        case 1: self = .open(try reader.account(), rule: try reader.integer() == 0 ? .neverBelowZero : .unbounded)
        case 2: self = .move(try Movement(reading: &reader))
        case 3:
            self = .hold(try reader.digest(), try Movement(reading: &reader), until: try reader.optional())
        case 4: self = .post(try reader.digest(), amount: try reader.integer())
        case 5: self = .void(try reader.digest())
        default: throw reader.malformed("a step's number, 1 to 5")
        }
    }
}

extension Movement {
    init(reading reader: inout CanonicalReader) throws(MalformedEntry) {
        self.init(from: try reader.account(), to: try reader.account(), amount: try reader.integer())
    }
}
