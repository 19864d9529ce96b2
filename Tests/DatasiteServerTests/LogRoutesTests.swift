import Datasite
import DatasiteClient
import DatasiteProtocol
import Foundation
import Logging
import Testing
import TransparencyLog

@testable import DatasiteServer

/// What anybody can ask of a log and of a witness, without a token.
@Suite("The log as strangers reach it", .timeLimit(.minutes(10)))
struct LogRoutesTests {
    @Test("Everybody reads the checkpoint and its tiles, and nothing else of the folder; none beyond what is signed")
    func reading() async throws {
        let served = try ServedSite()
        try served.site.publishLog()
        try await served.serve { ports in
            let checkpoint = try await served.raw("GET", "/log/checkpoint", ports)
            #expect(checkpoint.status == 200 && checkpoint.headers["cache-control"] == "public, max-age=1")
            let signed = try SignedCheckpoint(parsing: Array(checkpoint.body.utf8))
            let size = signed.head.size
            #expect(size == 6)
            for (path, length) in [("tile/0/000.p/6", 192), ("tile/0/000.p/1", 32)] {
                let tile = try await served.raw("GET", "/log/" + path, ports)
                // A width that was never signed has no file.
                guard tile.status == 200 else {
                    #expect(path.hasSuffix("/1") && tile.status == 404)
                    continue
                }
                #expect(tile.headers["content-length"] == "\(length)")
                #expect(tile.headers["cache-control"] == "public, max-age=31536000, immutable")
            }
            let head = try await served.raw("HEAD", "/log/checkpoint", ports)
            #expect(head.status == 200 && head.body.isEmpty)
            let digits = String(repeating: "x999/", count: 300)
            for path in [
                "tile/0/000.p/7", "tile/0/000", "tile/0/001", "tile/1/000.p/1", "tile/63/000", "tile/entries/000",
                "tile/entries/x999/999.p/255", "tile/../checkpoint", "tile/../../site.key",
                "tile/%2e%2e/%2e%2e/site.key",
                "tile/0/000.p/..%2f..%2forigin", "tile/0/000.p/6%00", "tile//0/000.p/6", "tile/0/000.p/6/", "tile",
                "../site.key", "origin", "index", "head.json", "witnesses.json", "contradiction", "cosigned",
                "tile/0/\(digits)999", "tile/0/\(digits)\(digits)999",
            ] {
                let reply = try await served.raw("GET", "/log/" + path, ports)
                #expect([400, 404, 414].contains(reply.status), "\(path.prefix(80)): \(reply.status)")
                _ = try reply.problem()
            }
            for (method, path) in [("POST", "tile/0/000.p/6"), ("DELETE", "checkpoint"), ("PUT", "checkpoint")] {
                #expect(try await served.raw(method, "/log/" + path, ports).status == 405)
            }
        }
    }

