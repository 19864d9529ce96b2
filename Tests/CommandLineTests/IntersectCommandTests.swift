import Foundation
import Testing

/// Two servers, their owners and who asks, as processes, by the command line.
@Suite("Who is in both tables, by the command line", .timeLimit(.minutes(20)))
struct IntersectCommandTests {
    private func intersect(
        _ place: Workplace, _ urls: String, port: Int, _ more: String...
    ) throws -> Workplace.Finished {
        try place.run([Workplace.executable, "intersect", urls, "visits", "--port", "\(port)"] + more)
    }

    @Test("Two servers find out who is in both; their owners see it, and whoever asked does not")
    func whole() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let servers = try SeveralSites.serve(place, port: port)
        let urls = servers.prefix(2).map(\.url).joined(separator: ",")
        let dry = try intersect(place, urls, port: port, "--dry-run")
        let said = dry.output.replacing("\n", with: " ")
        #expect(dry.status == 0 && said.contains("Nothing was spent."), "\(dry.all)")
        #expect(
            said.contains("Matched: person: integer") && said.contains("north brings up to 100 identifiers"), "\(said)")
        #expect(said.contains("Without differential privacy the owners of both sites learn how many"), "\(said)")
        #expect(
            try place.parley("data", "intersections", "--site", "north").output.hasPrefix("No dataset of this site"))

        let done = try intersect(place, urls, port: port)
        #expect(done.status == 0, "\(done.all)")
        #expect(done.output.components(separatedBy: "receipt verified").count == 3, "\(done.all)")
        #expect(!done.all.contains(" 80 "), "\(done.all)")
        for name in ["north", "river"] {
            let shown = try place.parley("data", "intersections", "--site", name)
            #expect(shown.output.contains("80 of your identifiers are there too."), "\(shown.all)")
            #expect(shown.output.contains("Made known: how many to both."), "\(shown.all)")
            let budget = try place.parley("budget", "--site", name).output.replacing("\n  ", with: " ")
            #expect(budget.contains("People may be in both: visits was intersected"), "\(budget)")
        }
        #expect(try !place.parley("budget", "--url", servers[0].url).output.contains("People may be in both"))

        let second = try intersect(place, urls, port: port, "--output", "identifiers", "--for", "second")
        #expect(second.status == 0, "\(second.all)")
        let (north, river) = try (
            place.parley("data", "intersections", "--site", "north").output,
            place.parley("data", "intersections", "--site", "river").output
        )
        #expect(north.components(separatedBy: "80 of your identifiers").count == 2 && north.contains("which there"))
        #expect(
            river.contains("80 of your identifiers are there too.") && river.contains("which here"))
        // Which they are comes out for the owner who may know it, as CSV and JSON, into a file for her alone.
        let line = try #require(river.firstMatch(of: #/Which: parley data intersections (\S+)/#))
        let request = String(line.1)
        let csv = try place.parley("data", "intersections", request, "--site", "river")
        #expect(csv.status == 0 && csv.output.hasPrefix("person\r\n"), "\(csv.all)")
        let people = csv.output.components(separatedBy: "\r\n").dropFirst().filter { !$0.isEmpty }
        #expect(Set(people) == Set((0..<80).map { "\($0)" }) && people.count == 80)
        let file = try place.parley(
            "data", "intersections", request, "--json", "--output", "both.json", "--site", "river")
        #expect(file.status == 0 && file.output.contains("80 identifiers"), "\(file.all)")
        let both = try FileManager.default.attributesOfItem(atPath: place.path("both.json"))
        #expect(both[.posixPermissions] as? Int == 0o600)
        #expect(try String(contentsOfFile: place.path("both.json"), encoding: .utf8).contains(#""columns":["person"]"#))
        let again = try place.parley("data", "intersections", request, "--output", "both.json", "--site", "river")
        #expect(again.status != 0 && again.errors.contains("there already"), "\(again.all)")
        let none = try place.parley("data", "intersections", request, "--site", "north")
        #expect(none.status != 0 && none.errors.contains("there is no intersection"), "\(none.all)")
        #expect(try place.parley("verify", "--site", "north").status == 0)

        // Three uses are what the policy allows.
        #expect(try intersect(place, urls, port: port).status == 0)
        let fourth = try intersect(place, urls, port: port)
        #expect(fourth.status != 0 && fourth.errors.contains("uses of visits"), "\(fourth.all)")
        for server in servers { server.kill() }
    }

    @Test("What cannot be intersected is said in words, and nothing is charged")
    func refusals() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let servers = try SeveralSites.serve(place, port: port)
        let urls = servers.map(\.url)
        let two = urls.prefix(2).joined(separator: ",")
        func words(_ sites: String, _ more: String...) throws -> String {
            let ran = try place.run(
                [Workplace.executable, "intersect", sites] + more + ["--port", "\(port)"])
            #expect(ran.status != 0)
            return ran.errors.replacing("\n", with: " ")
        }
        #expect(try words(urls[0], "visits").contains("Name two sites"))
        #expect(try words(urls.joined(separator: ","), "visits").contains("of more intersect two at a time"))
        #expect(try words("\(urls[0]),\(urls[0])", "visits").contains("is named twice"))
        #expect(try words(two, "nothing").contains("there is no dataset"))
        #expect(try words(two, "visits", "--column", "nobody").contains("there is no column"))
        #expect(try words(two, "visits", "--column", "ill").contains("does not allow to match ill"))
        #expect(try words(two, "visits", "--column", "amount").contains("amount cannot be matched"))
        #expect(try words(two, "visits", "--output", "names").contains("names"))
        #expect(
            try words(two, "visits", "--address", "http://127.0.0.1:3").contains("does not name the coordinator"))
        for name in SeveralSites.names {
            #expect(try !place.parley("audit", "--site", name).output.contains("reserved"))
        }
        for server in servers { server.kill() }
    }
}
