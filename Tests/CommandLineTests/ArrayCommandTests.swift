import Foundation
import Testing

/// From files of images to a model of them, by the command line.
@Suite("Arrays by the command line", .timeLimit(.minutes(20)))
struct ArrayCommandTests {
    private func write(_ bytes: [UInt8], _ name: String, in place: Workplace) throws {
        try Data(bytes).write(to: URL(filePath: place.path(name)))
    }

    /// Images of IDX: bright ones are of label 1.
    private func images(_ count: Int) -> [UInt8] {
        let pixels = (0..<count).flatMap { row in [UInt8](repeating: row % 2 == 0 ? 20 : 220, count: 16) }
        return [0, 0, 8, 3, 0, 0, UInt8(count >> 8), UInt8(count & 255), 0, 0, 0, 4, 0, 0, 0, 4] + pixels
    }

    @Test("An owner describes, completes and adds images; a researcher trains on them and holds the model's receipt")
    func whole() throws {
        let place = try Workplace()
        try write(images(300), "images.idx", in: place)
        try place.write(
            "person,bright\n" + (0..<300).map { "\($0),\($0 % 2)\n" }.joined(), to: "labels.csv")
        let draft = try place.parley("data", "describe", "labels.csv", "--array", "image=images.idx")
        #expect(draft.status == 0 && draft.output.contains("shape: [4, 4]"), "\(draft.output)")
        let bare = try place.parley("data", "describe", "labels.csv", "--array", "images.idx")
        #expect(bare.status != 0 && bare.errors.contains("expected NAME=FILE"), "\(bare.errors)")
        let manifest = draft.output
            .replacing(
                "unit: {column: SET, rows: SET, groups: SET}", with: "unit: {column: person, rows: 1, groups: 1}"
            )
            .replacing("capacity: {rows: SET, units: SET}", with: "capacity: {rows: 400}")
            .replacing("epsilon: SET", with: "epsilon: 20").replacing("approval: owner", with: "approval: automatic")
            .replacing(
                "name: bright\n    type: integer\n    nullable: true\n    bounds: [SET, SET]",
                with: "name: bright\n    type: integer\n    domain: [0, 1]"
            )
            .replacing("bounds: [SET, SET]", with: "bounds: [0, 1000]").replacing("SET", with: "words")
        try place.write(manifest, to: "manifest.yaml")
        #expect(try place.parley("site", "init").status == 0)
        let added = try place.parley(
            "data", "add", "labels.csv", "--manifest", "manifest.yaml", "--array", "image=images.idx", "--yes")
        #expect(added.status == 0 && added.output.contains("Added: 300 rows"), "\(added.errors)")
        #expect(try place.parley("user", "add", "ana", "--role", "researcher").status == 0)
        let token = try place.parley("user", "add", "bea", "--role", "researcher").output
        try place.write(token, to: "token")
        let server = try place.serve()
        #expect(try place.parley("login", server.url, "--token-file", "token").status == 0)
        let shown = try place.parley("data", "show", "labels", "--url", server.url)
        #expect(shown.output.contains("uint8 4x4") && shown.output.contains("training: automatic"), "\(shown.output)")
        let mock = try place.parley("data", "mock", "labels", "--output", "mock", "--rows", "7", "--url", server.url)
        #expect(
            mock.status == 0 && FileManager.default.fileExists(atPath: place.path("mock/image.npy")), "\(mock.errors)")
        let plan = """
            version: 1
            name: brightness
            data: {dataset: labels, features: [image], label: bright}
            model: {layers: [{kind: flatten}, {kind: linear, outputs: 2}]}
            loss: cross-entropy
            optimizer: {kind: sgd, rate: 1}
            batch: 50
            privacy: {unit: person, clip: 1, noise: 2}
            """
        try place.write(plan, to: "plan.yaml")
        try place.write(plan.replacing("brightness", with: "other"), to: "other.yaml")
        let dry = try place.parley("train", "plan.yaml", "--dry-run", "--url", server.url)
        #expect(dry.output.contains("It would be answered"), "\(dry.errors)")
        let trained = try place.parley("train", "plan.yaml", "--follow", "--url", server.url)
        #expect(
            trained.status == 0 && trained.output.contains("differentially private for each person"),
            "\(trained.errors)")
        #expect(try place.read("brightness/card.md").contains("| image | input | 4x4 numbers from 0 to 255 |"))
        let receipts = try place.parley("receipts")
        #expect(receipts.output.contains("labels"), "\(receipts.output)\(receipts.errors)")
        let release = try place.read("brightness/release.json")
        let request = try #require(release.firstMatch(of: /"request":"([0-9a-f]+)"/)?.1)
        let wrong = try place.parley("train", "other.yaml", "--request", String(request), "--url", server.url)
        #expect(
            wrong.status != 0 && wrong.errors.contains("trained another plan: nothing was written"), "\(wrong.errors)")
        #expect(!FileManager.default.fileExists(atPath: place.path("other")))
        server.kill()
    }
}
