import ArgumentParser
import DatasiteProtocol

struct BudgetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "budget", abstract: "What has been spent of each population's privacy budget, and what is left.")

    @OptionGroup var options: PlaceOptions

    func run() async throws {
        let place = try options.place()
        let reports = try await place.budget()
        guard !reports.isEmpty else {
            Terminal.output.line("There is no population yet: no private dataset has been added.")
            return
        }
        for (number, report) in reports.enumerated() {
            if number > 0 { Terminal.output.line() }
            BudgetView.show(report, on: .output)
        }
    }
}

/// A ledger as people read it.
enum BudgetView {
    static func show(_ report: BudgetReport, on terminal: Terminal) {
        let datasets = report.datasets.joined(separator: ", ")
        let about = datasets.isEmpty ? "no dataset at present" : datasets
        terminal.paragraph("Population \(report.population) (\(about))", .bold)
        var table = TextTable(
            [
                .init(title: "for"), .init(title: "limit"), .init(title: "spent"), .init(title: "left"),
                .init(title: ""),
            ], indent: 2)
        for line in report.lines {
            table.append([
                line.scope, line.limit.shortText, line.spent.shortText, line.remaining.leftText,
                gauge(line, unicode: terminal.usesUnicode),
            ])
        }
        terminal.write(table.render(on: terminal))
        if let least = report.leastCharge, least.amount > 0 {
            terminal.line("  A question costs at least \(least.leastText).")
        }
        if let raised = report.raised { terminal.line("  Raised \(PrintableText.escape(raised)).") }
        if let total = report.lines.first?.limit, total.kind == "renyi", let delta = total.conversionDelta {
            terminal.line(
                "  (Rényi divergences at eight orders add up, epsilons do not; these are at δ "
                    + "\(NumberText.significant(delta, digits: 3)))")
        } else if let total = report.lines.first?.limit, let epsilon = total.epsilonAtDelta,
            let delta = total.conversionDelta
        {
            terminal.line(
                "  (ρ \(NumberText.significant(total.amount)) converts to ε \(NumberText.significant(epsilon, digits: 3))"
                    + " at δ \(NumberText.significant(delta, digits: 3)); rhos add up, epsilons do not)")
        }
    }

    /// How much is spent, as a bar of 20.
    private static func gauge(_ line: BudgetReport.Line, unicode: Bool) -> String {
        guard line.limit.amount > 0 else { return "" }
        let spent =
            line.limit.kind == "renyi" ? line.limit.amount - line.remaining.amount : line.spent.amount
        let part = min(1, max(0, spent / line.limit.amount))
        let filled = Int((part * 20).rounded(.up))
        let bar =
            String(repeating: unicode ? "█" : "#", count: filled)
            + String(repeating: unicode ? "░" : ".", count: 20 - filled)
        return "\(bar) \(NumberText.fixed(part * 100, decimals: 0)) % spent"
    }
}
