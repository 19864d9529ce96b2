import Foundation
import Testing

/// An answer costs, so that nothing on the researcher's own machine may lose it in silence.
@Suite("What was paid for is not lost")
struct PaidAnswerTests {
    private static let question = "SELECT arm, COUNT(*) AS n FROM survey GROUP BY arm"

    private func served() throws -> (Workplace, Workplace.Server) {
        let place = try Workplace()
        try MainJobTests.makeSite(place)
        let server = try place.serve()
        try MainJobTests.logIn(place, server)
        return (place, server)
    }

    @Test("A file that cannot be written is found before anything is asked")
    func destinations() throws {
        let (place, server) = try served()
        try place.write("", to: "file")
        for arguments in [
            ["--receipt", place.path("nowhere/r.json")], ["--answer", place.folder], ["--receipt", "file/r.json"],
        ] {
            let refused = try place.run(
                [Workplace.executable, "ask", "survey", Self.question, "--epsilon", "1"] + arguments)
            #expect(refused.status == 1)
            #expect(refused.errors.contains("Cannot write"), "\(refused.all)")
            #expect(refused.errors.contains("Nothing was asked"), "\(refused.all)")
        }
        let homeless = try place.parley(
            "ask", "survey", Self.question, "--epsilon", "1", environment: ["XDG_DATA_HOME": place.path("file")])
        #expect(homeless.status == 1)
        #expect(try place.parley("history").output.contains("not asked anything"))
        let dash = try place.parley("ask", "survey", Self.question, "--epsilon", "1", "--receipt", "-")
        #expect(dash.status == 64)
        for extra in [["--format", "csv"], ["--answer", "a.json"], ["--plot"]] {
            let dry = try place.run(
                [Workplace.executable, "ask", "survey", Self.question, "--epsilon", "1", "--dry-run"] + extra)
            #expect(dry.status == 64, "\(dry.all)")
        }
        server.kill()
    }

    @Test("A dataset's name that is nearly right gets the right one, from the site and on the owner's machine")
    func misspelt() throws {
        let (place, server) = try served()
        for arguments in [
            ["ask", "survye", Self.question, "--epsilon", "1"], ["data", "show", "survye"],
            ["data", "synthesize", "Survey", "--epsilon", "1"], ["data", "version", "surveys", "survey.csv"],
        ] {
            let refused = try place.run([Workplace.executable] + arguments)
            #expect(refused.status == 1 && refused.errors.contains("did you mean survey?"), "\(refused.all)")
        }
        let other = try place.parley("data", "show", "elsewhere")
        #expect(other.status == 1 && !other.errors.contains("did you mean"), "\(other.all)")
        server.kill()
    }

    @Test("A link is followed and a pipe is written to: neither is replaced")
    func special() throws {
        let (place, server) = try served()
        try place.write("old", to: "target.json")
        try FileManager.default.createSymbolicLink(
            atPath: place.path("link.json"), withDestinationPath: place.path("target.json"))
        let script = """
            mkfifo pipe; cat pipe > piped.json & parley ask survey "\(Self.question)" --epsilon 1 \\
                --answer link.json --receipt pipe --quiet; wait
            """
        let asked = try place.run(["/bin/bash", "-c", script])
        #expect(asked.status == 0, "\(asked.all)")
        #expect(!asked.output.contains("Charged"), "--quiet: \(asked.output)")
        #expect(try place.read("target.json").contains("even"))
        #expect(try place.read("piped.json").contains("signature"))
        let link = try FileManager.default.attributesOfItem(atPath: place.path("link.json"))[.type]
        #expect(link as? FileAttributeType == .typeSymbolicLink)
        #expect(try place.run(["/bin/bash", "-c", "test -p pipe"]).status == 0)
        server.kill()
    }

