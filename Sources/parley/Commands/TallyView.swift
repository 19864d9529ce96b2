import DifferentialPrivacy
import Federation
import Foundation

/// A tally as people and scripts read it.
struct TallyView {
    private let plan: TallyPlan

    init(_ plan: TallyPlan) { self.plan = plan }

    /// What a plan would tell, how exactly, and to whom.
    var words: [String] {
        get throws {
            let task = try TallyTask(plan)
            let (noise, half) = (try plan.noise(), try plan.halfWidth())
            let counted =
                switch plan.measure {
                case .count: "how many devices say yes"
                case .sum(let maximum): "the sum of a whole number from 0 to \(maximum) of each device"
                case .histogram(let buckets): "how many devices are in each of \(buckets.count) buckets"
                case .vector(let length, let maximum):
                    "the sums of \(length) whole numbers from 0 to \(maximum) of each device"
                }
            return [
                "The tally \(plan.name) tells \(counted), of \(plan.leastReports) to \(plan.mostReports) reports within \(NumberText.significant(plan.seconds)) seconds, once.",
                "Each of two aggregators adds discrete Gaussian noise of \(NumberText.significant(noise.sigma)) to each number; both are in the result: 95 % of the numbers are within \(NumberText.significantAtLeast(half)) of the exact ones.",
                promise(try plan.epsilon()),
                "A report has \(NumberText.integer(task.reportBytes)) bytes, whatever it says. "
                    + (plan.enroller == nil
                        ? "Nobody enrols devices: one person may send many reports."
                        : "Only devices that the enroller signed may report, once each."),
            ]
        }
    }

    private func promise(_ epsilon: Double) -> String {
        "What is told about one device, whatever it says: epsilon \(NumberText.significantAtLeast(epsilon)) at delta \(NumberText.significant(plan.privacy.delta)), where the leader or the helper is honest. "
            + "That a device reports, and how many do, is not hidden. That the numbers are right rests on both."
    }

    private var labels: [String] {
        switch plan.measure {
        case .count: ["yes"]
        case .sum: ["sum"]
        case .histogram(.words(let words)): words
        case .histogram(.bounds(let bounds)): Self.labels(bounds)
        case .vector(let length, _): (1...length).map(String.init)
        }
    }

    private static func labels(_ bounds: [Double]) -> [String] {
        let texts = bounds.map { NumberText.significant($0, digits: 12) }
        guard let first = texts.first, let last = texts.last else { return ["all"] }
        return ["below \(first)"] + zip(texts, texts.dropFirst()).map { "\($0) to below \($1)" } + ["from \(last)"]
    }

    /// A result as bars, with what it means.
    func show(_ result: TallyResult, on terminal: Terminal) {
        let half = result.halfWidth
        let bars = zip(labels, result.sums).map { label, sum in
            BarPlot.Bar(
                label: label, value: Double(sum), lower: Double(sum) - half, upper: Double(sum) + half,
                text: "\(NumberText.integer(sum)) ± \(NumberText.significantAtLeast(half))")
        }
        let title = "\(plan.name), of \(NumberText.integer(result.reports)) reports"
        terminal.write(BarPlot(title: title, bars: bars).render(on: terminal))
        if case .sum = plan.measure {
            let (mean, error) = (Double(result.sums[0]) / Double(result.reports), half / Double(result.reports))
            terminal.line(
                "  mean  \(NumberText.significant(mean)) ± \(NumberText.significantAtLeast(error))")
        }
        for line in [
            "Both aggregators' noise is in each number (discrete Gaussian, sigma \(NumberText.significant(result.sigma)) each); ± holds it with 95 %, and nothing else.",
            promise(result.epsilon),
        ] {
            for part in PrintableText.wrapped(line, to: min(100, terminal.width)) { terminal.line(part) }
        }
    }

    private struct Document: Encodable {
        struct Entry: Encodable {
            var label: String
            var sum: Int64
            var lower: Double
            var upper: Double
        }

        var name: String
        var reports: Int
        var entries: [Entry]
        var confidence = 0.95
        var sigmaOfEachAggregator: Double
        var epsilon: Double
        var delta: Double
        var neighbours = "replace-one"
        var honest = "leader or helper"
    }

    /// A result for scripts.
    func json(_ result: TallyResult) throws -> String {
        let entries = zip(labels, result.sums).map {
            Document.Entry(
                label: $0, sum: $1, lower: Double($1) - result.halfWidth, upper: Double($1) + result.halfWidth)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        let document = Document(
            name: plan.name, reports: result.reports, entries: entries, sigmaOfEachAggregator: result.sigma,
            epsilon: result.epsilon, delta: result.delta)
        return String(decoding: try encoder.encode(document), as: UTF8.self)
    }
}
