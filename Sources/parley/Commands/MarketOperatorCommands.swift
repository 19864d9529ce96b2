import ArgumentParser
import DatasiteClient
import DatasiteServer
import Foundation
import Logging
import Marketplace
import MarketplaceStore
import Secrets
import TransparencyLog

struct MarketCreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a market that you operate.",
        discussion: """
            It makes the market's folder, all of which is public, and the key by which the market is known. Whoever has the key can register parties, credit accounts and move the clock: \
            keep it apart, and a copy of it. A market keeps its key for ever.

              parley market create ./market --operator clerk
              parley market serve ./market
            """)

    @Argument(help: "The folder to make.", completion: .directory) var folder: String
    @Option(name: .customLong("operator"), help: "Your name in it.", transform: partyName) var party: PartyName
    @Option(
        help: ArgumentHelp("Where the key is written (default: FOLDER.key).", valueName: "file"), completion: .file())
    var keyFile: String?
    @Option(help: "How likely a fraud is found, from 0.5 to 1: deposits are larger where it is less.") var detection =
        0.8
    @Option(help: "Who is expected to be honest less often than that is not admitted, from 0 to 0.5.") var least = 0.3

    func validate() throws {
        guard (0.5...1).contains(detection), (0...0.5).contains(least) else {
            throw ValidationError("--detection is from 0.5 to 1, --least from 0 to 0.5.")
        }
    }

    func run() throws {
        guard
            let policy = DepositPolicy(
                detectionMillionths: Int64((detection * 1e6).rounded()),
                leastExpectation: Int64((least * 1e6).rounded()))
        else {
            throw Failure("The policy is out of range.", next: "--detection is from 0.5 to 1, --least from 0 to 0.5.")
        }
        let file = keyFile ?? MarketAddress.normalised(folder) + ".key"
        guard !FileManager.default.fileExists(atPath: file) else {
            throw Failure("\(PrintableText.escape(file)) is there already.", next: "Name another file: --key-file FILE")
        }
        let seed = SecureRandom.bytes(32)
        guard let key = PlatformKey(seed: seed) else { throw Failure("A key has 32 bytes.") }
        // A folder without its key would be of no use: the key is there first.
        try PrivateFile.write(seed, to: file)
        do {
            let folder = try MarketFolder.create(at: folder, operatorName: party, policy: policy, key: key)
            try folder.operate(.register(party, key: key.signer.publicKey), at: Int64(Date().timeIntervalSince1970))
        } catch {
            try? FileManager.default.removeItem(atPath: file)
            throw Failure(PrintableText.escape("\(error)"))
        }
        let terminal = Terminal.output
        terminal.line("Market \(PrintableText.escape(folder)), operated by \(party)")
        terminal.line("Its key, by which others know it: \(key.signer.publicKey)")
        terminal.line("The private key is in \(PrintableText.escape(file)): keep a copy of it elsewhere.")
        terminal.line("Next:  parley market serve \(PrintableText.escape(folder))")
    }
}

/// A market that its operator opens.
struct OperatedMarket: ParsableArguments {
    @Argument(help: "The market's folder.", completion: .directory) var folder: String
    @Option(
        help: ArgumentHelp("The operator's private key (default: FOLDER.key).", valueName: "file"),
        completion: .file())
    var keyFile: String?

    func open() throws -> MarketFolder {
        guard FileManager.default.fileExists(atPath: folder + "/market.json") else {
            throw Failure(
                PrintableText.escape("\(folder) is no market's folder."), next: "parley market create makes one.")
        }
        let file = keyFile ?? MarketAddress.normalised(folder) + ".key"
        guard let key = try PrivateFile.read(file).flatMap({ PlatformKey(seed: $0) }) else {
            throw Failure(
                PrintableText.escape("\(file) is no operator's key: 32 bytes, as parley market create wrote them."),
                next: "Name it: --key-file FILE")
        }
        do throws(MarketFolderError) { return try MarketFolder(at: folder, key: key) } catch {
            throw Failure(
                PrintableText.escape("\(error)"),
                next: error.isInUse
                    ? "A market is opened by one process at a time."
                    : "What is signed is not changed to make it fit: put the folder back as it was.",
                status: error.isContradiction ? ExitStatus.contradicted : ExitStatus.failed)
        }
    }
}

