/// A signature line of a note: `— name base64(ID || signature)`.
public struct NoteSignature: Sendable, Hashable {
    /// The key's name.
    public let name: KeyName
    /// The key's ID.
    public let id: UInt32
    /// The signature, without the ID: at least one byte.
    public let signature: [UInt8]

    init(key: VerifierKey, signature: [UInt8]) {
        name = key.name
        id = key.id
        self.signature = signature
    }

    private static let start = Array("— ".utf8)

    /// Reads a line without its newline; nil where it is none.
    init?(line: some Collection<UInt8>) {
        guard line.starts(with: Self.start) else { return nil }
        let parts = line.dropFirst(Self.start.count).split(
            separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 2, let name = try? KeyName(parts[0]), let bytes = StrictBase64.decode(parts[1]),
            bytes.count >= 5
        else { return nil }
        self.name = name
        id = BigEndian.number(bytes.prefix(4))
        signature = Array(bytes.dropFirst(4))
    }

    /// The line with its newline.
    public var line: [UInt8] {
        let encoded = StrictBase64.encode(BigEndian.bytes(id) + signature)
        return Self.start + name.bytes + [UInt8(ascii: " ")] + encoded + [NoteText.newline]
    }

    /// Reads lines that each end in a newline. Throws `malformedSignature` and `tooManySignatures`.
    static func parse(lines: some Collection<UInt8>) throws(NoteError) -> [NoteSignature] {
        guard let lines = NoteText.lines(lines) else { throw .notANote }
        guard lines.count <= SignedNote.largestSignatureCount else {
            throw .tooManySignatures(limit: SignedNote.largestSignatureCount)
        }
        var signatures: [NoteSignature] = []
        for (index, line) in lines.enumerated() {
            guard let signature = NoteSignature(line: line) else { throw .malformedSignature(line: index + 1) }
            signatures.append(signature)
        }
        return signatures
    }
}

/// A text and signatures of it (c2sp.org/signed-note). Nothing of it is to be believed before `verify`.
///
/// What is read is written again with the same bytes: base64 is canonical, and there is no other freedom.
public struct SignedNote: Sendable, Hashable {
    /// The longest note, in bytes.
    public static let largestSize = 1_000_000
    /// The most signature lines.
    public static let largestSignatureCount = 100

    /// The text, which ends in a newline.
    public let text: [UInt8]
    /// The signature lines, at least one.
    public let signatures: [NoteSignature]

    /// Reads a note. Throws `NoteError` with what is wrong.
    public init(parsing bytes: [UInt8]) throws(NoteError) {
        guard bytes.count <= Self.largestSize else { throw .tooLong(bytes.count, limit: Self.largestSize) }
        guard NoteText.validated(bytes) != nil else { throw .notText }
        // The last blank line: a newline after a newline.
        guard
            let blank = bytes.indices.dropFirst().last(where: {
                bytes[$0] == NoteText.newline && bytes[$0 - 1] == NoteText.newline
            }), blank + 1 < bytes.count
        else { throw .notANote }
        text = Array(bytes[..<blank])
        signatures = try NoteSignature.parse(lines: bytes[(blank + 1)...])
    }

    /// A note of signatures that were made before. Throws `unterminatedText`, `notText`, `notANote` for no signatures,
    /// `tooManySignatures` and `tooLong`: what is made can be read.
    public init(text: [UInt8], signatures: [NoteSignature]) throws(NoteError) {
        guard text.last == NoteText.newline else { throw .unterminatedText }
        guard NoteText.validated(text) != nil else { throw .notText }
        guard !signatures.isEmpty else { throw .notANote }
        guard signatures.count <= Self.largestSignatureCount else {
            throw .tooManySignatures(limit: Self.largestSignatureCount)
        }
        self.text = text
        self.signatures = signatures
        let count = bytes.count
        guard count <= Self.largestSize else { throw .tooLong(count, limit: Self.largestSize) }
    }

    /// Signs a text under keys of type 0x01, at least one. Throws as `init(text:signatures:)` and the signers do.
    public init(signing text: [UInt8], with signers: [NoteSigner]) throws {
        guard text.last == NoteText.newline else { throw NoteError.unterminatedText }
        try self.init(text: text, signatures: signers.map { try $0.signature(of: text) })
    }

    /// The note as bytes.
    public var bytes: [UInt8] {
        text + [NoteText.newline] + signatures.flatMap(\.line)
    }

    /// The note with more signature lines at its end; a key that has a line already gets no other.
    public func adding(_ more: [NoteSignature]) throws(NoteError) -> SignedNote {
        var lines = signatures
        for line in more where !lines.contains(where: { $0.name == line.name && $0.id == line.id }) {
            lines.append(line)
        }
        return try SignedNote(text: text, signatures: lines)
    }

    /// The signatures of known keys, each verified, the first line of each key; at least one.
    ///
    /// The first line of a key is its only one, as in Go's `note.Open`: further ones are not looked at, so that a note costs no more checks than there are
    /// known keys, whoever wrote it. Signatures of unknown keys are ignored, and so are those of types that this module does not verify. Throws
    /// `wrongSignature` where one of a known key does not verify, wherever it stands, and `noKnownSignature`.
    public func verify(_ known: KnownKeys) throws(NoteError) -> [VerifiedSignature] {
        var verified: [VerifiedSignature] = []
        var seen: Set<VerifierKey> = []
        for signature in signatures {
            guard let key = known[signature.name, signature.id], seen.insert(key).inserted else { continue }
            guard let one = key.verify(signature.signature, of: text) else { throw .wrongSignature(key.name) }
            verified.append(one)
        }
        guard !verified.isEmpty else { throw .noKnownSignature }
        return verified
    }
}

/// Keys whose signatures are believed, found by name and ID.
public struct KnownKeys: Sendable, Hashable {
    private struct Identity: Hashable, Sendable {
        let name: KeyName
        let id: UInt32
    }

    private let keys: [Identity: VerifierKey]

    /// The keys. Throws `ambiguousKey` where two different ones have the same name and ID; the same key may stand twice.
    /// Keys of types that are not verified are left out.
    public init(_ keys: some Sequence<VerifierKey>) throws(NoteError) {
        var known: [Identity: VerifierKey] = [:]
        for key in keys {
            if case .other = key.kind { continue }
            let identity = Identity(name: key.name, id: key.id)
            if let other = known[identity], other != key { throw .ambiguousKey(key.name) }
            known[identity] = key
        }
        self.keys = known
    }

    subscript(name: KeyName, id: UInt32) -> VerifierKey? { keys[Identity(name: name, id: id)] }
}
