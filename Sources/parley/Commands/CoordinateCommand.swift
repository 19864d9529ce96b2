import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
import DatasiteServer
import Federation
import Foundation
import Logging

struct CoordinateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinate", abstract: "Train one model at several datasites, none of which shows its rows.",
        discussion: """
            The plan names a dataset that each site has, and has a section `federation`. Each site is asked as for any other work: its owner's policy \
            decides, its ledger is charged, and its owner may have to approve. Then the sites connect to this command and train in rounds; what it sees of \
            their updates is what the plan's `aggregation` says. You need an account at each site (parley login URL).

              parley coordinate plan.yaml --sites https://a.example.org,https://b.example.org,https://c.example.org --dry-run
              parley coordinate plan.yaml --sites ... --address https://rounds.example.org:8900 --host 0.0.0.0 --port 8900 \\
                  --tls-certificate chain.pem --tls-key key.pem --run pneumonia
              parley coordinate plan.yaml ...        # the same again goes on after Ctrl-C, a crash or a full disk
              parley coordinate plan.yaml --sites ... --measure held-out.yaml --data ./held-out

            It leaves a folder: the model, its curve, and for each site what it let out, with its receipt.
            """)

    @Argument(help: "The plan, in YAML.", completion: .file()) var plan: String
    @Option(
        help: ArgumentHelp("The sites, with commas between: URLs that you are logged in to.", valueName: "urls"))
    var sites: String?
    @Option(
        help: ArgumentHelp(
            "Where sites connect to, as their owners' policies name it (default: this machine, at the port).",
            valueName: "url"))
    var address: String?
    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(parsing: .unconditional, help: "The port.") var port = 8900
    @Option(help: ArgumentHelp("The certificate chain (PEM).", valueName: "file"), completion: .file())
    var tlsCertificate: String?
    @Option(help: ArgumentHelp("Its private key (PEM).", valueName: "file"), completion: .file())
    var tlsKey: String?
    @Flag(help: "A proxy on this machine ends TLS in front of us.") var behindProxy = false
    @Option(
        help: ArgumentHelp(
            "Where the run is kept, and goes on from (default: a folder here, named as the plan).", valueName: "folder"),
        completion: .directory)
    var run: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "For how long sites that are there wait for the others before the first round.", valueName: "seconds"))
    var patience = 86_400.0
    @Option(
        help: ArgumentHelp(
            "A plan on files of yours, on whose held-out rows each round's model is measured.", valueName: "plan"),
        completion: .file())
    var measure: String?
    @Option(help: ArgumentHelp("Where these files are.", valueName: "folder"), completion: .directory)
    var data: String?
    @Option(help: "What the model is for; owners who decide read it.") var purpose: String?
    @Flag(help: "Only ask what each site would do, and at what cost.") var dryRun = false

    func validate() throws {
        if (tlsCertificate == nil) != (tlsKey == nil) {
            throw ValidationError("--tls-certificate and --tls-key come together.")
        }
        if (measure == nil) != (data == nil) { throw ValidationError("--measure and --data come together.") }
        guard (1...65_535).contains(port) else { throw ValidationError("A port is a number from 1 to 65535.") }
        guard patience >= 0, patience <= 1e9 else { throw ValidationError("--patience is from 0 to 1e9 seconds.") }
    }

    func run() async throws {
        let text = try readText(plan)
        let folder = try run ?? ReleasedModelFiles.name(ofPlan: text)
        let rows = try await heldOut()
        let configuration = configuration
        if Coordination.exists(at: folder), !dryRun {
            let coordination = try Coordination(at: folder)
            guard coordination.request.plan == text else {
                throw Failure(
                    "\(folder) holds the run of another plan.",
                    next: "Name another folder with --run, or that plan's file.")
            }
            Terminal.diagnostics.line("Going on with the run in \(PrintableText.escape(folder)).")
            return try await RunningCoordination(coordination, rows, purpose).run(configuration, patience: patience)
        }
        let links = try links()
        let descriptions = try await Self.each(links) { try await $0.client.description() }
        let named = zip(links, descriptions).map { link, site in
            Coordination.Site(name: site.name, url: link.url, key: site.publicKey)
        }
        let scheme = tlsCertificate == nil ? "http" : "https"
        let coordination = try await naming(plan) { [address, port] in
            try Coordination(plan: text, sites: named, address: address ?? "\(scheme)://127.0.0.1:\(port)")
        }
        let (request, purpose) = (coordination.request, purpose)
        let previews = try await naming(plan) {
            try await Self.each(links) {
                try await $0.client.preview(engine: Coordination.engine, request, purpose: purpose)
            }
        }
        let agreements = try previews.map { preview in
            guard let document = preview.document else {
                throw Failure("A site does not say what it would do.", next: "It may run an older version of Parley.")
            }
            return try JSONDecoder().decode(FederatedAgreement.self, from: Data(document.utf8))
        }
        Self.show(try coordination.agreed(agreements), named, previews)
        guard !dryRun else {
            Terminal.output.line("Nothing was spent.")
            return
        }
        let created = try coordination.create(at: folder, agreements: agreements)
        try await RunningCoordination(created, rows, purpose).run(configuration, patience: patience)
    }

    /// Asks each site, one after the other; a failure names the site.
    private static func each<Result>(
        _ links: [Connection], _ body: (Connection) async throws -> Result
    ) async throws -> [Result] {
        var results: [Result] = []
        for link in links {
            do { results.append(try await body(link)) } catch var problem as Problem {
                problem.detail = "\(link.url): \(problem.detail)"
                throw problem
            }
        }
        return results
    }

    private func links() throws -> [Connection] {
        let named = (sites ?? "").split(separator: ",").map { String($0).trimmingCharacters(in: .whitespaces) }
        guard named.count >= 2 else { throw ValidationError("--sites names at least two, with commas between.") }
        let logins = try Logins.load()
        return try named.map { try Connection($0, logins) }
    }

    private func heldOut() async throws -> HeldOutRows? {
        guard let measure, let data else { return nil }
        let text = try readText(measure)
        return try await naming(measure) { try HeldOutRows(planText: text, dataFolder: data) }
    }

    private var configuration: DatasiteServerConfiguration {
        var certificate: DatasiteServerConfiguration.Certificate?
        if let tlsCertificate, let tlsKey {
            certificate = DatasiteServerConfiguration.Certificate(chainFile: tlsCertificate, keyFile: tlsKey)
        }
        return DatasiteServerConfiguration(
            host: host, port: port, certificate: certificate, isBehindProxy: behindProxy, handlesSignals: false,
            logger: Logger(label: "coordinate") { _ in SwiftLogNoOpLogHandler() })
    }

    private static func show(_ agreed: FederatedAgreement, _ sites: [Coordination.Site], _ previews: [Preview]) {
        let terminal = Terminal.output
        let plan = agreed.plan
        terminal.line(
            "\(PrintableText.escape(plan.name)): \(NumberText.integer(plan.parameterCount)) parameters; \(plan.strategy.kind.rawValue), \(plan.aggregation.way.words); "
                + "\(NumberText.integer(plan.rounds)) rounds and \(NumberText.integer(plan.spareRounds)) spare ones, void below \(plan.least) sites"
        )
        if let noise = plan.noise, let epsilon = agreed.epsilon {
            terminal.line(
                "Noise multiplier \(NumberText.significant(noise.noiseMultiplier)) without the shares of those who may collude: epsilon "
                    + "\(NumberText.significant(epsilon)) over all of them.")
        }
        var table = TextTable([.init(title: "site"), .init(title: "it"), .init(title: "cost")], indent: 2)
        for (site, preview) in zip(sites, previews) {
            table.append([
                PrintableText.escape(site.name), PrintableText.escape(preview.decision),
                preview.charge.chargeText,
            ])
        }
        terminal.write(table.render(on: terminal))
    }
}
