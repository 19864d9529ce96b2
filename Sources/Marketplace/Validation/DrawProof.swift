public import TransparencyLog

/// What proves which rows a task's dispute opens, to whoever has the keys of the market's operator and of the sponsor, and nothing else of the market: her signed funding and declaration,
/// the checkpoint that the operator signed after it, and its entry that brought this checkpoint to the task, each with a proof that it is in the market's log (c2sp.org/tlog-proof).
///
/// So the rows were drawn by what nobody knew at the declaration. **What it does not prove**: that the market took the entries as they were asked (who has the market's folder finds
/// out, ``Market``), that a dispute is open, and that an operator in league with the sponsor did not choose the moment of its checkpoint.
public struct DrawProof: Sendable, Hashable {
    /// A signed entry, and where it stands in the log.
    public struct Logged: Sendable, Hashable {
        /// ``SignedEntry/journalBytes``.
        public var entry: [UInt8]
        /// A `.tlog-proof`.
        public var proof: [UInt8]

        /// An entry with its proof; ``DrawProof/verify(market:operatorKey:sponsorKey:)`` tells what it proves.
        public init(entry: [UInt8], proof: [UInt8]) { (self.entry, self.proof) = (entry, proof) }
    }

    /// The sponsor's entry that holds the terms as they were funded: a draft, or an amendment.
    public var terms: [UInt8]
    /// The sponsor's funding of these terms.
    public var funding: Logged
    /// Her declaration.
    public var declaration: Logged
    /// The operator's entry that brought the checkpoint to the task.
    public var drawing: Logged
    /// The checkpoint, as the operator signed it.
    public var checkpoint: [UInt8]

    /// The longest proof and the longest checkpoint that are read, in bytes: with cosignatures of some hundred witnesses. An entry has ``SignedEntry/mostBytes``.
    public static let mostBytes = 64 << 10

    /// A proof, by its parts.
    public init(terms: [UInt8], funding: Logged, declaration: Logged, drawing: Logged, checkpoint: [UInt8]) {
        (self.terms, self.funding, self.declaration) = (terms, funding, declaration)
        (self.drawing, self.checkpoint) = (drawing, checkpoint)
    }

    /// What is proved.
    public struct Proved: Sendable, Hashable {
        /// The task.
        public let task: Digest256
        /// Its terms, as they were funded.
        public let terms: TaskTerms
        /// What the sponsor declared.
        public let verdict: Verdict
        /// What the rows are drawn by: SHA-256 of the checkpoint's bytes.
        public let checkpoint: Digest256
    }

    /// - Parameters:
    ///   - market: The market's random name.
    ///   - operatorKey: Under which its operator signs.
    ///   - sponsorKey: Under which the sponsor signs.
    /// - Throws: ``DrawProofError``.
    public func verify(market: Digest256, operatorKey: PartyKey, sponsorKey: PartyKey) throws(DrawProofError) -> Proved
    {
        let reader: LoggedReader
        do {
            reader = LoggedReader(market: market, log: try LogIdentity(market: market, operatorKey: operatorKey))
        } catch { throw .wrong("the market's log", expected: "a key under which a log can be verified") }
        let (funded, fundedAt) = try reader.read(funding, "the funding", by: sponsorKey)
        guard case .task(let task, .fund(terms: let digest)) = funded.request.action else {
            throw .wrong("the funding", expected: "an entry that funds a task")
        }
        let terms = try reader.terms(self.terms, of: task, by: sponsorKey)
        guard terms.digest == digest else {
            throw .wrong("the terms", expected: "those of the digest that was funded")
        }
        let (declared, declaredAt) = try reader.read(declaration, "the declaration", by: sponsorKey)
        guard case .task(task, .declare(let verdict)) = declared.request.action, fundedAt < declaredAt else {
            throw .wrong("the declaration", expected: "an entry that declares this task's result, behind its funding")
        }
        let (drawn, drawnAt) = try reader.read(drawing, "the checkpoint's entry", by: operatorKey)
        let checkpoint = Digest256.sha256(self.checkpoint)
        guard case .task(task, .checkpoint(checkpoint)) = drawn.request.action else {
            throw .wrong(
                "the checkpoint's entry", expected: "the operator's, of this task and of the checkpoint's digest")
        }
        // Nobody knew it at the declaration: it is over it.
        let size = try reader.signed(self.checkpoint).size
        guard declaredAt < size, size <= drawnAt else {
            throw .wrong(
                "the checkpoint", expected: "one that is over the declaration, and was signed before its entry")
        }
        return Proved(task: task, terms: terms, verdict: verdict, checkpoint: checkpoint)
    }
}

