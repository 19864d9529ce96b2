import Datasite
import Foundation
import Learning
import Marketplace

/// Whose rows are where in the market's demonstration: four fifths of PneumoniaMNIST's training images are divided among the owners who have any; the others, and the validation images, are
/// the sponsor's.
struct MarketExamples {
    /// Images of 28x28 grey pixels, and whether they show pneumonia.
    struct Rows {
        fileprivate(set) var pixels: [UInt8] = []
        fileprivate(set) var labels: [Int32] = []
        static let size = 28 * 28

        fileprivate mutating func add(_ rows: [Int], of images: DataArray, _ classes: [Int32]) {
            for row in rows {
                pixels += images.bytes[row * Self.size..<(row + 1) * Self.size]
                labels.append(classes[row])
            }
        }

        func write(to name: String) throws { try HospitalFiles.write(pixels: pixels, labels: labels, to: name) }

        func examples() throws -> Examples {
            try Examples(
                try DataArray(shape: [labels.count, 28, 28], type: .unsigned8, bytes: pixels), rowShape: [1, 28, 28],
                scaling: .bounds(lower: 0, upper: 255), targets: .labels(labels))
        }
    }

    /// One an owner who has images.
    private(set) var owned: [Rows]
    /// The sponsor's.
    private(set) var tested = Rows()

    /// - Throws: A `Failure` where the archive is another.
    init(archive: String, owners: Int) throws {
        let arrays = try ArchivedArrays.read(
            archive, ["train_images", "train_labels", "val_images", "val_labels"])
        for (images, labels) in [(arrays[0], arrays[1]), (arrays[2], arrays[3])] {
            guard images.rowShape == [28, 28], images.type == .unsigned8, labels.rows == images.rows else {
                throw Failure(
                    "\(archive) is not PneumoniaMNIST.", next: "It has 28x28 images: train_images, train_labels, ...")
            }
        }
        owned = (0..<owners).map { _ in Rows() }
        let classes = try arrays[1].labels(classes: 2)
        // Each has as large a part of either label as the others.
        let order = HospitalFiles.shuffled(classes.count).sorted { classes[$0] < classes[$1] }
        for (place, row) in order.enumerated() {
            if place % 5 == 4 {
                tested.add([row], of: arrays[0], classes)
            } else {
                owned[(place / 5 * 4 + place % 5) % owners].add([row], of: arrays[0], classes)
            }
        }
        let others = try arrays[3].labels(classes: 2)
        tested.add(Array(others.indices), of: arrays[2], others)
    }
}

/// A scientist's proposal: a model, and how it is trained.
struct MarketProposal {
    let title: String
    /// As it is written down: its digest is what is committed to.
    let description: String
    var content: Digest256 { .sha256(Array(description.utf8)) }
    /// What is in front of the trained layers is computed once.
    let model: Model
    let frozen: Parameters
    let clip: Double
    let rate: Double

    /// Scattering (Andén and Mallat 2014) in front of a linear layer.
    static func scattering() throws -> MarketProposal {
        MarketProposal(
            title: "scattering", description: "scattering, group normalisation of 27, linear; clip 20, rate 0.2",
            model: try Model(inputShape: [1, 28, 28]) {
                Scattering()
                GroupNormalization(groups: 27)
                Flatten()
                Linear(2)
            }, clip: 20, rate: 0.2)
    }

    /// Logistic regression on pixels, each image by itself brought to mean 0 and deviation 1.
    static func pixels() throws -> MarketProposal {
        MarketProposal(
            title: "pixels", description: "linear on standardised pixels; clip 10, rate 0.01",
            model: try Model(inputShape: [1, 28, 28]) {
                GroupNormalization(groups: 1)
                Flatten()
                Linear(2)
            }, clip: 10, rate: 0.01)
    }

    private init(title: String, description: String, model: Model, clip: Double, rate: Double) {
        (self.title, self.description, self.model) = (title, description, model)
        (self.clip, self.rate) = (clip, rate)
        frozen = TrainingRun.initialParameters(model, seed: 1)
    }
}
