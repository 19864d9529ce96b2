import Foundation
import Testing

/// Three servers and who asks, as processes, by the command line.
@Suite("One regression over three sites, by the command line", .timeLimit(.minutes(20)))
struct FitCommandTests {
    private func fit(_ place: Workplace, _ sites: String, port: Int, _ more: [String]) throws -> Workplace.Finished {
        try place.run([Workplace.executable, "fit", sites, "visits", "--port", "\(port)"] + more)
    }

    @Test("Two servers' rows and a third one that helps: coefficients, receipts, charges, and what cannot be asked")
    func whole() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let servers = try SeveralSites.serve(place, port: port)
        let two = servers.prefix(2).map(\.url).joined(separator: ",")
        let asked = ["--helper", servers[2].url, "--response", "ill", "--feature", "amount"]
        let dry = try fit(place, two, port: port, asked + ["--rho", "0.5", "--dry-run"])
        let said = dry.output.replacing("\n", with: " ")
        #expect(dry.status == 0 && said.contains("Nothing was spent."), "\(dry.all)")
        #expect(said.contains("bytes among all three sites") && said.contains("1.41 times as large"), "\(said)")

        // Whoever has an amount above 50 is ill, at both sites.
        let exact = try fit(
            place, two, port: port,
            asked + ["--model", "logistic", "--steps", "40", "--rate", "8", "--exact", "--answer", "fit.json"])
        #expect(exact.status == 0, "\(exact.all)")
        #expect(exact.output.components(separatedBy: "receipt verified").count == 4, "\(exact.all)")
        let text = try String(contentsOfFile: place.path("fit.json"), encoding: .utf8)
        #expect(text.contains(#""analysis":"logistic-regression""#) && text.contains(#""rows":[100,100,0]"#), "\(text)")
        let document = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let intercept = try #require(document["intercept"] as? Double)
        let first = try #require((document["coefficients"] as? [[String: Any]])?.first)
        let slope = try #require(first["value"] as? Double)
        // The logit changes its sign near 50.
        #expect(slope > 0 && abs(-intercept / slope - 50.5) < 8, "\(intercept) \(slope)")

        #expect(text.contains(#""ridge":0.001"#) && text.contains(#""steps":40"#), "\(text)")
        let request = try #require(document["request"] as? String)
        let shown = try place.parley("history", request, "--url", servers[0].url)
        #expect(shown.status == 0 && shown.output.contains(#""analysis":"logistic-regression""#), "\(shown.all)")

        let noisy = try fit(place, two, port: port, asked + ["--rho", "2"])
        #expect(noisy.status == 0 && noisy.output.contains("With noise: a person's rho is 2"), "\(noisy.all)")
        // 160 people, and a rho of 2: little noise beside what is solved.
        #expect(
            noisy.output.contains("noise (deviation)") && noisy.output.contains("of that noise alone"), "\(noisy.all)")
        #expect(try place.parley("verify", "--site", "north").status == 0)

        // All three with rows; then the policy's uses are gone.
        let all = servers.map(\.url).joined(separator: ",")
        let three = ["--response", "ill", "--feature", "amount", "--exact"]
        #expect(try fit(place, all, port: port, three).status == 0)
        let fourth = try fit(place, all, port: port, three)
        #expect(fourth.status != 0 && fourth.errors.contains("uses of visits"), "\(fourth.all)")

        func words(_ sites: String, _ more: [String]) throws -> String {
            let ran = try fit(place, sites, port: port, more)
            #expect(ran.status != 0)
            return ran.errors.replacing("\n", with: " ")
        }
        #expect(try words(two, three).contains("Three sites compute together"))
        #expect(try words(all, ["--response", "ill", "--feature", "amount"]).contains("Say how results are protected"))
        #expect(try words(all, three + ["--rho", "1"]).contains("Say how results are protected"))
        #expect(
            try words(all, ["--response", "nothing", "--feature", "amount", "--exact"]).contains("no column nothing"))
        #expect(try words(all, ["--response", "ill", "--feature", "person", "--exact"]).contains("no declared bounds"))
        for server in servers { server.kill() }
    }
}
