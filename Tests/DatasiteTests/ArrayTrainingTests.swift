import DatasiteProtocol
import Foundation
import Learning
import Testing

@testable import Datasite

@Suite("Training on arrays at a datasite", .timeLimit(.minutes(20)))
struct ArrayTrainingTests {
    @Test("A model trained on images tells what is true of them: rows and images belong together")
    func training() async throws {
        let test = try TestSite()
        let rows = (0..<400).map { ArrayDatasetTests.Row(person: $0, shade: UInt8(($0 * 37) % 256)) }
        let (table, arrays) = try ArrayDatasetTests.files(test, rows, as: .npy)
        let manifest = ArrayDatasetTests.manifest().replacing(
            "capacity: {rows: 1000, units: 500}", with: "capacity: {rows: 500}")
        _ = try test.site.addDataset(file: table, arrays: arrays, manifestText: manifest + "\nignore: [note]")
        let plan = """
            version: 1
            name: scans
            data: {dataset: scans, features: [image], label: ill}
            model: {name: logistic-regression}
            loss: cross-entropy
            optimizer: {kind: sgd, rate: 4}
            batch: 100
            epochs: 20
            privacy: {unit: person, clip: 1, noise: 2}
            """
        let preview = try await test.site.preview(TrainingEngineTests.request(plan), as: .ada)
        #expect(preview.decision == "would be answered")
        guard case .pending(let begun) = try await test.site.submit(TrainingEngineTests.request(plan), as: .ada) else {
            return #expect(Bool(false), "not begun")
        }
        var state = begun.state
        for _ in 0..<3_000 where state != "released" {
            try await Task.sleep(for: .milliseconds(20))
            state = try test.site.request(begun.id, as: .ada).state
        }
        #expect(state == "released")
        let model = try JSONDecoder().decode(
            ReleasedModel.self, from: Data(try await test.site.answer(begun.id, as: .ada)))
        #expect(model.card.contains("| image | input | 1x4x4 numbers from 0 to 255 |"))
        let weights = try SafeTensors.read(Array(try #require(Data(base64Encoded: model.weights))))
        let trained = try Architecture.model(json: Array(model.architecture.utf8))
        let inputs = Tensor(
            shape: [400, 1, 4, 4], values: rows.flatMap { ArrayDatasetTests.image($0).map { Float($0) / 255 } })
        let outputs = try trained.predict(inputs, weights)
        let right = rows.indices.count { row in
            (outputs.values[2 * row + 1] > outputs.values[2 * row]) == (rows[row].shade >= 128)
        }
        // Chance is half; 60 wrong ones would be fifteen times what is seen.
        #expect(right > 340, "\(right) of 400")
        for (old, new, words) in [
            ("[image]", "[image, shade]", "the array image goes in alone"),
            ("[image]", "[shade]\n  scale: {bounds: [0, 1]}", "columns are scaled by their declared bounds"),
            ("label: ill", "label: image", "a column is named twice"),
            ("[image], label: ill", "[shade], label: image", "image is an array, and a label is a column"),
            ("label: ill}", "label: ill, scale: {mean: [1, 2], deviation: [1, 1]}}", "`data.scale`"),
        ] {
            let text =
                new.contains("\n")
                ? plan.replacing(
                    "features: [image], label: ill}", with: "features: [shade], label: ill, scale: {bounds: [0, 1]}}")
                : plan.replacing(old, with: new)
            let refusal = await problem {
                _ = try await test.site.preview(TrainingEngineTests.request(text), as: .ada)
            }
            #expect(refusal?.detail.contains(words) == true, "\(refusal?.detail ?? "not refused")")
        }
    }

    @Test("A model takes an array in its declared shape, and a label without a domain has no classes")
    func shapes() async throws {
        let test = try TestSite()
        let (table, arrays) = try ArrayDatasetTests.files(test, ArrayDatasetTests.rows, as: .npy)
        let manifest =
            ArrayDatasetTests.manifest(array: "{name: image, shape: [4, 4], type: uint8}") + "\nignore: [note]"
        _ = try test.site.addDataset(file: table, arrays: arrays, manifestText: manifest)
        func plan(_ layers: String, label: String = "ill") -> String {
            """
            version: 1
            name: scans
            data: {dataset: scans, features: [image], label: \(label)}
            model: {layers: [\(layers), {kind: linear, outputs: 2}]}
            loss: cross-entropy
            optimizer: {kind: sgd, rate: 1}
            batch: 100
            privacy: {unit: person, clip: 1, noise: 2}
            """
        }
        // Steps of values, as a recurrence takes them.
        let preview = try await test.site.preview(
            TrainingEngineTests.request(plan("{kind: gru, hidden: 4}, {kind: last-step}")), as: .ada)
        #expect(preview.decision == "would be answered")
        for (label, words) in [
            ("person", "person has no declared domain, so that it has no classes"),
            ("shade", "shade has no declared domain, so that it has no classes"),
        ] {
            let refusal = await problem {
                _ = try await test.site.preview(
                    TrainingEngineTests.request(plan("{kind: flatten}", label: label)), as: .ada)
            }
            #expect(refusal?.detail.contains(words) == true, "\(refusal?.detail ?? "not refused")")
            #expect(refusal?.hint?.contains("the owner may declare the column's `domain`") == true)
        }
        #expect(
            try test.site.dataset("scans").work == [
                "questions: automatic within budget",
                "training: automatic within budget; noise from 0.5 to 10; clip from 0.1 to 5",
            ])
        #expect(try test.site.dataset("visits").work == nil)
        let costly = await problem {
            _ = try await test.site.submit(
                TrainingEngineTests.request(
                    plan("{kind: flatten}").replacing("noise: 2", with: "noise: 0.5") + "\nepochs: 40"), as: .ada)
        }
        #expect(
            costly?.hint?.contains("more noise") == true && costly?.hint?.contains("--epsilon") == false,
            "\(costly?.hint ?? "not refused")")
    }

