import Foundation
import Testing

@Suite("parley simulate", .timeLimit(.minutes(20)))
struct SimulateCommandTests {
    private static func block() throws -> String {
        let text = try String(contentsOfFile: Workplace.package + "/docs/guide/federation.md", encoding: .utf8)
        let blocks = text.components(separatedBy: "<!-- tested: federation -->\n```sh\n").dropFirst()
        return try #require(blocks.first?.components(separatedBy: "\n```").first)
    }

    @Test("The guide's commands train together, and say what it came to beside one place and each alone")
    func guide() throws {
        let place = try Workplace()
        let run = try place.run(["/bin/bash", "-euo", "pipefail", "-c", Self.block()])
        #expect(run.status == 0, "\(run.all)")
        #expect(run.output.contains("3 participants with 4, 4, 4 rows"), "\(run.all)")
        #expect(run.output.contains("secure aggregation without noise (opened by 3, 0 may collude)"), "\(run.all)")
        for name in ["together", "in one place", "participant 3 alone"] {
            #expect(run.output.contains(name), "\(run.all)")
        }
        let saved = try place.parley("simulate", "together.yaml", "--data", ".", "--output", "model")
        #expect(saved.status == 0, "\(saved.all)")
        for file in ["plan.yaml", "weights.safetensors", "architecture.json", "curves.jsonl"] {
            #expect(saved.output.contains(file) && FileManager.default.fileExists(atPath: place.path("model/\(file)")))
        }
        let dry = try place.parley("simulate", "together.yaml", "--data", ".", "--dry-run", "--label-skew", "0.5")
        #expect(dry.status == 0 && !dry.output.contains("together  "), "\(dry.all)")
    }

    @Test("What is out of range is refused with the range")
    func refused() throws {
        let place = try Workplace()
        let wrong = try place.parley("simulate", "none.yaml", "--data", ".", "--message-loss", "1")
        #expect(wrong.status != 0 && wrong.errors.contains("--message-loss is from 0 to below 1"), "\(wrong.all)")
    }

    @Test("A plan for datasites is refused by name, with who takes it and how it is tried on files")
    func ofDataset() throws {
        let place = try Workplace()
        try place.write(
            """
            version: 1
            name: together
            data: {dataset: visits, features: [amount], label: ill}
            model: {name: logistic-regression}
            loss: cross-entropy
            federation: {rounds: 4}
            """, to: "plan.yaml")
        let refused = try place.parley("simulate", "plan.yaml", "--data", ".")
        #expect(refused.status != 0 && refused.errors.contains("plan.yaml: "), "\(refused.all)")
        #expect(refused.errors.contains("`data` names a dataset of the sites, not files"), "\(refused.all)")
        #expect(refused.errors.contains("parley coordinate") && refused.errors.contains("train: {file: "))
    }
}
