import Foundation
import Testing

/// The calculator: what its page shows, and what it refuses.
@Suite("The privacy calculator")
struct PrivacyCommandTests {
    private static func page() throws -> String {
        try String(contentsOfFile: Workplace.package + "/docs/accounting.md", encoding: .utf8)
    }

    /// What stands in the fenced blocks after a comment.
    private static func blocks(_ comment: String, _ language: String) throws -> [String] {
        try page().components(separatedBy: "<!-- \(comment) -->\n```\(language)\n").dropFirst().compactMap {
            $0.components(separatedBy: "\n```").first
        }
    }

    @Test("The page's commands give the page's answers")
    func documentation() throws {
        let place = try Workplace()
        let questions = try Self.blocks("tested: questions.jsonl", "json")
        #expect(questions.count == 1)
        try place.write(questions[0] + "\n", to: "questions.jsonl")
        var commands = 0
        for block in try Self.blocks("tested", "console") {
            for session in block.components(separatedBy: "$ ").dropFirst() {
                let lines = session.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
                let finished = try place.run(["/bin/bash", "-c", String(lines[0])])
                let expected = lines.count > 1 ? String(lines[1]) : ""
                #expect(
                    finished.output.trimmingCharacters(in: .newlines) == expected.trimmingCharacters(in: .newlines),
                    "\(lines[0])\n\(finished.all)")
                #expect(finished.status == (finished.output.contains("\"error\"") ? 1 : 0))
                commands += 1
            }
        }
        #expect(commands == 7)
    }

    @Test("Wrong usage is 64 and says what would be right; what is refused is 1")
    func refusals() throws {
        let place = try Workplace()
        for (arguments, status, message) in [
            (["--gaussian", "1"], 64, "--delta is missing"), (["--delta", "1e-5"], 64, "Say what happens"),
            (["--gaussian", "1", "--pure", "1", "--delta", "1e-5"], 64, "one mechanism"),
            (["--gaussian", "1", "--delta", "2"], 64, "from 0 to 1"),
            (["--gaussian", "1", "--delta", "nan"], 64, "from 0 to 1"),
            (["--gaussian", "1", "--steps", "0", "--delta", "1e-5"], 64, "--steps"),
            (["--gaussian", "0", "--delta", "1e-5"], 1, "noise multiplier: expected a positive finite number"),
            (["--gaussian", "inf", "--delta", "1e-5"], 1, "positive finite"),
            (["--gaussian", "1", "--sampling-rate", "2", "--delta", "1e-5"], 1, "rate: expected a probability"),
            (["--gaussian", "1", "--accountant", "pure", "--delta", "1e-5"], 1, "does not support gaussian"),
            (["--gaussian", "1", "--accountant", "gaussian", "--delta", "0"], 1, "No finite epsilon"),
            (["--gaussian", "1", "--sample-size", "1", "--population", "9", "--delta", "1e-5"], 1, "replace-one"),
            (["--event", "{", "--delta", "1e-5"], 1, "not valid JSON"),
            (["--event", #"{"type": "gausian"}"#, "--delta", "1e-5"], 1, "unknown type"),
            (["--gaussian", "1", "--delta", "1e-5", "--conversion", "odd"], 64, "classic, improved"),
        ] as [([String], Int32, String)] {
            let finished = try place.run([Workplace.executable, "privacy", "epsilon"] + arguments)
            #expect(finished.status == status && finished.errors.contains(message), "\(arguments)\n\(finished.all)")
        }
        for arguments in [["--epsilon", "0", "--delta", "1e-5"], ["--epsilon", "1", "--delta", "0"]] {
            let finished = try place.run([Workplace.executable, "privacy", "noise"] + arguments)
            #expect(finished.status == 1 && finished.errors.contains("expected"), "\(finished.all)")
        }
    }

    @Test("A batch answers every line that it can, and names the others by number")
    func batch() throws {
        let place = try Workplace()
        let lines = [
            #"{"delta": 1e-5, "event": {"type": "gaussian", "noise-multiplier": 2}, "accountant": "gaussian"}"#, "",
            "nonsense", #"{"delta": "x", "event": {"type": "pure", "epsilon": 1}}"#,
            #"{"delta": 0, "event": {"type": "gaussian", "noise-multiplier": 2}, "accountant": "zcdp"}"#,
            #"{"delta": 1e-9, "accountant": "fancy", "event": {"type": "pure", "epsilon": 1}}"#,
            #"{"delta": 1e-9, "event": {"type": "pure", "epsilon": 1}, "steps": 3}"#,
            #"{"delta": 1e-5, "neighbours": "replace-one", "event": {"type": "shuffled", "local-epsilon": 1, "count": 9}}"#,
        ]
        let finished = try place.parley("privacy", "epsilon", "--batch", input: lines.joined(separator: "\n"))
        #expect(finished.status == 1)
        #expect(finished.errors.contains("4 of 8 lines"))
        let answers = finished.output.split(separator: "\n").map(String.init)
        try #require(answers.count == 7)
        #expect(answers[0].contains(#""accountant":"gaussian""#) && answers[0].contains(#""epsilon_lower":1.9"#))
        #expect(answers[1].contains(#""line":3"#) && answers[1].contains("not valid JSON"))
        #expect(answers[2].contains("delta: expected a number"))
        #expect(answers[3].contains(#""epsilon_upper":null"#))
        #expect(answers[4].contains("unknown \\\"fancy\\\"") && answers[4].contains("pure"))
        #expect(answers[5].contains("unknown member \\\"steps\\\""))
        #expect(answers[6].contains(#""epsilon_upper":"#) && !answers[6].contains("null,\"order\":null"))
    }

    @Test("Draws: as many as asked for, whole numbers, and a histogram that counts them all")
    func samples() throws {
        let place = try Workplace()
        for law in ["discrete-gaussian", "discrete-laplace"] {
            let draws = try place.parley("privacy", "sample", law, "--scale", "3", "--count", "500")
            let values = draws.output.split(separator: "\n").compactMap { Int($0) }
            #expect(values.count == 500 && Set(values).count > 5)
            let histogram = try place.parley(
                "privacy", "sample", law, "--scale", "1e9", "--count", "20000", "--histogram")
            let shares = histogram.output.matches(of: #/  ([\d.e-]+) %/#).compactMap { Double($0.1) }
            #expect(shares.count > 10 && shares.count <= 43 && abs(shares.reduce(0, +) - 100) < 1)
        }
        let refused = try place.parley("privacy", "sample", "discrete-gaussian", "--scale", "0")
        #expect(refused.status == 1 && refused.errors.contains("sigma"))
    }
}
