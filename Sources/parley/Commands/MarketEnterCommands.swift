import ArgumentParser
import DatasiteClient
import DatasiteProtocol
import Foundation
import Marketplace
import MarketplaceStore
import Secrets

struct MarketEnterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enter", abstract: "Take part in a served market under a name.",
        discussion: """
            It makes a key for you here, or takes the one in --key-file, and asks the market to register it. Where its operator registers parties itself, tell it what is shown. The operator's key is \
            pinned, and the log is copied and verified, entry by entry; every later command goes on from there.

              parley market enter https://market.example.org --as olga --key 5f0c1d…
              parley market enter http://127.0.0.1:8950 --as clerk --key-file market.key      # the operator
            """)

    @Argument(help: "The market's URL.") var url: String
    @Option(name: .customLong("as"), help: "Your name in it.", transform: partyName) var party: PartyName
    @Option(help: "The operator's public key (64 hexadecimal digits), from elsewhere.") var key: String?
    @Option(
        help: ArgumentHelp("Act under the private key in this file (32 bytes).", valueName: "file"),
        completion: .file())
    var keyFile: String?
    @Option(
        help: ArgumentHelp("Trust the certificate authorities in this PEM file.", valueName: "file"),
        completion: .file())
    var ca: String?

    func validate() throws {
        guard key.map({ PartyKey(hex: $0) != nil }) ?? true else {
            throw ValidationError("--key is 64 hexadecimal digits, as parley market create shows them.")
        }
    }

    func run() async throws {
        let link = try MarketLink(url, certificateAuthority: ca)
        let bytes = try await link.get("market.json", largest: MarketCopy.longestDescription)
        let (wallet, isNew) = try pin(bytes, link)
        let given = try givenSeed()
        let seed = try given ?? wallet.seed(of: party) ?? SecureRandom.bytes(32)
        guard var signer = PartySigner(seed: seed) else {
            throw Failure("\(keyFile ?? "The key") is no key: expected 32 bytes.")
        }
        var seat = try MarketSeat(wallet, party, signer)
        do { try await seat.synchronize() } catch {
            // What nothing was verified of is not left behind.
            if isNew, seat.copy.count == 0 { wallet.forget() }
            throw error
        }
        let terminal = Terminal.output
        let description = seat.copy.description
        terminal.line(
            "Market \(wallet.market), operated by \(description.operatorName); its key, now pinned: \(description.operatorKey)"
        )
        if key == nil {
            terminal.line("Compare that key with the one that you have from elsewhere: --key KEY does it for you.")
        }
        terminal.line("Entries read, every one of them signed: \(NumberText.integer(seat.copy.count))")
        let known = seat.market.keys[party] ?? operatorKey(description)
        guard known == nil || known == signer.publicKey else {
            throw Failure(
                "\(party) is registered under another key than the one here.",
                next: "If that is you, bring your key: --key-file FILE. If not, choose another name: --as NAME")
        }
        // The key is kept before anybody hears of it; of two commands at once the first one's.
        let kept = try wallet.keep(first: seed, of: party)
        if kept != seed {
            guard given == nil, let other = PartySigner(seed: kept) else {
                throw Failure(
                    "\(party) has another key here already.",
                    next: "Another name, or another $XDG_CONFIG_HOME, keeps them apart.")
            }
            signer = other
            seat = try MarketSeat(taking: seat, other)
        }
        try MarketWallet.use(wallet.market, party.text)
        if known != nil { return terminal.line("You are \(party).") }
        let body = try signer.registration(of: party, in: description.market).bytes
        let reply = try await link.post("registrations", body)
        if reply.status == 200 {
            try await seat.synchronize()
            return terminal.line("You are \(party), registered under \(signer.publicKey).")
        }
        guard reply.status == 403 else { throw link.problem(reply) }
        terminal.line("Your key is made. The operator registers parties itself: tell it, in a way that it can trust,")
        terminal.line("  \(party) \(signer.publicKey)")
        terminal.line("It enters that with: parley market admit \(party) \(signer.publicKey)")
    }

    private func operatorKey(_ description: MarketDescription) -> PartyKey? {
        party == description.operatorName ? description.operatorKey : nil
    }

    /// Where the market is kept here; its operator's key stays what it was.
    private func pin(_ bytes: [UInt8], _ link: MarketLink) throws -> (MarketWallet, isNew: Bool) {
        let given = key.flatMap { PartyKey(hex: $0) }
        let description: MarketDescription
        do { description = try MarketDescription(reading: bytes, file: "\(link.url)/market.json") } catch {
            throw Failure(PrintableText.escape("\(error)"), next: "Check the URL: what answers there is no market.")
        }
        let wallet = MarketWallet(market: MarketWallet.name(of: description.market))
        if let expected = given ?? (try? wallet.place().operatorKey), expected != description.operatorKey {
            throw Failure(
                "The market's key is \(description.operatorKey): expected \(expected).",
                next: "Somebody may be in between: ask the operator.", status: ExitStatus.contradicted)
        }
        try wallet.write(
            .init(url: link.url, operatorKey: description.operatorKey, certificateAuthority: ca))
        let isNew = !FileManager.default.fileExists(atPath: wallet.copy)
        if isNew {
            do { _ = try MarketCopy.create(at: wallet.copy, description: bytes, key: given) } catch {
                // Another command may have been quicker.
                guard FileManager.default.fileExists(atPath: wallet.copy) else {
                    throw Failure(PrintableText.escape("\(error)"))
                }
            }
        }
        return (wallet, isNew)
    }

    private func givenSeed() throws -> [UInt8]? {
        guard let keyFile else { return nil }
        guard let bytes = try PrivateFile.read(keyFile) else {
            throw Failure(PrintableText.escape("There is no file \(keyFile)."))
        }
        return bytes
    }
}

