import DatasiteProtocol
import Foundation
import Testing

@Suite("Budgets in words, and changes that are asked about")
struct BudgetCommandTests {
    private static let question = "SELECT COUNT(*) AS n FROM survey"

    private static func concentrated(_ more: String = "approval: automatic") -> String {
        SmallSurvey.manifest(epsilon: 4).replacing("loss: pure", with: "loss: zcdp\n  delta: 1e-6")
            .replacing("approval: automatic", with: more)
    }

    @Test("The budget, a preview, the dictionary and a refusal say in epsilons and questions what a rho means")
    func words() throws {
        let place = try Workplace()
        try MainJobTests.makeSite(place, manifest: Self.concentrated("per-researcher: {epsilon: 1}"))
        let server = try place.serve()
        try MainJobTests.logIn(place, server)
        #expect(try place.parley("ask", "survey", Self.question, "--epsilon", "0.5").status == 0)
        let whole = "epsilon 4 at delta 1e-6 for all questions together; about"
        let budget = try place.parley("budget", "--url", server.url)
        #expect(budget.output.contains("For all researchers: \(whole)"), "\(budget.all)")
        #expect(budget.output.contains("For researcher ana: epsilon 1 at delta 1e-6"), "\(budget.all)")
        let said = budget.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(said.contains("about 47 of epsilon 0.5 fit into all of it, 46 into what is left."), "\(budget.all)")
        #expect(said.contains("ε 0.5 questions left") && said.contains(" 46 of 47"), "\(budget.all)")
        #expect(budget.output.split(separator: "\n").allSatisfy { $0.count <= 100 }, "\(budget.all)")
        let shown = try place.parley("data", "show", "survey", "--url", server.url).output.split(separator: " ")
        #expect(shown.joined(separator: " ").contains("epsilon 4 at delta 1e-6"))
        let dry = try place.parley("ask", "survey", Self.question, "--epsilon", "0.3", "--dry-run")
        #expect(dry.output.contains("like this one fit"), "\(dry.all)")
        #expect(dry.output.contains("the largest that fits: epsilon 0."), "\(dry.all)")
        let refused = try place.parley("ask", "survey", Self.question, "--epsilon", "0.9")
        #expect(refused.status == 1)
        let words =
            #/the question costs epsilon 0.9 at delta 5e-7, and epsilon 0\.[0-9]+ is left to researcher ana of the budget of people\n  the largest that fits: `--epsilon (0\.[0-9]+)`/#
        let largest = try #require(refused.errors.firstMatch(of: words), "\(refused.all)").1
        #expect(try place.parley("ask", "survey", Self.question, "--epsilon", String(largest)).status == 0)

        let json = try place.parley("budget", "--json")
        let reports = try JSONDecoder().decode([BudgetReport].self, from: Data(json.output.utf8))
        #expect(reports[0].lines[0].meaning?.words.hasPrefix(whole) == true)
        let by = try place.parley("budget", "--by", "researcher", "--by", "month")
        #expect(by.output.contains("researcher  month    requests") && by.output.contains("ana "), "\(by.all)")
    }

    @Test("A request that was denied or withdrawn shows no cost")
    func nothingCharged() throws {
        let place = try Workplace()
        try MainJobTests.makeSite(place, manifest: SmallSurvey.manifest(epsilon: 8, approval: "owner"))
        let server = try place.serve()
        try MainJobTests.logIn(place, server)
        for decision in ["deny", "cancel"] {
            let asked = try place.parley("ask", "survey", Self.question, "--epsilon", "3.25")
            let id = String(try #require(asked.errors.firstMatch(of: /Request (\S+) waits/)).1)
            #expect(try place.parley("budget").output.contains("held"))
            #expect(try place.parley("requests").output.contains("ε 3.25"))
            if decision == "deny" {
                #expect(try place.parley("deny", id, "--reason", "no").status == 0)
            } else {
                #expect(try place.parley("jobs", "cancel", id).status == 0)
            }
            let list = try place.parley("requests")
            #expect(!list.output.contains("3.25") && list.output.contains("none"), "\(list.all)")
            #expect(!(try place.parley("history").output.contains("3.25")))
        }
    }

    @Test(
        "Removing, and policies that touch others or protect nobody, change nothing until it is said that they are meant"
    )
    func asked() throws {
        let place = try Workplace()
        try place.write(SmallSurvey.csv, to: "survey.csv")
        try place.write(SmallSurvey.manifest(epsilon: 50), to: "manifest.yaml")
        #expect(try place.parley("site", "init").status == 0)
        let arguments = ["data", "add", "survey.csv", "--manifest", "manifest.yaml"]
        let added = try place.run([Workplace.executable] + arguments)
        #expect(
            added.status == 1 && added.errors.contains("unusual: `policy.total`: an epsilon above 20"), "\(added.all)")
        #expect(try place.parley("data", "list").output.contains("no datasets yet"))
        #expect(try place.run([Workplace.executable] + arguments + ["--yes"]).status == 0)
        for (command, words) in [
            (["data", "remove", "survey"], "removed from this datasite for good"),
            (["data", "policy", "survey", "policy.yaml"], "lies above the total"),
        ] {
            try place.write("{loss: pure, total: {epsilon: 5}, per-researcher: {epsilon: 6}}", to: "policy.yaml")
            let unasked = try place.run([Workplace.executable] + command)
            #expect(unasked.status == 1 && unasked.errors.contains("--yes"), "\(unasked.all)")
            // Words are wrapped.
            let said = unasked.errors.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(said.contains(words), "\(unasked.all)")
            #expect(try place.parley("budget").output.contains("ε 50"))
            #expect(try place.parley("data", "list").output.contains("survey"))
        }
        #expect(try place.parley("data", "policy", "survey", "policy.yaml", "--yes").status == 0)
        #expect(try place.parley("data", "append", "survey", "survey.csv").status == 0)
        #expect(try place.parley("data", "remove", "survey", "--yes").status == 0)
    }

