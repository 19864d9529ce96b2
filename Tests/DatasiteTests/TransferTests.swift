import DatasiteProtocol
import DifferentialPrivacy
import Learning
import Testing

@testable import Datasite

@Suite("Training that begins with weights that are there already", .timeLimit(.minutes(20)))
struct TransferTests {
    /// The table's model, with another number of classes and the trunk frozen.
    private static let head = plan("weights: base.safetensors, fresh: [\"2\"], train: [\"2\"]")

    private static func plan(_ transfer: String) -> String {
        OwnFiles.plan.replacing("hidden: [8]}", with: "hidden: [8], \(transfer)}")
            .replacing("[few, many]", with: "[few, many, none]").replacing("name: arms", with: "name: more")
    }

    /// A folder in which `base.safetensors` is a model of the table.
    private static func prepared() throws -> OwnFiles {
        let files = try OwnFiles()
        _ = try files.training(OwnFiles.plan).run(into: files.path("base"))
        try files.write(try files.bytes("base/weights.safetensors"), to: "base.safetensors")
        return files
    }

    @Test(
        "A new head is trained on a trunk that stays as it was to the bit, with privacy and without",
        arguments: ["", OwnFiles.isPrivate])
    func head(privacy: String) throws {
        let files = try Self.prepared()
        let training = try files.training(Self.head + privacy)
        let facts = try training.facts()
        #expect(facts.parameters == 8 * 3 + 3 && facts.frozen == ["0"] && facts.weights == "base.safetensors")
        if let promised = training.promised {
            // Noise is for what is trained alone.
            #expect(promised.privacy.dimension == 27)
        }
        _ = try training.run(into: files.path("more"))
        let (base, more) = (try files.weights("base.safetensors"), try files.weights("more/weights.safetensors"))
        for name in ["0.weight", "0.bias"] { #expect(more[name]?.values == base[name]?.values) }
        #expect(more["2.weight"]?.shape == [3, 8])
        #expect(try more["2.weight"]?.values != training.beginning()["2.weight"]?.values)
        let card = try files.read("more/card.md")
        #expect(card.contains("It began with the weights of `base.safetensors`, but for `2`, which began anew."))
        #expect(card.contains("Frozen, as they began: `0`."))
        #expect(card.contains("| base.safetensors | `"))
        #expect(card.contains("of those that these weights were trained on it says nothing") == !privacy.isEmpty)
    }

    @Test("Without `train` all layers go on from where the file has them")
    func all() throws {
        let files = try Self.prepared()
        let plan = OwnFiles.plan.replacing("hidden: [8]}", with: "hidden: [8], weights: base.safetensors}")
        let training = try files.training(plan)
        let base = try files.weights("base.safetensors")
        #expect(try training.beginning().tensors.map(\.values) == base.tensors.map(\.values))
        _ = try training.run(into: files.path("more"))
        for (before, after) in zip(base.tensors, try files.weights("more/weights.safetensors").tensors) {
            #expect(before.values != after.values)
        }
    }

    @Test(
        "What does not fit is refused with what arrived, what was expected and what there is",
        arguments: [
            ("weights: base.safetensors", "base.safetensors: parameter '2.weight': is 2x8; the model's is 3x8"),
            ("weights: base.safetensors, fresh: [fc]", "no layer 'fc' has parameters: one of 0, 2"),
            ("weights: base.safetensors, fresh: [\"2\"], train: [heat]", "no layer 'heat' has parameters: one of 0, 2"),
            ("weights: base.safetensors, fresh: [\"2\"], train: [\"0\"]", "layer 2 begins anew and is not trained"),
            ("weights: more.safetensors, fresh: [\"2\"]", "parameter 'head.weight': is of no layer of the model"),
            ("weights: less.safetensors, fresh: [\"2\"]", "parameter '0.bias': is missing; the model's is 8"),
            (
                "weights: endless.safetensors, fresh: [\"2\"]",
                "parameter '0.bias': has a value that is no finite number"
            ),
            ("weights: hostile.safetensors", "hostile.safetensors: the weights' header of 1099511627776 bytes"),
            ("weights: none.safetensors", "none.safetensors"),
            ("weights: ../base.safetensors", "`model.weights`: expected a name below the folder of the data"),
            ("fresh: [\"2\"]", "without `weights` all layers begin anew"),
            ("train: []", "`model.train`: expected at least one layer's name"),
        ])
    func refused(transfer: String, words: String) throws {
        let files = try Self.prepared()
        let base = try files.weights("base.safetensors")
        func write(_ name: String, _ change: (inout [String], inout [Tensor]) -> Void) throws {
            var (names, tensors) = (base.names, base.tensors)
            change(&names, &tensors)
            try files.write(SafeTensors.write(Parameters(names: names, tensors: tensors)), to: name)
        }
        try write("more.safetensors") { names, tensors in
            names.append("head.weight")
            tensors.append(Tensor(shape: [1], values: [1]))
        }
        try write("less.safetensors") { names, tensors in
            names.remove(at: 1)
            tensors.remove(at: 1)
        }
        try write("endless.safetensors") { _, tensors in
            tensors[1] = Tensor(shape: [8], values: [Float](repeating: .infinity, count: 8))
        }
        try files.write([0, 0, 0, 0, 0, 1, 0, 0] + Array("{}".utf8), to: "hostile.safetensors")
        let problem = #expect(throws: Problem.self) { try files.training(Self.plan(transfer)) }
        #expect(problem?.detail.contains(words) == true, "\(problem?.detail ?? "")")
    }

    @Test("A datasite's plan names no weights")
    func datasite() throws {
        let plan = TrainingEngineTests.plan.replacing("hidden: [4]}", with: "hidden: [4], weights: base.safetensors}")
        let problem = #expect(throws: Problem.self) { try TrainingDocument(plan) }
        #expect(problem?.detail.contains("a plan holds no weights") == true, "\(problem?.detail ?? "")")
    }

    private struct Stop: Error {}

    @Test("A run that was stopped goes on to the same bytes; with other weights it is refused")
    func resumed() throws {
        let files = try Self.prepared()
        _ = try files.training(Self.head).run(into: files.path("whole"))
        var checks = 0
        #expect(throws: Stop.self) {
            try files.training(Self.head).run(
                into: files.path("cut"),
                check: {
                    checks += 1
                    if checks == 5 { throw Stop() }
                })
        }
        _ = try files.training(Self.head).run(into: files.path("cut"), resumes: true)
        for file in ["weights.safetensors", "card.md"] {
            #expect(try files.bytes("whole/" + file) == files.bytes("cut/" + file), "\(file)")
        }
        let other = OwnFiles.plan.replacing("epochs: 2", with: "epochs: 3")
        _ = try files.training(other).run(into: files.path("other"))
        try files.write(try files.bytes("other/weights.safetensors"), to: "base.safetensors")
        let problem = #expect(throws: Problem.self) {
            try files.training(Self.head).run(into: files.path("cut"), resumes: true)
        }
        #expect(problem?.detail.contains("of another plan, seed or data") == true)
    }
}
