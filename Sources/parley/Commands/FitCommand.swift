import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
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
    @OptionGroup var options: SharedComputingOptions

    func validate() throws {
        let count = sites.split(separator: ",").count + (helper == nil ? 0 : 1)
        guard count == 3 else {
            throw ValidationError(
                "Three sites compute together: name three that have rows, or two and a --helper.")
        }
        guard rate.isFinite, rate > 0, ridge.isFinite, ridge > 0 else {
            throw ValidationError("--rate and --ridge are numbers above 0.")
        }
        guard model == .linear || (2...1_000).contains(steps) else {
            throw ValidationError("--steps is a number from 2 to 1000.")
        }
        guard Set(features + [response]).count == features.count + 1 else {
            throw ValidationError("Name each column once: the --response is no --feature.")
        }
    }

    func run() async throws {
        let numbers = [Double(steps), rate, ridge, options.rho ?? -1].map { String($0) }
        let asked =
            [sites, helper ?? "", dataset, options.rounds.coordinator, model.rawValue, response] + features + numbers
        let computing = SharedComputing<ComputationRequest>(
            options: options, sites: [sites, helper].compactMap(\.self).joined(separator: ","), asked: asked)
        guard let made = try await computing.run({ try await coordination($0) }) else { return }
        show(made.released[0])
        made.showCharges(on: .output)
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
            let (lower, upper) = try found.computedBounds()
            return .init(name, lower, upper)
        }
        let rows = details.enumerated().map { place, detail in
            helper != nil && place == details.count - 1 ? 0 : detail.capacityUnits
        }
        return try Coordination(sites: sites, address: options.rounds.coordinator) { invitation in
            ComputationRequest(
                dataset: dataset, analysis: model.analysis, features: try features.map(column),
                response: try column(response), rows: rows, steps: model == .linear ? 1 : steps,
                rate: model == .linear ? 1 : rate, ridge: ridge, rho: options.rho, invitation: invitation)
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
        let isTold = made.interceptDeviation != nil
        var table = TextTable(
            [
                .init(title: "column"), .init(title: "between"),
                .init(title: PrintableText.escape(effect), alignsRight: true),
            ] + (isTold ? [.init(title: "noise (deviation)", alignsRight: true)] : []),
            indent: 2)
        func row(_ name: String, _ between: String, _ value: Double, noise deviation: Double?) -> [String] {
            [name, between, NumberText.significant(value, digits: 5)]
                + (isTold ? [deviation.map { NumberText.significant($0, digits: 3) } ?? ""] : [])
        }
        table.append(row("(where all are 0)", "", intercept, noise: made.interceptDeviation))
        for coefficient in made.coefficients {
            table.append(
                row(
                    coefficient.name,
                    "\(ShortNumber.text(coefficient.lower)) and \(ShortNumber.text(coefficient.upper))",
                    coefficient.value, noise: coefficient.deviation))
        }
        terminal.write(table.render(on: terminal))
        guard let rho = made.rho else { return terminal.paragraph("Without noise.", .dim) }
        let deviations =
            isTold
            ? "Deviations are of that noise alone, to first order: they say nothing of which people were there."
            : made.analysis == ComputationRequest.Analysis.linear.rawValue
                ? "There is too much of it to say how far it moves coefficients: a larger --rho, more rows or a larger --ridge would."
                : "How far it moves coefficients is not told."
        terminal.paragraph("With noise: a person's rho is \(ShortNumber.text(rho)). \(deviations)", .dim)
    }
}
