import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
import DatasiteServer
import Federation
import Foundation

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
    @OptionGroup var rounds: RoundsOptions
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
        if (measure == nil) != (data == nil) { throw ValidationError("--measure and --data come together.") }
        guard patience >= 0, patience <= 1e9 else { throw ValidationError("--patience is from 0 to 1e9 seconds.") }
    }

    func run() async throws {
        let text = try readText(plan)
        let folder = try await naming(plan) { [run] in try run ?? ReleasedModelFiles.name(ofPlan: text) }
        let rows = try await heldOut()
        if Coordination<FederatedRequest>.exists(at: folder), !dryRun {
            let coordination = try Coordination<FederatedRequest>(at: folder)
            guard coordination.request.plan == text else {
                throw Failure(
                    "\(folder) holds the run of another plan.",
                    next: "Name another folder with --run, or that plan's file.")
            }
            Terminal.diagnostics.line("Going on with the run in \(PrintableText.escape(folder)).")
            return try await RunningTraining(coordination, rows, purpose).run(
                rounds.configuration, patience: patience)
        }
        let asking = try SitesAsked(sites)
        let coordination = try await naming(plan) { [rounds] in
            try Coordination(plan: text, sites: try await asking.sites(), address: rounds.coordinator)
        }
        let previews = try await naming(plan) { [purpose] in
            try await asking.previews(coordination.request, purpose: purpose)
        }
        let agreements: [FederatedAgreement] = try asking.agreements(previews)
        Self.show(try coordination.agreed(agreements), coordination.sites, previews)
        guard !dryRun else {
            _ = try asking.waits(previews, coordination.sites)
            Terminal.output.line("Nothing was spent.")
            return
        }
        let waits = try asking.waits(previews, coordination.sites)
        let created = try coordination.create(at: folder, agreements: agreements, waits: waits)
        try await RunningTraining(created, rows, purpose).run(rounds.configuration, patience: patience)
    }

    private func heldOut() async throws -> HeldOutRows? {
        guard let measure, let data else { return nil }
        let text = try readText(measure)
        return try await naming(measure) { try HeldOutRows(planText: text, dataFolder: data) }
    }

    private static func show(_ agreed: FederatedAgreement, _ sites: [CoordinatedSite], _ previews: [Preview]) {
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
        SitesAsked.show(previews, of: sites)
    }
}
