import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Several servers and a coordinator, as processes, by the command line.
@Suite("Training together by the command line", .timeLimit(.minutes(20)))
struct CoordinateCommandTests {
    private static let names = ["north", "river", "summit"]

    private func manifest(_ keys: [String], _ port: Int, amount: Int = 100) -> String {
        """
        name: visits
        title: Visits
        description: Made up
        population: people
        unit: {column: person, rows: 3, groups: 3}
        capacity: {rows: 300, units: 100}
        policy:
          loss: renyi
          delta: 1e-5
          total: {epsilon: 20}
          engines:
            questions: {}
            federated-training: {sites: [\(keys.joined(separator: ", "))], coordinators: ["http://127.0.0.1:\(port)"], aggregation: [masked, distributed-noise], uses: 50}
        columns:
          - {name: person, type: integer, nullable: false}
          - {name: amount, type: integer, bounds: [0, \(amount)], nullable: false}
          - {name: ill, type: integer, domain: [0, 1], nullable: false}
        """
    }

    private let plan = """
        version: 1
        name: illness
        data: {dataset: visits, features: [amount], label: ill}
        model: {layers: [{kind: linear, outputs: 2}]}
        loss: cross-entropy
        optimizer: {kind: sgd, rate: 2}
        batch: 300
        privacy: {unit: person, units: 300, clip: 1, noise: 2}
        federation: {rounds: 6, spare-rounds: 4, least: 3, colluders: 1, phase-seconds: 20}
        """

    /// Of the rows whose amount is above 50 the label is 1.
    private static func rows(_ place: Int) -> String {
        "person,amount,ill\n"
            + (0..<80).map { "\($0),\(($0 * 37 + place) % 100),\(($0 * 37 + place) % 100 > 50 ? 1 : 0)\n" }.joined()
    }

