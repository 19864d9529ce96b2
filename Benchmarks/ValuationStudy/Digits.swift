import Foundation
import Secrets

/// Handwritten digits (MNIST; LeCun, Cortes and Burges), each as the means of its 7x7 blocks of 4x4 pixels, doubled, and a one.
public struct Digits: Sendable {
    /// Numbers a row.
    public static let width = 50
    /// Rows one after the other.
    public let values: [Float]
    /// 0 to 9, by row.
    public let labels: [Int]

    /// How many rows there are.
    public var count: Int { labels.count }

    /// The training rows of the folder `shared/data/mnist` beside the project; nil where it is not there.
    public static func find(above file: String = #filePath) -> Digits? {
        var folder = URL(filePath: file)
        while folder.path().count > 1 {
            folder.deleteLastPathComponent()
            for place in ["shared/data/mnist", "work/shared/data/mnist"] {
                let data = folder.appending(path: place)
                guard let images = unpacked(data.appending(path: "train-images-idx3-ubyte.gz")),
                    let labels = unpacked(data.appending(path: "train-labels-idx1-ubyte.gz"))
                else { continue }
                return Digits(images: images, labels: labels)
            }
        }
        return nil
    }

    private static func unpacked(_ file: URL) -> [UInt8]? {
        guard FileManager.default.fileExists(atPath: file.path()) else { return nil }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["gzip", "-dc", file.path()]
        let output = Pipe()
        process.standardOutput = output
        guard (try? process.run()) != nil else { return nil }
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? [UInt8](data) : nil
    }

    private init?(images: [UInt8], labels: [UInt8]) {
        let count = labels.count - 8
        guard count > 0, images.count == 16 + 784 * count else { return nil }
        var values = [Float](repeating: 1, count: count * Self.width)
        for row in 0..<count {
            for block in 0..<49 {
                var sum = 0
                for pixel in 0..<16 {
                    sum += Int(images[16 + 784 * row + 28 * (block / 7 * 4 + pixel / 4) + block % 7 * 4 + pixel % 4])
                }
                values[row * Self.width + block] = Float(sum) / (16 * 255) * 2
            }
        }
        self.values = values
        self.labels = labels.dropFirst(8).map(Int.init)
    }
}

/// Rows of one party.
public struct Rows: Sendable {
    /// ``Digits/width`` numbers a row.
    public internal(set) var values: [Float] = []
    /// By row.
    public internal(set) var labels: [Int] = []

    /// No rows.
    public init() {}

    /// How many there are.
    public var count: Int { labels.count }

    mutating func append(_ digits: Digits, _ row: Int, label: Int? = nil) {
        values += digits.values[row * Digits.width..<(row + 1) * Digits.width]
        labels.append(label ?? digits.labels[row])
    }

    /// A part of them.
    func part(_ range: Range<Int>) -> Rows {
        var part = Rows()
        part.values = Array(values[range.lowerBound * Digits.width..<range.upperBound * Digits.width])
        part.labels = Array(labels[range])
        return part
    }
}

/// How owners differ.
public enum Heterogeneity: String, Sendable, CaseIterable {
    /// Owner k, from 0, has each label wrong with probability k/10.
    case noisyLabels
    /// Owner k, from 1, has 2k/11 of the mean number of rows.
    case sizes
    /// Each owner's labels follow a distribution of its own, Dirichlet with all parameters 1/2.
    case labelSkew
    /// Not at all.
    case none
}

/// Ten owners and a sponsor.
public struct Cast: Sendable {
    /// By owner.
    public internal(set) var owners: [Rows]
    /// The sponsor's.
    public let validation: Rows

    /// Drawn by the seed: 60 rows an owner on average, and 500 of the sponsor.
    public init(_ digits: Digits, _ kind: Heterogeneity, seed: UInt64, owners count: Int = 10, rows: Int = 60) {
        var random = SeededGenerator(seed: seed)
        var order = Array(0..<digits.count)
        order.shuffle(using: &random)
        var validation = Rows()
        for row in order[..<500] { validation.append(digits, row) }
        var rest = order[500...]
        var byLabel = Dictionary(grouping: rest.suffix(20_000)) { digits.labels[$0] }
        owners = (0..<count).map { owner in
            var owned = Rows()
            if kind == .labelSkew {
                let shares = Self.dirichlet(&random)
                for _ in 0..<rows {
                    var (draw, label) = (Self.uniform(&random), 0)
                    while label < 9, draw >= shares[label] { (draw, label) = (draw - shares[label], label + 1) }
                    if let row = byLabel[label]?.popLast() { owned.append(digits, row) }
                }
                return owned
            }
            for _ in 0..<(kind == .sizes ? 2 * rows * (owner + 1) / 11 : rows) {
                guard let row = rest.popFirst() else { break }
                var label = digits.labels[row]
                if kind == .noisyLabels, Self.uniform(&random) < Double(owner) / 10 {
                    label = (label + 1 + Int(random.next(upperBound: 9 as UInt64))) % 10
                }
                owned.append(digits, row, label: label)
            }
            return owned
        }
        self.validation = validation
    }

    static func uniform(_ random: inout SeededGenerator) -> Double { Double(random.next() >> 11) * 0x1p-53 }

    /// Standard normal (Box and Muller 1958).
    static func normal(_ random: inout SeededGenerator) -> Double {
        let (a, b) = (1 - uniform(&random), uniform(&random))
        return (-2 * log(a)).squareRoot() * cos(2 * .pi * b)
    }

    /// A Gamma variable of shape 1/2 is half a squared normal one.
    private static func dirichlet(_ random: inout SeededGenerator) -> [Double] {
        let weights = (0..<10).map { _ in
            let z = normal(&random)
            return z * z / 2
        }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}
