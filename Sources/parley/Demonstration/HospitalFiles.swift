import Datasite
import Foundation
import Learning
import Secrets

/// The files of the hospitals' demonstration: PneumoniaMNIST divided among three, manifests, and the plans of two runs.
struct HospitalFiles {
    let folder: String
    let archive: String

    static let names = ["north", "river", "summit"]
    /// Declared of each hospital: the rows of none are counted in public.
    static let capacity = 2_400

    /// Writes each hospital's images and labels: evenly divided, and with the most of each label at one of them.
    ///
    /// - Returns: How many rows each has, evenly and by label.
    func divide() throws -> (even: [Int], skewed: [Int]) {
        let arrays = try ArchivedArrays.read(archive, ["train_images", "train_labels"])
        let (images, labels) = (arrays[0], arrays[1])
        guard images.rowShape == [28, 28], images.type == .unsigned8, labels.rows == images.rows else {
            throw Failure(
                "\(archive) is not PneumoniaMNIST.", next: "It has 28x28 images: train_images, train_labels, ...")
        }
        let classes = try labels.labels(classes: 2)
        let order = Self.shuffled(images.rows)
        var even = [[Int]](repeating: [], count: 3)
        for (place, row) in order.enumerated() { even[place % 3].append(row) }
        // Four sixths of those without pneumonia are at the first, half of the others at the second.
        var skewed = [[Int]](repeating: [], count: 3)
        for (place, row) in order.enumerated() {
            let turns = classes[row] == 0 ? [0, 0, 0, 0, 1, 2] : [1, 1, 1, 0, 0, 2]
            skewed[turns[place % 6]].append(row)
        }
        for (name, rows) in zip(Self.names, even) { try write(rows, images, classes, to: "\(name)-even") }
        for (name, rows) in zip(Self.names, skewed) { try write(rows, images, classes, to: "\(name)-skewed") }
        return (even.map(\.count), skewed.map(\.count))
    }

    static func shuffled(_ count: Int) -> [Int] {
        var random = SecureRandom()
        var order = Array(0..<count)
        for place in stride(from: count - 1, to: 0, by: -1) {
            order.swapAt(place, Int(random.next() % UInt64(place + 1)))
        }
        return order
    }

    private func write(_ rows: [Int], _ images: DataArray, _ classes: [Int32], to name: String) throws {
        let size = 28 * 28
        let pixels = rows.flatMap { images.bytes[$0 * size..<($0 + 1) * size] }
        try Self.write(pixels: pixels, labels: rows.map { classes[$0] }, to: "\(folder)/\(name)")
    }

    /// Images of 28x28 pixels with their labels, as IDX files: `NAME-images`, `NAME-labels`, `NAME-patients`.
    static func write(pixels: [UInt8], labels: [Int32], to name: String) throws {
        func head(_ type: UInt8, _ extents: [Int]) -> [UInt8] {
            [0, 0, type, UInt8(extents.count)]
                + extents.flatMap { extent in (0..<4).map { UInt8(extent >> (24 - 8 * $0) & 255) } }
        }
        let numbers = labels.indices.flatMap { row in (0..<4).map { UInt8(row >> (24 - 8 * $0) & 255) } }
        try SavedFile.write(head(8, [labels.count, 28, 28]) + pixels, to: "\(name)-images")
        try SavedFile.write(head(8, [labels.count]) + labels.map { UInt8($0) }, to: "\(name)-labels")
        try SavedFile.write(head(12, [labels.count]) + numbers, to: "\(name)-patients")
    }

    /// A hospital's manifest, with its owner's policy.
    func manifest(_ dataset: String, keys: [String], coordinator: String) -> String {
        """
        name: \(dataset)
        title: Chest X-rays of children
        description: One row is one image, 28x28 pixels (PneumoniaMNIST).
        population: \(dataset)-children
        unit: {column: patient, rows: 1, groups: 1}
        capacity: {rows: \(Self.capacity)}
        policy:
          loss: renyi
          delta: 1e-4
          total: {epsilon: 8}
          engines:
            federated-training:
              approval: owner
              sites: [\(keys.joined(separator: ", "))]
              coordinators: ["\(coordinator)"]
              aggregation: [masked, distributed-noise]
              least-honest: 2
              colluders: 1
              uses: 100
        arrays:
          - {name: image, shape: [1, 28, 28], type: uint8, description: The image in shades of grey.}
        columns:
          - {name: patient, type: integer, nullable: false, bounds: [0, 100000], description: The patient's number.}
          - {name: pneumonia, type: integer, domain: [0, 1], description: What two readers agreed on.}
        """
    }

    private static let model = """
        model:
          layers:
            - {kind: scattering}
            - {kind: group-normalization, groups: 27}
            - {kind: flatten}
            - {kind: linear, outputs: 2}
        loss: cross-entropy
        # Three quarters of the images are of pneumonia: taken for public.
        class-weights: [1.9, 0.67]
        """

    /// Sums alone are seen, without noise.
    static let masked = """
        version: 1
        name: pneumonia-masked
        description: Chest X-rays of children, 28x28 pixels, 0 normal and 1 pneumonia. Not for clinical use.
        data: {dataset: xrays-skewed, features: [image], label: pneumonia}
        \(model)
        optimizer: {kind: sgd, rate: 0.01}
        averaging: 0.9
        batch: 64
        federation: {rounds: 24, local-steps: 12, aggregation: masked, threshold: 3, colluders: 1, spare-rounds: 20, phase-seconds: 6}
        """

    /// Sums with noise of which each hospital adds its share. Its batch is what the hospitals declare together: each image is in each step.
    static let noisy = """
        version: 1
        name: pneumonia-private
        description: Chest X-rays of children, 28x28 pixels, 0 normal and 1 pneumonia. Not for clinical use.
        data: {dataset: xrays, features: [image], label: pneumonia}
        \(model)
        optimizer: {kind: sgd, rate: 0.3}
        averaging: 0.99
        batch: \(3 * capacity)
        privacy: {unit: patient, units: \(3 * capacity), clip: 20, epsilon: 3, delta: 1e-4}
        federation: {rounds: 60, least: 3, colluders: 1, spare-rounds: 20, phase-seconds: 6}
        """

    /// On rows that the coordinator has itself.
    func measure() -> String {
        """
        version: 1
        name: measure
        data:
          format: npz
          file: \(URL(filePath: archive).lastPathComponent)
          train: {inputs: val_images, labels: val_labels}
          test: {inputs: test_images, labels: test_labels}
          classes: 2
          scale: {bounds: [0, 255]}
        \(Self.model)
        metrics: [roc-auc]
        """
    }
}
