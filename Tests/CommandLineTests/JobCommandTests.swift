import Foundation
import Testing

/// Real processes, killed for real.
@Suite("Long work from the command line", .timeLimit(.minutes(20)))
struct JobCommandTests {
    private struct Job: Decodable {
        var id: String
        var kind: String
        var state: String
        var step: Int
        var steps: Int
        var rowsRead: Int?
    }

    private func jobs(_ place: Workplace, _ arguments: String...) throws -> [Job] {
        let listed = try place.run([Workplace.executable, "jobs", "--json"] + arguments)
        return try JSONDecoder().decode([Job].self, from: Data(listed.output.utf8))
    }

    /// The request that a process computes. Waits on this thread: a task that is suspended may be resumed seconds later,
    /// behind other tests' processes, and the answer would be there.
    private func running(_ place: Workplace, in process: BegunProcess) throws -> String {
        while process.isRunning {
            if let job = try jobs(place).first(where: { $0.state == "running" && $0.kind == "request" }) {
                return job.id
            }
            usleep(10_000)
        }
        throw Ended(status: process.terminationStatus)
    }

    private struct Ended: Error { var status: Int32 }

    private func spent(_ place: Workplace) throws -> String {
        try place.parley("budget").output
    }

    @Test("Killed in the middle it is interrupted; resumed, it is completed under its charge, once")
    func killed() throws {
        let place = try Workplace()
        try MainJobTests.makeSite(place)
        let process = try place.start(["data", "synthesize", "survey", "--epsilon", "2"])
        let id = try running(place, in: process)
        process.killAndWait()
        #expect(try jobs(place).map(\.state) == ["interrupted"])
        #expect(try place.parley("jobs").output.contains("interrupted"))
        let charged = try spent(place)
        #expect(charged.contains("98"), "\(charged)")
        let followed = try place.parley("jobs", "follow", id)
        #expect(followed.status == 1)
        #expect(followed.errors.contains("interrupted") && followed.errors.contains("parley jobs resume \(id)"))
        let events = try place.parley("jobs", "follow", id, "--json").output.split(separator: "\n")
        #expect(
            !events.isEmpty && events.allSatisfy { $0.hasPrefix("{") && $0.contains("\"request\":\"\(id)\"") },
            "\(events)")
        let resumed = try place.parley("jobs", "resume", id)
        #expect(resumed.status == 0 && resumed.output.contains("is released"), "\(resumed.all)")
        #expect(
            resumed.errors.contains("synthetic table of survey under its charge, ε 2: nothing more is charged"),
            "\(resumed.all)")
        #expect(resumed.output.contains("Mock answers on survey come from"), "\(resumed.all)")
        let again = try place.parley("jobs", "resume", id, "--json")
        #expect(again.status == 0 && again.output.contains("\"state\" : \"released\""), "\(again.all)")
        try fetchTable(place)
        #expect(try spent(place) == charged)
        #expect(try jobs(place).isEmpty)
        let all = try jobs(place, "--all")
        #expect(all.map(\.kind) == ["add", "request"] && all.map(\.state) == ["done", "released"])
        #expect(all[0].rowsRead == 120 && all[1].steps == 3)
        #expect(try place.parley("data", "show", "survey").output.contains("synthetic table"))
        #expect(try place.parley("verify").status == 0)
        let late = try place.parley("jobs", "cancel", id)
        #expect(late.status == 1 && late.errors.contains("released"), "\(late.all)")
    }

    /// What anybody may have of a synthetic table, by the owner's folder here.
    private func fetchTable(_ place: Workplace) throws {
        let shown = try place.parley("data", "synthetic", "survey")
        #expect(
            shown.output.contains("A synthetic table of survey") && shown.output.contains("no row is anybody's"),
            "\(shown.all)")
        let printed = try place.parley("data", "synthetic", "survey", "--csv").output
        #expect(printed.hasPrefix("person,arm,visits\r\n") && printed.split(separator: "\r\n").count > 10)
        #expect(try place.parley("data", "synthetic", "survey", "--csv", "--output", "t.csv").status == 0)
        #expect(try place.read("t.csv") == printed)
        #expect(try place.parley("data", "synthetic", "survey", "--json").output.hasPrefix("{"))
        #expect(try place.parley("data", "synthetic", "survey", "--output", "t.csv").status == 64)
    }

    @Test("Cancelled from elsewhere, a command that computes ends without an answer; its charge is kept")
    func cancelled() throws {
        let place = try Workplace()
        try MainJobTests.makeSite(place)
        let process = try place.start(["data", "synthesize", "survey", "--epsilon", "2"])
        let id = try running(place, in: process)
        let cancelled = try place.parley("jobs", "cancel", id, "--json")
        #expect(cancelled.status == 0 && cancelled.output.contains("\"state\" : \"cancelled\""), "\(cancelled.all)")
        process.waitUntilExit()
        #expect(process.terminationStatus == 1)
        #expect(try jobs(place, "--all").map(\.state) == ["done", "cancelled"])
        #expect(try spent(place).contains("98"))
        #expect(try !place.parley("data", "show", "survey").output.contains("synthetic table"))
        let resumed = try place.parley("jobs", "resume", id).errors
        #expect(resumed.contains("cancelled") && !resumed.contains("idempotency"), "\(resumed)")
        #expect(try place.parley("audit").output.contains("cancelled"))
        #expect(try place.parley("verify").status == 0)
    }

    @Test("ask --follow says where the question stands until it is answered; what is withdrawn meanwhile fails")
    func follow() throws {
        let place = try Workplace()
        try MainJobTests.makeSite(place, manifest: SmallSurvey.manifest(approval: "owner"))
        let server = try place.serve()
        try MainJobTests.logIn(place, server)
        for decision in ["approve", "cancel"] {
            let question = "SELECT COUNT(*) FROM survey"
            let script =
                "parley ask survey '\(question)' --epsilon 1 --follow --url \(server.url) > \(decision).out 2> \(decision).err; echo $? > \(decision).status"
            let asked = try place.start(command: ["/bin/bash", "-c", script])
            var id: String?
            while id == nil, asked.isRunning {
                id = try jobs(place, "--site", "parley-site").first { $0.state == "pending" }?.id
                usleep(10_000)
            }
            let job = try #require(id)
            #expect(try place.parley("jobs", "--url", server.url).output.contains(job))
            let decided =
                decision == "approve"
                ? try place.parley("approve", job, "--site", "parley-site")
                : try place.parley("jobs", "cancel", job, "--url", server.url)
            #expect(decided.status == 0, "\(decided.all)")
            asked.waitUntilExit()
            let errors = try place.read("\(decision).err")
            #expect(errors.contains("\npending\n"), "\(errors)")
            if decision == "approve" {
                #expect(errors.contains("\napproved\n") && errors.contains("\nreleased\n"), "\(errors)")
                #expect(try place.read("approve.status") == "0\n")
                #expect(try !place.read("approve.out").isEmpty)
            } else {
                #expect(errors.contains("withdrawn"), "\(errors)")
                #expect(try place.read("cancel.status") == "1\n")
            }
        }
        server.kill()
    }
}