struct MarketCopyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy", abstract: "Keep a verified copy of a served market's log; no key is needed.",
        discussion: """
            The same again brings it up to date. What is not signed, goes back, or is another history than before is not taken, and both signed checkpoints are kept in FOLDER.evidence \
            (exit status 4). The other commands read the folder.

              parley market copy https://market.example.org ./market-copy --key 5f0c1d…
              parley market copy https://market.example.org ./market-copy --policy policy      # only what witnesses cosigned
              parley market tree ./market-copy 3fa8
            """)

    @Argument(help: "The market's URL.") var url: String
    @Argument(help: "The folder to make, or to bring up to date.", completion: .directory) var folder: String
    @Option(
        help: ArgumentHelp(
            "Take only what the quorum of this policy has cosigned (c2sp.org/tlog-policy).", valueName: "file"),
        completion: .file())
    var policy: String?
    @Option(help: "The operator's public key (64 hexadecimal digits), from elsewhere.") var key: String?
    @Option(
        help: ArgumentHelp("Trust the certificate authorities in this PEM file.", valueName: "file"),
        completion: .file())
    var ca: String?

    func validate() throws {
        guard key.map({ PartyKey(hex: $0) != nil }) ?? true else {
            throw ValidationError("--key is 64 hexadecimal digits, as parley market create shows them.")
        }
    }

    func run() async throws {
        let link = try MarketLink(url, certificateAuthority: ca)
        let description = try await link.get("market.json", largest: MarketCopy.longestDescription)
        let trusted = try policy.map { try LogTrust(key: nil, policy: $0).read() }
        let isNew = !FileManager.default.fileExists(atPath: folder)
        let (copy, wallet) = try copy(description)
        let before = copy.count
        do { try await wallet.bring(copy, from: link, under: trusted) } catch {
            // What nothing was verified of is not left behind.
            if isNew, copy.count == 0 { try? FileManager.default.removeItem(atPath: folder) }
            throw error
        }
        let terminal = Terminal.output
        terminal.line(
            "New entries: \(NumberText.integer(copy.count - before)), in all \(NumberText.integer(copy.count)); every one is signed, and they come to the state that the operator signed\(trusted == nil ? "." : ", which the policy's quorum cosigned.")"
        )
        if key == nil {
            terminal.line(
                "Operator's key \(copy.description.operatorKey): compare it with the one that you have from elsewhere.")
        }
    }

    private func copy(_ bytes: [UInt8]) throws -> (MarketCopy, MarketWallet) {
        let given = key.flatMap { PartyKey(hex: $0) }
        do throws(MarketFolderError) {
            let description = try MarketDescription(reading: bytes, file: "market.json")
            let wallet = MarketWallet(market: MarketWallet.name(of: description.market))
            guard FileManager.default.fileExists(atPath: folder) else {
                return (try MarketCopy.create(at: folder, description: bytes, key: given), wallet)
            }
            let copy = try wallet.open(folder)
            guard description == copy.description else {
                throw .contradiction("what answers there is another market than the copy's, or is described otherwise")
            }
            if let given, given != copy.description.operatorKey {
                throw .otherKey(copy.description.operatorKey, expected: given)
            }
            return (copy, wallet)
        } catch {
            throw Failure(
                PrintableText.escape("\(error)"),
                next: error.isInUse
                    ? "Another command is using it." : "If the folder is damaged, name another one: it is read anew.",
                status: error.isContradiction ? ExitStatus.contradicted : ExitStatus.failed)
        }
    }
}

