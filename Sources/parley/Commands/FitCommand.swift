import ArgumentParser
import Crypto
import Datasite
import DatasiteClient
import DatasiteProtocol
import Federation
import Foundation

struct FitCommand: AsyncParsableCommand {
    /// What is fitted.
    enum Kind: String, ExpressibleByArgument, CaseIterable, Sendable {
        case linear, logistic

        var analysis: ComputationRequest.Analysis { self == .linear ? .linear : .logistic }
    }

    static let configuration = CommandConfiguration(
        commandName: "fit",
        abstract: "Fit one regression to the rows of several datasites, which no site shows another.",
        discussion: """
            Three sites compute together on shares of their rows: two that have rows and one that helps (--helper), or three that have rows. Each has a dataset of that name, whose columns the sites with rows declare \
            alike; of a person with several rows one goes in. No two of the three may be in league. With --rho the coefficients carry noise that protects each person, which each owner adds whole; with --exact \
            they come out without noise, if all owners' policies allow that.

              parley fit https://a.example.org,https://b.example.org scans --helper https://office.example.org --response cost \\
                  --feature age --feature dose --rho 0.1 --address https://rounds.example.org:8900
              parley fit https://a.example.org,https://b.example.org,https://c.example.org scans --model logistic --response ill \\
                  --feature age --feature dose --steps 50 --rate 4 --exact --address https://rounds.example.org:8900 --dry-run
            """)

    @Argument(
        help: ArgumentHelp(
            "The sites that have rows, with commas between: URLs that you are logged in to.", valueName: "site,site"))
    var sites: String
    @Argument(help: "The dataset, at all of them.", completion: DatasetNames.completion) var dataset: String
    @Option(help: ArgumentHelp("A site that computes with two others, and brings no rows.", valueName: "site"))
    var helper: String?
    @Option(help: "What is fitted: linear (predicts a number) or logistic (predicts true or false).")
    var model: Kind = .linear
    @Option(help: ArgumentHelp("The column that is predicted.", valueName: "column")) var response: String
    @Option(
        name: .customLong("feature"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A column that it is predicted from; name each.", valueName: "column"))
    var features: [String]
    @Option(help: "How many steps a logistic regression takes.") var steps = 50
    @Option(parsing: .unconditional, help: "How long its steps are.") var rate = 4.0
    @Option(
        parsing: .unconditional, help: "Keeps coefficients small: more of it needs fewer rows, and moves them more.")
    var ridge = 0.001
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The privacy loss of one person (zero-concentrated), which is charged to each site with rows.",
            valueName: "rho"))
    var rho: Double?
    @Flag(help: "Without noise.") var exact = false
    @OptionGroup var rounds: RoundsOptions
    @Option(help: "What it is for; owners who decide read it.") var purpose: String?
    @Option(
        help: ArgumentHelp("Keep the first site's answer, which its receipt is of.", valueName: "file"),
        completion: .file())
    var answer: String?
    @Flag(help: "Only ask what each site would do, and at what cost.") var dryRun = false

    func validate() throws {
        let count = sites.split(separator: ",").count + (helper == nil ? 0 : 1)
        guard count == 3 else {
            throw ValidationError(
                "Three sites compute together: name three that have rows, or two and a --helper.")
        }
        guard (rho == nil) == exact else {
            throw ValidationError(
                "Say how results are protected: --rho with the loss of one person, or --exact without noise.")
        }
        guard rate.isFinite, rate > 0, ridge.isFinite, ridge > 0, rho.map({ $0.isFinite && $0 > 0 }) ?? true else {
            throw ValidationError("--rate, --ridge and --rho are numbers above 0.")
        }
        guard model == .linear || (2...1_000).contains(steps) else {
            throw ValidationError("--steps is a number from 2 to 1000.")
        }
        guard Set(features + [response]).count == features.count + 1 else {
            throw ValidationError("Name each column once: the --response is no --feature.")
        }
        guard (purpose?.utf8.count ?? 0) <= 2_000 else { throw ValidationError("A purpose has at most 2,000 bytes.") }
    }

    func run() async throws {
        let folder = BegunFolder("computations", name: name)
        let lock = dryRun ? nil : try folder.lock()
        defer { withExtendedLifetime(lock) {} }
        if !dryRun, Coordination<ComputationRequest>.exists(at: folder.path) {
            Terminal.diagnostics.line("Going on with the same computation, which was asked for before.")
            return try await conduct(try Coordination(at: folder.path), folder)
        }
        let asking = try SitesAsked([sites, helper].compactMap(\.self).joined(separator: ","))
        let coordination = try await coordination(asking)
        let previews = try await asking.previews(coordination.request, purpose: purpose)
        let agreements: [ComputationAgreement] = try asking.agreements(previews)
        _ = try coordination.agreed(agreements)
        SitesAsked.show(previews, of: coordination.sites, on: dryRun ? .output : .diagnostics)
        if dryRun {
            // The first says which site it is.
            for note in previews.first?.notes.dropFirst() ?? [] { Terminal.output.paragraph(note, .dim) }
        }
        let waits = try asking.waits(previews, coordination.sites)
        guard !dryRun else { return Terminal.output.line(Terminal.output.styled("Nothing was spent.", .dim)) }
        try KeptReceipts().prepare()
        if let answer { try SavedFile.check(answer) }
        // One that a crash left without its last file was asked of nobody.
        folder.remove()
        try await conduct(try coordination.create(at: folder.path, agreements: agreements, waits: waits), folder)
    }