/// Reads what was said to be in a market's log.
private struct LoggedReader {
    let market: Digest256
    let log: LogIdentity

    /// An entry that is in the log, and where.
    func read(
        _ logged: DrawProof.Logged, _ what: String, by key: PartyKey
    ) throws(DrawProofError) -> (SignedEntry, UInt64) {
        let entry = try entry(logged.entry, what, by: key)
        guard logged.proof.count <= DrawProof.mostBytes else {
            throw .wrong("the proof of \(what)", expected: "at most \(DrawProof.mostBytes) bytes")
        }
        let proof: LogProof
        do { proof = try LogProof(parsing: logged.proof) } catch {
            throw .wrong("the proof of \(what)", expected: "a .tlog-proof (\(error))")
        }
        do { try proof.checkpoint.verify(log) } catch {
            throw .wrong("the proof of \(what)", expected: "a checkpoint that the market's operator signed")
        }
        do throws(MerkleError) {
            try proof.inclusion.verify(.leaf(logged.entry), at: proof.index, in: proof.checkpoint.head)
        } catch { throw .wrong("the proof of \(what)", expected: "one of this entry in the market's log") }
        return (entry, proof.index)
    }

    private func entry(_ bytes: [UInt8], _ what: String, by key: PartyKey) throws(DrawProofError) -> SignedEntry {
        guard bytes.count <= SignedEntry.mostBytes, let entry = try? SignedEntry(journalBytes: bytes) else {
            throw .wrong(what, expected: "the bytes of a signed entry")
        }
        guard entry.request.market == market else { throw .wrong(what, expected: "an entry of the market \(market)") }
        guard entry.isSigned(by: key) else { throw .wrong(what, expected: "an entry that is signed under \(key)") }
        return entry
    }

    /// What the sponsor drafted or amended.
    func terms(_ bytes: [UInt8], of task: Digest256, by key: PartyKey) throws(DrawProofError) -> TaskTerms {
        let entry = try entry(bytes, "the terms", by: key)
        switch entry.request.action {
        case .draft(let terms) where entry.key == task: return terms
        case .task(task, .amend(let terms)): return terms
        default: throw .wrong("the terms", expected: "the entry that drafted or amended the task \(task)")
        }
    }

    func signed(_ bytes: [UInt8]) throws(DrawProofError) -> TreeHead {
        guard bytes.count <= DrawProof.mostBytes, let checkpoint = try? SignedCheckpoint(parsing: bytes),
            (try? checkpoint.verify(log)) != nil
        else { throw .wrong("the checkpoint", expected: "one that the market's operator signed") }
        return checkpoint.head
    }
}

/// Why a proof proves nothing: all of it is public.
public enum DrawProofError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A part, and what would be right.
    case wrong(String, expected: String)

    /// What, and what would be right.
    public var description: String {
        switch self {
        case .wrong(let part, let expected): "\(part): expected \(expected)"
        }
    }
}

extension SignedEntry {
    /// Whether it is signed under this key, whoever that is.
    public func isSigned(by key: PartyKey) -> Bool { key.verifies(signature, of: request.signedBytes) }
}

extension LogIdentity {
    /// The transparency log of a market's entries, which its operator signs.
    ///
    /// - Throws: `NoteError`, of a key that is none.
    public init(market: Digest256, operatorKey: PartyKey) throws {
        let name = try KeyName("parley.market/\(market)")
        self.init(key: try VerifierKey(name: name, kind: .ed25519, publicKey: operatorKey.value.bytes))
    }
}