    @Test(
        "Results that standard output did not take are said to be lost, and how to have them again",
        .enabled(if: FileManager.default.fileExists(atPath: "/dev/full")))
    func fullOutput() throws {
        let (place, server) = try served()
        let asked = try place.run(
            ["/bin/bash", "-c", "parley ask survey \"\(Self.question)\" --epsilon 1 > /dev/full"])
        #expect(asked.status == 1)
        #expect(asked.errors.contains("parley history"), "\(asked.all)")
        let added = try place.run(["/bin/bash", "-c", "parley user add zed --role researcher > /dev/full"])
        #expect(added.status == 1)
        #expect(added.errors.contains("parley user rotate"), "\(added.all)")
        // A reader that has seen enough is no failure.
        let piped = try place.run(["/bin/bash", "-o", "pipefail", "-c", "parley audit | head -n 1"])
        let errors = piped.errors.split(separator: "\n").filter { !$0.hasPrefix("note: acting as the owner") }
        #expect(errors.isEmpty, "\(piped.all)")
        server.kill()
    }

    @Test("Long lists come in pages, the newest first, and say how to go on")
    func pages() throws {
        let (place, server) = try served()
        for _ in 0..<3 { try place.parley("ask", "survey", Self.question, "--epsilon", "1") }
        let all = try place.parley("history").output.split(separator: "\n").filter { $0.contains("released") }.map {
            String($0.prefix { $0 != " " })
        }
        try #require(all.count == 3)
        var before: [String] = []
        for id in all {
            let page = try place.run([Workplace.executable, "history", "--limit", "1"] + before)
            #expect(page.output.contains(id) && page.errors.contains("--before \(id)"), "\(page.all)")
            before = ["--before", id]
        }
        #expect(try place.parley("requests", "--before", all[2]).output.contains("no older"))
        #expect(try place.parley("requests", "--before", "q_nothing").status == 1)
        #expect(try place.parley("requests", "--pending").output.contains("Nothing waits"))
        let newest = try place.parley("audit", "--limit", "1")
        #expect(newest.output.contains(all[0]), "\(newest.all)")
        #expect(newest.errors.contains("--from"))
        server.kill()
    }

    @Test("What standard input cuts short is not asked, and the shell fails")
    func cutShort() throws {
        let (place, server) = try served()
        let shell = try place.parley("shell", "survey", "--epsilon", "1", input: "SELECT COUNT(*)\nFROM survey")
        #expect(shell.status == 1)
        #expect(shell.errors.contains("semicolon"), "\(shell.all)")
        #expect(try place.parley("history").output.contains("not asked anything"))
        #expect(try place.parley("shell", "survey", input: "\\budget\n").status == 0)
        server.kill()
    }

    @Test("The shell says what its questions are for, as an option and as a setting, and keeps what else was said")
    func purpose() throws {
        let place = try Workplace()
        try MainJobTests.makeSite(
            place,
            manifest: SmallSurvey.manifest().replacing(
                "approval: automatic", with: "approval: automatic\n  purpose: required"))
        let server = try place.serve()
        try MainJobTests.logIn(place, server)
        let question = "SELECT COUNT(*) FROM survey;\n"
        let refused = try place.parley("shell", "survey", "--epsilon", "1", input: question)
        #expect(refused.status == 1 && refused.errors.contains("\\purpose"), "\(refused.all)")
        let set = try place.parley(
            "shell", "survey", "--epsilon", "1", input: "\\purpose a study of visits\n\\epsilon 0.5\n\(question)")
        #expect(set.status == 0 && set.output.contains("Charged ε 0.5"), "\(set.all)")
        let option = try place.parley("shell", "survey", "--epsilon", "1", "--purpose", "teaching", input: question)
        #expect(option.status == 0 && option.output.contains("Charged ε 1"), "\(option.all)")
        let cleared = try place.parley(
            "shell", "survey", "--epsilon", "1", "--purpose", "teaching", input: "\\purpose\n\(question)")
        #expect(cleared.status == 1, "\(cleared.all)")
        for (asked, purpose) in [(set, "a study of visits"), (option, "teaching")] {
            let id = String(try #require(asked.output.firstMatch(of: /request ([0-9a-f]+)\./), "\(asked.all)").1)
            #expect(try place.parley("requests", id).output.contains(purpose))
        }
        server.kill()
    }
}
