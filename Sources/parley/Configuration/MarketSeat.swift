import ArgumentParser
import DatasiteClient
import DatasiteProtocol
import Foundation
import Marketplace
import MarketplaceStore
import Secrets
import TransparencyLog

/// In which market, and as whom.
struct MarketSeatOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The market: its URL, or how its name begins (default: the one used last).", valueName: "market"))
    var market: String?
    @Option(
        name: .customLong("as"),
        help: ArgumentHelp("As which party (default: the one used last).", valueName: "name"), transform: partyName)
    var party: PartyName?

    /// Takes the seat: what was under way is ended first, and the copy of the log is brought up to date.
    func seat() async throws -> MarketSeat {
        let current = try MarketWallet.current()
        let wallet = try wallet(current)
        let usual = current?.market == wallet.market ? current?.party.flatMap { PartyName($0) } : nil
        guard let party = party ?? usual else {
            throw Failure("As whom is not said.", next: "Add --as NAME.")
        }
        guard let signer = try wallet.signer(of: party) else {
            throw Failure(
                "There is no key of \(party) in market \(wallet.market) here.",
                next: "parley market enter URL --as \(party)")
        }
        var seat = try MarketSeat(wallet, party, signer)
        try await seat.synchronize()
        // A change of key that was cut off when the market had taken it.
        if let seed = try wallet.staged(party), let next = PartySigner(seed: seed),
            seat.market.keys[party] == next.publicKey
        {
            try wallet.replaceKey(by: seed, of: party)
            wallet.unstage(party)
            seat = try MarketSeat(taking: seat, next)
        }
        try MarketWallet.use(wallet.market, party.text)
        return seat
    }

    private func wallet(_ current: MarketWallet.Current?) throws -> MarketWallet {
        guard let market else {
            guard let current else {
                throw Failure("No market was entered yet.", next: "parley market enter URL --as NAME")
            }
            return MarketWallet(market: current.market)
        }
        return try MarketWallet.entered(market)
    }
}

/// An option's party.
@Sendable func partyName(_ text: String) throws -> PartyName {
    guard let name = PartyName(text) else {
        throw ValidationError("A party's name has 1 to 64 of a-z, 0-9, '-', '_' and '.'.")
    }
    return name
}

/// A market's URL. All of it is public and signed: plain HTTP shows who asks, and nothing else.
enum MarketAddress {
    static func normalised(_ text: String) -> String {
        var text = text
        while text.hasSuffix("/") { text.removeLast() }
        return text
    }
}

/// A served market, of which nothing is believed: what comes from it is verified by a copy.
struct MarketLink {
    let client: LogClient
    let url: String

    init(_ url: String, certificateAuthority: String?) throws {
        self.url = MarketAddress.normalised(url)
        guard url.contains("://") else {
            throw Failure(
                PrintableText.escape("\(url) is no URL of a market."),
                next: "It looks like https://market.example.org or http://127.0.0.1:8950")
        }
        client = try LogClient(url: self.url, options: ClientOptions(certificateAuthority: certificateAuthority))
    }

    func get(_ path: String, largest: Int) async throws -> [UInt8] {
        guard let bytes = try await calling({ try await client.get(path, largest: largest) }) else {
            throw Failure("\(url) has no \(path).", next: "Check the URL: what answers there is no market.")
        }
        return bytes
    }

    func post(_ path: String, _ body: [UInt8]) async throws -> (status: Int, body: [UInt8]) {
        try await calling { try await client.post(path, body) }
    }

    /// What an answer says that is no 200.
    func problem(_ reply: (status: Int, body: [UInt8])) -> Problem {
        (try? JSONDecoder().decode(Problem.self, from: Data(reply.body)))
            ?? Problem(.siteUnavailable, "\(url) answered with status \(reply.status)")
    }

