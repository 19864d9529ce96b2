/// A state that follows from its entries alone, in their order: the ``Market``, or a ``Book`` by itself.
///
/// Its entries are stored before they are applied, so that what a crash leaves is always a beginning of what was asked. Applying is total: an entry that is stored has an
/// answer, be it a refusal, and has the same one when it is read again.
public protocol Journaled: Sendable {
    /// What is asked of it.
    associatedtype Entry: JournalEntry
    /// An entry that may be stored.
    associatedtype Admitted: Sendable
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
    /// Keeps what ``fingerprint`` was made of, so that the next one takes less time.
    mutating func rememberFingerprint()
    /// What the entry of that key came to, if there was one.
    func answer(to key: Digest256) -> Answer?
    /// Whether an entry may be stored: one that is nobody's is not.
    func admission(of entry: Entry) -> Admission<Self>
    /// The same of an entry that was found to be admitted before, behind the same entries: what takes long is not looked at again. That it was, the caller answers for.
    func admission(ofKnown entry: Entry) -> Admission<Self>
    /// Applies an entry.
    mutating func take(_ entry: Admitted) -> Answer
}

/// Whether an entry may be stored.
public enum Admission<State: Journaled>: Sendable {
    /// It may, and is applied then.
    case admitted(State.Admitted)
    /// It is none of the state's, for this reason: it has this answer, leaves no trace, and may come again.
    case refused(State.Answer, reason: String)
}

/// An entry with a canonical form.
public protocol JournalEntry: Sendable {
    /// Names it.
    var key: Digest256 { get }
    /// When it was asked; nil: whenever it is stored.
    var journalTime: Int64? { get }
    /// Whether it can change whose entries may be stored: what comes behind it is looked at when it is applied.
    var changesAdmission: Bool { get }
    /// All of it: what the key follows from, time and content. Two different entries never have the same bytes.
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
    /// Nothing is kept.
    public mutating func rememberFingerprint() {}
    /// Always: who keeps a book by itself has authenticated its entries.
    public func admission(of entry: BookEntry) -> Admission<Book> { .admitted(entry) }
    /// The same.
    public func admission(ofKnown entry: BookEntry) -> Admission<Book> { .admitted(entry) }
    /// ``apply(_:)``.
    public mutating func take(_ entry: BookEntry) -> BookAnswer { apply(entry) }
}

extension Market: Journaled {
    /// Of the market's name, the operator's name and key, and the policy.
    public var beginning: Digest256 {
        var bytes = CanonicalBytes("market-journal")
        bytes.append(id)
        bytes.append(operatorName.text)
        bytes.append(operatorKey.value)
        bytes.append(policy.detectionMillionths)
        bytes.append(policy.leastExpectation)
        return bytes.digest
    }

    /// ``stateHash()``.
    public var fingerprint: Digest256 {
        do { return try stateHash() } catch { preconditionFailure("A state of integers and texts has a JSON form.") }
    }

    /// ``rememberDigests()``.
    public mutating func rememberFingerprint() {
        do { try rememberDigests() } catch { preconditionFailure("A state of integers and texts has a JSON form.") }
    }

    /// ``admit(_:)``.
    public func admission(of entry: SignedEntry) -> Admission<Market> {
        do throws(AdmissionRefusal) { return .admitted(try admit(entry)) } catch {
            return .refused(.notAdmitted(error), reason: error.description)
        }
    }

    /// Without verifying its signature.
    public func admission(ofKnown entry: SignedEntry) -> Admission<Market> { .admitted(AdmittedEntry(entry)) }
    /// Without a journal of the book's own.
    public mutating func take(_ entry: AdmittedEntry) -> MarketAnswer { apply(entry) }
}
