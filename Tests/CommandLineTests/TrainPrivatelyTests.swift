import Foundation
import Testing

@Suite("parley train with `privacy`, on one's own files", .timeLimit(.minutes(20)))
struct TrainPrivatelyTests {
    private static let plan = """
        version: 1
        name: arms
        data:
          format: csv
          train: {file: train.csv}
          test: {file: test.csv}
          columns:
            - {name: visits, bounds: [0, 10]}
          label: {column: arm, domain: [even, odd]}
        model: {name: mlp, hidden: [8]}
        loss: cross-entropy
        optimizer: {kind: sgd, rate: 0.5}
        batch: 50
        epochs: 4
        metrics: [accuracy]
        privacy: {unit: person, clip: 1, noise: 2, delta: 1e-5}
        """

    /// 300 people of two rows.
    private static func prepared(_ plan: String = plan) throws -> Workplace {
        let place = try Workplace()
        let csv = SmallSurvey.csv(people: 300)
        try place.write(csv, to: "train.csv")
        try place.write(csv, to: "test.csv")
        try place.write(plan, to: "plan.yaml")
        return place
    }

    @Test("It says epsilon before it begins, and leaves a card that says what is outside of it; two runs differ")
    func whole() throws {
        let place = try Self.prepared()
        let told = try place.parley("train", "plan.yaml", "--data", ".", "--dry-run")
        #expect(told.status == 0 && told.output.contains("24 steps (6 an epoch)"), "\(told.all)")
        #expect(told.output.contains("about 50 of 300 (taken for public)"), "\(told.all)")
        // As `parley privacy epsilon` says it, by the same accountant.
        let epsilon = try #require(told.output.firstMatch(of: /epsilon ([0-9.]+) at delta 1e-5/)?.1)
        let run = try place.parley("train", "plan.yaml", "--data", ".")
        #expect(run.status == 0 && run.output.contains("epsilon \(epsilon) at delta 1e-5"), "\(run.all)")
        #expect(!run.output.contains("training loss"), "\(run.all)")
        let card = try place.read("arms/card.md")
        #expect(card.contains("differentially private for each person") && card.contains("**Outside the promise**"))
        let curve = try place.read("arms/curves.jsonl").split(separator: "\n")
        #expect(curve.count == 4 && !curve.joined().contains("loss"), "\(curve)")
        let first = try Data(contentsOf: URL(fileURLWithPath: place.path("arms/weights.safetensors")))
        #expect(try place.parley("train", "plan.yaml", "--data", ".", "--output", "again").status == 0)
        #expect(first != (try Data(contentsOf: URL(fileURLWithPath: place.path("again/weights.safetensors")))))
    }

    @Test(
        "What would break the promise is refused",
        arguments: [
            ("epochs: 4", "epochs: 4\nseed: 7", "`seed`: noise that a seed repeats hides nothing"),
            (", delta: 1e-5", "", "`privacy.delta`: it is missing"),
            ("unit: person, ", "", "`privacy.unit`: it is missing"),
            ("unit: person", "unit: patient", "train.csv: no column 'patient'"),
            ("metrics: [accuracy]", "metrics: [accuracy]\nselect: {metric: accuracy}", "nothing to select by"),
            ("  test: {file: test.csv}", "  validation: {share: 0.2}", "which others are trained on"),
            (
                "  test: {file: test.csv}\n", "  validation: {file: test.csv}\nselect: {metric: accuracy}\n",
                "`select`"
            ),
            (
                "{name: mlp, hidden: [8]}",
                "{layers: [{kind: linear, outputs: 4}, {kind: batch-normalization}, {kind: linear, outputs: 2}]}",
                "batch-normalization"
            ),
            ("noise: 2", "epsilon: 1e-3, units: 1", "`privacy`"),
        ])
    func refused(old: String, new: String, words: String) throws {
        var plan = Self.plan.replacing(old, with: new)
        if new.contains("select: {metric: accuracy}\n") {
            plan = Self.plan.replacing("  test: {file: test.csv}", with: "  validation: {file: test.csv}")
                .replacing("metrics: [accuracy]", with: "metrics: [accuracy]\nselect: {metric: accuracy}")
        }
        let place = try Self.prepared(plan)
        let run = try place.parley("train", "plan.yaml", "--data", ".", "--dry-run")
        #expect(run.status != 0 && run.errors.contains(words), "\(run.all)")
        #expect(try place.parley("train", "plan.yaml", "--data", ".").status != 0)
        #expect(!FileManager.default.fileExists(atPath: place.path("arms")))
    }

    @Test("A search tells the epsilon of all trials together, which is more than that of one")
    func search() throws {
        let place = try Self.prepared(Self.plan + "\nsearch: {trials: 3, over: {optimizer.rate: [0.1, 0.5]}}")
        let told = try place.parley("train", "plan.yaml", "--data", ".", "--dry-run")
        let all = try #require(
            told.output.firstMatch(of: /all trials together have epsilon ([0-9.]+) at delta 1e-5/)?.1)
        try place.write(Self.plan, to: "plan.yaml")
        let alone = try place.parley("train", "plan.yaml", "--data", ".", "--dry-run")
        let one = try #require(alone.output.firstMatch(of: /epsilon ([0-9.]+) at delta 1e-5/)?.1)
        #expect(try #require(Double(all)) > 1.5 * #require(Double(one)), "\(told.all)")
    }

    @Test("Killed and resumed it goes on from its checkpoint; two runs do not write one folder")
    func resumed() throws {
        let place = try Self.prepared(
            Self.plan.replacing("hidden: [8]", with: "hidden: [256, 256]").replacing("epochs: 4", with: "epochs: 100"))
        let process = try place.start(["train", "plan.yaml", "--data", "."])
        while process.isRunning, !FileManager.default.fileExists(atPath: place.path("arms/checkpoint.safetensors")) {
            usleep(10_000)
        }
        let second = try place.parley("train", "plan.yaml", "--data", ".", "--resume")
        #expect(second.status == 1 && second.errors.contains("another run writes into arms"), "\(second.all)")
        process.killAndWait()
        let run = try place.parley("train", "plan.yaml", "--data", ".", "--resume")
        #expect(run.status == 0 && run.output.contains("Trained 600 steps"), "\(run.all)")
        #expect(try place.read("arms/curves.jsonl").split(separator: "\n").count == 100)
    }

    @Test("A share that is held out is of people: nobody's rows are on both sides")
    func share() throws {
        let plan = Self.plan.replacing("\nprivacy: {unit: person, clip: 1, noise: 2, delta: 1e-5}", with: "")
            .replacing("  test: {file: test.csv}", with: "  validation: {share: 0.25}")
        let place = try Self.prepared(plan)
        try place.write(try place.read("train.csv").replacing("person,arm", with: "unit,arm"), to: "train.csv")
        let run = try place.parley("train", "plan.yaml", "--data", ".", "--dry-run")
        // 75 of 300 people, of two rows each.
        #expect(run.output.contains("450 rows of 1, validated on 150"), "\(run.all)")
    }
}