    @Test("What an epsilon or a rho means for one person is explained, for people and programs")
    func explained() throws {
        let place = try Workplace()
        let explained = try place.parley("privacy", "explain", "--epsilon", "1", "--delta", "1e-6")
        #expect(explained.status == 0)
        func said(_ finished: Workplace.Finished) -> String {
            finished.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        for words in [
            "73.2 %", "27.2 %", "one chance in 1,000,000", "for selecting keys): about 3 questions of epsilon 0.5.",
        ] {
            #expect(said(explained).contains(words), "\(explained.all)")
        }
        // One budget both ways: each says its own bound, and the other's, with the reason.
        let asRho = try #require(
            said(explained).firstMatch(of: /at most ([0-9.]+) %, and `--rho ([0-9.]+)`/), "\(explained.all)")
        let same = try place.parley("privacy", "explain", "--rho", String(asRho.2), "--delta", "1e-6")
        #expect(said(same).contains("is right at most \(asRho.1) % of the time"), "\(same.all)")
        #expect(said(same).contains("`--epsilon` bounds it by 73.2 %."), "\(same.all)")
        #expect(explained.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        let json = try place.parley("privacy", "explain", "--epsilon", "1", "--json")
        let read = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        let right = try #require(read["right_guess"] as? Double)
        #expect(abs(right - M_E / (1 + M_E)) < 1e-9)
        #expect((read["beliefs"] as? [[String: Double]])?.count == 5)
        let rho = try place.parley("privacy", "explain", "--rho", "0.25", "--delta", "1e-6")
        #expect(rho.status == 0 && rho.output.hasPrefix("rho 0.25: epsilon 3."), "\(rho.all)")
        for wrong in [
            ["--epsilon", "1", "--rho", "1"], [], ["--rho", "1"], ["--epsilon", "0"],
            ["--epsilon", "1", "--delta", "1"],
        ] {
            #expect(try place.run([Workplace.executable, "privacy", "explain"] + wrong).status == 64, "\(wrong)")
        }
    }

    @Test("The calculators take a rho")
    func rho() throws {
        let place = try Workplace()
        let epsilon = try place.parley("privacy", "epsilon", "--rho", "0.1", "--delta", "1e-6")
        let known = try place.parley("privacy", "epsilon", "--zcdp", "0.1", "--delta", "1e-6")
        #expect(epsilon.status == 0 && epsilon.output == known.output)
        // sensitivity^2 / (2 sigma^2) = 0.02 / 10 for each of ten steps.
        let noise = try place.parley("privacy", "noise", "--rho", "0.02", "--steps", "10", "--bare")
        let sigma = try #require(Double(noise.output.trimmingCharacters(in: .whitespacesAndNewlines)), "\(noise.all)")
        #expect(sigma >= (1 / 0.004).squareRoot() && sigma < (1 / 0.004).squareRoot() * (1 + 1e-9))
        let laplace = try place.parley("privacy", "noise", "--rho", "0.02", "--mechanism", "laplace")
        #expect(laplace.output.contains("for      rho 0.02, 1 step"), "\(laplace.all)")
        for wrong in [
            ["--rho", "0.02", "--epsilon", "1"], ["--rho", "0.02", "--sampling-rate", "0.1"], ["--rho", "-1"],
            ["--epsilon", "1"],
            ["--rho", "1", "--accountant", "pld"],
        ] {
            #expect(try place.run([Workplace.executable, "privacy", "noise"] + wrong).status == 64, "\(wrong)")
        }
    }
}
