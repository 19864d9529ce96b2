import Foundation
import Testing

/// Three servers and who asks, as processes, by the command line.
@Suite("Statistics of who is in two sites' tables, by the command line", .timeLimit(.minutes(20)))
struct JoinCommandTests {
    private func join(_ place: Workplace, _ sites: String, port: Int, _ more: [String]) throws -> Workplace.Finished {
        try place.run([Workplace.executable, "join", sites, "visits", "--port", "\(port)"] + more)
    }

    /// The amounts of the eighty people at a site.
    private static func amounts(_ place: Int) -> [Double] { (0..<80).map { Double(($0 * 37 + place) % 100) } }

    @Test(
        "Two servers' tables and a third one that helps: numbers with their noise, receipts, charges, and what cannot be asked"
    )
    func whole() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let servers = try SeveralSites.serve(place, port: port)
        let two = servers.prefix(2).map(\.url).joined(separator: ",")
        let asked = ["--helper", servers[2].url, "--on", "person", "--columns", "1:amount,2:amount"]
        let dry = try join(place, two, port: port, asked + ["--rho", "0.5", "--dry-run"])
        let said = dry.output.replacing("\n", with: " ")
        #expect(dry.status == 0 && said.contains("Nothing was spent."), "\(dry.all)")
        #expect(said.contains("bytes among all three sites") && said.contains("1.41 times as large"), "\(said)")
        #expect(said.contains("trusted to follow the protocol") && !said.contains("verified before"), "\(said)")

        let exact = try join(place, two, port: port, asked + ["--exact", "--json", "--answer", "join.json"])
        #expect(exact.status == 0, "\(exact.all)")
        #expect(exact.errors.components(separatedBy: "receipt verified").count == 4, "\(exact.all)")
        let text = try String(contentsOfFile: place.path("join.json"), encoding: .utf8)
        #expect(exact.output.trimmingCharacters(in: .whitespacesAndNewlines) == text)
        let document = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let all = try #require((document["people"] as? [[String: Any]])?.first)
        #expect(
            (all["count"] as? [String: Any])?["value"] as? Double == 80
                && document["analysis"] as? String == "joined-statistics")
        let sums = try #require(all["sums"] as? [[String: Any]]).compactMap { $0["value"] as? Double }
        for site in 0..<2 {
            // Rounded to parts of 32,768 of a hundred.
            #expect(abs(sums[site] - Self.amounts(site).reduce(0, +)) < 80 * 100 / 32_768, "\(sums)")
        }
        #expect(text.contains("trusted to follow the protocol"))
        let request = try #require(document["request"] as? String)
        let shown = try place.parley("history", request, "--url", servers[0].url)
        #expect(shown.status == 0 && shown.output.contains(#""analysis":"joined-statistics""#), "\(shown.all)")

        let noisy = try join(place, two, port: port, asked + ["--rho", "2"])
        #expect(noisy.status == 0, "\(noisy.all)")
        let table = noisy.output
        #expect(table.contains("in both tables") && table.contains("noise") && table.contains("1:amount"), "\(table)")
        // Three columns, a one among them: six products, of which a person changes each by 1, and two owners' noise: the root of 2 x 6 / (2 x 2).
        #expect(table.contains(" 1.73\n"), "\(table)")
        #expect(table.replacing("\n", with: " ").contains("trusted to follow the protocol"), "\(table)")
        #expect(try place.parley("verify", "--site", "north").status == 0)

        let groups = try join(
            place, two, port: port,
            ["--helper", servers[2].url, "--on", "person", "--columns", "2:amount", "--by", "1:ill", "--exact"])
        #expect(groups.status == 0, "\(groups.all)")
        let ill = Self.amounts(0).count { $0 > 50 }
        #expect(groups.output.contains("people in both") && groups.output.contains(" \(ill)\n"), "\(groups.output)")
        // Then the policy's uses are gone.
        let fourth = try join(place, two, port: port, asked + ["--exact"])
        #expect(fourth.status != 0 && fourth.errors.contains("uses of visits"), "\(fourth.all)")

        func words(_ sites: String, _ more: [String]) throws -> String {
            let ran = try join(place, sites, port: port, more)
            #expect(ran.status != 0)
            return ran.errors.replacing("\n", with: " ")
        }
        let helped = ["--helper", servers[2].url, "--exact"]
        #expect(try words(servers[0].url, helped + ["--on", "person"]).contains("Two sites' tables are joined"))
        #expect(
            try words(two, ["--helper", servers[2].url, "--on", "person"]).contains("Say how results are protected"))
        #expect(
            try words(two, helped + ["--on", "person", "--columns", "amount"]).contains(
                "Both sites have a column amount"))
        #expect(
            try words(two, helped + ["--on", "person", "--columns", "nothing"]).contains(
                "Neither site has a column nothing"))
        #expect(
            try words(two, helped + ["--on", "person", "--columns", "1:person"]).contains("no declared bounds"))
        #expect(try words(two, helped + ["--on", "amount"]).contains("names as the unit, which is person"))
        #expect(try words(two, helped + ["--on", "person", "--by", "1:amount"]).contains("no public values"))
        for server in servers { server.kill() }
    }
}
