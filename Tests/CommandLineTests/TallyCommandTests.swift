import Foundation
import Testing

/// A leader, a helper, devices and a collector, as processes, by the command line.
@Suite("Tallies by the command line", .timeLimit(.minutes(20)))
struct TallyCommandTests {
    @Test(
        "Enrolled devices report over HTTP, both aggregators are killed on the way, and the collector reads the sums once"
    )
    func whole() throws {
        let place = try Workplace()
        func line(_ arguments: String...) throws -> String {
            let run = try place.run([Workplace.executable, "devices"] + arguments)
            #expect(run.status == 0, "\(run.all)")
            return run.output.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let keys = try ["leader", "helper", "collector"].map { try line("tally", "key", "\($0).key") }
        #expect(keys.allSatisfy { $0.count == 88 } && Set(keys).count == 3)
        #expect(try line("tally", "key", "leader.key") == keys[0])
        let enroller = try line("enrol", "--key", "enroller.key")
        let ports = (0..<2).map { _ in SeveralSites.freePort() }
        try place.write(
            """
            version: 1
            name: screen-time
            measure: {bounds: [60, 120]}
            reports: [4, 6]
            open-seconds: 3600
            privacy: {rho: 1e6}
            leader: {url: "http://127.0.0.1:\(ports[0])", key: \(keys[0])}
            helper: {url: "http://127.0.0.1:\(ports[1])", key: \(keys[1])}
            collector: \(keys[2])
            enroller: \(enroller)
            """, to: "plan.yaml")
        let words = try line("tally", "plan", "plan.yaml")
        #expect(words.contains("in each of 3 buckets") && words.contains("where the leader or the helper is honest"))
        #expect(try line("tally", "plan", "plan.yaml", "--json").contains("\"leastReports\":4"))
        func serve(_ role: Int) throws -> BegunProcess {
            let process = try place.start([
                "devices", "tally", "serve", "plan.yaml", "--key", "\(["leader", "helper"][role]).key", "--port",
                "\(ports[role])",
            ])
            return process
        }
        var (leader, helper) = (try serve(0), try serve(1))
        defer { for process in [leader, helper] { kill(process.processIdentifier, SIGKILL) } }
        func report(_ name: String, _ value: String, _ more: String...) throws -> Workplace.Finished {
            try place.run(
                [Workplace.executable, "devices", "tally", "report", "plan.yaml", "--state", name, "--value", value]
                    + more)
        }
        let stranger = try report("stranger", "5")
        #expect(
            stranger.status != 0 && stranger.errors.contains("not signed by a device that was enrolled"),
            "\(stranger.all)")
        // What was refused for lack of the enroller's signature is taken with it: what was said stays.
        let strangersKey = try line("join", "http://127.0.0.1:1", "--data", ".", "--state", "stranger", "--show-key")
        let enrolled = try report(
            "stranger", "-5", "--certificate", try line("enrol", "--key", "enroller.key", strangersKey))
        #expect(enrolled.status == 0 && enrolled.output.contains("The report is taken"), "\(enrolled.all)")
        #expect(enrolled.errors.contains("said something before"), "\(enrolled.all)")
        for (number, value) in ["10", "61", "70", "500", "12"].enumerated() {
            let state = "device-\(number)"
            let key = try line("join", "http://127.0.0.1:1", "--data", ".", "--state", state, "--show-key")
            let certificate = try line("enrol", "--key", "enroller.key", key)
            let wrong = try report(state, "many", "--certificate", certificate)
            #expect(wrong.status != 0 && wrong.errors.contains("expected a number"), "\(wrong.all)")
            let sent = try report(state, value, "--certificate", certificate)
            #expect(sent.status == 0 && sent.output.contains("The report is taken"), "\(sent.all)")
            let again = try report(state, "500", "--certificate", certificate)
            #expect(again.status == 0 && again.errors.contains("said something before"), "\(again.all)")
            if number == 1 {
                kill(leader.processIdentifier, SIGKILL)
                leader.waitUntilExit()
                leader = try serve(0)
            }
            if number == 3 {
                kill(helper.processIdentifier, SIGKILL)
                helper.waitUntilExit()
                helper = try serve(1)
            }
        }
        let shown = try line("tally", "collect", "plan.yaml", "--key", "collector.key")
        #expect(shown.contains("screen-time, of 6 reports") && shown.contains("60 to below 120"), "\(shown)")
        #expect(shown.contains("Both aggregators' noise is in each number"))
        let json = try line("tally", "collect", "plan.yaml", "--key", "collector.key", "--json")
        let document = try #require(
            try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        let entries = try #require(document["entries"] as? [[String: Any]])
        #expect(entries.compactMap { $0["sum"] as? Int } == [3, 2, 1] && document["reports"] as? Int == 6)
        let other = try place.run(
            [Workplace.executable, "devices", "tally", "collect", "plan.yaml", "--key", "leader.key"])
        #expect(other.status != 0 && other.errors.contains("the collector's of the plan"), "\(other.all)")
        let late = try report("device-0", "3")
        #expect(late.status == 0, "what was taken is told again: \(late.all)")
    }
}