struct MarketWatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Tell what happens in a market as it happens, until Ctrl-C.",
        discussion: """
            The market announces that its log has grown; each new entry is read and verified before it is told.

              parley market watch
              parley market watch --task 3fa8
              parley market watch --from 0 --once      # everything so far
            """)

    @Option(help: "Only of this task: its name, or how it begins.") var task: String?
    @Option(
        help: ArgumentHelp("Begin with this entry of the log, from 0 (default: what comes now).", valueName: "number"))
    var from: Int?
    @Flag(help: "Tell what is there, and end.") var once = false
    @Flag(help: "Also tell when the clock is moved.") var clock = false
    @OptionGroup var seat: MarketSeatOptions

    func validate() throws {
        guard from ?? 0 >= 0 else { throw ValidationError("--from is 0 or more.") }
    }

    func run() async throws {
        // The copy is open only while something is read, so that other commands of hers can be used beside this one.
        let (wallet, link, chosen, size) = try await begin()
        var next = from ?? size
        if !once, from == nil {
            Terminal.diagnostics.line("Waiting for what comes behind entry \(NumberText.integer(size)).")
        }
        next = try tell(from: next, wallet, chosen)
        var pause = 1.0
        while !once {
            do {
                for try await _ in try await link.client.announcements(after: next) {
                    let copy = try MarketSeat.copy(of: wallet)
                    try await wallet.bring(copy, from: link)
                    withExtendedLifetime(copy) {}
                    next = try tell(from: next, wallet, chosen)
                }
                pause = 1
            } catch let failure as Failure where failure.status == ExitStatus.contradicted { throw failure } catch {
                pause = min(60, 2 * pause)
            }
            try await Task.sleep(for: .seconds(pause))
        }
    }

    private func begin() async throws -> (MarketWallet, MarketLink, Digest256?, Int) {
        let seat = try await seat.seat()
        return (seat.wallet, seat.link, try task.map { try seat.task($0).id }, seat.copy.count)
    }

    /// - Returns: The number of the next entry.
    private func tell(from first: Int, _ wallet: MarketWallet, _ chosen: Digest256?) throws -> Int {
        let audit = try MarketAudit(of: wallet.copy, verified: wallet.verified())
        for (number, one) in audit.entries.enumerated().dropFirst(first) {
            switch one.entry.request.action {
            case .clock where !clock: continue
            case .task(let task, _) where chosen != nil && task != chosen: continue
            case .draft where chosen != nil && one.entry.key != chosen: continue
            default: Terminal.output.line("\(number)  " + MarketEntryText.line(one.entry, one.answer))
            }
        }
        return audit.count
    }
}

struct MarketRotateKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-key", abstract: "Act under a new key from now on.",
        discussion: """
            The new key is made here, and the old one signs that it takes its place. Whoever has the old one can do nothing any more. (A lost key cannot be replaced: register under another name.)

              parley market rotate-key --as olga
            """)

    @Flag(help: "Also while a task that you sponsor is under way.") var yes = false
    @OptionGroup var seat: MarketSeatOptions

    func run() async throws {
        let seat = try await seat.seat()
        let sponsored = seat.market.allTasks.filter {
            $0.sponsor == seat.party && ![.draft, .settled].contains($0.stage) && !$0.stage.isOver
        }
        guard sponsored.isEmpty || yes else {
            throw Failure(
                "You sponsor a task that is under way: in a dispute your datasite opens rows only if funding and declaration are signed under one key.",
                next: "Wait until it is settled. If the key is no longer yours alone: --yes")
        }
        let key = try await seat.rotateKey()
        Terminal.output.line("\(seat.party) acts under \(key) from now on.")
    }
}

