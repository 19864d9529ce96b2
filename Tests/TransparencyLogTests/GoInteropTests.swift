import Foundation
import Testing

@testable import TransparencyLog

/// Go's own implementation, golang.org/x/mod/sumdb (Debian: golang-go, golang-golang-x-mod-dev).
private enum GoToolchain {
    static let path = "/usr/share/gocode"
    static let command: String? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") + ["/usr/bin"]
        return folders.map { "\($0)/go" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()
    static let isAvailable =
        command != nil && FileManager.default.fileExists(atPath: "\(path)/src/golang.org/x/mod/sumdb/tlog")
}

@Suite(
    .enabled(
        if: GoToolchain.isAvailable,
        "go, or golang.org/x/mod in /usr/share/gocode, is not installed (golang-go, golang-golang-x-mod-dev)"))
struct GoInteropTests {
    @Test("Go verifies a log that Swift wrote, and Swift a note that Go signed", arguments: [1, 256, 257, 1500])
    func interoperation(size: Int) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tlog-go-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        func write(_ name: String, _ bytes: [UInt8]) throws {
            let file = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: file)
        }
        var log = try TestLog()
        try log.append(count: size)
        let (old, index) = (UInt64(size * 2 / 3 + 1), UInt64(size / 3))
        for (path, bytes) in log.stored { try write(path.description, bytes) }
        try write("vkey", Array(log.key.verifierKey.description.utf8))
        try write("skey", Array(log.key.encoded.utf8))
        try write("checkpoint", log.checkpoint().bytes)
        try write("old-checkpoint", log.checkpoint(at: old).bytes)
        let leaves = (0..<size).map { Data("entry \($0)".utf8).base64EncodedString() + "\n" }
        try write("leaves", Array(leaves.joined().utf8))
        var tiles = try log.tiles()
        let inclusion = try tiles.inclusionProof(of: index).hashes.map { $0.base64 + "\n" }
        try write("inclusion", Array(("\(index)\n" + inclusion.joined()).utf8))
        let consistency = try tiles.consistencyProof(from: old).hashes.map { $0.base64 + "\n" }
        try write("consistency", Array(consistency.joined().utf8))

        let (status, output, errors) = try runGo(folder)
        #expect(status == 0, "\(errors)")
        let note = try SignedNote(parsing: output)
        #expect(String(decoding: note.text, as: UTF8.self) == "A note by Go,\n\nwith a blank line: è.\n")
        _ = try note.verify(KnownKeys([log.key.verifierKey]))
        // Ed25519 of RFC 8032 is deterministic where swift-crypto signs with BoringSSL: the same bytes.
        #if !canImport(Darwin)
            #expect(try SignedNote(signing: note.text, with: [log.key.signer]).bytes == output)
        #endif

        // Go finds out an altered tile: the check can fail.
        let edge = try #require(
            log.stored.keys.first { $0.content == .hashes(level: 0) && ($0.isPartial || size == 256) })
        var altered = try log.read(edge)
        altered[0] ^= 1
        try write(edge.description, altered)
        #expect(try runGo(folder).0 == 1)
    }

    private func runGo(_ folder: URL) throws -> (Int32, [UInt8], String) {
        let process = BegunProcess()
        process.executableURL = URL(fileURLWithPath: GoToolchain.command ?? "go")
        let program = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("go/main.go")
        process.arguments = ["run", program.path, folder.path]
        process.environment = ProcessInfo.processInfo.environment.merging(
            [
                "GO111MODULE": "off", "GOPATH": GoToolchain.path, "GOFLAGS": "",
                "GOCACHE": FileManager.default.temporaryDirectory.appendingPathComponent("go-cache").path,
            ]) { $1 }
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.begin()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        let text = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, Array(bytes), String(decoding: text, as: UTF8.self))
    }
}
