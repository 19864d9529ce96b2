import ContentAddressing
import Foundation
import Testing

@testable import ContentStorage

/// A real Kubo node and other people's programs (`Kubo/kubo.py`), where there is a Python that has them: named by the variable
/// PARLEY_KUBO_PYTHON, or made by `scripts/kubo-environment`.
enum Kubo {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()

    static var python: String? {
        let made = folder.deletingLastPathComponent().deletingLastPathComponent().appending(
            path: ".build/kubo-environment/bin/python")
        let python = ProcessInfo.processInfo.environment["PARLEY_KUBO_PYTHON"] ?? made.path()
        return FileManager.default.isExecutableFile(atPath: python) ? python : nil
    }

    static func run(_ arguments: [String]) throws -> [[String: Any]] {
        let process = BegunProcess()
        process.executableURL = URL(filePath: try #require(python))
        process.arguments = ["-B", folder.appending(path: "Kubo/kubo.py").path()] + arguments
        let (output, errors) = (
            Pipe(), FileManager.default.temporaryDirectory.appending(path: "kubo-\(UUID().uuidString)")
        )
        _ = FileManager.default.createFile(atPath: errors.path(), contents: nil)
        defer { try? FileManager.default.removeItem(at: errors) }
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.begin()
        let told = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let words = try String(contentsOf: errors, encoding: .utf8).suffix(2_000)
        try #require(process.terminationStatus == 0, "\(words)")
        let lines = String(decoding: told, as: UTF8.self).split(separator: "\n").filter { $0.hasPrefix("{") }
        return try lines.map { try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
    }

    static func write(_ bytes: [UInt8], _ name: String, in place: Place) throws -> String {
        try FileManager.default.createDirectory(atPath: place.path, withIntermediateDirectories: true)
        let file = place.path + "/" + name
        try Data(bytes).write(to: URL(filePath: file))
        return file
    }

    static func root(_ bytes: [UInt8], _ profile: UnixFSProfile) -> CID {
        var importer = UnixFSImporter(profile)
        importer.append(bytes) { _ in }
        return importer.finish { _ in }.root
    }

    static let sizes = [0, 1, 1_000, 262_143, 262_144, 262_145, 1 << 20, (1 << 20) + 1, 2_500_000, (174 << 18) + 1]
}

@Suite(
    "Beside a real Kubo node",
    .enabled(if: Kubo.python != nil, "no Kubo: run scripts/kubo-environment, or set PARLEY_KUBO_PYTHON"), .serialized)
struct KuboTests {
    @Test(
        "`ipfs add` gives files of every shape the CIDs that we give them, and a CAR of the node's blocks is read here")
    func add() throws {
        let place = Place()
        let contents =
            Kubo.sizes.enumerated().map { random($1, UInt64($0)) } + [[UInt8](repeating: 0, count: 3_000_000)]
        let files = try contents.enumerated().map { try Kubo.write($1, "file-\($0)", in: place) }
        let told = try Kubo.run(["add", place.path] + files)
        #expect(told.count == files.count)
        let store = try ContentStore(at: place.path + "/content", quota: 1 << 30)
        for (index, line) in told.enumerated() {
            let root = Kubo.root(contents[index], .v0)
            #expect(line["cid"] as? String == root.description, "\(contents[index].count) bytes")
            let car = Array(try Data(contentsOf: URL(filePath: files[index] + ".car")))
            guard contents[index].count < 4_000_000 else {
                // Not written once more to a disk that may be slow.
                var (reader, blocks) = (ArchiveReader(most: 1 << 30), MemoryBlocks())
                try reader.append(car)
                while let block = try reader.next() { blocks.insert(block) }
                try reader.finish()
                var file = try UnixFSReader(root, in: blocks, most: 1 << 30)
                var bytes: [UInt8] = []
                while let piece = try file.next() { bytes += piece }
                #expect(bytes == contents[index])
                continue
            }
            var pieces = [car]
            let published = try store.publish(name: "from Kubo", archive: { pieces.popLast() })
            #expect(published.root == root.v1 && published.size == UInt64(contents[index].count))
            #expect(try store.read(root) == contents[index])
        }
    }

    @Test("Another program gives CIDs of version 1 with raw leaves that are ours")
    func cids() throws {
        let place = Place()
        let contents = Kubo.sizes.enumerated().map { random($1, UInt64($0)) }
        let files = try contents.enumerated().map { try Kubo.write($1, "file-\($0)", in: place) }
        let profile = try #require(UnixFSProfile(chunkBytes: 256 << 10, links: 174, hasRawLeaves: true))
        for (bytes, line) in zip(contents, try Kubo.run(["cids"] + files)) {
            #expect(line["v0"] as? String == Kubo.root(bytes, .v0).description, "\(bytes.count)")
            #expect(line["v1"] as? String == Kubo.root(bytes, profile).description, "\(bytes.count)")
        }
    }

    @Test(
        "A CAR of ours, given to one node and announced by gossip, is fetched by another by bitswap, whole",
        arguments: [900, 5_300_000])
    func fetch(_ count: Int) throws {
        let place = Place()
        let bytes = random(count, 77)
        let store = try ContentStore(at: place.path, quota: 1 << 30)
        let root = try store.publish(bytes, "model").root
        var writer = ArchiveWriter(of: root, in: store)
        var car: [UInt8] = []
        while let piece = try writer.next() { car += piece }
        let file = try Kubo.write(car, "model.car", in: place)
        let told = try #require(try Kubo.run(["fetch", place.path, file, place.path + "/out"]).first)
        #expect(
            told["cid"] as? String == root.description && told["status"] as? Int == 0
                && told["held_before"] as? Bool == false)
        #expect(try Array(Data(contentsOf: URL(filePath: place.path + "/out"))) == bytes)
    }

    @Test("Other people's client fetches a file from the gateway over HTTP, block by block and as a CAR")
    func gateway() throws {
        let place = Place()
        let bytes = random(5_300_000, 78)
        let store = try ContentStore(at: place.path, quota: 1 << 30)
        let root = try store.publish(bytes, "model").root
        let server = try GatewayOverHTTP(store)
        defer { server.stop() }
        let told = try #require(try Kubo.run(["gateway", server.url, root.description, place.path + "/out"]).first)
        #expect(try Array(Data(contentsOf: URL(filePath: place.path + "/out"))) == bytes)
        #expect(
            told["probe"] as? Int == 200 && told["unknown"] as? Int == 404 && told["head"] as? Int == 200
                && told["known"] as? Int == 304)
        #expect(told["size"] as? Int == bytes.count && told["type"] as? String == "file")
        #expect(told["roots"] as? [String] == [root.description] && told["blocks"] as? Int == 7)
        let digest = CID.of(bytes, codec: .raw).sha256.map { String(format: "%02x", $0) }.joined()
        #expect(told["leaves"] as? String == digest && told["transfer"] as? String == "chunked")
        #expect(told["content_type"] as? String == "application/vnd.ipld.car; version=1; order=dfs; dups=n")
    }
}