    @Test("What strangers show as a checkpoint is bounded and verified before anything is done, and stops nothing")
    func comparing() async throws {
        let served = try ServedSite()
        let own = try served.site.publishLog()
        let other = try ServedSite()
        let foreign = String(decoding: try other.site.publishLog(), as: UTF8.self)
        try await served.serve { ports in
            func show(_ body: String) async throws -> Int {
                try await served.raw("POST", "/log/checkpoint", body: body, ports).status
            }
            let text = String(decoding: own, as: UTF8.self)
            #expect(try await show(text) == 200)
            #expect(try await show(String(repeating: "a", count: (8 << 10) + 1)) == 413)
            let parts = text.split(separator: "\n", omittingEmptySubsequences: false)
            let line = String(parts[4])
            var wrong = ["", "\n", "junk", foreign, text + "more", text.replacing("\n6\n", with: "\n60000\n")]
            // Under the site's name and another signature; and the right one behind it, a hundred times over.
            let key = try VerifierKey(served.site.logKey())
            let bytes = try #require(Data(base64Encoded: String(line.split(separator: " ")[2])))
            let forged =
                "\u{2014} \(key.name) \((bytes.prefix(4) + Data(repeating: 7, count: 64)).base64EncodedString())\n"
            wrong.append(text.replacing(line + "\n", with: forged) + line + "\n")
            wrong.append(text + String(repeating: "\u{2014} a AAAAAAA=\n", count: 101))
            for body in wrong { #expect(try await show(body) == 403, "\(body.prefix(60))") }
            // Of each key the first line counts alone.
            for more in [line + "\n", forged] { #expect(try await show(text + more) == 200) }
        }
        #expect(served.site.suspension == nil)
        #expect(!FileManager.default.fileExists(atPath: served.path + "/log/contradiction"))
    }

    @Test("A proof is for those who may see the request, as its receipt is")
    func proofs() async throws {
        let served = try ServedSite()
        try await served.serve { ports in
            let answer = try await served.client("ada", ports).ask(ServedSite.question, idempotencyKey: "one")
            guard case .released(let released) = answer else {
                Issue.record("not released")
                return
            }
            try served.site.publishLog()
            let path = "/v1/requests/\(released.receipt.body.request)/proof"
            #expect(try await served.raw("GET", path, ports).status == 401)
            #expect(try await served.raw("GET", path, as: "ada", ports).body.hasPrefix("c2sp.org/tlog-proof@v1\n"))
            for name in ["olga", "aud"] {
                let receipt = path.replacing("/proof", with: "/receipt")
                let (proof, expected) = (
                    try await served.raw("GET", path, as: name, ports).status,
                    try await served.raw("GET", receipt, as: name, ports).status
                )
                #expect(proof == expected, "\(name)")
            }
            let none = String(repeating: "0", count: 32)
            for id in [none, "..", "%2e%2e", "a", released.receipt.body.request + "0"] {
                #expect(
                    try await served.raw("GET", "/v1/requests/\(id)/proof", as: "ada", ports).status == 404, "\(id)")
            }
            let written = try await served.raw("POST", path, as: "ada", body: "x", ports)
            #expect(written.status == 405)
        }
    }

    @Test("A witness reads bounded bodies, knows its own logs alone, and serves no file but checkpoints")
    func witness() async throws {
        let served = try ServedSite()
        let folder = served.path + "/witness"
        let witness = try WitnessFolder(path: folder, name: "witness.example.org")
        try witness.add(served.site.logKey())
        let checkpoint = try SignedCheckpoint(parsing: served.site.publishLog())
        let asked = try AddCheckpointRequest(
            oldSize: 0, proof: ConsistencyProof(hashes: []), checkpoint: checkpoint)
        let stranger = try SigningKey.generate(name: KeyName("stranger.example"), kind: .ed25519)
        let unknown = try AddCheckpointRequest(
            oldSize: 0, proof: ConsistencyProof(hashes: []),
            checkpoint: SignedCheckpoint(
                signing: Checkpoint(origin: LogOrigin("stranger.example"), head: checkpoint.head),
                with: [stranger.signer]))
        let (ports, port) = AsyncStream<Int>.makeStream()
        let configuration = DatasiteServerConfiguration(
            port: 0, handlesSignals: false, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let server = Task {
            defer { port.finish() }
            try await serveWitness(configuration, witness: witness) { port.yield($0) }
        }
        defer { server.cancel() }
        let listening = await ports.first { _ in true }
        let place = ServedSite.Ports(http: try #require(listening), metrics: 0)
        func post(_ body: String) async throws -> Int {
            try await served.raw("POST", "/add-checkpoint", body: body, place).status
        }
        let before = try FileManager.default.contentsOfDirectory(atPath: folder).count
        #expect(try await post(String(repeating: "a", count: (64 << 10) + 1)) == 413)
        #expect(try await post("") == 400)
        #expect(try await post("old 0\n\nno checkpoint") == 400)
        let refused = try await served.raw(
            "POST", "/add-checkpoint", body: String(decoding: unknown.bytes, as: UTF8.self), place)
        #expect(refused.status == 404 && refused.body.contains("was not told of the log stranger.example"))
        // Nothing is kept of what is unknown.
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == before)
        #expect(try await post(String(decoding: asked.bytes, as: UTF8.self)) == 200)
        let origin = sha256Hex(checkpoint.checkpoint.origin.bytes)
        #expect(try await served.raw("GET", "/\(origin)/checkpoint", place).status == 200)
        for path in [
            "/", "/witness.key", "/../witness.key", "/%2e%2e/checkpoint", "/\(origin.uppercased())/checkpoint",
            "/\(origin)/evidence", "/../evidence", "/witness/evidence", "/\(origin)",
            "/\(String(repeating: "0", count: 64))/checkpoint", "/\(origin)/checkpoint/",
        ] {
            #expect(try await served.raw("GET", path, place).status == 404, "\(path)")
        }
        #expect(try await served.raw("GET", "/add-checkpoint", place).status == 405)
        // What is read has no body.
        for path in ["/health", "/\(origin)/checkpoint", "/nowhere"] {
            #expect(try await served.raw("GET", path, body: "x", place).status == 413, "\(path)")
        }
        server.cancel()
        _ = try? await server.value
    }
}