struct MarketServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve a market to those who take part, until Ctrl-C.",
        discussion: """
            Parties send what they sign, and read the log; your clock runs, and what ends by time ends. Every answer is durable before it is given. Any reader of transparency logs \
            (c2sp.org/tlog-tiles) can follow it, and witnesses can be told of it (the log's key is shown at the start).

            With --newcomers anybody may register a name, so many an hour in all; otherwise you do: parley market admit. Accounts are empty until you credit them.

              parley market serve ./market --policy policy
              parley market serve ./market --host 0.0.0.0 --port 443 --tls-certificate chain.pem --tls-key key.pem --newcomers 60
            """)

    @OptionGroup var market: OperatedMarket
    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(parsing: .unconditional, help: "The port; 0 takes a free one.") var port = 8950
    @Option(help: ArgumentHelp("The certificate chain (PEM).", valueName: "file"), completion: .file())
    var tlsCertificate: String?
    @Option(help: ArgumentHelp("Its private key (PEM).", valueName: "file"), completion: .file())
    var tlsKey: String?
    @Flag(help: "A proxy on this machine ends TLS in front of us.") var behindProxy = false
    @Option(
        help: ArgumentHelp(
            "Have the witnesses of this policy cosign the log (c2sp.org/tlog-policy: witness NAME KEY URL).",
            valueName: "file"), completion: .file())
    var policy: String?
    @Option(
        help: ArgumentHelp("Trust the certificate authorities in this PEM file at witnesses.", valueName: "file"),
        completion: .file())
    var ca: String?
    @Option(
        help: ArgumentHelp(
            "Give what this folder publishes to any IPFS client, below /ipfs (parley content publish).",
            valueName: "folder"), completion: .directory)
    var content: String?
    @Option(help: ArgumentHelp("Let so many newcomers an hour register themselves.", valueName: "number"))
    var newcomers: Int?
    @Option(help: ArgumentHelp("How many entries an hour a party may add; half of them at once.", valueName: "number"))
    var pace = 1_000

    func validate() throws {
        if (tlsCertificate == nil) != (tlsKey == nil) {
            throw ValidationError("--tls-certificate and --tls-key come together.")
        }
        guard (0...65_535).contains(port) else { throw ValidationError("A port is a number from 0 to 65535.") }
        guard (2...1_000_000).contains(pace), (1...1_000_000).contains(newcomers ?? 1) else {
            throw ValidationError("--pace is from 2 to 1000000, --newcomers from 1 to 1000000.")
        }
    }

    func run() async throws {
        let folder = try market.open()
        let terminal = Terminal.output
        let (name, description) = (PrintableText.escape(market.folder), folder.description)
        terminal.line("Market \(name), operated by \(description.operatorName); key \(description.operatorKey)")
        terminal.line("For witnesses: \(try description.log.keys.map { "\($0)" }.joined(separator: " "))")
        let perHour = newcomers.map { MarketOffice.Pace(burst: Double(max(1, $0 / 2)), hourly: Double($0)) }
        let office = MarketOffice(
            folder, pace: .init(burst: Double(pace / 2), hourly: Double(pace)), newcomers: perHour)
        let witnesses = try witnesses()
        let (authority, witnessing) = (ca, office)
        let asking = Task {
            await withTaskGroup(of: Void.self) { group in
                for (url, key) in witnesses {
                    group.addTask { await Self.ask(key, at: url, for: witnessing, authority) }
                }
            }
        }
        defer { asking.cancel() }
        var certificate: DatasiteServerConfiguration.Certificate?
        if let tlsCertificate, let tlsKey {
            certificate = DatasiteServerConfiguration.Certificate(chainFile: tlsCertificate, keyFile: tlsKey)
        }
        let configuration = DatasiteServerConfiguration(
            host: host, port: port, certificate: certificate, isBehindProxy: behindProxy,
            logger: Logger(label: "market") { StreamLogHandler.standardError(label: $0) })
        let (host, scheme) = (host, certificate == nil ? "http" : "https")
        let store = try content.map { try ContentPlace.open($0) }
        try await serveMarket(configuration, office: office, content: store) { port in
            let shown = host.contains(":") ? "[\(host)]" : host
            Terminal.output.line("Market listening on \(scheme)://\(shown):\(port)")
        }
    }
}

