/// The text of a checkpoint: which log, how many entries, and the root over them (c2sp.org/tlog-checkpoint).
public struct Checkpoint: Sendable, Hashable {
    /// Which log.
    public let origin: LogOrigin
    /// Its size and root. Nothing says yet that a tree of the size with the root exists.
    public let head: TreeHead
    /// Lines beyond the third, without newlines; none is recommended. They are signed, and nobody checks them.
    public let extensions: [[UInt8]]

    /// A checkpoint. Throws `malformedCheckpoint` for an extension line that is empty or is no line of UTF-8.
    public init(origin: LogOrigin, head: TreeHead, extensions: [[UInt8]] = []) throws(NoteError) {
        for (index, line) in extensions.enumerated() {
            guard !line.isEmpty, !line.contains(NoteText.newline), NoteText.validated(line) != nil else {
                throw .malformedCheckpoint(line: index + 4, expected: "a line of UTF-8 that is not empty")
            }
        }
        self.origin = origin
        self.head = head
        self.extensions = extensions
    }

    /// Reads the text of a note. Throws `malformedCheckpoint` with the line and what was expected there.
    public init(parsing text: [UInt8]) throws(NoteError) {
        guard let lines = NoteText.lines(text), lines.count >= 3 else {
            throw .malformedCheckpoint(line: 1, expected: "at least three lines: origin, size and root hash")
        }
        let origin = try LogOrigin(lines[0])
        guard let size = StrictDecimal.decode(lines[1]) else {
            throw .malformedCheckpoint(line: 2, expected: "a size from 0 to 2^63 - 1 without leading zeros")
        }
        guard let root = MerkleHash(base64: lines[2]) else {
            throw .malformedCheckpoint(line: 3, expected: "32 bytes in canonical base64")
        }
        try self.init(
            origin: origin, head: TreeHead(size: size, root: root), extensions: Array(lines.dropFirst(3)))
    }

    /// The text that is signed, with its last newline.
    public var text: [UInt8] {
        let lines = [origin.bytes, Array(String(head.size).utf8), Array(head.root.base64.utf8)] + extensions
        return Array(lines.joined(separator: [NoteText.newline])) + [NoteText.newline]
    }
}

/// A log as those who check it know it: its origin and its keys.
public struct LogIdentity: Sendable, Hashable, Codable {
    /// The first line of its checkpoints.
    public let origin: LogOrigin
    /// The keys that it signs with; a signature of any one will do.
    public let keys: [VerifierKey]

    /// A log of an origin that signs with any one of the keys.
    public init(origin: LogOrigin, keys: [VerifierKey]) {
        self.origin = origin
        self.keys = keys
    }

    /// The log whose origin is the key's name.
    public init(key: VerifierKey) {
        self.init(origin: LogOrigin(key.name), keys: [key])
    }
}

/// A checkpoint with its signatures. Nothing of it is to be believed before `verify`.
public struct SignedCheckpoint: Sendable, Hashable {
    /// The signed text.
    public let note: SignedNote
    /// What the text says.
    public let checkpoint: Checkpoint

    /// Reads a note whose text is a checkpoint.
    public init(parsing bytes: [UInt8]) throws(NoteError) {
        try self.init(SignedNote(parsing: bytes))
    }

    /// Takes a note whose text is a checkpoint.
    public init(_ note: SignedNote) throws(NoteError) {
        self.note = note
        checkpoint = try Checkpoint(parsing: note.text)
    }

    /// Signs a checkpoint under keys of type 0x01: what a log does, once it has stored the head durably.
    public init(signing checkpoint: Checkpoint, with signers: [NoteSigner]) throws {
        note = try SignedNote(signing: checkpoint.text, with: signers)
        self.checkpoint = checkpoint
    }

    /// The note as bytes.
    public var bytes: [UInt8] { note.bytes }

    /// The size and the root.
    public var head: TreeHead { checkpoint.head }

    /// Whether the log signed it. Throws `wrongOrigin`, and as `SignedNote.verify`.
    public func verify(_ log: LogIdentity) throws(NoteError) {
        guard checkpoint.origin == log.origin else {
            throw .wrongOrigin(expected: log.origin, found: checkpoint.origin)
        }
        _ = try note.verify(KnownKeys(log.keys))
    }

    /// The checkpoint with more signature lines.
    public func adding(_ signatures: [NoteSignature]) throws(NoteError) -> SignedCheckpoint {
        try SignedCheckpoint(note.adding(signatures))
    }

    /// The checkpoint with the first signature alone of each of the keys, of which there is at least one. Keys of types
    /// that are not verified do not count.
    func keeping(_ keys: [VerifierKey]) throws(NoteError) -> SignedCheckpoint {
        let known = try KnownKeys(keys)
        var seen: Set<VerifierKey> = []
        let kept = note.signatures.filter { line in
            known[line.name, line.id].map { seen.insert($0).inserted } ?? false
        }
        return try SignedCheckpoint(SignedNote(text: note.text, signatures: kept))
    }
}

extension SignedCheckpoint: Codable {
    /// Reads the note as text; throws `DecodingError` for anything that is no checkpoint.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do throws(NoteError) { try self.init(parsing: Array(container.decodeText().utf8)) } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    /// Writes the note as text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(decoding: bytes, as: UTF8.self))
    }
}
