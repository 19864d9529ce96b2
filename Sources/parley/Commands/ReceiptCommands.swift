import ArgumentParser
import DatasiteProtocol
import Foundation
import TransparencyLog

struct ReceiptsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receipts", abstract: "The receipts that you hold, each checked offline against its pinned key.")

    func run() async throws {
        let kept = KeptReceipts()
        let entries = kept.all()
        guard !entries.isEmpty else {
            Terminal.output.line("You hold no receipts yet: each answer of parley ask comes with one.")
            return
        }
        let logins = try Logins.load()
        let rows = entries.map { entry in
            [
                entry.receipt.body.request, entry.receipt.body.time, entry.receipt.body.dataset,
                entry.receipt.shortChargeText,
                String(entry.receipt.body.journalIndex), state(entry, logins), entry.url,
            ]
        }
        Terminal.output.write(
            TextTable(titles: ["request", "when", "dataset", "cost", "journal", "check", "datasite"], rows: rows)
                .render(on: .output))
        Terminal.output.line("Kept in \(kept.folder)")
    }

    private func state(_ entry: KeptReceipts.Entry, _ logins: Logins) -> String {
        guard let key = logins.sites[entry.url]?.publicKey else { return "no pinned key" }
        do {
            try ReceiptVerifier(publicKey: key).verify(entry.receipt, answer: entry.answer)
            return "valid"
        } catch {
            return "WRONG: \(error)"
        }
    }
}

struct ReceiptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receipt", abstract: "Check a receipt without trusting the datasite.",
        subcommands: [Verify.self, Prove.self])

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a receipt's signature offline, and that it is about an answer.",
            discussion: """
                A valid receipt shows that whoever holds the site's key stated that this request was answered with \
                exactly these bytes, at this charge, at this place of the journal.

                A proof (parley receipt prove) shows besides that the release stands in the site's log, and which witnesses saw that log grow: others see the same one.
                """)

        @Argument(
            help: "The receipt, saved with: parley ask --receipt FILE; or a proof, with: parley receipt prove",
            completion: .file()) var file: String
        @Option(
            help: ArgumentHelp("The answer's exact bytes, saved with: parley ask --answer FILE", valueName: "file"),
            completion: .file())
        var answer: String?
        @Option(help: "The site's public key (base64), from its owner or: parley whoami") var key: String
        @Option(
            help: ArgumentHelp(
                "Of a proof: which witnesses must have cosigned (c2sp.org/tlog-policy).", valueName: "file"),
            completion: .file())
        var policy: String?

        func run() async throws {
            let receipt: Receipt
            let content = try read(file)
            var proven: (LogProof, VerifiedCheckpoint)?
            do {
                if content.starts(with: Array("c2sp.org/tlog-proof".utf8)) {
                    let (found, proof, checkpoint) = try Self.verified(content, LogTrust(key: key, policy: policy))
                    (receipt, proven) = (found, (proof, checkpoint))
                } else {
                    guard policy == nil else {
                        throw Failure(
                            "\(file) is a receipt alone, of which no witness knows.",
                            next: "parley receipt prove gets its proof.")
                    }
                    receipt = try Receipt(decoding: content)
                }
            } catch let failure as Failure {
                throw failure
            } catch {
                throw Failure("\(file) is no receipt.")
            }
            let bytes = try answer.map { try read($0) }
            do {
                try ReceiptVerifier(publicKey: key).verify(receipt, answer: bytes)
            } catch {
                throw Failure("The receipt is not valid: \(error).")
            }
            show(receipt, withAnswer: bytes != nil)
            if let (proof, checkpoint) = proven {
                Terminal.output.line(
                    "It is entry \(proof.index) of the site's log, of \(checkpoint.checkpoint.head.size).")
                LogWords.cosignatures(checkpoint, on: .output)
            }
        }

        /// The receipt in a proof, whose log's entry is of it, and is in the log.
        static func verified(_ content: [UInt8], _ trust: LogTrust) throws -> (Receipt, LogProof, VerifiedCheckpoint) {
            do { return try proven(content, trust, trust.read()) } catch let failure as Failure { throw failure } catch
            {
                if let error = error as? PolicyError, case .noQuorumOfWitnesses = error { throw trust.failure(error) }
                throw Failure("The proof is not valid: \(error)")
            }
        }

        /// The same.
        ///
        /// - Throws: `PolicyError`, for one, where it may be valid once more witnesses have cosigned.
        static func proven(
            _ content: [UInt8], _ trust: LogTrust, _ policy: LogPolicy
        ) throws -> (Receipt, LogProof, VerifiedCheckpoint) {
            let proof = try LogProof(parsing: content)
            let carried = try ReceiptProof(decoding: proof.extra ?? [])
            let checkpoint = try proof.verify(
                .leaf(carried.entry.bytes), policy: policy, log: trust.log(of: proof.checkpoint.checkpoint.origin),
                latestTime: LogClock.latest)
            return (carried.receipt, proof, checkpoint)
        }

        private func read(_ path: String) throws -> [UInt8] {
            guard let data = FileManager.default.contents(atPath: path) else { throw Failure("Cannot read \(path).") }
            return Array(data)
        }

        private func show(_ receipt: Receipt, withAnswer: Bool) {
            let terminal = Terminal.output
            let verdict = withAnswer ? "The receipt is valid, and it is about this answer." : "The receipt is valid."
            terminal.line(terminal.styled(verdict, .bold, .green))
            let body = receipt.body
            let rows = [
                ["datasite", body.site], ["request", body.request], ["time", body.time],
                ["kind of work", body.engine],
                [
                    "dataset",
                    body.assets.map { "\($0.dataset), version \($0.version)" }.joined(separator: "; "),
                ], ["charged", receipt.chargeText],
                ["journal", "entry \(body.journalIndex), \(body.journalHash)"],
                ["input privacy", body.guarantees.inputPrivacy], ["output privacy", body.guarantees.outputPrivacy],
                ["input verification", body.guarantees.inputVerification],
                ["output verification", body.guarantees.outputVerification],
                ["flow governance", body.guarantees.flowGovernance],
            ]
            terminal.write(TextTable(titles: ["", ""], rows: rows).render(on: terminal))
        }
    }
}