    private func sites(_ place: Workplace, port: Int, amounts: [Int] = [100, 100, 100]) throws -> [Workplace.Server] {
        let keys = try Self.names.map { name in
            #expect(try place.parley("site", "init", name).status == 0)
            let key = try place.parley("site", "key", "--site", name)
            #expect(key.status == 0 && key.output.count == 45)
            return key.output.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        return try Self.names.enumerated().map { number, name in
            try place.write(Self.rows(number), to: "\(name).csv")
            try place.write(manifest(keys, port, amount: amounts[number]), to: "\(name).yaml")
            let added = try place.parley(
                "data", "add", "\(name).csv", "--manifest", "\(name).yaml", "--site", name, "--yes")
            #expect(added.status == 0, "\(added.errors)")
            try place.write(
                try place.parley("user", "add", "ruth", "--role", "researcher", "--site", name).output,
                to: "\(name).token")
            let server = try place.serve(site: name)
            #expect(try place.parley("login", server.url, "--token-file", "\(name).token").status == 0)
            return server
        }
    }

    /// A port on which nothing listens now.
    private static func freePort() -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard bind(socket, address, size) == 0, getsockname(socket, address, &size) == 0 else { return 28_900 }
                return Int(
                    address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                        UInt16(bigEndian: $0.pointee.sin_port)
                    })
            }
        }
    }

    @Test("Three servers train one model; a coordinator that is stopped goes on, and one that is done says so again")
    func whole() throws {
        let place = try Workplace()
        let port = Self.freePort()
        let servers = try sites(place, port: port)
        try place.write(plan, to: "plan.yaml")
        let urls = servers.map(\.url).joined(separator: ",")
        let asked = ["coordinate", "plan.yaml", "--sites", urls, "--port", "\(port)", "--run", "run"]
        let dry = try place.run([Workplace.executable] + asked + ["--dry-run"])
        #expect(dry.status == 0 && dry.output.contains("would be answered"), "\(dry.all)")
        #expect(dry.output.contains("distributed noise") && dry.output.contains("Nothing was spent."))
        #expect(!FileManager.default.fileExists(atPath: place.path("run")))

        // One site ends when it was asked: the rounds wait for it, and so does the coordinator until it is stopped.
        let waiting = try place.start(asked)
        while !FileManager.default.fileExists(atPath: place.path("run/messages-0.log")) {
            try #require(waiting.isRunning)
            usleep(20_000)
        }
        servers[2].kill()
        usleep(500_000)
        waiting.interrupt()
        waiting.waitUntilExit()
        #expect(waiting.terminationStatus != 0)
        let last = try #require(Int(servers[2].url.split(separator: ":").last ?? ""))
        let again = try place.serve(site: "summit", port: last)
        let done = try place.run(
            [Workplace.executable] + ["coordinate", "plan.yaml", "--port", "\(port)", "--run", "run"])
        #expect(done.status == 0 && done.errors.contains("Going on"), "\(done.all)")
        #expect(done.output.contains("All sites came to the same model, to the bit."), "\(done.all)")
        for number in 1...3 {
            #expect(try place.read("run/site-\(number)/card.md").contains("epsilon"))
            let verified = try place.parley(
                "receipt", "verify", "run/site-\(number)/receipt.json", "--answer",
                "run/site-\(number)/release.json",
                "--key",
                try place.parley("site", "key", "--site", Self.names[number - 1]).output.trimmingCharacters(
                    in: .whitespacesAndNewlines))
            #expect(verified.status == 0, "\(verified.all)")
        }
        #expect(try place.read("run/curves.jsonl").split(separator: "\n").count == 6)
        #expect(try place.read("run/curves.svg").contains("rounds begun"))
        let repeated = try place.run(
            [Workplace.executable] + ["coordinate", "plan.yaml", "--port", "\(port)", "--run", "run"])
        #expect(
            repeated.status == 0 && repeated.errors.contains("Going on") && repeated.output.contains("to the bit"),
            "\(repeated.all)")
        for name in Self.names {
            let audit = try place.parley("audit", "--site", name).output
            #expect(audit.components(separatedBy: "reserved").count == 2, "\(audit)")
        }
        for server in [servers[0], servers[1], again] { server.kill() }
    }

    @Test("What cannot begin is said in words, and nothing is charged")
    func refusals() throws {
        let place = try Workplace()
        let port = Self.freePort()
        let servers = try sites(place, port: port, amounts: [100, 100, 90])
        try place.write(plan, to: "plan.yaml")
        let urls = servers.map(\.url)
        func words(_ sites: String, _ more: String..., file: String = "plan.yaml") throws -> String {
            let ran = try place.run(
                [Workplace.executable, "coordinate", file, "--sites", sites, "--port", "\(port)"] + more)
            #expect(ran.status != 0)
            return ran.errors
        }
        let differ = try words(urls.joined(separator: ","))
        #expect(
            differ.contains("the manifests of north and summit differ")
                && differ.contains("amount is from 0.0 to 90.0"), "\(differ)")
        #expect(try words(urls[0]).contains("at least two"))
        #expect(try words(urls[0] + ",http://127.0.0.1:1").contains("not logged in to http://127.0.0.1:1"))
        #expect(try words(urls[0] + "," + urls[0]).contains("names a key twice"))
        let address = try words(urls.prefix(2).joined(separator: ","), "--address", "http://127.0.0.1:4")
        #expect(address.contains("does not name the coordinator") && address.contains(urls[0]), "\(address)")
        try place.write(plan.replacing("data: {dataset: visits", with: "data: {dataset: visit"), to: "wrong.yaml")
        #expect(try words(urls.joined(separator: ","), file: "wrong.yaml").contains("there is no dataset"))
        try place.write(plan.components(separatedBy: "\nfederation")[0], to: "alone.yaml")
        #expect(try words(urls.joined(separator: ","), file: "alone.yaml").contains("the key `federation` is missing"))
        for name in Self.names {
            #expect(try !place.parley("audit", "--site", name).output.contains("reserved"))
        }
        for server in servers { server.kill() }
    }
}
