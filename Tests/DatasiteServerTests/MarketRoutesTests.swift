import DatasiteClient
import DatasiteProtocol
import Foundation
import Logging
import Marketplace
import MarketplaceStore
import Testing

@testable import DatasiteServer

/// What a stranger can ask of a served market.
@Suite("A market as strangers reach it", .timeLimit(.minutes(5)))
struct MarketRoutesTests {
    private struct Served {
        let path: String
        let key: PlatformKey
        let market: Digest256
        let link: LogClient
        let ports: ServedSite.Ports
        let site: ServedSite
    }

    private static let clerk = PartyName("clerk")
    private static let olga = PartyName("olga")

    private func serve(_ body: (Served) async throws -> Void) async throws {
        let site = try ServedSite()
        let (path, key) = (site.path + "/market", PlatformKey.generate())
        let clerk = try #require(Self.clerk)
        let folder = try MarketFolder.create(
            at: path, operatorName: clerk,
            policy: try #require(DepositPolicy(detectionMillionths: 800_000, leastExpectation: 0)),
            key: key)
        try folder.operate(.register(clerk, key: key.signer.publicKey))
        let market = folder.description.market
        let office = MarketOffice(
            folder, pace: .init(burst: 4, hourly: 4), newcomers: .init(burst: 2, hourly: 2))
        let (ports, port) = AsyncStream<Int>.makeStream()
        let configuration = DatasiteServerConfiguration(
            port: 0, handlesSignals: false, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let server = Task {
            defer { port.finish() }
            try await serveMarket(configuration, office: office) { port.yield($0) }
        }
        defer { server.cancel() }
        let listening = try #require(await ports.first { _ in true })
        let link = try LogClient(url: "http://127.0.0.1:\(listening)")
        try await body(
            Served(
                path: path, key: key, market: market, link: link,
                ports: ServedSite.Ports(http: listening, metrics: 0), site: site))
        try await link.close()
        server.cancel()
        _ = try? await server.value
    }

    private func problem(_ body: [UInt8]) throws -> String {
        try JSONDecoder().decode(Problem.self, from: Data(body)).detail
    }

    @Test("Its log is read, and nothing else of the machine; bodies are bounded; what is nobody's is refused in words")
    func strangers() async throws {
        try await serve { served in
            let (site, ports) = (served.site, served.ports)
            for path in ["/health", "/market.json", "/checkpoint", "/tile/entries/000.p/1", "/tile/0/000.p/1"] {
                #expect(try await site.raw("GET", path, ports).status == 200, "\(path)")
                #expect(try await site.raw("GET", path, body: "x", ports).status == 413, "\(path)")
            }
            let digits = String(repeating: "x999/", count: 300)
            for path in [
                "/", "/entries/", "/tile", "/tile/", "/tile/../market.json", "/tile/%2e%2e/entries",
                "/tile/entries/000",
                "/tile/entries/001", "/tile/0/000.p/2", "/market.json/", "/../market.key", "/entries.partial",
                "/tile/0/\(digits)999", "/v1/site",
            ] {
                #expect([400, 404, 414].contains(try await site.raw("GET", path, ports).status), "\(path.prefix(60))")
            }
            for path in ["/entries", "/registrations"] {
                #expect(try await site.raw("GET", path, ports).status == 405, "\(path)")
                for method in ["PUT", "DELETE"] {
                    #expect(try await site.raw(method, path, ports).status == 405, "\(method) \(path)")
                }
            }
            for body in ["", "x", String(repeating: "a", count: SignedEntry.mostBytes)] {
                #expect(try await site.raw("POST", "/entries", body: body, ports).status == 400)
            }
            let long = String(repeating: "a", count: SignedEntry.mostBytes + 1)
            #expect(try await site.raw("POST", "/entries", body: long, ports).status == 413)
            #expect(try await site.raw("POST", "/registrations", body: "x", ports).status == 400)
            let longer = String(repeating: "a", count: Registration.mostBytes + 1)
            #expect(try await site.raw("POST", "/registrations", body: longer, ports).status == 413)

            // A part of a tile that has grown is what it was; no part is longer than the tile.
            let old = try await served.link.get("tile/entries/000.p/1", largest: 1 << 20)
            let hashes = try await served.link.get("tile/0/000.p/1", largest: 1 << 20)
            let other = try #require(PartySigner(seed: [UInt8](repeating: 8, count: 32)))
            let zoe = try #require(PartyName("zoe"))
            let wish = try other.registration(of: zoe, in: served.market)
            #expect(try await served.link.post("registrations", wish.bytes).status == 200)
            #expect(try await served.link.get("tile/entries/000.p/1", largest: 1 << 20) == old)
            #expect(try await served.link.get("tile/0/000.p/1", largest: 1 << 20) == hashes)
            let grown = try MarketAudit(of: served.path).count
            #expect(try await served.link.get("tile/entries/000.p/\(grown)", largest: 1 << 20) != nil)
            #expect(try await served.link.get("tile/entries/000.p/\(grown + 1)", largest: 1 << 20) == nil)

            let olga = try #require(Self.olga)
            let signer = try #require(PartySigner(seed: [UInt8](repeating: 7, count: 32)))
            let entry = try signer.sign(.withdraw(amount: 1), by: olga, in: served.market)
            let refused = try await served.link.post("entries", entry.journalBytes)
            #expect(refused.status == 403)
            #expect(try problem(refused.body).contains("olga is not registered"))
            // Nothing of it is kept.
            #expect(try MarketAudit(of: served.path).count == grown)
        }
    }

    @Test("Who registered asks at her pace, is told 429 beyond it, and finds what it came to in the log")
    func pace() async throws {
        try await serve { served in
            let olga = try #require(Self.olga)
            let signer = try #require(PartySigner(seed: [UInt8](repeating: 7, count: 32)))
            let wish = try signer.registration(of: olga, in: served.market)
            for _ in 0..<2 {
                let reply = try await served.link.post("registrations", wish.bytes)
                #expect(reply.status == 200 || reply.status == 429)
            }
            var last: SignedEntry?
            for number in 0..<6 {
                let entry = try signer.sign(.withdraw(amount: 1), by: olga, in: served.market)
                let reply = try await served.link.post("entries", entry.journalBytes)
                #expect(reply.status == (number < 4 ? 200 : 429), "\(number)")
                if number < 4 { last = entry }
            }
            // Her account is empty: the log says so, for good.
            let audit = try MarketAudit(of: served.path, key: served.key.signer.publicKey)
            let answer = try #require(last.flatMap { audit.market.answer(to: $0.key) })
            if case .refused = answer {} else { Issue.record("\(answer)") }
        }
    }

    @Test("Whoever waits for news is told how far the log goes when it has grown, and once")
    func announcements() async throws {
        try await serve { served in
            let news = try await served.link.announcements(after: 1)
            let olga = try #require(Self.olga)
            let signer = try #require(PartySigner(seed: [UInt8](repeating: 7, count: 32)))
            let before = try MarketAudit(of: served.path).count
            #expect(
                try await served.link.post("registrations", signer.registration(of: olga, in: served.market).bytes)
                    .status == 200)
            let after = try MarketAudit(of: served.path).count
            #expect(after > before)
            var text = ""
            for try await piece in news {
                text += String(decoding: piece, as: UTF8.self)
                if text.contains("\n\n") { break }
            }
            #expect(text == "id: \(after)\nevent: grown\ndata: {\"size\":\(after)}\n\n")
        }
    }
}
