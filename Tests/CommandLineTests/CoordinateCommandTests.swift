import Foundation
import Testing

/// Several servers and a coordinator, as processes, by the command line.
@Suite("Training together by the command line", .timeLimit(.minutes(20)))
struct CoordinateCommandTests {
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

    @Test("Three servers train one model; a coordinator that is stopped goes on, and one that is done says so again")
    func whole() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let servers = try SeveralSites.serve(place, port: port)
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
                try place.parley("site", "key", "--site", SeveralSites.names[number - 1]).output.trimmingCharacters(
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
        for name in SeveralSites.names {
            let audit = try place.parley("audit", "--site", name).output
            #expect(audit.components(separatedBy: "reserved").count == 2, "\(audit)")
        }
        for server in [servers[0], servers[1], again] { server.kill() }
    }

    @Test("What cannot begin is said in words, and nothing is charged")
    func refusals() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let servers = try SeveralSites.serve(place, port: port, amounts: [100, 100, 90])
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
        #expect(try words(urls[0] + "," + urls[0]).contains("is named twice"))
        let address = try words(urls.prefix(2).joined(separator: ","), "--address", "http://127.0.0.1:4")
        #expect(address.contains("does not name the coordinator") && address.contains(urls[0]), "\(address)")
        try place.write(plan.replacing("data: {dataset: visits", with: "data: {dataset: visit"), to: "wrong.yaml")
        #expect(try words(urls.joined(separator: ","), file: "wrong.yaml").contains("there is no dataset"))
        try place.write(plan.components(separatedBy: "\nfederation")[0], to: "alone.yaml")
        #expect(try words(urls.joined(separator: ","), file: "alone.yaml").contains("the key `federation` is missing"))
        for name in SeveralSites.names {
            #expect(try !place.parley("audit", "--site", name).output.contains("reserved"))
        }
        for server in servers { server.kill() }
    }
}
