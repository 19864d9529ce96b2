/// A state that follows from its entries alone, in their order: the ``Market``, or a ``Book`` by itself.
///
/// Its entries are stored before they are applied, so that what a crash leaves is always a beginning of what was asked. Applying is total: an entry that is stored has an
/// answer, be it a refusal, and has the same one when it is read again.
public protocol Journaled: Sendable {
    /// What is asked of it.
    associatedtype Entry: JournalEntry
    /// What an entry comes to.
    associatedtype Answer: Sendable

    /// The latest time that an entry had.
    var time: Int64 { get }
    /// The latest time that an entry may have.
    static var latestTime: Int64 { get }
    /// A digest of what the state was made with: the log of one is none of another.
    var beginning: Digest256 { get }
    /// A digest of the whole state.
    var fingerprint: Digest256 { get }
    /// What the entry of that key came to, if there was one.
    func answer(to key: Digest256) -> Answer?
    /// Applies an entry.
    mutating func take(_ entry: Entry) -> Answer
}

/// An entry with a canonical form.
public protocol JournalEntry: Sendable {
    /// Names it.
    var key: Digest256 { get }
    /// When it was asked.
    var time: Int64 { get }
    /// All of it: key, time and content. Two different entries never have the same bytes.
    var journalBytes: [UInt8] { get }
    /// The entry of these bytes.
    ///
    /// - Throws: ``MalformedEntry`` where they are not what ``journalBytes`` gives.
    init(journalBytes: [UInt8]) throws(MalformedEntry)
}

extension Book: Journaled {
    /// Any time.
    public static var latestTime: Int64 { .max }
    /// The same of all books.
    public var beginning: Digest256 { CanonicalBytes("book-journal").digest }
    /// ``stateHash``.
    public var fingerprint: Digest256 { stateHash }
    /// ``apply(_:)``.
    public mutating func take(_ entry: BookEntry) -> BookAnswer { apply(entry) }
}

extension Market: Journaled {
    /// Of the operator's name and the policy.
    public var beginning: Digest256 {
        var bytes = CanonicalBytes("market-journal")
        bytes.append(operatorName.text)
        bytes.append(policy.detectionMillionths)
        bytes.append(policy.leastExpectation)
        return bytes.digest
    }

    /// ``stateHash()``.
    public var fingerprint: Digest256 {
        do { return try stateHash() } catch { preconditionFailure("A state of integers and texts has a JSON form.") }
    }

    /// ``apply(_:writing:)`` without a journal of the book's own.
    public mutating func take(_ entry: MarketEntry) -> MarketAnswer { apply(entry) }
}
