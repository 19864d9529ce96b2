import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Learning
import Testing

@testable import Datasite

@Suite("Random search over a plan's numbers", .timeLimit(.minutes(10)))
struct SearchTests {
    private static let trials = "\nsearch: {trials: 4, over: {optimizer.rate: [0.001, 0.1, 1.0], batch: [40, 80]}}"
    private static let plain = OwnFiles.plan + "\nselect: {metric: loss}\nseed: 3" + trials
    private static let guarded =
        OwnFiles.plan.replacing("{file: other.csv}", with: "{file: other.csv, public: true}") + trials

    private static func privacy(_ amount: String) -> String {
        "\nprivacy: {unit: person, clip: 1, \(amount), delta: 1e-5}"
    }

    private static func search(_ plan: String, in files: OwnFiles, seed: UInt64? = nil) throws -> TrainingSearch {
        try TrainingSearch(planText: plan, dataFolder: files.folder, seed: seed)
    }

    @Test("What trials draw follows from the seed, each value about as often as the others")
    func draws() throws {
        let draws = TrainingRun.searchDraws([3, 2], trials: 6_000, seed: 5)
        #expect(draws == TrainingRun.searchDraws([3, 2], trials: 6_000, seed: 5))
        #expect(draws.prefix(10) == TrainingRun.searchDraws([3, 2], trials: 10, seed: 5)[...])
        #expect(draws != TrainingRun.searchDraws([3, 2], trials: 6_000, seed: 6))
        for pair in 0..<6 {
            let count = draws.count { $0 == [pair / 2, pair % 2] }
            // A fair seed leaves this band with a probability below 1e-5.
            #expect((860...1_140).contains(count), "\(pair): \(count)")
        }
    }

