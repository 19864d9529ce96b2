import ContentAddressing
import ContentStorage
import Foundation
import Secrets

/// A file of 256 MB becomes blocks, comes back, and is given by the gateway: CPU time of one thread. Each step on a disk runs in a process
/// of its own, so that its memory is its own.
struct ContentBenchmark {
    static let megabytes = 256
    let workplace: Workplace

    private var file: String { workplace.path("file") }
    private var store: String { workplace.path("content") }

    func run() throws {
        try makeFile()
        for step in ["importer", "publish", "export", "gateway"] {
            print(try workplace.child("content", step, file, store), terminator: "")
        }
    }

    private func makeFile() throws {
        _ = FileManager.default.createFile(atPath: file, contents: nil)
        let handle = try FileHandle(forWritingTo: URL(filePath: file))
        var words = SeededGenerator(seed: 15)
        for _ in 0..<Self.megabytes * 1_000_000 / 8_000 {
            handle.write(Data((0..<1_000).flatMap { _ in withUnsafeBytes(of: words.next()) { Array($0) } }))
        }
        try handle.close()
    }

    /// The importer alone: chunks, digests and nodes, of bytes in memory.
    private static func importer(_ file: String) throws {
        let bytes = Array(try Data(contentsOf: URL(filePath: file)))
        let pieces = stride(from: 0, to: bytes.count, by: 1 << 20).map {
            Array(bytes[$0..<min($0 + 1 << 20, bytes.count)])
        }
        var seconds: [Double] = []
        for _ in 0..<5 {
            let start = processorSeconds()
            var importer = UnixFSImporter()
            for piece in pieces { importer.append(piece) { _ in } }
            _ = importer.finish { _ in }
            seconds.append(processorSeconds() - start)
        }
        report(
            "content-importer",
            [("megabytes", Double(megabytes)), ("megabytes_per_cpu_second", Double(megabytes) / median(seconds))])
    }

    /// One step, in its own process.
    static func child(_ step: String, file: String, store: String) throws {
        guard step != "importer" else { return try importer(file) }
        let content = try ContentStore(at: store, quota: 1 << 32)
        let (cpu, wall) = (processorSeconds(), wallSeconds())
        var figures: [(String, Double)] = [("megabytes", Double(megabytes))]
        switch step {
        case "publish": _ = try content.publish(file: file, name: "file")
        case "export": try content.export(try root(content), to: file + ".again")
        default: figures += try gateway(content)
        }
        if step != "gateway" {
            figures += [
                ("megabytes_per_cpu_second", Double(megabytes) / (processorSeconds() - cpu)),
                ("megabytes_per_second", Double(megabytes) / (wallSeconds() - wall)),
            ]
        }
        report("content-\(step)", figures + [("peak_megabytes", peakMegabytes())])
    }

    private static func root(_ content: ContentStore) throws -> CID {
        guard let root = content.published.first?.root else { throw CocoaError(.fileNoSuchFile) }
        return root
    }

    /// A CAR of it all, then each block by itself, then questions that are answered without a block.
    private static func gateway(_ content: ContentStore) throws -> [(String, Double)] {
        let gateway = TrustlessGateway(content)
        let path = "/ipfs/\(try root(content))"
        var start = processorSeconds()
        var answer = gateway.answer(GatewayRequest(path: path, query: "format=car"))
        var (bytes, blocks) = (0, [CID]())
        var reader = ArchiveReader(most: .max)
        while let piece = try answer.body.next() { bytes += piece.count }
        let archive = Double(bytes) / 1e6 / (processorSeconds() - start)
        answer = gateway.answer(GatewayRequest(path: path, query: "format=car"))
        while let piece = try answer.body.next() {
            try reader.append(piece)
            while let block = try reader.next() { blocks.append(block.cid) }
        }
        start = processorSeconds()
        for cid in blocks {
            var answer = gateway.answer(GatewayRequest(path: "/ipfs/\(cid)", accept: "application/vnd.ipld.raw"))
            while try answer.body.next() != nil {}
        }
        let raw = Double(bytes) / 1e6 / (processorSeconds() - start)
        start = processorSeconds()
        for _ in 0..<20_000 {
            _ = gateway.answer(
                GatewayRequest(method: "HEAD", path: path, query: "format=raw", accept: "application/vnd.ipld.raw"))
        }
        let heads = 20_000 / (processorSeconds() - start)
        return [
            ("car_megabytes_per_cpu_second", archive), ("raw_megabytes_per_cpu_second", raw),
            ("heads_per_cpu_second", heads),
        ]
    }

    /// Publishes one file after the other, and tells each root once it is published; killed by a test.
    static func publishForEver(at path: String) throws {
        let content = try ContentStore(at: path, quota: 1 << 32)
        var words = SeededGenerator(seed: 7)
        for number in 0... {
            var pieces = (0..<3).map { _ in
                (0..<40_000).flatMap { _ in withUnsafeBytes(of: words.next()) { Array($0) } }
            }
            let published = try content.publish(name: "file \(number)", reading: { pieces.popLast() })
            FileHandle.standardOutput.write(Data("\(published.root)\n".utf8))
            // Now and then something is taken away again.
            if number % 3 == 2 {
                _ = try content.withdraw(published.root)
                FileHandle.standardOutput.write(Data("-\(published.root)\n".utf8))
            }
        }
    }
}
