import CZlib
import Foundation
import Learning

/// Data beside the project: `shared/data`, in the project's folder's parent or above it.
enum SharedData {
    /// The file, or nil where it is not there.
    static func file(_ path: String) -> [UInt8]? {
        var folder = URL(filePath: #filePath)
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            if let data = try? Data(contentsOf: folder.appending(path: "shared/data/\(path)")) { return Array(data) }
        }
        print("skipped: there is no shared/data/\(path) above the tests")
        return nil
    }

    /// Images [rows, 1, 28, 28] from 0 to 1, and their labels.
    struct Images {
        let examples: Examples
        let labels: [Int]

        init(_ images: DataArray, _ labels: DataArray, classes: Int) throws {
            let numbers = try labels.labels(classes: classes)
            examples = try Examples(
                images, rowShape: [1, 28, 28], scaling: .bounds(lower: 0, upper: 255), targets: .labels(numbers))
            self.labels = numbers.map(Int.init)
        }

        func values(_ rows: Range<Int>) -> [Float] { examples.inputs(Array(rows)).values }
    }

    /// Chest X-rays for training and for testing; nil where they are not there.
    static func pneumonia() throws -> (training: Images, testing: Images)? {
        guard let bytes = file("pneumoniamnist/pneumoniamnist_full.npz") else { return nil }
        let archive = try NPZFile(bytes, inflation)
        func images(_ part: String) throws -> Images {
            try Images(archive.array("\(part)_images"), archive.array("\(part)_labels"), classes: 2)
        }
        return (try images("train"), try images("test"))
    }

    /// Digits for training and for testing; nil where they are not there.
    static func digits() throws -> (training: Images, testing: Images)? {
        func images(_ part: String, _ rows: Int) throws -> Images? {
            guard let images = file("mnist/\(part)-images-idx3-ubyte.gz"),
                let labels = file("mnist/\(part)-labels-idx1-ubyte.gz")
            else { return nil }
            return try Images(
                IDXFile.read(inflated(images, rows * 784 + 16)), IDXFile.read(inflated(labels, rows + 8)), classes: 10)
        }
        guard let training = try images("train", 60_000), let testing = try images("t10k", 10_000) else { return nil }
        return (training, testing)
    }

    private static func inflated(_ bytes: [UInt8], _ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
            let isWhole = bytes.withUnsafeBytes { inflate(window: 31, $0, UnsafeMutableRawBufferPointer(target)) }
            initialized = isWhole ? count : 0
        }
    }

    private static let inflation = Inflation(
        largest: 1 << 24,
        inflate: { wrapper, bytes, target in inflate(window: wrapper == .none ? -15 : 15, bytes, target) },
        checksum: { before, bytes in
            UInt32(
                CZlib.crc32(UInt(before), bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32(bytes.count)))
        })

    private static func inflate(
        window: Int32, _ bytes: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        var stream = z_stream()
        guard inflateInit2_(&stream, window, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return false
        }
        defer { inflateEnd(&stream) }
        stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(bytes.count)
        stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(target.count)
        return CZlib.inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0
    }

    /// A model trained for some steps: seconds.
    static func trained(
        _ model: Model, on images: Images, steps: Int, batchRows: Int, rate: Float
    ) throws -> Parameters {
        let plan = try TrainingPlan(
            model: model, loss: .crossEntropy, optimizer: .adam(), learningRate: rate, schedule: .cosine(), steps: steps
        )
        var run = try TrainingRun(plan: plan, examples: images.examples, batchRows: batchRows, seed: 1, threads: 2)
        for _ in 0..<steps { _ = try run.step() }
        return run.state.result
    }
}