    @Test("The files of the best trial are at the top; each trial is what its own plan trains")
    func best() throws {
        let files = try OwnFiles()
        let search = try Self.search(Self.plain, in: files)
        #expect(
            search.values.map { $0.map(\.value) }
                == (try Self.search(Self.plain, in: files)).values.map { $0.map(\.value) })
        let report = try search.run(into: files.path("arms"))
        let values = report.outcomes.map { $0.value ?? .infinity }
        #expect(Set(values).count > 1)
        let chosen = try #require(report.chosen)
        #expect(values[chosen - 1] == values.min())
        for file in ["weights.safetensors", "best.safetensors", "card.md"] {
            #expect(try files.bytes("arms/" + file) == files.bytes("arms/trial-\(chosen)/" + file), "\(file)")
        }
        let lines = try files.read("arms/trials.jsonl").split(separator: "\n")
        #expect(lines.count == 4 && lines.count { $0.contains("\"chosen\": true") } == 1)
        #expect(lines[chosen - 1].contains("\"chosen\": true"))
        #expect(try files.read("arms/plan.yaml") == Self.plain)
        #expect(try files.read("arms/card.md").contains("Trial \(chosen) of 4 of a random search"))
        let alone = try files.training(files.read("arms/trial-2/plan.yaml"))
        #expect(alone.document.batch == Int(search.values[1][1].value))
        _ = try alone.run(into: files.path("alone"))
        #expect(try files.bytes("alone/weights.safetensors") == files.bytes("arms/trial-2/weights.safetensors"))
    }

    private struct Stop: Error {}

    @Test(
        "A search that is stopped between trials or within one goes on, and ends as one that was not",
        arguments: [10, 17, 20, 25])
    func resumed(steps: Int) throws {
        let files = try OwnFiles()
        _ = try Self.search(Self.plain, in: files).run(into: files.path("whole"))
        var (taken, begun) = (0, 0)
        #expect(throws: Stop.self) {
            try Self.search(Self.plain, in: files).run(
                into: files.path("cut"), check: { if taken == steps { throw Stop() } }, trial: { begun = $0 },
                progress: { _ in taken += 1 })
        }
        let before = taken
        let report = try Self.search(Self.plain, in: files).run(
            into: files.path("cut"), resumes: true, progress: { _ in taken += 1 })
        // No step is taken twice.
        let all = try Self.search(Self.plain, in: files).trials.reduce(0) { $0 + $1.plan.steps }
        #expect(before == steps && taken == all && begun >= 1)
        let chosen = try #require(report.chosen)
        for file in ["trials.jsonl", "best.safetensors", "trial-\(chosen)/weights.safetensors", "trial-1/curves.jsonl"]
        {
            #expect(try files.bytes("whole/" + file) == files.bytes("cut/" + file), "\(file)")
        }
        let other = Self.plain.replacing("trials: 4", with: "trials: 5")
        let problem = #expect(throws: Problem.self) {
            try Self.search(other, in: files).run(into: files.path("cut"), resumes: true)
        }
        #expect(problem?.detail.contains("is another plan") == true)
    }

    @Test("What was stopped before a trial's first checkpoint begins anew")
    func begun() throws {
        let files = try OwnFiles()
        let whole = try Self.search(Self.plain, in: files).run(into: files.path("cut"))
        for name in try FileManager.default.contentsOfDirectory(atPath: files.path("cut/trial-3"))
        where name != "plan.yaml" {
            try FileManager.default.removeItem(atPath: files.path("cut/trial-3/" + name))
        }
        let lines = try files.read("cut/trials.jsonl")
        let report = try Self.search(Self.plain, in: files).run(into: files.path("cut"), resumes: true)
        #expect(report.chosen == whole.chosen)
        #expect(try files.read("cut/trials.jsonl") == lines)
        #expect(files.exists("cut/trial-3/weights.safetensors"))
    }

    @Test("A loss that is no number ends its trial alone")
    func failed() throws {
        let files = try OwnFiles()
        let plan = Self.plain.replacing("[0.001, 0.1, 1.0]", with: "[0.1, 1e5]")
            .replacing("kind: sgd", with: "kind: sgd, weight-decay: 1e5")
        let report = try Self.search(plan, in: files).run(into: files.path("arms"))
        let failed = report.outcomes.filter { $0.failure?.contains("the loss is no number at step") == true }
        #expect(!failed.isEmpty && failed.allSatisfy { $0.value == nil && $0.trial != report.chosen })
    }

    // MARK: Privacy

    private static func epsilon(_ events: [PrivacyEvent]) throws -> Double {
        var accountant = try PrivacyLossAccountant()
        for event in events { try accountant.compose(event) }
        return try accountant.epsilon(delta: 1e-5).upper
    }

    /// As a step is, from public numbers alone.
    private static func event(batch: Int, steps: Int, noise: Double) throws -> PrivacyEvent {
        let privacy = try TrainingPrivacy(
            clipping: .fixed(1), noiseMultiplier: noise, samplingRate: Double(batch) / 200, steps: steps, capacity: 200,
            dimension: 8 * 2 + 8 * 2 + 2)
        return privacy.event
    }

    @Test(
        "What is promised is the composition of all trials; said by an epsilon, the noise is calibrated to all of them")
    func together() throws {
        let files = try OwnFiles()
        let noisy = try Self.search(Self.guarded + Self.privacy("noise: 2"), in: files)
        let batches = try noisy.values.map { try #require(Int($0[1].value)) }
        #expect(Set(batches) == [40, 80])
        func events(_ noise: Double) throws -> [PrivacyEvent] {
            try batches.map { try Self.event(batch: $0, steps: 2 * ((200 + $0 - 1) / $0), noise: noise) }
        }
        let promise = try #require(noisy.promise)
        #expect(try promise.epsilon == Self.epsilon(events(2)))
        #expect(noisy.trials.allSatisfy { ($0.promised?.promise.epsilon ?? .infinity) < promise.epsilon })

        let search = try Self.search(Self.guarded + Self.privacy("epsilon: 3"), in: files)
        let noise = try #require(search.trials[0].promised?.privacy.noiseMultiplier)
        #expect(search.trials.allSatisfy { $0.promised?.privacy.noiseMultiplier == noise })
        #expect(try #require(search.promise).epsilon <= 3)
        #expect(try Self.epsilon(events(noise / 1.002)) > 3)
        #expect(try search.promise?.epsilon == Self.epsilon(events(noise)))
    }

    @Test(
        "With privacy the best is chosen by public rows; without them all trials are given, none chosen; either goes on when it was stopped",
        arguments: [true, false])
    func hidden(chooses: Bool) throws {
        let files = try OwnFiles()
        let plan = Self.guarded + Self.privacy("epsilon: 3") + (chooses ? "\nselect: {metric: accuracy}" : "")
        var taken = 0
        #expect(throws: Stop.self) {
            try Self.search(plan, in: files).run(
                into: files.path("arms"), check: { if taken == 12 { throw Stop() } }, progress: { _ in taken += 1 })
        }
        let search = try Self.search(plan, in: files)
        let report = try search.run(into: files.path("arms"), resumes: true, progress: { _ in taken += 1 })
        #expect(taken == search.trials.reduce(0) { $0 + $1.plan.steps })
        #expect((report.chosen != nil) == chooses && files.exists("arms/weights.safetensors") == chooses)
        #expect(try files.read("arms/trials.jsonl").contains("accuracy") == chooses)
        if let chosen = report.chosen {
            let values = report.outcomes.map { $0.value ?? 0 }
            #expect(values[chosen - 1] == values.max())
            #expect(
                try files.bytes("arms/weights.safetensors") == files.bytes("arms/trial-\(chosen)/weights.safetensors"))
        }
        for trial in 1...4 {
            let card = try files.read("arms/trial-\(trial)/card.md")
            #expect(card.contains("**One of 4 trials on the same rows**"))
            let epsilon = try #require(card.firstMatch(of: /of one of them, have epsilon ([0-9.]+) at delta/)?.1)
            #expect(try #require(Double(epsilon)) <= 3)
        }
    }

    @Test(
        "What cannot be meant, or would not be charged, is refused",
        arguments: [
            (plain, "\nselect: {metric: loss}", "", "nothing to choose the best trial by"),
            (plain, "{file: other.csv}", "{file: train.csv}", "the rows of `data.train`"),
            (plain, "{file: other.csv}", "{file: same.csv}", "the rows of `data.train`"),
            (plain, "trials: 4", "trials: 0", "`search.trials`: expected a whole number from 1"),
            (plain, "optimizer.rate: [", "optimizer.speed: [", "there is no key `speed` here"),
            (plain, "batch: [40, 80]", "batch: [40, many]", "`batch`: expected a whole number"),
            (plain, "batch: [40, 80]", "seed: [1, 2]", "`search.over.seed`: it is the same in all trials"),
            (plain, "batch: [40, 80]", "model.weights: [a, b]", "it is the same in all trials"),
            (
                plain, "batch: [40, 80]", "model: [{name: mlp}, {name: mlp, weights: other.csv}]",
                "`weights`, `fresh` and `train` are the same in all trials"
            ),
            (plain, "batch: [40, 80]", "schedule.floor: [0.1]", "the key `schedule`, which `search` names, is missing"),
            (plain, "batch: [40, 80]", "batch: []", "expected a list of values"),
            (guarded + privacy("noise: 2"), "search:", "seed: 3\nsearch:", "noise that a seed repeats hides nothing"),
            (
                guarded + privacy("noise: 2") + "\nselect: {metric: loss}", ", public: true", "",
                "rows that are not public would be charged"
            ),
            (
                guarded + privacy("noise: 2") + "\nselect: {metric: loss}", "{file: other.csv, ", "{file: same.csv, ",
                "the rows of `data.train`"
            ),
            (
                guarded + privacy("epsilon: 3"), "batch: [40", "privacy.epsilon: [1, 2], batch: [40",
                "it is the same in all trials"
            ),
            (
                guarded + privacy("epsilon: 3"), "batch: [40", "privacy.noise: [1, 2], batch: [40",
                "expected `noise` or `epsilon`"
            ),
            (guarded + privacy("epsilon: 3"), ", delta: 1e-5", "", "`privacy.delta`: it is missing"),
        ])
    func refused(plan: String, old: String, new: String, words: String) throws {
        #expect(plan.contains(old))
        let files = try OwnFiles()
        try files.write(try files.bytes("train.csv"), to: "same.csv")
        let problem = #expect(throws: Problem.self) { try Self.search(plan.replacing(old, with: new), in: files) }
        #expect(problem?.detail.contains(words) == true, "\(problem?.detail ?? "")")
    }

    @Test("At a datasite each trial is a plan of its own")
    func datasite() throws {
        let problem = #expect(throws: Problem.self) { try TrainingDocument(TrainingEngineTests.plan + Self.trials) }
        #expect(problem?.hint?.contains("send one plan a trial: each is charged") == true)
        let own = #expect(throws: Problem.self) { try OwnFiles().training(Self.plain) }
        #expect(own?.detail.contains("`search` asks for several trainings") == true)
    }

    @Test("No trial draws what another did before all was drawn")
    func withoutRepetition() {
        for seed in 0..<20 as Range<UInt64> {
            let draws = TrainingRun.searchDraws([3, 2], trials: 13, seed: seed)
            #expect(Set(draws[..<6]).count == 6 && Set(draws[6..<12]).count == 6)
            #expect(draws == TrainingRun.searchDraws([3, 2], trials: 20, seed: seed).prefix(13).map { $0 })
        }
    }
}