struct MarketWithdrawCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdraw", abstract: "Take credits out of the market: its operator pays them outside.",
        discussion: """
              parley market withdraw 5000 --as olga
            """)

    @Argument(help: "How much, in minor units.") var amount: Int64
    @OptionGroup var seat: MarketSeatOptions

    func run() async throws {
        let seat = try await seat.seat()
        try await seat.act(.withdraw(amount: amount))
        let balance = seat.market.book[Market.account(of: seat.party)]?.balance ?? 0
        Terminal.output.line("\(seat.party) has \(NumberText.integer(balance)) left.")
    }
}

/// An entry of a market's log in words.
enum MarketEntryText {
    static func line(_ entry: SignedEntry, _ answer: MarketAnswer) -> String {
        let came =
            switch answer {
            case .done(.none): ""
            case .done(.task(let task)): ": task \(task.hex.prefix(16))"
            case .done(.proposal(let number)): ": proposal \(number)"
            case .done(.node(let number)): ": node \(number)"
            case .done(.round(let number)): ": round \(number)"
            case .done(.job(let number)): ": job \(number)"
            case .done(.evaluation(let number)): ": evaluation \(number)"
            case .done(.dispute(let number)): ": dispute \(number)"
            case .done(.settlement(let root)): ": root \(root.hex.prefix(16))"
            case .refused(let refusal): ": refused, \(refusal)"
            case .keyIsTaken, .notAdmitted, .clockWentBack: ": \(answer)"
            }
        return PrintableText.escape("\(entry.request.by) \(words(entry.request.action))\(came)")
    }

    private static func words(_ action: MarketAction) -> String {
        switch action {
        case .register(let party, _): "registers \(party)"
        case .clock: "moves the clock"
        case .rotate: "takes a new key"
        case .credit(let party, let amount): "credits \(party) with \(NumberText.integer(amount))"
        case .withdraw(let amount): "withdraws \(NumberText.integer(amount))"
        case .draft: "drafts a task"
        case .task(let task, let action): "\(words(action)) (task \(task.hex.prefix(8)))"
        }
    }

    private static func words(_ action: TaskAction) -> String {
        switch action {
        case .amend: "amends the draft"
        case .fund: "funds the task"
        case .open: "opens the task"
        case .cancel: "cancels the task"
        case .commitProposal: "commits to a proposal"
        case .showProposal(let number, _, let content, _): "shows proposal \(number), \(content.hex.prefix(16))"
        case .join(let role): "joins as \(role.rawValue)"
        case .beginRound(let parent): "begins a round from node \(parent)"
        case .commitUpdate(let round, _): "commits to an update of round \(round)"
        case .closeRound(let round): "closes round \(round)"
        case .showUpdate(let round, let content, _): "shows an update of round \(round), \(content.hex.prefix(16))"
        case .finishRound(let round, let content, _): "adds the model of round \(round), \(content.hex.prefix(16))"
        case .authorise(_, let provider, let limit, _):
            "authorises \(provider) to compute for \(NumberText.integer(limit)) at most"
        case .deliver(let job, let units, _): "delivers job \(job), \(NumberText.integer(units)) units"
        case .requestEvaluation(let node): "asks for an evaluation of node \(node)"
        case .score(let evaluation, let score):
            "answers evaluation \(evaluation): \(score.map { "\($0)" } ?? "no improvement")"
        case .declare: "declares the result"
        case .checkpoint: "brings the log's checkpoint"
        case .dispute(.declaration): "disputes the declaration"
        case .dispute(.job(let job)): "disputes job \(job)"
        case .vote(let dispute, let ruling):
            "votes on dispute \(dispute): \(ruling == .rejected ? "rejected" : "upheld")"
        case .settle: "settles"
        case .claim(let claim): "claims \(NumberText.integer(claim.leaf.amount))"
        case .tick: "does what is due"
        }
    }
}
