import DatasiteProtocol
import Foundation
import Learning

/// What people should know of a trained model, in Markdown.
struct ModelCard {
    private let training: Training
    private let report: TrainingReport
    private let facts: TrainingFacts
    /// Of the chosen weights, on test rows or, without any, on validation rows.
    var labels: LabelScores?
    /// nil: trained without privacy.
    var promise: TrainingPromise?

    init(_ training: Training, _ report: TrainingReport, _ facts: TrainingFacts) {
        (self.training, self.report, self.facts) = (training, report, facts)
    }

    private var document: TrainingDocument { training.document }

    var markdown: String {
        ([head, privacy, data, model, steps, metrics] + (labels.map { [confusion($0)] } ?? [])).joined(
            separator: "\n\n")
            + "\n"
    }

    private var head: String {
        document.description.isEmpty ? "# \(document.name)" : "# \(document.name)\n\n\(document.description)"
    }

    private var privacy: String {
        if let promise { return Self.privacy(promise, training) + (trial.map { "\n\n" + $0 } ?? "") }
        return """
            ## Privacy

            None: trained on rows that its maker may see, without noise. Weights, curves and metrics tell of the rows, and may reveal single \
            ones. Who may not see the rows may not be given them.
            """
    }

    /// What the other trials of a search cost.
    private var trial: String? {
        guard let trial = training.search, let together = trial.together else { return nil }
        return
            "**One of \(trial.trials) trials on the same rows**: that is its own epsilon. All trials together, and so the choice of one of them, have epsilon "
            + "\(ShortNumber.text((together.epsilon * 1e4).rounded(.up) / 1e4)) at delta \(ShortNumber.text(together.delta)). That is the one to report."
    }

    private static func privacy(_ promise: TrainingPromise, _ training: Training) -> String {
        let unit = training.document.privacy?.unit ?? "unit"
        func text(_ value: Double) -> String { ShortNumber.text(value) }
        return """
            ## Privacy

            Weights, architecture and curves are differentially private for each \(unit) added or removed: epsilon \(text((promise.epsilon * 1e4).rounded(.up) / 1e4)) \
            at delta \(text(promise.delta)), by privacy loss distributions of all steps.

            In each step every \(unit) was drawn with probability \(text(promise.samplingRate)) (Poisson), its whole gradient clipped to a norm of \
            \(text(promise.clippingNorm))\(training.document.privacy?.isAdaptive == true ? " at first, and then as noisy counts said" : ""), and discrete Gaussian noise of \
            \(text(promise.noiseMultiplier)) times the sensitivity added to the sum. Noise and samples came from the system.

            **Outside the promise**: that there are \(promise.units), by which the sampling rate goes; the numbers of rows, digests of files, metrics and tables below, which are exact. Take them out before \
            you give this card to anybody who may not see the rows.
            """
    }

    private var data: String {
        var rows = ["| part | rows |", "|---|---|", "| train | \(facts.rows.train) |"]
        for (name, count) in [("validation", facts.rows.validation), ("test", facts.rows.test)] {
            if let count { rows.append("| \(name) | \(count) |") }
        }
        let files =
            ["| file | SHA-256 |", "|---|---|"] + training.inputs.files.map { "| \($0.name) | `\($0.digest)` |" }
        return "## Data\n\n" + rows.joined(separator: "\n") + "\n\n" + files.joined(separator: "\n")
    }

    private var model: String {
        let lines = facts.layers.map { "| \($0.name) | \($0.kind) | \(Self.extents($0.shape)) | \($0.parameters) |" }
        return """
            ## Model

            Rows of \(Self.extents(facts.inputShape)) go in; \(facts.parameters) values are trained.

            | layer | kind | a row behind it | parameters |
            |---|---|---|---|
            \(lines.joined(separator: "\n"))\(transfer)
            """
    }

    /// Where the model began, and what of it stayed.
    private var transfer: String {
        var text = ""
        if let section = document.transfer, let weights = section.weights {
            text += "\n\nIt began with the weights of `\(weights)`"
            text += section.fresh.isEmpty ? "." : ", but for \(Self.names(section.fresh)), which began anew."
            if promise != nil {
                text +=
                    " The promise is for the rows above: of those that these weights were trained on it says nothing."
            }
        }
        if !facts.frozen.isEmpty { text += "\n\nFrozen, as they began: \(Self.names(facts.frozen))." }
        return text
    }

    private static func names(_ layers: [String]) -> String { layers.map { "`\($0)`" }.joined(separator: ", ") }

    private var seed: String {
        promise == nil
            ? "; seed \(document.seed). The same plan, files and seed give the same weights, to the bit on one kernel path."
            : "."
    }

    private var steps: String {
        """
        ## Training

        \(report.steps) steps of \(document.batch) \(promise == nil ? "rows" : "units on average"), \(document.epochs) epochs; loss \(document.loss.rawValue)\(seed) The plan is in \
        `plan.yaml`.\(search)
        """
    }

    private var search: String {
        guard let trial = training.search else { return "" }
        let drawn = trial.values.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return
            "\n\nTrial \(trial.number) of \(trial.trials) of a random search, each with its own plan in `trial-N`: \(drawn)."
    }

    private var metrics: String {
        let direction = document.selection.map {
            " The best of \(document.epochs) epochs by \($0.metric.rawValue) on the validation rows, measured on these weights: values on those "
                + "rows are a little too good."
        }
        let lines = report.metrics.map { row in
            "| \(row.rows) | \(row.metric.rawValue) | \(row.value.map { Self.text($0) } ?? "none: \(row.reason ?? "")") |"
        }
        return """
            ## Metrics

            Of the \(report.chosen.name) weights, after step \(report.chosen.step).\(direction ?? "")

            | rows | metric | value |
            |---|---|---|
            \(lines.joined(separator: "\n"))
            """
    }

    private func confusion(_ scores: LabelScores) -> String {
        let classes = 0..<scores.classes
        let head = "| true \\ said | " + classes.map(label).joined(separator: " | ") + " | F1 |"
        let rule = "|---|" + String(repeating: "---|", count: scores.classes + 1)
        let rows = classes.map { row in
            "| \(label(row)) | " + scores.confusion[row].map(String.init).joined(separator: " | ")
                + " | \(scores.f1[row].map(Self.text) ?? "none") |"
        }
        var text = "## Labels\n\n" + ([head, rule] + rows).joined(separator: "\n")
        if let bins = try? scores.reliability(bins: 10) {
            let lines = bins.map { bin in
                "| \(Self.text(bin.lower)) to \(Self.text(bin.upper)) | \(bin.rows) | \(Self.text(bin.confidence)) | \(Self.text(bin.right)) |"
            }
            text +=
                "\n\nHow sure the model is of its likeliest label, and how often that is right:\n\n"
                + (["| probability | rows | mean | right |", "|---|---|---|---|"] + lines).joined(separator: "\n")
        }
        return text
    }

    private func label(_ number: Int) -> String {
        if case .domain(let words) = document.data.target { return words[number] }
        return String(number)
    }

    private static func extents(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: "x") }
    private static func text(_ value: Double) -> String { String(format: "%.4f", value) }
}
