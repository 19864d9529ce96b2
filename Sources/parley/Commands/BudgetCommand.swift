import ArgumentParser
import DatasiteProtocol
import Foundation

struct BudgetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "budget", abstract: "What has been spent of each population's privacy budget, and what is left.",
        discussion: """
            With --by, who spent it, on which dataset and when (a researcher sees her own):

              parley budget --by researcher
              parley budget --by dataset --by month
            """)

    enum Grouping: String, ExpressibleByArgument, CaseIterable {
        case researcher, dataset, month
    }

    @OptionGroup var options: PlaceOptions
    @Option(
        help: ArgumentHelp("Sum up what was spent by researcher, dataset or month; may be given several times."))
    var by: [Grouping] = []
    @Flag(help: "Print JSON: everything that is known of each population's ledger.") var json = false

    func validate() throws {
        guard !json || by.isEmpty else { throw ValidationError("--json holds every row: leave out --by.") }
    }

    func run() async throws {
        let place = try options.place()
        let reports = try await place.budget()
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            Terminal.output.line(String(decoding: try encoder.encode(reports), as: UTF8.self))
            return
        }
        guard !reports.isEmpty else {
            Terminal.output.line("There is no population yet: no private dataset has been added.")
            return
        }
        for (number, report) in reports.enumerated() {
            if number > 0 { Terminal.output.line() }
            BudgetView.show(report, on: .output)
            if !by.isEmpty { SpendingView(report.spending ?? [], by: by).show(on: .output) }
        }
    }
}

/// A ledger as people read it.
enum BudgetView {
    static func show(_ report: BudgetReport, on terminal: Terminal) {
        let datasets = report.datasets.joined(separator: ", ")
        let about = datasets.isEmpty ? "no dataset at present" : datasets
        terminal.paragraph("Population \(report.population) (\(about))", .bold)
        let size =
            report.lines.first?.meaning.map { "ε \(NumberText.significant($0.question)) questions left" } ?? "part left"
        var table = TextTable(
            [
                .init(title: "for"), .init(title: "limit"), .init(title: "spent"), .init(title: "held"),
                .init(title: "left"), .init(title: size),
            ], indent: 2)
        for line in report.lines {
            table.append([
                line.scope, line.limit.amountText, line.spent.amountChargedText, line.held?.amountChargedText ?? "",
                line.remaining.amountLeftText, gauge(line, unicode: terminal.usesUnicode),
            ])
        }
        terminal.write(table.render(on: terminal))
        for sentence in sentences(report) {
            for line in PrintableText.wrapped(PrintableText.escape(sentence), to: min(100, terminal.width) - 2) {
                terminal.line("  " + line)
            }
        }
        for overlap in report.overlaps ?? [] {
            let words =
                "People may be in both: \(overlap.dataset) was intersected with that of the site \(overlap.site) (\(overlap.columns.joined(separator: ", ")); asked \(overlap.time)). "
                + "What each site charges adds up for them, and in questions to both together to up to four times the rho of one."
            for line in PrintableText.wrapped(PrintableText.escape(words), to: min(100, terminal.width) - 2) {
                terminal.line("  " + line)
            }
        }
        guard let uses = report.uses, !uses.isEmpty else { return }
        terminal.line()
        terminal.write(Self.table(uses).render(on: terminal))
    }

    /// Of work that is counted, and spends none of the budget.
    static func table(_ uses: [BudgetReport.Uses]) -> TextTable {
        TextTable(
            [
                .init(title: "uses of"), .init(title: "by"), .init(title: "for"),
                .init(title: "limit", alignsRight: true), .init(title: "spent", alignsRight: true),
                .init(title: "held", alignsRight: true), .init(title: "left", alignsRight: true),
            ],
            rows: uses.map { line in
                [line.dataset, line.engine, line.scope]
                    + [line.limit, line.spent, line.held, line.remaining].map {
                        $0.map { NumberText.integer($0) } ?? ""
                    }
            }, indent: 2)
    }

    private static func sentences(_ report: BudgetReport) -> [String] {
        var sentences: [String] = []
        let total = report.lines.first
        // Of many researchers the table says enough, and of whoever has no limit of her own the total does.
        let told = report.lines.filter {
            $0.meaning != nil && ($0.scope == total?.scope || ($0.limit != total?.limit && report.lines.count < 4))
        }
        sentences += told.map { "For \($0.scope): \($0.meaning?.words ?? "")." }
        if let least = report.leastCharge, least.amount > 0 {
            sentences.append("A question costs at least \(least.leastText).")
        }
        if let total, let delta = total.limit.delta, delta > 0 {
            sentences.append(
                "Selecting keys: δ \(NumberText.significant(total.spent.delta ?? 0, digits: 3)) of "
                    + "\(NumberText.significant(delta, digits: 3)) spent.")
        }
        if let raised = report.raised { sentences.append("Raised \(raised).") }
        switch total?.limit.kind {
        case "renyi": sentences.append("Rényi divergences at eight orders add up, epsilons do not.")
        case "zcdp": sentences.append("Rhos add up, epsilons do not.")
        default: break
        }
        return sentences
    }

    /// How much is left, as a bar of 10, and in questions.
    private static func gauge(_ line: BudgetReport.Line, unicode: Bool) -> String {
        guard line.limit.amount > 0 else { return "" }
        let part = min(1, max(0, line.remaining.amount / line.limit.amount))
        let filled = Int((part * 10).rounded(.down))
        let bar =
            String(repeating: unicode ? "█" : "#", count: filled)
            + String(repeating: unicode ? "░" : ".", count: 10 - filled)
        guard let meaning = line.meaning, let left = meaning.left else {
            return "\(bar) \(NumberText.fixed((part * 100).rounded(.down), decimals: 0)) %"
        }
        return meaning.fit > 0 ? "\(bar) \(left) of \(meaning.fit)" : "\(bar) none fits"
    }
}

/// Who spent a population's budget, on what, and when.
struct SpendingView {
    private struct Row {
        var labels: [String]
        var requests: Int64 = 0
        var spent: [Loss] = []
        var held: [Loss] = []
    }

    private let groupings: [BudgetCommand.Grouping]
    private var rows: [Row] = []

    init(_ spending: [BudgetReport.Spending], by groupings: [BudgetCommand.Grouping]) {
        self.groupings = BudgetCommand.Grouping.allCases.filter(groupings.contains)
        for entry in spending {
            let labels = self.groupings.map { grouping in
                switch grouping {
                case .researcher: entry.researcher
                case .dataset: entry.dataset
                case .month: entry.month
                }
            }
            let place = rows.firstIndex { $0.labels == labels } ?? rows.count
            if place == rows.count { rows.append(Row(labels: labels)) }
            rows[place].requests += entry.requests
            rows[place].spent.append(entry.spent)
            if let held = entry.held { rows[place].held.append(held) }
        }
    }

    func show(on terminal: Terminal) {
        guard !rows.isEmpty else { return terminal.line("  No request has been charged.") }
        terminal.line()
        var table = TextTable(
            groupings.map { .init(title: $0.rawValue) } + [
                .init(title: "requests", alignsRight: true), .init(title: "spent"), .init(title: "held"),
            ], indent: 2)
        for row in rows {
            table.append(
                row.labels + [NumberText.integer(row.requests), Loss.sumText(row.spent), Loss.sumText(row.held)])
        }
        terminal.write(table.render(on: terminal))
    }
}