    private func calling<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch let error as TransportError {
            switch error.kind {
            case .unreachable:
                throw Failure(
                    "Cannot connect to \(url).",
                    next: "Check the URL, and that the market is served (its operator runs parley market serve).")
            case .timedOut, .interrupted:
                throw Failure(
                    "\(url) did not answer, or not to the end.",
                    next: "The same command again goes on: what was signed is done once.")
            case .notADatasite:
                throw Failure("\(url) sends what no market sends.", next: "Check the URL.")
            case .invalidURL, .untrusted, .invalidReceipt: throw error
            }
        }
    }

    /// Brings a copy up to date.
    ///
    /// - Parameter policy: Whose quorum must have cosigned what is taken; it is waited for, some seconds. nil: nobody's.
    func bring(_ copy: MarketCopy, under policy: LogPolicy? = nil) async throws {
        // A bundle that is not full goes when the log has grown: the next checkpoint has another.
        for _ in 0..<8 {
            let checkpoint = try await checkpoint(of: copy, under: policy)
            guard let paths = try verified({ () throws(MarketFolderError) in try copy.missing(for: checkpoint) }) else {
                return
            }
            var (bundles, size) = ([[UInt8]](), 0)
            let progress = paths.count > 8 ? Progress("Reading the market's log") : nil
            for path in paths {
                guard let bytes = try await client.get("\(path)", largest: MarketCopy.longestBundle) else { break }
                bundles.append(bytes)
                size += bytes.count
                guard size <= MarketCopy.mostBytesAtOnce else {
                    throw Failure(
                        "\(url) sends more than \(MarketCopy.mostBytesAtOnce >> 20) MiB of new entries.",
                        next: "No market grows so fast: ask its operator.", status: ExitStatus.contradicted)
                }
                progress?.update(
                    Double(bundles.count) / Double(paths.count), doing: "bundle \(bundles.count) of \(paths.count)")
            }
            progress?.finish()
            guard bundles.count == paths.count else { continue }
            _ = try verified({ () throws(MarketFolderError) in try copy.take(checkpoint, bundles: bundles) })
            // What draws a dispute's rows is beside the log, which holds its digest.
            for task in copy.missingDraws.prefix(64) {
                guard
                    let bytes = try await client.get("draws/\(task)", largest: MarketCopy.longestCheckpoint)
                else { continue }
                try verified({ () throws(MarketFolderError) in try copy.keepDraw(bytes, of: task) })
            }
            return
        }
        throw Failure("\(url) does not show what its checkpoint is over.", next: "Try again in a moment.")
    }

    private func checkpoint(of copy: MarketCopy, under policy: LogPolicy?) async throws -> [UInt8] {
        let end = ContinuousClock.now + .seconds(20)
        var isSaid = false
        while true {
            let checkpoint = try await get("checkpoint", largest: MarketCopy.longestCheckpoint)
            guard let policy else { return checkpoint }
            guard let signed = try? SignedCheckpoint(parsing: checkpoint) else {
                throw Failure("\(url) shows no signed checkpoint.", status: ExitStatus.contradicted)
            }
            do {
                _ = try policy.verify(signed, of: copy.description.log, latestTime: LogClock.latest)
                return checkpoint
            } catch let error as PolicyError {
                guard case .noQuorumOfWitnesses = error, policy.canBeMet, ContinuousClock.now < end else {
                    throw LogTrust(key: "", policy: nil).failure(error)
                }
                if !isSaid {
                    Terminal.diagnostics.line(
                        "Waiting for witnesses, 20 seconds at most: \(PrintableText.escape("\(error)"))")
                }
                isSaid = true
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    private func verified<Value>(_ body: () throws(MarketFolderError) -> Value) throws -> Value {
        do throws(MarketFolderError) { return try body() } catch {
            guard error.isContradiction else { throw Failure(PrintableText.escape("\(error)")) }
            throw Failure(
                PrintableText.escape("\(url) shows what was not signed, or another history than before: \(error)"),
                next: "Do nothing there, and ask others what they see.", status: ExitStatus.contradicted)
        }
    }
}

extension Market {
    /// The task whose name begins so.
    ///
    /// - Parameter place: Where the tasks are listed, for who named none.
    func task(beginning text: String, listedIn place: String) throws -> MarketTask {
        let found = allTasks.filter { $0.id.hex.hasPrefix(text) && text.utf8.count >= 4 }
        guard found.count == 1, let only = found.first else {
            throw Failure(
                PrintableText.escape(found.isEmpty ? "There is no task \(text)." : "Several tasks begin with \(text)."),
                next:
                    "A task is named by its first digits, four at least: parley market show \(PrintableText.escape(place)) lists them."
            )
        }
        return only
    }
}

/// A party at work in a market.
final class MarketSeat {
    let wallet: MarketWallet
    let party: PartyName
    let copy: MarketCopy
    let link: MarketLink
    private let signer: PartySigner

    init(_ wallet: MarketWallet, _ party: PartyName, _ signer: PartySigner) throws {
        (self.wallet, self.party, self.signer) = (wallet, party, signer)
        let place = try wallet.place()
        link = try MarketLink(place.url, certificateAuthority: place.certificateAuthority)
        copy = try Self.copy(of: wallet)
    }

    /// The same seat under another key.
    init(taking seat: MarketSeat, _ signer: PartySigner) throws {
        (wallet, party, copy, link) = (seat.wallet, seat.party, seat.copy, seat.link)
        self.signer = signer
    }

    /// The wallet's copy of the log; another command that has it open is waited for.
    static func copy(of wallet: MarketWallet) throws -> MarketCopy {
        let end = ContinuousClock.now + .seconds(20)
        do throws(MarketFolderError) {
            while true {
                do throws(MarketFolderError) { return try wallet.open(wallet.copy) } catch {
                    guard error.isInUse, ContinuousClock.now < end else { throw error }
                    Thread.sleep(forTimeInterval: 0.05)
                }
            }
        } catch {
            throw Failure(
                PrintableText.escape("The copy of the market's log cannot be used: \(error)"),
                next:
                    error.isInUse
                    ? "Another command is using it: try again when that has ended."
                    : "Take \(wallet.copy) away and enter again: it is read anew. Keys and salts are elsewhere."
            )
        }
    }

    var market: Market { copy.market }
    /// What is in the party's account.
    var balance: Int64 { market.book[Market.account(of: party)]?.balance ?? 0 }

    func synchronize() async throws { try await wallet.bring(copy, from: link) }

    /// The task that a name begins.
    func task(_ text: String) throws -> MarketTask { try market.task(beginning: text, listedIn: wallet.copy) }

    /// Asks for something of a task.
    @discardableResult
    func act(on task: MarketTask, _ action: TaskAction) async throws -> MarketResult {
        try await act(.task(task.id, action))
    }

    /// Signs, keeps what was signed, sends it, and finds in the log what it came to. What was asked before and may not have arrived is sent again first; where it is the same, that is all.
    ///
    /// - Throws: A `Failure` where it is refused.
    @discardableResult
    func act(_ action: MarketAction) async throws -> MarketResult {
        for entry in try wallet.pending(of: party) {
            Terminal.diagnostics.line("Going on with what was asked before.")
            let answer = try await settle(entry)
            if entry.request.action == action { return try result(answer) }
        }
        let isOperator = party == copy.description.operatorName
        let time = max(Int64(Date().timeIntervalSince1970), market.time)
        // What is refused stands in the log for good: it is not sent.
        if let refusal = market.refusal(of: action, by: party, at: time) {
            throw Failure(
                "The market would refuse: \(MarketRefusalText.words(refusal, at: time))", next: "Nothing was sent.")
        }
        let nonce = Digest256.fresh()
        var turn = 0
        while true {
            let time = max(Int64(Date().timeIntervalSince1970), market.time)
            let entry = try signer.sign(
                action, by: party, in: market.id, time: isOperator ? time : nil, nonce: nonce)
            try wallet.hold(entry)
            do { return try result(try await settle(entry)) } catch let problem as Problem {
                // The market's clock went on while this was on its way.
                guard isOperator, problem.status == 409, turn < 3 else { throw problem }
                turn += 1
            }
        }
    }

    private func result(_ answer: MarketAnswer) throws -> MarketResult {
        switch answer {
        case .done(let result): return result
        case .refused(let refusal):
            throw Failure(
                "The market refused: \(MarketRefusalText.words(refusal, at: market.time))",
                next: "Nothing of it was done.")
        case .keyIsTaken, .notAdmitted, .clockWentBack:
            throw Failure(PrintableText.escape("The market did not take it: \(answer)"))
        }
    }

    /// Sends what was signed until the log has it.
    private func settle(_ entry: SignedEntry) async throws -> MarketAnswer {
        if let answer = market.answer(to: entry.key) {
            wallet.release(entry)
            return answer
        }
        let reply = try await link.post("entries", entry.journalBytes)
        guard reply.status == 200 else {
            let problem = link.problem(reply)
            // It was not taken, and will not be: these say so. (What waits for its turn is kept, and sent again.)
            if [400, 403, 409, 413].contains(reply.status) {
                try await synchronize()
                if let answer = market.answer(to: entry.key) {
                    wallet.release(entry)
                    return answer
                }
                wallet.release(entry)
            }
            throw problem
        }
        for pause in [0, 50, 200, 500, 1_000, 2_000] {
            try await Task.sleep(for: .milliseconds(pause))
            try await synchronize()
            if let answer = market.answer(to: entry.key) {
                wallet.release(entry)
                return answer
            }
        }
        throw Failure(
            "\(link.url) says that it stored what you asked, and its log does not show it.",
            next: "It is kept, and sent again by your next command. If it stays so, the operator is to be asked.",
            status: ExitStatus.contradicted)
    }

    // MARK: keys and news

    /// Takes a new key, which is kept before the market hears of it.
    func rotateKey() async throws -> PartyKey {
        let staged = try wallet.staged(party)
        let seed = staged ?? SecureRandom.bytes(32)
        guard let next = PartySigner(seed: seed) else { throw Failure("A key has 32 bytes.") }
        if staged == nil { try wallet.stage(seed, of: party) }
        // An earlier try may have arrived.
        if market.keys[party] != next.publicKey { try await act(.rotate(next.publicKey)) }
        try wallet.replaceKey(by: seed, of: party)
        wallet.unstage(party)
        return next.publicKey
    }

    // MARK: commitments

    /// A commitment to a content; its salt is kept before anybody sees it, and is the same again for the same.
    func bond(
        _ kind: Commitment.Kind, _ task: MarketTask, place: Int, content: Digest256
    ) throws -> Digest256 {
        var bonds = try wallet.bonds(of: party)
        let known = bonds.first {
            $0.kind == kind && $0.task == task.id && $0.place == place && $0.content == content
        }
        let bond =
            known
            ?? MarketWallet.Bond(
                kind: kind, task: task.id, place: place, content: content, salt: .fresh())
        if known == nil {
            bonds.append(bond)
            try wallet.keep(bonds, of: party)
        }
        return Commitment.of(
            kind, task: task.id, author: party, place: place, content: content, salt: bond.salt)
    }
}

/// Why the market refuses, for a person: times as dates, accounts as names.
enum MarketRefusalText {
    static func words(_ refusal: MarketRefusal, at now: Int64) -> String {
        if case .reputation(let party, let role) = refusal {
            return "\(party)'s reputation as \(role.rawValue) is too low for this market, by what is in its log"
        }
        var words = "\(refusal)"
        words.replace(#/step [0-9]+: /#, with: "")
        words.replace("party/", with: "")
        words.replace(#/([0-9]{9,12}) s\b/#) { match in
            guard let time = Int64(match.1) else { return String(match.0) }
            let date = Date(timeIntervalSince1970: Double(time)).formatted(.iso8601)
            return time > now ? "\(date) (in \(TimeText.length(time - now)))" : date
        }
        return PrintableText.escape(words)
    }
}