extension MarketServeCommand {
    private func witnesses() throws -> [(url: String, key: VerifierKey)] {
        guard let policy else { return [] }
        let parsed: LogPolicy
        do { parsed = try LogPolicy(parsing: Array(try readText(policy).utf8)) } catch let error as PolicyError {
            throw Failure(PrintableText.escape("\(policy): \(error)"))
        }
        let named = parsed.witnesses.compactMap { witness in
            witness.url.map { (String(decoding: $0, as: UTF8.self), witness.key) }
        }
        guard !named.isEmpty else {
            throw Failure(
                PrintableText.escape("\(policy) names no witness with a URL."), next: "witness NAME KEY https://...")
        }
        return named.map { (MarketAddress.normalised($0.0), $0.1) }
    }

    /// Asks one witness each second whether there is something new to cosign.
    private static func ask(_ key: VerifierKey, at url: String, for office: MarketOffice, _ authority: String?) async {
        guard let client = try? LogClient(url: url, options: ClientOptions(certificateAuthority: authority)),
            var witness = try? MarketWitness(key, of: office)
        else { return }
        var (pause, told) = (1.0, "")
        while !Task.isCancelled {
            do {
                try await witness.ask(
                    by: { try await client.post("add-checkpoint", $0) },
                    fetching: { try await client.get($0, largest: MarketCopy.longestCheckpoint) })
                (pause, told) = (1, "")
            } catch {
                let words = (error as? TransportError)?.detail ?? "\(error)"
                if words != told { Terminal.diagnostics.line(PrintableText.escape("witness \(url): \(words)")) }
                (pause, told) = (min(60, 2 * pause), words)
            }
            try? await Task.sleep(for: .seconds(pause))
        }
    }
}

struct MarketAdmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admit", abstract: "As the operator: register a party under its key.",
        discussion: """
            Make sure that the key is that party's: whoever has it acts in its name.

              parley market admit olga 5f0c1d… --credit 1000000
            """)

    @Argument(help: "The party's name.", transform: partyName) var name: PartyName
    @Argument(help: "Its public key (64 hexadecimal digits), as parley market enter showed it.") var key: String
    @Option(help: "Credit it so much at once, in minor units.") var credit: Int64?
    @OptionGroup var seat: MarketSeatOptions

    func validate() throws {
        guard PartyKey(hex: key) != nil else {
            throw ValidationError("A key is 64 hexadecimal digits, as parley market enter shows it.")
        }
    }

    func run() async throws {
        guard let key = PartyKey(hex: key) else { return }
        let seat = try await seat.seat()
        guard seat.market.keys[name] != key else {
            return Terminal.output.line(
                "\(name) is registered under that key already\(credit == nil ? "." : ", and nothing was credited: parley market credit \(name) AMOUNT")"
            )
        }
        try await seat.act(.register(name, key: key))
        if let credit { try await seat.act(.credit(name, amount: credit)) }
        Terminal.output.line("\(name) is registered" + (credit.map { ", and has \(NumberText.integer($0))." } ?? "."))
    }
}

struct MarketCreditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "credit", abstract: "As the operator: credit what a party paid in.",
        discussion: """
              parley market credit sue 500000
            """)

    @Argument(help: "The party.", transform: partyName) var name: PartyName
    @Argument(help: "How much, in minor units.") var amount: Int64
    @OptionGroup var seat: MarketSeatOptions

    func run() async throws {
        let seat = try await seat.seat()
        try await seat.act(.credit(name, amount: amount))
        let balance = seat.market.book[Market.account(of: name)]?.balance ?? 0
        Terminal.output.line("\(name) has \(NumberText.integer(balance)).")
    }
}
