import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the owner's commands say where something is not as it should be.
@Suite("The owner's commands say what is wrong")
struct OwnerCommandTests {
    private static func makeSite(_ place: Workplace) throws {
        try place.write(SmallSurvey.csv, to: "survey.csv")
        try place.write(SmallSurvey.manifest(), to: "manifest.yaml")
        #expect(try place.parley("site", "init").status == 0)
    }

    @Test("A restored site is announced when it is served, and its verification says nothing both well and wrong")
    func restored() throws {
        let place = try Workplace()
        try Self.makeSite(place)
        #expect(try place.parley("data", "add", "survey.csv", "--manifest", "manifest.yaml", "--yes").status == 0)
        try FileManager.default.removeItem(atPath: place.path("parley-site/generation"))
        let served = try place.run(["/usr/bin/timeout", "-s", "INT", "2", Workplace.executable, "serve", "--port", "0"])
        #expect(served.errors.contains("warning: "), "\(served.all)")
        #expect(served.errors.contains("parley verify --accept-restore"))
        #expect(served.output.contains("listening on"))
        let verified = try place.parley("verify")
        #expect(verified.status == 1)
        #expect(verified.output.contains("WRONG  the database is older"), "\(verified.all)")
        #expect(!verified.output.contains("ok  generation counter"))
        #expect(verified.output.contains("ok  tables' files"))
        let accepted = try place.parley("verify", "--accept-restore", "--yes")
        #expect(accepted.status == 0, "\(accepted.all)")
        #expect(accepted.output.contains("ok  generation counter"))
    }

    @Test("A port that is taken is named with its number before anything is said to listen")
    func takenPort() throws {
        let place = try Workplace()
        try Self.makeSite(place)
        #expect(try place.parley("site", "init", "other").status == 0)
        let server = try place.serve()
        let port = try #require(server.url.split(separator: ":").last)
        for arguments in [["--port", "0", "--metrics-port", "\(port)"], ["--port", "\(port)"]] {
            let second = try place.run([Workplace.executable, "serve", "--site", "other"] + arguments)
            #expect(second.status == 1)
            #expect(
                second.errors.contains("cannot listen on 127.0.0.1:\(port): another program listens there"),
                "\(second.all)")
            #expect(!second.all.contains("listening on"))
        }
    }

    @Test("A wrong manifest or policy is named; a lookup table is said to protect nobody; a record is not drafted")
    func words() throws {
        let place = try Workplace()
        try Self.makeSite(place)
        try place.write(SmallSurvey.manifest().replacing("rows: 2", with: "rows: two"), to: "wrong.yaml")
        let wrong = try place.parley("data", "add", "survey.csv", "--manifest", "wrong.yaml")
        #expect(wrong.status == 1 && wrong.errors.hasPrefix("error: wrong.yaml: line 7, column"), "\(wrong.all)")
        try place.write("code,words\na,short\nb,long\n", to: "codes.csv")
        try place.write(
            """
            name: codes
            kind: lookup
            key: code
            columns:
              - {name: code, type: text}
              - {name: words, type: category, domain: [short, long]}
            """, to: "codes.yaml")
        let codes = try place.parley("data", "add", "codes.csv", "--manifest", "codes.yaml")
        #expect(codes.output.hasPrefix("Added: 2 rows of a public lookup table, version "), "\(codes.all)")
        try place.write("39,State-gov\n50,Private\n", to: "census.csv")
        let draft = try place.parley("data", "describe", "census.csv")
        #expect(draft.status == 1 && draft.output.isEmpty && !draft.errors.contains("State-gov"), "\(draft.all)")

        #expect(try place.parley("data", "add", "survey.csv", "--manifest", "manifest.yaml", "--yes").status == 0)
        try place.write("{loss: pure, total: {epsilon: none}}", to: "policy.yaml")
        let policy = try place.parley("data", "policy", "survey", "policy.yaml")
        #expect(policy.status == 1 && policy.errors.hasPrefix("error: policy.yaml: line 1"), "\(policy.all)")
        try place.write("{loss: pure, total: {epsilon: 200}}", to: "policy.yaml")
        let unasked = try place.parley("data", "policy", "survey", "policy.yaml")
        #expect(unasked.status == 1, "\(unasked.all)")
        #expect(unasked.errors.contains("unusual: `policy.total`: an epsilon above 20"), "\(unasked.all)")
        #expect(unasked.errors.contains("Nothing was changed") && unasked.errors.contains("--yes"))
        #expect(try place.parley("data", "policy", "survey", "policy.yaml", "--yes").status == 0)
        let budget = try place.parley("budget")
        #expect(budget.output.contains("total epsilon 100 became epsilon 200."), "\(budget.all)")
    }

    @Test("Ctrl-C during an addition removes what it had written")
    func interruptedAddition() throws {
        let place = try Workplace()
        try Self.makeSite(place)
        let rows = String(SmallSurvey.csv(people: 5_000).drop { $0 != "\n" }.dropFirst())
        let file = place.path("large.csv")
        try Data("person,arm,visits\n".utf8).write(to: URL(fileURLWithPath: file))
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
        try handle.seekToEnd()
        for _ in 0..<500 { try handle.write(contentsOf: Data(rows.utf8)) }
        try handle.close()
        let adding = try place.start(["data", "add", "large.csv", "--manifest", "manifest.yaml", "--yes"])
        func written() -> [String] {
            (try? FileManager.default.contentsOfDirectory(atPath: place.path("parley-site/data"))) ?? []
        }
        while adding.isRunning, !written().contains(where: { $0.hasSuffix(".partial") }) { usleep(500) }
        adding.interrupt()
        adding.waitUntilExit()
        #expect(adding.terminationReason == .exit && adding.terminationStatus == 1)
        #expect(written().isEmpty)
    }
}
