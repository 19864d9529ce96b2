import Datasite
import DatasiteProtocol
import Foundation
import Learning

/// Random search over a plan's numbers, on files of one's own.
struct SearchTraining {
    let search: TrainingSearch
    /// The plan's file.
    let file: String
    let folder: String

    func train(resumes: Bool) async throws {
        let progress = Progress("Training")
        defer { progress.finish() }
        let search = search
        let folder = folder
        do {
            let report = try await naming(file) {
                try await Interruption.watching { check in
                    try search.run(into: folder, resumes: resumes, check: check) { trial in
                        progress.finish()
                        let drawn = search.values[trial - 1].map { "\($0.key) \($0.value)" }.joined(separator: ", ")
                        Terminal.diagnostics.line(
                            "Trial \(trial) of \(search.trials.count): \(PrintableText.escape(drawn))")
                    } progress: { now in
                        progress.update(Double(now.step) / Double(now.steps), doing: TrainingView.text(now))
                    } epoch: { point in
                        progress.finish()
                        Terminal.diagnostics.line(TrainingView.text(point))
                    }
                }
            }
            progress.finish()
            show(report)
        } catch is CancellationError {
            progress.finish()
            throw Failure(
                "Stopped; the trials so far and a checkpoint are in \(folder).",
                next: "Go on with the same command and --resume. No trial that ended is trained again.")
        }
    }

    /// What is known before the first trial.
    func show() throws {
        let terminal = Terminal.output
        let facts = try search.trials.map { try $0.facts() }
        if let first = facts.first {
            terminal.line("\(TrainingView.rows(first)); \(search.trials.count) trials")
        }
        terminal.write(
            table { trial in
                let facts = facts[trial - 1]
                let noise = facts.promise.map { [NumberText.significant($0.noiseMultiplier)] } ?? []
                return [NumberText.integer(facts.parameters), NumberText.integer(facts.steps.all)] + noise
            } titles: {
                ["parameters", "steps"] + (search.promise == nil ? [] : ["noise"])
            })
        guard let promise = search.promise else { return }
        terminal.line(
            "Differentially private: all trials together have epsilon \(NumberText.significant(promise.epsilon)) at delta \(NumberText.significant(promise.delta)), by "
                + "privacy loss distributions, whichever models are used.")
    }

    private func show(_ report: TrainingSearch.Report) {
        let terminal = Terminal.output
        terminal.write(
            table { trial in
                let outcome = report.outcomes[trial - 1]
                let value = outcome.value.map { NumberText.significant($0) } ?? outcome.failure ?? "none"
                return (search.metric == nil ? [] : [value]) + [
                    "trial-\(trial)" + (trial == report.chosen ? ", the best" : "")
                ]
            } titles: {
                (search.metric.map { [$0.rawValue] } ?? []) + ["folder"]
            })
        terminal.line(
            report.chosen.map { "The files of trial \($0) are in \(PrintableText.escape(folder)) too." }
                ?? "None was chosen: all trials' models are in \(PrintableText.escape(folder)).")
    }

    /// A line a trial: what it drew, and more.
    private func table(_ cells: (Int) -> [String], titles: () -> [String]) -> String {
        let keys = search.values.first.map { $0.map(\.key) } ?? []
        var table = TextTable(titles: ["trial"] + keys + titles(), indent: 2)
        for trial in 1...search.trials.count {
            table.append([String(trial)] + search.values[trial - 1].map(\.value) + cells(trial))
        }
        return table.render(on: Terminal.output)
    }
}
