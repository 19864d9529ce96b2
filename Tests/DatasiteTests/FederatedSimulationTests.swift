import DatasiteProtocol
import Federation
import Foundation
import Learning
import Testing

@testable import Datasite

@Suite("Training together, simulated on one's own files", .timeLimit(.minutes(10)))
struct FederatedSimulationTests {
    private static let plain = OwnFiles.plan.replacing("\nepochs: 2", with: "") + "\nseed: 3"

    private static func plan(_ federation: String, privacy: String = "") -> String {
        (privacy.isEmpty ? plain : plain.replacing("\nseed: 3", with: "") + "\nprivacy: " + privacy) + "\nfederation: "
            + federation
    }

    private static func run(
        _ plan: String, in files: OwnFiles, circumstances: FederatedSimulation.Circumstances = .init(),
        into folder: String? = nil
    ) throws -> FederatedSimulation.Report {
        try FederatedSimulation(planText: plan, dataFolder: files.folder, circumstances: circumstances).run(
            into: folder.map(files.path))
    }

    private static func loss(_ outcome: FederatedSimulation.Outcome) -> Double {
        outcome.metrics.first { $0.metric == .loss }?.value ?? .nan
    }

    @Test("Masked and plain runs, disturbed or not, come to the same weights, which are written and read again")
    func same() throws {
        let files = try OwnFiles()
        var disturbed = FederatedSimulation.Circumstances()
        (disturbed.conditions.loss, disturbed.conditions.participantCrash) = (0.1, 0.05)
        disturbed.conditions.coordinatorCrash = 0.05
        let base = "{rounds: 6, local-steps: 3, range: 8, spare-rounds: 6, aggregation: "
        _ = try Self.run(Self.plan(base + "plain}"), in: files, into: "plain")
        _ = try Self.run(Self.plan(base + "masked, colluders: 1}"), in: files, into: "masked")
        _ = try Self.run(
            Self.plan(base + "masked, colluders: 1}"), in: files, circumstances: disturbed, into: "disturbed")
        let weights = try files.bytes("plain/weights.safetensors")
        #expect(try files.bytes("masked/weights.safetensors") == weights)
        #expect(try files.bytes("disturbed/weights.safetensors") == weights)
        #expect(try SafeTensors.read(Array(weights)).count > 0)
        #expect(try files.read("plain/curves.jsonl").split(separator: "\n").count == 6)
        #expect(throws: Problem.self) { try Self.run(Self.plan(base + "plain}"), in: files, into: "plain") }
    }

    @Test("A run begins with the weights that the plan names")
    func transferred() throws {
        let files = try OwnFiles()
        _ = try Self.run(Self.plan("{rounds: 4, range: 8}"), in: files, into: "first")
        let again = Self.plan("{rounds: 1, range: 8}").replacing(
            "hidden: [8]}", with: "hidden: [8], weights: first/weights.safetensors}"
        )
        .replacing("rate: 0.5}", with: "rate: 1.0e-12}")
        _ = try Self.run(again, in: files, into: "second")
        let (first, second) = (
            try SafeTensors.read(Array(files.bytes("first/weights.safetensors"))),
            try SafeTensors.read(Array(files.bytes("second/weights.safetensors")))
        )
        for name in first.names {
            let pairs = zip(try #require(first[name]).values, try #require(second[name]).values)
            #expect(pairs.allSatisfy { abs($0 - $1) < 1e-6 })
        }
    }

    @Test("What it is compared with is there; together is nearer to one place than to the worst alone")
    func compared() throws {
        let files = try OwnFiles()
        var circumstances = FederatedSimulation.Circumstances()
        (circumstances.compares, circumstances.labelSkew) = (true, 0.8)
        let report = try Self.run(
            Self.plan("{rounds: 30, local-steps: 2, range: 8}"), in: files, circumstances: circumstances)
        #expect(
            report.outcomes.map(\.name) == ["together", "in one place"] + (1...3).map { "participant \($0) alone" })
        let losses = report.outcomes.map(Self.loss)
        #expect(losses.allSatisfy { $0.isFinite })
        #expect(abs(losses[0] - losses[1]) < abs((losses[2...].max() ?? 0) - losses[1]))
        #expect(report.cutEntries == 0)
    }

    @Test(
        "With privacy the noise is the least for the epsilon over all rounds, spare ones too; too small a range is told"
    )
    func noise() throws {
        let files = try OwnFiles()
        func facts(_ federation: String) throws -> FederatedSimulation.Facts {
            try FederatedSimulation(
                planText: Self.plan(federation, privacy: "{unit: person, clip: 1, epsilon: 2, delta: 1e-5}"),
                dataFolder: files.folder
            ).facts
        }
        let few = try facts("{rounds: 10, colluders: 1}")
        let more = try facts("{rounds: 10, spare-rounds: 10, colluders: 1}")
        let promise = try #require(few.promise)
        #expect(promise.epsilon <= 2 && promise.epsilon > 1.99)
        #expect(try #require(more.promise).noiseMultiplier > promise.noiseMultiplier)
        #expect(few.plan.aggregation == .distributedNoise(threshold: 3, colluders: 1))
        let report = try Self.run(
            Self.plan("{rounds: 5, colluders: 1}", privacy: "{unit: person, clip: 1, epsilon: 2, delta: 1e-5}"),
            in: files)
        #expect(Self.loss(report.outcomes[0]).isFinite)
        #expect(try Self.run(Self.plan("{rounds: 2, range: 1e-4}"), in: files).cutEntries > 0)
    }