extension ReceiptCommand {
    struct Prove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Get the proof that a release stands in the site's log, with its receipt in one file.",
            discussion: """
                It is checked before it is written, and offline ever after: parley receipt verify FILE --key KEY. With --policy it waits until enough witnesses have cosigned, says who is \
                missing meanwhile, and writes nothing without them (exit status 5). What was seen of the log is remembered: one that went back since is found out, and told (4).

                  parley receipt prove REQUEST --output answer.tlog-proof --policy POLICY --wait 120
                """)

        @Argument(help: "The request's id.") var request: String
        @OptionGroup var connection: PlaceOptions
        @Option(help: ArgumentHelp("Where the proof goes.", valueName: "file"), completion: .file()) var output: String
        @Option(
            help: ArgumentHelp("Which witnesses must have cosigned (c2sp.org/tlog-policy).", valueName: "file"),
            completion: .file())
        var policy: String?
        @Option(help: ArgumentHelp("How long to wait for the log and its witnesses.", valueName: "seconds")) var wait =
            30.0

        func run() async throws {
            let proving = Proving(output: output, policy: policy, wait: wait)
            try proving.check()
            try await proving.prove(request, at: connection.place(), saying: .output)
        }
    }
}

/// A proof that is got, checked and kept.
struct Proving: Sendable {
    /// The file that it goes to.
    let output: String
    /// A file that says which witnesses must have cosigned; nil: none.
    let policy: String?
    /// How long the log and its witnesses are waited for, in seconds.
    var wait = 30.0

    /// Finds out before anything is asked whether the file can be written, and the policy read.
    func check() throws {
        try SavedFile.check(output)
        _ = try LogTrust(key: nil, policy: policy).read()
    }

