import Foundation
import Learning

@testable import Datasite

/// A temporary folder with a small table to train on: 200 people of two rows, `train.csv`, and 50 others, `other.csv`.
final class OwnFiles {
    let folder = NSTemporaryDirectory() + "parley-own-\(UUID().uuidString)"

    init() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try write(Self.csv(0..<200), to: "train.csv")
        try write(Self.csv(200..<250), to: "other.csv")
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static func csv(_ people: Range<Int>) -> String {
        people.reduce(into: "person,arm,visits\n") { text, person in
            for visit in 0..<2 { text += "p\(person),\(person % 7 < 3 ? "few" : "many"),\(person % 7 + visit)\n" }
        }
    }

    func path(_ name: String) -> String { folder + "/" + name }
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }
    func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }
    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
    }
    func read(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }
    func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }
    func weights(_ name: String) throws -> Parameters { try SafeTensors.read(try bytes(name)) }

    func training(_ plan: String, seed: UInt64? = nil) throws -> Training {
        try Training(planText: plan, dataFolder: folder, seed: seed)
    }

    static let plan = """
        version: 1
        name: arms
        data:
          format: csv
          train: {file: train.csv}
          validation: {file: other.csv}
          columns: [{name: visits, bounds: [0, 10]}]
          label: {column: arm, domain: [few, many]}
        model: {name: mlp, hidden: [8]}
        loss: cross-entropy
        optimizer: {kind: sgd, rate: 0.5}
        batch: 50
        epochs: 2
        """

    static let isPrivate = "\nprivacy: {unit: person, clip: 1, noise: 2, delta: 1e-5}"
}