    @Test(
        "Layers that stay with participants serve each one's own rows; the others are the same for all, and are what is written"
    )
    func localLayers() throws {
        let files = try OwnFiles()
        var circumstances = FederatedSimulation.Circumstances()
        (circumstances.compares, circumstances.labelSkew) = (true, 0.9)
        func outcomes(_ keys: String, into folder: String? = nil) throws -> [FederatedSimulation.Outcome] {
            let plan = Self.plan("{rounds: 20, local-steps: 3, range: 8\(keys)}")
            return try FederatedSimulation(
                planText: plan, dataFolder: files.folder, circumstances: circumstances
            ).run(into: folder).outcomes
        }
        let folder = files.folder + "/heads"
        let own = try outcomes(", local: [2]", into: folder)
        #expect(
            own.map(\.name).prefix(3) == ["participant 1 together", "participant 2 together", "participant 3 together"])
        #expect(own.count == 7)
        let names = try SafeTensors.read(Array(try Data(contentsOf: URL(filePath: folder + "/weights.safetensors"))))
            .names
        #expect(names == ["0.weight", "0.bias"])
        // Rows of the first two are nearly of one label: a head of their own knows that, and the shared one cannot.
        let shared = try outcomes("")
        #expect(
            own.prefix(2).allSatisfy { Self.loss($0) < Self.loss(shared[0]) },
            "\(own.map(Self.loss)) and \(Self.loss(shared[0]))")
    }

    @Test(
        "Each wrong plan is refused with what is wrong in it",
        arguments: [
            ("{local-steps: 2}", "`rounds` is missing"), ("{rounds: 0}", "from 1 to"),
            ("{rounds: 2, least: 9}", "updates"),
            ("{rounds: 2, aggregation: masked, threshold: 1}", "more than half"),
            ("{rounds: 2, aggregation: secret}", "one of plain"),
            ("{rounds: 2, strategy: {kind: best}}", "unknown kind"),
            ("{rounds: 2, strategy: {kind: fedAvgM, rate: 1}}", "momentum"),
            ("{rounds: 2, aggregation: masked, strategy: {kind: coordinateMedian}}", "single updates"),
            ("{rounds: 2, aggregation: distributed-noise}", "section `privacy`"),
            ("{rounds: 2, local_steps: 2, round: 3}", "round"),
            ("{rounds: 2, spare-rounds: -1}", "from 0"), ("{rounds: 2, range: 0}", "from"),
            ("{rounds: 2, local: [head]}", "`federation.local`"),
            ("{rounds: 2, local: [0, 2]}", "every parameter stays"),
            ("{rounds: 2, local: [0], strategy: {kind: fedSGD, rate: 1}}", "with fedSGD"),
        ])
    func refused(section: String, words: String) throws {
        let files = try OwnFiles()
        do {
            _ = try FederatedSimulation(planText: Self.plan(section), dataFolder: files.folder)
            Issue.record("\(section) is taken")
        } catch let problem as Problem {
            #expect("\(problem.detail) \(problem.hint ?? "")".contains(words), "\(problem.detail)")
        }
    }

    @Test("Two under masks alone are told in words why they are too few, whatever the threshold says")
    func two() throws {
        let files = try OwnFiles()
        var circumstances = FederatedSimulation.Circumstances()
        circumstances.participants = 2
        for section in [
            "{rounds: 2, aggregation: masked}", "{rounds: 2, aggregation: masked, threshold: 3, colluders: 1}",
        ] {
            do {
                _ = try FederatedSimulation(
                    planText: Self.plan(section), dataFolder: files.folder, circumstances: circumstances)
                Issue.record("\(section) is taken")
            } catch let problem as Problem {
                #expect(
                    problem.detail.contains(
                        "masks among 2 participants: expected three at least, since each of two would know the other's update"
                    ),
                    "\(problem.detail)")
                #expect(problem.detail.contains("`least-honest: 1`"))
            }
        }
        _ = try FederatedSimulation(
            planText: Self.plan("{rounds: 2, aggregation: plain}"), dataFolder: files.folder,
            circumstances: circumstances)
    }

    @Test("Training alone refuses the section, and together it is needed; epochs have no place beside it")
    func elsewhere() throws {
        let files = try OwnFiles()
        let plan = Self.plan("{rounds: 2}")
        #expect(throws: Problem.self) { try Training(planText: plan, dataFolder: files.folder) }
        #expect(throws: Problem.self) { try FederatedSimulation(planText: Self.plain, dataFolder: files.folder) }
        #expect(throws: Problem.self) {
            try FederatedSimulation(planText: plan + "\nepochs: 3", dataFolder: files.folder)
        }
        for count in [0, 1, 100_000] {
            var circumstances = FederatedSimulation.Circumstances()
            circumstances.participants = count
            #expect(throws: Problem.self) {
                try FederatedSimulation(planText: plan, dataFolder: files.folder, circumstances: circumstances)
            }
        }
    }
}
