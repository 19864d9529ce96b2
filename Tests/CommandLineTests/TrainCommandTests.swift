import Foundation
import Testing

@Suite("parley train", .timeLimit(.minutes(20)))
struct TrainCommandTests {
    /// The fenced blocks of the guide that a comment `<!-- tested: NAME -->` precedes.
    private static func block(_ name: String) throws -> String {
        let text = try String(contentsOfFile: Workplace.package + "/docs/guide/training.md", encoding: .utf8)
        let blocks = text.components(separatedBy: "<!-- tested: \(name) -->\n```sh\n").dropFirst()
        return try #require(blocks.first?.components(separatedBy: "\n```").first)
    }

    private static func bash(_ script: String, in place: Workplace) throws -> Workplace.Finished {
        try place.run(["/bin/bash", "-euo", "pipefail", "-c", script])
    }

    private static let results = [
        "weights.safetensors", "curves.jsonl", "curves.svg", "card.md", "architecture.json", "checkpoint.safetensors",
    ]

    private static func prepared() throws -> Workplace {
        let place = try Workplace()
        #expect(try bash(block("files"), in: place).status == 0)
        return place
    }

    @Test("The guide's commands train a model that tells the rows apart, and leave what they say")
    func guide() throws {
        let place = try Self.prepared()
        let run = try Self.bash(Self.block("run"), in: place)
        #expect(run.status == 0, "\(run.all)")
        #expect(run.output.contains("8 rows of 4, validated on 2"), "\(run.all)")
        #expect(run.output.contains("10 parameters, 80 steps (2 an epoch)"), "\(run.all)")
        for file in Self.results + ["plan.yaml"] { #expect(run.output.contains(file), "\(file)") }
        let curve = try place.read("illness/curves.jsonl").split(separator: "\n")
        #expect(curve.count == 40)
        #expect(curve.last?.hasPrefix("{\"epoch\": 40, \"step\": 80, \"training-loss\": 0.") == true)
        let card = try place.read("illness/card.md")
        #expect(card.contains("None: trained on rows that its maker may see"))
        #expect(!card.lowercased().contains("epsilon"))
        let resumed = try Self.bash(Self.block("resume"), in: place)
        #expect(resumed.status == 0, "\(resumed.all)")
        #expect(try place.read("illness/card.md") == card)
    }

    @Test("A run that is killed at any time and goes on ends with the same bytes, on one thread and on two")
    func killed() throws {
        let place = try Self.prepared()
        let plan = try place.read("plan.yaml").replacing("epochs: 40", with: "epochs: 150\nselect: {metric: loss}")
        try place.write(plan, to: "plan.yaml")
        let whole = try place.parley("train", "plan.yaml", "--data", ".", "--output", "whole")
        #expect(whole.status == 0, "\(whole.all)")
        var stops = 0
        for attempt in 0..<40 {
            let process = try place.start(
                [
                    "train", "plan.yaml", "--data", ".", "--output", "cut", "--threads", String(attempt % 2 + 1),
                ] + (attempt == 0 ? [] : ["--resume"]))
            if attempt < 6 {
                // Begun, so that there is something to go on from.
                while process.isRunning,
                    !FileManager.default.fileExists(atPath: place.path("cut/checkpoint.safetensors"))
                {
                    usleep(1_000)
                }
                usleep(UInt32(1_000 + attempt * 3_000))
                if process.isRunning { stops += 1 }
                attempt % 2 == 0 ? process.killAndWait() : process.interrupt()
            }
            process.waitUntilExit()
            if process.terminationReason == .exit, process.terminationStatus == 0 { break }
        }
        #expect(stops > 0)
        for file in Self.results + ["best.safetensors"] {
            let (one, other) = try (
                Data(contentsOf: URL(filePath: place.path("whole/" + file))),
                Data(contentsOf: URL(filePath: place.path("cut/" + file)))
            )
            #expect(one == other, "\(file) differs after \(stops) stops")
        }
    }

    @Test("Ctrl-C says where the checkpoint is and how to go on, with status 1")
    func interrupted() throws {
        let place = try Self.prepared()
        try place.write(
            try place.read("plan.yaml").replacing("epochs: 40", with: "epochs: 100000"), to: "plan.yaml")
        try place.write("", to: "said")
        let process = try place.start(
            ["train", "plan.yaml", "--data", "."], errors: FileHandle(forWritingAtPath: place.path("said")) as Any)
        while process.isRunning, !FileManager.default.fileExists(atPath: place.path("illness/checkpoint.safetensors")) {
            usleep(1_000)
        }
        process.interrupt()
        process.waitUntilExit()
        #expect(process.terminationStatus == 1)
        #expect(try place.read("said").contains("the checkpoint is in illness"))
        #expect(try place.read("said").contains("--resume"))
    }

    @Test("What is wrong is told with its place and what would be right, before anything is trained")
    func wrong() throws {
        let place = try Self.prepared()
        let good = try place.read("plan.yaml")
        let cases: [(from: String, to: String, says: String)] = [
            ("version: 1", "version: 2", "`version`: expected 1"),
            ("epochs: 40", "epochs: 0", "`epochs`: expected a whole number from 1"),
            ("epochs: 40", "epoch: 40", "there is no key `epoch` here"),
            ("seed: 7", "privacy: {epsilon: 1}", "the key `clip` is missing"),
            ("kind: sgd", "kind: sdg", "`optimizer.kind`: expected one of sgd, adam, adamw"),
            ("momentum", "beta1", "sgd has no `beta1`"),
            ("file: patients.csv", "file: ../patients.csv", "without `..`"),
            ("file: patients.csv", "file: persons.csv", "persons.csv"),
            ("name: age,", "name: ages,", "patients.csv: no column 'ages'; expected: one of age, smokes, visits, ill"),
            ("domain: [no, yes]}\nmodel", "domain: [no, maybe]}\nmodel", "a label outside the declared domain"),
            ("metrics: [loss, accuracy]", "metrics: [r2]", "the metric r2"),
            ("model: {name: logistic-regression}", "model: {name: mlp, groups: 3}", "there is no key `groups` here"),
            (
                "model: {name: logistic-regression}",
                "model: {layers: [{kind: linear, outputs: 3}, {kind: convolution, outputs: 4, kernel: 3}]}",
                "1 (convolution): rows of 3 arrive"
            ),
            ("rate: 0.5", "rate: 1e5, weight-decay: 1e5", "the loss is no number at step"),
        ]
        for (index, each) in cases.enumerated() {
            #expect(good.contains(each.from))
            try place.write(good.replacing(each.from, with: each.to), to: "plan.yaml")
            let run = try place.parley(
                "train", "plan.yaml", "--data", ".", "--output", "out-" + String(repeating: "x", count: index))
            #expect(run.status == 1, "\(each.to): \(run.all)")
            #expect(run.errors.contains(each.says), "\(each.to): \(run.all)")
            #expect(!run.all.contains("maybe;") && !run.all.contains(#/\b34\b/#), "\(run.all)")
        }
        try place.write(good, to: "plan.yaml")
        #expect(try place.parley("train", "plan.yaml", "--data", ".").status == 0)
        let again = try place.parley("train", "plan.yaml", "--data", ".")
        #expect(again.status == 1 && again.errors.contains("--resume goes on"), "\(again.all)")
        let other = try place.parley("train", "plan.yaml", "--data", ".", "--resume", "--seed", "8")
        #expect(other.status == 1 && other.errors.contains("of another plan, seed or data"), "\(other.all)")
        #expect(try place.parley("train", "plan.yaml", "--data", ".", "--threads", "0").status == 64)
    }

    @Test("Weights that are there are begun with, and said; a layer that is not there is refused with those that are")
    func weights() throws {
        let place = try Self.prepared()
        let plan = try place.read("plan.yaml")
        #expect(try place.parley("train", "plan.yaml", "--data", ".").status == 0)
        func write(_ train: String) throws {
            let model = "model: {name: mlp, hidden: [4], weights: illness/weights.safetensors, fresh: [\"2\"]\(train)}"
            try place.write(plan.replacing("model: {name: logistic-regression}", with: model), to: "plan.yaml")
        }
        try write("")
        let other = try place.parley("train", "plan.yaml", "--data", ".", "--dry-run")
        #expect(
            other.status == 1 && other.errors.contains("parameter '0.weight': is 2x4; the model's is 4x4"),
            "\(other.all)")
        try place.write(plan.replacing("name: logistic-regression", with: "name: mlp, hidden: [4]"), to: "plan.yaml")
        try FileManager.default.removeItem(atPath: place.path("illness"))
        #expect(try place.parley("train", "plan.yaml", "--data", ".").status == 0)
        try write(", train: [\"2\"]")
        let told = try place.parley("train", "plan.yaml", "--data", ".", "--dry-run")
        #expect(told.output.contains("It begins with the weights of illness/weights.safetensors."), "\(told.all)")
        #expect(told.output.contains("Frozen: 0\n") && told.output.contains("10 parameters, 80 steps"), "\(told.all)")
        try write(", train: [head]")
        let wrong = try place.parley("train", "plan.yaml", "--data", ".", "--dry-run")
        #expect(
            wrong.status == 1 && wrong.errors.contains("no layer 'head' has parameters: one of 0, 2"), "\(wrong.all)")
    }

    @Test("A search tells its trials before it begins, and which was the best, and is not done again")
    func search() throws {
        let place = try Self.prepared()
        let search = "select: {metric: loss}\nsearch: {trials: 3, over: {optimizer.rate: [0.1, 0.5], batch: [2, 4]}}"
        try place.write(try place.read("plan.yaml") + search + "\n", to: "plan.yaml")
        let told = try place.parley("train", "plan.yaml", "--data", ".", "--dry-run")
        #expect(told.status == 0 && told.output.contains("8 rows of 4, validated on 2; 3 trials"), "\(told.all)")
        #expect(
            told.output.contains("optimizer.rate") && !told.output.contains("Differentially private"), "\(told.all)")
        let run = try place.parley("train", "plan.yaml", "--data", ".")
        #expect(run.status == 0 && run.errors.contains("Trial 3 of 3: optimizer.rate 0."), "\(run.all)")
        #expect(
            run.output.contains(#/trial-[123], the best/#) && run.output.contains(" are in illness too."), "\(run.all)")
        #expect(try place.read("illness/trials.jsonl").split(separator: "\n").count == 3)
        let again = try place.parley("train", "plan.yaml", "--data", ".", "--resume")
        #expect(again.status == 0 && again.output.contains(" are in illness too."), "\(again.all)")
        #expect(!again.errors.contains("epoch 40"), "\(again.all)")
    }

    @Test("A folder of PNG images with a label file is learned from, by its labels' words")
    func images() throws {
        let place = try Workplace()
        let fixtures = Workplace.package + "/Tests/LearningTests/Fixtures/"
        try FileManager.default.createDirectory(atPath: place.path("images"), withIntermediateDirectories: true)
        for name in ["png-0-8", "png-0-4"] {
            try FileManager.default.copyItem(atPath: fixtures + name + ".png", toPath: place.path("images/\(name).png"))
        }
        try place.write(
            "file,label,unit\npng-0-8.png,noisy,a\npng-0-4.png,coarse,b\npng-0-8.png,noisy,a\n", to: "labels.csv")
        let plan = """
            version: 1
            name: pictures
            data:
              format: png
              train: {folder: images, labels: labels.csv}
              validation: {folder: images, labels: labels.csv}
              label: {domain: [coarse, noisy]}
              scale: {bounds: [0, 255]}
            model: {layers: [{kind: flatten}, {kind: linear, outputs: 2}]}
            loss: cross-entropy
            optimizer: {kind: adam, rate: 0.05}
            batch: 3
            epochs: 60
            augment: [{shift: 1}]
            metrics: [accuracy, roc-auc]
            select: {metric: accuracy}
            """
        try place.write(plan, to: "plan.yaml")
        let run = try place.parley("train", "plan.yaml", "--data", ".")
        #expect(run.status == 0, "\(run.all)")
        #expect(run.output.contains("3 rows of 1x7x5, validated on 3"), "\(run.all)")
        #expect(run.output.contains("validation accuracy: 1"), "\(run.all)")
        #expect(try place.read("pictures/card.md").contains("| noisy | 0 | 2 | 1.0000 |"))
        try place.write("file,label\n../secret.png,noisy\n", to: "labels.csv")
        let outside = try place.parley("train", "plan.yaml", "--data", ".", "--output", "x")
        #expect(outside.status == 1 && outside.errors.contains("leaves the folder"), "\(outside.all)")
    }

    @Test("What scattering makes of images is computed once, and trains the same as where it is computed at each step")
    func scattering() throws {
        let place = try Workplace()
        let header: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 12, 0, 0, 0, 12]
        // Stripes, across or down.
        var images: [UInt8] = []
        for row in 0..<20 {
            for pixel in 0..<144 {
                let place = row % 2 == 0 ? pixel / 12 : pixel
                images.append(UInt8(place % 3 * 100 + row))
            }
        }
        try Data(header + images).write(to: URL(filePath: place.path("images")))
        let labels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 20] + (0..<20).map { UInt8($0 % 2) }
        try Data(labels).write(to: URL(filePath: place.path("labels")))
        let plan = """
            version: 1
            name: stripes
            data:
              format: idx
              train: {inputs: images, labels: labels}
              validation: {inputs: images, labels: labels}
              classes: 2
              scale: {bounds: [0, 255]}
            model: {layers: [{kind: scattering}, {kind: flatten}, {kind: linear, outputs: 2}]}
            loss: cross-entropy
            optimizer: {kind: sgd, rate: 0.1}
            batch: 7
            epochs: 5
            """
        try place.write(plan, to: "once.yaml")
        // Behind a layer that drops, if nothing here, nothing is computed once.
        try place.write(
            plan.replacing("{kind: scattering}", with: "{kind: dropout, rate: 0}, {kind: scattering}"), to: "each.yaml")
        let once = try place.parley("train", "once.yaml", "--data", ".", "--output", "once")
        #expect(once.status == 0, "\(once.all)")
        #expect(try place.parley("train", "each.yaml", "--data", ".", "--output", "each").status == 0)
        #expect(try place.read("once/curves.jsonl") == place.read("each/curves.jsonl"))
        #expect(try place.read("once/architecture.json").contains("scattering"))
        #expect(try place.read("once/card.md").contains("Rows of 1x12x12 go in"))
        try place.write(
            plan.replacing(
                "name: stripes", with: "name: stripes\nprivacy: {unit: row, clip: 1, epsilon: 8, delta: 1e-4}"),
            to: "private.yaml")
        let hidden = try place.parley("train", "private.yaml", "--data", ".", "--output", "private")
        #expect(hidden.status == 0, "\(hidden.all)")
        #expect(try place.read("private/architecture.json").contains("scattering"))
    }

    @Test(
        "The example plans fit the data that they are written for",
        arguments: [
            "mnist", "pneumoniamnist", "pneumoniamnist-epsilon-8", "pneumoniamnist-epsilon-3",
        ])
    func examples(_ name: String) throws {
        let dataset = name.prefix { $0 != "-" }
        let data = URL(filePath: Workplace.package).deletingLastPathComponent().appending(
            path: "shared/data/\(dataset)"
        ).path
        let place = try Workplace()
        let plan = Workplace.package + "/Examples/training/\(name).yaml"
        let run = try place.parley("train", plan, "--data", data, "--dry-run")
        guard FileManager.default.fileExists(atPath: data) else {
            // The plan itself is read all the same.
            #expect(
                run.status == 1 && run.errors.contains(name == "mnist" ? "train-images" : "pneumoniamnist_full.npz"))
            print("skipped: \(data) is not there, so that \(name).yaml is only read, not dry-run")
            return
        }
        #expect(run.status == 0, "\(run.all)")
        #expect(run.output.contains(name == "mnist" ? "54,000 rows of 1x28x28" : "4,708 rows of 1x28x28"), "\(run.all)")
    }
}