    private func coordination(_ asking: SitesAsked) async throws -> Coordination<ComputationRequest> {
        let sites = try await asking.sites()
        let details = try await asking.each { try await $0.client.dataset(dataset).detail() }
        func column(_ name: String) throws -> ComputationRequest.Column {
            guard let found = details[0].columns.first(where: { $0.name == name }) else {
                throw Failure(
                    "\(PrintableText.escape(dataset)) has no column \(PrintableText.escape(name)).",
                    next: "Its columns: \(PrintableText.escape(details[0].columns.map(\.name).joined(separator: ", ")))"
                )
            }
            if found.type == "boolean" { return .init(name, 0, 1) }
            let numbers = (found.domain ?? []).compactMap { value -> Double? in
                switch value {
                case .integer(let number): Double(number)
                case .real(let number): number
                case .null, .boolean, .text: nil
                }
            }
            guard let lower = found.lower ?? numbers.min(), let upper = found.upper ?? numbers.max() else {
                throw Failure(
                    "\(PrintableText.escape(name)) has no declared bounds.",
                    next: "Name columns of numbers with bounds or a domain, or of true and false.")
            }
            return .init(name, lower, upper)
        }
        let rows = details.enumerated().map { place, detail in
            helper != nil && place == details.count - 1 ? 0 : detail.capacityUnits
        }
        return try Coordination(sites: sites, address: rounds.coordinator) { invitation in
            ComputationRequest(
                dataset: dataset, analysis: model.analysis, features: try features.map(column),
                response: try column(response), rows: rows, steps: model == .linear ? 1 : steps,
                rate: model == .linear ? 1 : rate, ridge: ridge, rho: rho, invitation: invitation)
        }
    }

    /// What was asked, of whom, and where.
    private var name: String {
        let numbers = [Double(steps), rate, ridge, rho ?? -1].map { String($0) }
        let parts = [sites, helper ?? "", dataset, rounds.coordinator, model.rawValue, response] + features + numbers
        return SHA256.hash(data: Data(parts.joined(separator: "\n").utf8)).prefix(16)
            .map { String(format: "%02x", $0) }.joined()
    }

    // MARK: Together

    private func conduct(_ coordination: Coordination<ComputationRequest>, _ folder: BegunFolder) async throws {
        let running = try RunningRounds(coordination, purpose, doing: "Computing together")
        let (last, asked): (CoordinatorRun.Progress, [RunningRounds<ComputationRequest>.Asked])
        do {
            (last, asked) = try await running.conduct(
                rounds.configuration, patience: TogetherOptions.usualPatience
            ) { now in
                guard now.phase == .collect else { return }
                running.progress.update(Double(now.round) / Double(max(1, now.rounds)), doing: "computing on shares")
                let quarter = 4 * now.round / max(1, now.rounds)
                running.say("computing on shares: round \(now.round) of \(now.rounds)", once: quarter)
            }
        } catch let failure as Failure where failure.endsRun {
            folder.remove()
            throw failure
        }
        // Whatever comes now, nothing of it goes on.
        defer { folder.remove() }
        guard last.phase == .finished, asked.count == coordination.sites.count else {
            await running.cancel(asked.map(\.request))
            throw Failure(
                "The computation did not end: a site left it.",
                next:
                    "What was charged stays charged. `parley jobs` at each site says why; asked again it is a new one.")
        }
        var released: [(document: ReleasedComputation, work: ReleasedWork)] = []
        for (place, site) in coordination.sites.enumerated() {
            let work = try await running.released(asked[place], by: place)
            guard let made = try? JSONDecoder().decode(ReleasedComputation.self, from: Data(work.bytes)),
                coordination.isReleased(made, by: place)
            else {
                throw Failure(
                    "What \(PrintableText.escape(site.name)) let out is not of this computation.",
                    next: "Tell its owner.")
            }
            released.append((made, work))
            try KeptReceipts().keep(.init(url: site.url, receipt: work.receipt, answer: work.bytes))
        }
        let first = released[0].document
        guard
            released.allSatisfy({
                $0.document.coefficients == first.coefficients && $0.document.intercept == first.intercept
                    && $0.document.session == first.session
            })
        else {
            throw Failure("The sites let out different results.", next: "One of them did not do its part.")
        }
        show(first)
        if let answer { try SavedFile.write(released[0].work.bytes, to: answer) }
        for (site, (made, _)) in zip(coordination.sites, released) {
            Terminal.output.paragraph(
                "\(PrintableText.escape(site.name)): charged \(made.charge.chargeText); receipt verified, request \(PrintableText.escape(made.request)).",
                .dim)
        }
    }

    private func show(_ made: ReleasedComputation) {
        let terminal = Terminal.output
        guard let intercept = made.intercept else {
            return terminal.paragraph(
                "Noise left nothing that has a solution: a larger --ridge, a larger --rho or more rows would.")
        }
        let effect =
            made.analysis == ComputationRequest.Analysis.linear.rawValue ? made.response : "logit of \(made.response)"
        var table = TextTable(
            [
                .init(title: "column"), .init(title: "between"),
                .init(title: PrintableText.escape(effect), alignsRight: true),
            ],
            indent: 2)
        table.append(["(where all are 0)", "", NumberText.significant(intercept, digits: 5)])
        for coefficient in made.coefficients {
            table.append([
                coefficient.name,
                "\(ShortNumber.text(coefficient.lower)) and \(ShortNumber.text(coefficient.upper))",
                NumberText.significant(coefficient.value, digits: 5),
            ])
        }
        terminal.write(table.render(on: terminal))
        terminal.paragraph(
            made.rho.map { "With noise: a person's rho is \(ShortNumber.text($0)). No interval is given." }
                ?? "Without noise.", .dim)
    }
}
