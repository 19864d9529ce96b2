import DatasiteProtocol
import Foundation
import Testing

/// Several servers and who asks them, as processes, by the command line.
@Suite("Asking several sites by the command line", .timeLimit(.minutes(20)))
struct AskTogetherTests {
    private static let sql = "SELECT ill, COUNT(*) AS n, AVG(amount) AS mean FROM visits GROUP BY ill"

    private func ask(_ place: Workplace, _ urls: String, port: Int, _ more: String...) throws -> Workplace.Finished {
        try place.run(
            [Workplace.executable, "ask", urls, "visits", Self.sql, "--epsilon", "1", "--port", "\(port)"] + more)
    }

    @Test("Three servers answer one question with one noise; each charges it, and signs its part")
    func whole() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let servers = try SeveralSites.serve(place, port: port)
        let urls = servers.map(\.url).joined(separator: ",")
        let dry = try ask(place, urls, port: port, "--dry-run")
        #expect(dry.status == 0 && dry.output.contains("Nothing was spent."), "\(dry.all)")
        #expect(dry.output.contains("a share from each of 3 sites") && dry.output.contains("north"), "\(dry.all)")

        let done = try ask(
            place, urls, port: port, "--format", "json", "--answer", "answer.json", "--receipt", "receipt.json")
        #expect(done.status == 0, "\(done.all)")
        let answer = try JSONDecoder().decode(Answer.self, from: Data(done.output.utf8))
        #expect(answer.columns.map(\.name) == ["ill", "n", "mean"] && answer.federation?.sites.count == 3)
        for (number, name) in SeveralSites.names.enumerated() {
            let key = try place.parley("site", "key", "--site", name).output.trimmingCharacters(
                in: .whitespacesAndNewlines)
            let verified = try place.parley(
                "receipt", "verify", "receipt-\(number + 1).json", "--answer", "answer-\(number + 1).json", "--key", key
            )
            #expect(verified.status == 0, "\(verified.all)")
            let own = try JSONDecoder().decode(
                Answer.self, from: Data(try place.read("answer-\(number + 1).json").utf8))
            #expect(own.rows == answer.rows && own.federation?.place == number)
            let audit = try place.parley("audit", "--site", name).output
            #expect(audit.components(separatedBy: "reserved").count == 2, "\(audit)")
        }
        // Asked again it is a new question, with new noise.
        let again = try ask(place, urls, port: port, "--answer", "again.json")
        #expect(again.status == 0 && again.output.contains("receipt verified"), "\(again.all)")
        let second = try JSONDecoder().decode(Answer.self, from: Data(try place.read("again-1.json").utf8))
        #expect(second.columns == answer.columns && second.rows != answer.rows)
        for server in servers { server.kill() }
    }

    @Test("Owners decide first; who asks is killed and goes on, and nobody is charged twice or for what another denies")
    func approvals() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let servers = try SeveralSites.serve(place, port: port, questions: ["", ", approval: owner", ""])
        let urls = servers.map(\.url).joined(separator: ",")
        func pending() throws -> String {
            while true {
                let listed = try place.parley("requests", "--site", "river", "--pending").output
                if let id = listed.firstMatch(of: #/[0-9a-f]{32}/#) { return String(id.0) }
                usleep(50_000)
            }
        }
        let arguments = ["ask", urls, "visits", Self.sql, "--epsilon", "1", "--port", "\(port)"]
        let first = try place.start(arguments)
        _ = try pending()
        for name in ["north", "summit"] {
            #expect(try !place.parley("audit", "--site", name).output.contains("reserved"))
        }
        kill(first.processIdentifier, SIGKILL)
        first.waitUntilExit()
        func charged() throws -> [Int] {
            try SeveralSites.names.map { name in
                try place.parley("audit", "--site", name).output.components(separatedBy: "reserved").count - 1
            }
        }
        // Going on, too, nobody is charged before the owner decided; and a second process asks nothing.
        let second = try place.start(arguments)
        usleep(1_500_000)
        #expect(try charged() == [0, 0, 0])
        let same = try place.run([Workplace.executable] + arguments)
        #expect(same.status != 0 && same.errors.contains("Another process asks the same question"), "\(same.all)")
        #expect(try place.parley("approve", pending(), "--site", "river").status == 0)
        second.waitUntilExit()
        #expect(second.terminationStatus == 0)
        #expect(try charged() == [1, 1, 1])
        // A denial ends the question, and no other site was asked.
        let third = try place.start(arguments)
        let denied = try place.parley("deny", pending(), "--reason", "not now", "--site", "river")
        #expect(denied.status == 0, "\(denied.all)")
        third.waitUntilExit()
        #expect(third.terminationStatus != 0)
        #expect(try charged() == [1, 1, 1])
        // So does one while nobody looks; behind it the same command is a new question.
        let fourth = try place.start(arguments)
        let id = try pending()
        kill(fourth.processIdentifier, SIGKILL)
        fourth.waitUntilExit()
        #expect(try place.parley("deny", id, "--reason", "no", "--site", "river").status == 0)
        let late = try place.run([Workplace.executable] + arguments)
        #expect(late.status != 0 && late.errors.contains("does not take part"), "\(late.all)")
        #expect(try charged() == [1, 1, 1])
        let fifth = try place.start(arguments)
        #expect(try pending() != id)
        kill(fifth.processIdentifier, SIGKILL)
        fifth.waitUntilExit()
        for server in servers { server.kill() }
    }

    @Test("What cannot be asked of several sites is said in words, and nothing is charged")
    func refusals() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let servers = try SeveralSites.serve(
            place, port: port, amounts: [100, 100, 90], questions: ["", "", ", least-honest: 2"])
        let urls = servers.map(\.url)
        func words(_ arguments: String...) throws -> String {
            let ran = try place.run([Workplace.executable, "ask"] + arguments + ["--port", "\(port)"])
            #expect(ran.status != 0)
            return ran.errors
        }
        let all = urls.joined(separator: ",")
        let differ = try words(all, "visits", Self.sql, "--epsilon", "1")
        #expect(
            differ.contains("the manifests of north and summit differ")
                && differ.contains("amount: integer, from 0.0 to 90.0"),
            "\(differ)")
        // What the question does not read may differ.
        let counted = try place.run(
            [
                Workplace.executable, "ask", all, "visits", "SELECT COUNT(*) FROM visits", "--epsilon", "1", "--port",
                "\(port)", "--dry-run",
            ])
        #expect(counted.status == 0, "\(counted.all)")
        let keys = try words(all, "visits", "SELECT person, COUNT(*) FROM visits GROUP BY person", "--epsilon", "1")
        #expect(keys.contains("Group by an attribute that many units share"), "\(keys)")
        let two = urls.prefix(2).joined(separator: ",")
        #expect(try words(two, "visits", Self.sql, "--epsilon", "1").contains("at least 2"))
        #expect(
            try words(two, "visits", Self.sql, "--epsilon", "1", "--address", "http://127.0.0.1:3").contains(
                "does not name the coordinator"))
        #expect(try words(urls[0], "visits", Self.sql, "--epsilon", "1").contains("several sites, with commas between"))
        #expect(try words("visits", Self.sql, "--epsilon", "1", "--colluders", "2").contains("are for several sites"))
        #expect(try words(all, "visits", Self.sql, "--mock").contains("without --mock"))
        #expect(try words(all, "visits", Self.sql).contains("what the question may cost"))
        #expect(try words(all, "nothing", Self.sql, "--epsilon", "1").contains("nothing"))
        let dear = try words(
            all, "visits", "SELECT COUNT(*), SUM(ill), SUM(1 - ill), SUM(2 * ill), COUNT(DISTINCT person) FROM visits",
            "--rho",
            "50")
        #expect(dear.contains("would be refused") && dear.contains("nothing was spent"), "\(dear)")
        for name in SeveralSites.names {
            #expect(try !place.parley("audit", "--site", name).output.contains("reserved"))
        }
        for server in servers { server.kill() }
    }

    @Test("parley stats lists what differs, leaves it out, and describes the rest by one question")
    func statistics() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let servers = try SeveralSites.serve(place, port: port, amounts: [100, 100, 90])
        let urls = servers.map(\.url).joined(separator: ",")
        func stats(_ more: String...) throws -> Workplace.Finished {
            try place.run(
                [Workplace.executable, "stats", urls, "--dataset", "visits", "--port", "\(port)", "--epsilon", "4"]
                    + more)
        }
        let dry = try stats("--dry-run")
        let remarks = dry.errors.replacing("\n", with: " ")
        #expect(dry.status == 0 && dry.output.contains("HISTOGRAM(CASE"), "\(dry.all)")
        #expect(
            remarks.contains("amount is left out: at north it is declared as amount: integer, from 0.0 to 100.0")
                && remarks.contains("at summit it is declared as amount: integer, from 0.0 to 90.0"), "\(dry.all)")
        // Sites also differ in what a value outside the bounds counts as.
        let outside = ", outside: null}"
        let manifest = try String(contentsOfFile: place.path("summit.yaml"), encoding: .utf8)
            .replacing("[0, 90], nullable: false}", with: "[0, 100]" + outside)
        try #require(manifest.contains(outside))
        try place.write(manifest, to: "summit.yaml")
        let replaced = try place.parley(
            "data", "version", "visits", "summit.csv", "--manifest", "summit.yaml", "--site", "summit", "--yes")
        #expect(replaced.status == 0, "\(replaced.all)")
        let other = try stats("--dry-run")
        #expect(
            other.status == 0
                && other.errors.replacing("\n", with: " ").contains("from 0.0 to 100.0, null outside, may be null"),
            "\(other.all)")
        let done = try stats()
        #expect(done.status == 0 && done.output.contains("rows at all sites together"), "\(done.all)")
        #expect(done.output.contains("ill") && done.output.contains("receipt verified"), "\(done.all)")
        let unknown = try stats("--columns", "nothing")
        #expect(unknown.status != 0 && unknown.errors.contains("No site has a column nothing"), "\(unknown.all)")
        let nothing = try stats("--columns", "amount")
        #expect(
            nothing.status != 0 && nothing.errors.contains("No column of visits is left to be described"),
            "\(nothing.all)")
        for name in SeveralSites.names {
            let audit = try place.parley("audit", "--site", name).output
            #expect(audit.components(separatedBy: "reserved").count == 2, "\(audit)")
        }
        for server in servers { server.kill() }
    }

    @Test("Brightness and contrast of images come out as the scale by which a plan normalises them")
    func images() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let servers = try SeveralSites.serve(place, port: port, withImages: true)
        let urls = servers.map(\.url).joined(separator: ",")
        let done = try place.run([
            Workplace.executable, "stats", urls, "--dataset", "visits", "--port", "\(port)", "--epsilon", "19",
            "--columns", "brightness,contrast",
        ])
        #expect(done.status == 0, "\(done.all)")
        let line = try #require(
            done.output.replacing("\n", with: " ").firstMatch(
                of: #/trains on image: scale: {mean: ([0-9.]+), deviation: ([0-9.]+)}/#), "\(done.all)")
        // Half of each image is 50 darker and half 50 brighter than its own shade, and shades go from 60 to 139 evenly: 99.5 and the root of 50^2 + 23.1^2.
        let (mean, deviation) = (try #require(Double(line.1)), try #require(Double(line.2)))
        #expect(abs(mean - 99.5) < 20 && abs(deviation - 55.1) < 25, "\(mean), \(deviation)")
        for server in servers { server.kill() }
    }

    @Test("Numbers with missing values have means, deviations, quantiles and histograms that lie where the rows do")
    func numbers() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        let servers = try SeveralSites.serve(place, port: port)
        let urls = servers.map(\.url).joined(separator: ",")
        let done = try place.run([
            Workplace.executable, "stats", urls, "--dataset", "visits", "--port", "\(port)", "--epsilon", "15",
            "--columns",
            "amount", "--format", "json",
        ])
        #expect(done.status == 0, "\(done.all)")
        let answer = try JSONDecoder().decode(Answer.self, from: Data(done.output.utf8))
        func cell(_ name: String) throws -> Double {
            let place = try #require(answer.columns.firstIndex { $0.name == name && $0.bin == nil })
            switch answer.rows[0][place].value {
            case .integer(let value): return Double(value)
            case .real(let value): return value
            default: return .nan
            }
        }
        // 240 amounts, spread over 0 to 99.
        #expect(abs(try cell("rows") - 240) < 60)
        #expect(abs(try cell("amount mean") - 49) < 15)
        #expect(abs(try cell("amount median") - 49) < 30)
        #expect(try cell("amount 5 %") < (try cell("amount 95 %")))
        #expect(answer.columns.filter { $0.bin?.histogram == "amount" }.count == 10)
        for server in servers { server.kill() }
    }
}