    /// Waits until the release is in the log, and cosigned as the policy asks; what does not satisfy that is not written.
    func prove(_ request: String, at place: Place, saying terminal: Terminal) async throws {
        let key = try await place.publicKey()
        try await check(request, at: place)
        let (bytes, proof, checkpoint) = try await waited(request, place, LogTrust(key: key, policy: policy))
        try await compare(place, key: key)
        try SavedFile.write(bytes, to: output)
        terminal.line(
            "Entry \(proof.index) of the site's log, of \(checkpoint.checkpoint.head.size): \(PrintableText.escape(output))"
        )
        LogWords.cosignatures(checkpoint, on: terminal)
    }

    /// Nothing is waited for that does not come: the proof of a request that nobody knows, or that was denied.
    private func check(_ request: String, at place: Place) async throws {
        let (summary, id) = (try await place.request(request), PrintableText.escape(request))
        switch DatasiteProtocol.RequestState(rawValue: summary.state) {
        case .denied, .lapsed, .cancelled:
            throw Failure(
                "Request \(id) is \(summary.state): nothing of it was let out that could be proved.",
                next: "What became of it: parley history \(id)")
        case .pending:
            throw Failure(
                "Request \(id) waits for an owner's approval: there is no answer yet that could be proved.",
                next: "Where it stands: parley history \(id)", status: ExitStatus.pending)
        case .reserved, .released, nil: break
        }
    }

    private func waited(
        _ request: String, _ place: Place, _ trust: LogTrust
    ) async throws -> ([UInt8], LogProof, VerifiedCheckpoint) {
        let policy = try trust.read()
        var waiting = LogWaiting(policy, until: .now + .seconds(wait))
        while true {
            do {
                let bytes = try await place.proof(request)
                let (_, proof, checkpoint) = try ReceiptCommand.Verify.proven(bytes, trust, policy)
                return (bytes, proof, checkpoint)
            } catch let problem as Problem where problem.kind == .notFound {
                guard waiting.goesOn(saying: problem.detail) else { throw unproved(request, problem.detail) }
            } catch let error as PolicyError {
                guard waiting.goesOn(after: error) else { throw unproved(request, "\(error)") }
            } catch let error where error is LogProofError || error is JSONError {
                throw Failure("What the site sent is no proof: \(error)")
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    private func unproved(_ request: String, _ words: String) -> Failure {
        Failure("The proof is not there yet: \(words)", next: later(request), status: ExitStatus.unproved)
    }

    /// How the proof is got later.
    func later(_ request: String) -> String {
        let policy = policy.map { " --policy \($0)" } ?? ""
        return "It comes with: parley receipt prove \(request) --output \(output)\(policy)"
    }

    /// A log that went back since this user saw it last is found out, and told.
    private func compare(_ place: Place, key: String) async throws {
        guard case .server(let connection) = place else { return }
        let folder = KeptReceipts().logs
        try PrivateFile.makeFolder(folder)
        let name = hexadecimal(Array(key.utf8))
        var watch = LogWatch(
            place: connection.url, trust: LogTrust(key: key, policy: nil),
            certificateAuthority: connection.certificateAuthority, state: "\(folder)/\(name).json", tells: false)
        _ = try await watch.settled(pause: 1)
    }
}

extension Receipt {
    /// For a column of a table.
    var shortChargeText: String {
        body.charge.amounts.count > 1 ? "Rényi, \(body.charge.amounts.count) orders" : chargeText
    }

    /// The ledger's integers as decimals.
    var chargeText: String { body.charge.words }
}

extension Receipt.Charge {
    /// The ledger's integers as decimals.
    var words: String {
        let uses = uses > 0 ? "\(uses) use\(uses == 1 ? "" : "s")" : nil
        guard let kind else { return uses ?? "nothing" }
        let amounts = amounts.map { NumberText.significantAtLeast(Double($0) / 1e12) }.joined(separator: " ")
        let delta = Double(delta) * 1e-18
        let selection = delta > 0 ? ", δ \(NumberText.significant(delta, digits: 3))" : ""
        let names = ["pure": "ε ", "zcdp": "ρ "]
        let name = names[kind] ?? "Rényi divergences at orders 2 4 6 8 12 24 64 256: "
        return [name + amounts + selection, uses].compactMap(\.self).joined(separator: ", ")
    }
}