    @Test(
        "A plan whose rows take long, or much memory, is refused by its shapes, before made-up rows are computed",
        arguments: [
            (
                "{kind: convolution, outputs: 1, kernel: 1024, padding: 1000}, {kind: global-average-pool}",
                "multiplications"
            ),
            (
                "{kind: convolution, outputs: 1, kernel: 256, padding: 700}, {kind: global-average-pool}",
                "multiplications"
            ),
            (
                "{kind: flatten}, {kind: embedding, count: 2, width: 1}, {kind: attention, heads: 1}, {kind: mean-over-steps}",
                "values of a row between layers"
            ),
            ("{kind: average-pool, window: 1024, stride: 1, padding: 512}, {kind: flatten}", "multiplications"),
        ])
    func costs(layers: String, words: String) async throws {
        let test = try TestSite()
        let folder = test.path + "/large"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try ArrayDatasetTests.write(
            ArrayDatasetTests.npy([2, 3, 64, 64], [UInt8](repeating: 1, count: 2 * 3 * 4_096)),
            to: folder + "/image.npy")
        try ArrayDatasetTests.write(Array("person,shade,ill\n1,1,no\n2,2,yes\n".utf8), to: folder + "/table.csv")
        _ = try test.site.addDataset(
            file: folder + "/table.csv", arrays: [ArrayFile(name: "image", path: folder + "/image.npy")],
            manifestText: ArrayDatasetTests.manifest(rows: 1, array: "{name: image, shape: [3, 64, 64], type: uint8}"))
        let plan = """
            version: 1
            name: scans
            data: {dataset: scans, features: [image], label: ill}
            model: {layers: [\(layers), {kind: linear, outputs: 2}]}
            loss: cross-entropy
            optimizer: {kind: sgd, rate: 1}
            batch: 100
            privacy: {unit: person, clip: 1, noise: 2}
            """
        let refusal = await problem { _ = try await test.site.preview(TrainingEngineTests.request(plan), as: .ada) }
        #expect(refusal?.detail.contains(words) == true, "\(refusal?.detail ?? "not refused")")
        let flips = plan.replacing("batch: 100", with: "batch: 100\naugment: [flip, flip]")
        let twice = await problem { _ = try await test.site.preview(TrainingEngineTests.request(flips), as: .ada) }
        #expect(twice?.detail.contains("each at most once") == true, "\(twice?.detail ?? "not refused")")
    }
}
