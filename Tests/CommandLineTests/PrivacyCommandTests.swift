import Foundation
import Testing

@testable import parley

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
        #expect(commands == 18)
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
            (["--gaussian", "0", "--delta", "1e-5"], 64, "--gaussian: expected a positive finite number"),
            (["--gaussian", "-1", "--delta", "1e-5"], 64, "--gaussian: expected a positive finite number"),
            (["--laplace", "0", "--delta", "1e-5"], 64, "--laplace: expected"),
            (["--discrete-gaussian", "-1", "--delta", "1e-5"], 64, "--discrete-gaussian: expected"),
            (["--discrete-laplace", "0", "--delta", "1e-5"], 64, "--discrete-laplace: expected"),
            (["--pure", "-1", "--delta", "1e-5"], 64, "--pure: expected"),
            (["--exponential", "-1", "--delta", "1e-5"], 64, "--exponential: expected"),
            (["--zcdp", "-1", "--delta", "1e-5"], 64, "--zcdp: expected"),
            (["--event", #"{"type": "gaussian", "noise-multiplier": 0}"#, "--delta", "1e-5"], 64, "noise multiplier"),
            (["--gaussian", "inf", "--delta", "1e-5"], 64, "positive finite"),
            (["--gaussian", "1", "--delta", "-1"], 64, "from 0 to 1"),
            (
                ["--gaussian", "1", "--sampling-rate", "2", "--delta", "1e-5"], 64,
                "--sampling-rate: expected a probability"
            ),
            (["--gaussian", "1", "--accountant", "pure", "--delta", "1e-5"], 64, "does not support gaussian"),
            (["--gaussian", "1", "--accountant", "gaussian", "--delta", "0"], 1, "No finite epsilon"),
            (["--gaussian", "1", "--sample-size", "1", "--population", "9", "--delta", "1e-5"], 64, "replace-one"),
            (["--event", "{", "--delta", "1e-5"], 64, "not valid JSON: expected a key in double quotes (at column 2)"),
            (["--event", #"{"type": "gausian"}"#, "--delta", "1e-5"], 64, "unknown type"),
            (["--gaussian", "1", "--delta", "1e-5", "--conversion", "odd"], 64, "classic, improved"),
            (["--gaussian", "1", "--delta", "1e-5", "--steps", "1,00"], 64, "10000, 10,000 or 1e4"),
            (["--gaussian", "1", "--delta", "1e-5", "--steps", "1.5"], 64, "not a whole number"),
            (["--gaussian", "1", "--delta", "1e-5", "--steps", "1.5e0"], 64, "not a whole number"),
            (["--gaussian", "1", "--delta", "1e-5", "--steps", "1e19"], 64, "not a whole number"),
            (["--gaussian", "1", "--delta", "1e-5", "--steps", "-3"], 64, "--steps must be positive"),
        ] as [([String], Int32, String)] {
            let finished = try place.run([Workplace.executable, "privacy", "epsilon"] + arguments)
            #expect(finished.status == status && finished.errors.contains(message), "\(arguments)\n\(finished.all)")
        }
        for (arguments, status, message) in [
            (["--epsilon", "0", "--delta", "1e-5"], 64, "--epsilon: expected a positive"),
            (["--epsilon", "-1", "--delta", "1e-5"], 64, "--epsilon: expected a positive"),
            (["--epsilon", "1", "--delta", "2"], 64, "--delta: expected"),
            (["--epsilon", "1", "--delta", "0"], 64, "or --mechanism laplace"),
            (["--epsilon", "1", "--delta", "1e-5", "--tolerance", "0"], 64, "--tolerance: expected"),
            (["--epsilon", "1", "--delta", "1e-5", "--accountant", "pure"], 64, "does not support gaussian"),
            (["--epsilon", "1e-9", "--delta", "1e-100"], 1, "epsilon: expected a value to which some noise"),
            (
                ["--epsilon", "1", "--delta", "0", "--mechanism", "laplace", "--accountant", "renyi"], 1,
                "delta: expected a value at which some noise"
            ),
        ] as [([String], Int32, String)] {
            let finished = try place.run([Workplace.executable, "privacy", "noise"] + arguments)
            #expect(finished.status == status && finished.errors.contains(message), "\(arguments)\n\(finished.all)")
        }
        let refused = try place.parley("privacy", "sample", "discrete-gaussian", "--scale", "-1")
        #expect(refused.status == 64 && refused.errors.contains("--scale"))
        for (law, scales) in [
            ("discrete-gaussian", ["-1", "0", "1e13", "nan"]), ("discrete-laplace", ["-1", "0", "inf"]),
            ("skellam", ["-1", "0", "1e9", "-3e-3"]), ("staircase", ["-1", "0", "1e13"]),
        ] {
            for scale in scales {
                let refused = try place.parley("privacy", "sample", law, "--scale", scale, "--count", "3")
                #expect(refused.status == 64 && refused.output.isEmpty, "\(law) \(scale): \(refused.all)")
                #expect(refused.errors.contains("--scale: expected a number from 2^-"), "\(refused.all)")
                for other in ["variance", "sigma:", "epsilon"] { #expect(!refused.errors.contains(other)) }
            }
            let least = law == "skellam" ? "9.765625e-4" : "9.5367431640625e-7"
            let greatest = law == "skellam" ? "32768" : "1099511627776"
            for scale in [least, greatest] {
                #expect(try place.parley("privacy", "sample", law, "--scale", scale, "--count", "1").status == 0)
            }
        }
    }

    @Test("No option is ignored: one that cannot apply is wrong usage, and says what it is for")
    func optionsThatCannotApply() throws {
        let place = try Workplace()
        let event = ["--gaussian", "1", "--delta", "1e-5"]
        for (arguments, message) in [
            (event + ["--grid-step", "0"], "from 1e-7 to 1"), (event + ["--grid-step", "1e-9"], "from 1e-7 to 1"),
            (event + ["--grid-step", "10", "--accountant", "pld"], "from 1e-7 to 1"),
            (event + ["--grid-step", "1e-3", "--accountant", "renyi"], "--grid-step is for --accountant pld"),
            (event + ["--grid-step", "1e-3", "--conversion", "classic"], "give one of them"),
            (event + ["--conversion", "classic", "--accountant", "pld"], "--conversion is for --accountant renyi"),
            (["--zcdp", "1", "--delta", "1e-5", "--grid-step", "1e-3"], "does not support zero-concentrated"),
            (["--batch", "--delta", "1e-5"], "--batch reads"), (["--batch", "--gaussian", "1"], "--batch reads"),
            (["--batch", "--steps", "1"], "--batch reads"), (["--batch", "--sampling-rate", "0.5"], "--batch reads"),
            (["--batch", "--grid-step", "2"], "from 1e-7 to 1"),
        ] as [([String], String)] {
            let finished = try place.run([Workplace.executable, "privacy", "epsilon"] + arguments)
            #expect(finished.status == 64 && finished.errors.contains(message), "\(arguments)\n\(finished.all)")
        }
        let classic = try place.run([Workplace.executable, "privacy", "epsilon", "--conversion", "classic"] + event)
        #expect(classic.output.contains("by       Rényi, classic conversion"))
        for steps in ["10,000", "1e4", "1.0e4", "10000"] {
            let finished = try place.run(
                [Workplace.executable, "privacy", "epsilon", "--pure", "1e-3", "--delta", "0", "--steps", steps])
            #expect(
                finished.status == 0 && finished.output.hasPrefix("epsilon  between 10 and 10 at"), "\(finished.all)")
        }
    }

    /// The bounds that a command proves.
    private static func bounds(_ arguments: String, in place: Workplace) throws -> (lower: Double, upper: Double) {
        struct Answer: Decodable {
            var epsilon_lower: Double
            var epsilon_upper: Double?
        }
        let words = arguments.split(separator: " ").map(String.init)
        let finished = try place.run([Workplace.executable, "privacy", "epsilon", "--json"] + words)
        let answer = try JSONDecoder().decode(Answer.self, from: Data(finished.output.utf8))
        return (answer.epsilon_lower, answer.epsilon_upper ?? .infinity)
    }

    @Test(
        "Without an accountant, every one that supports the event is asked, and the best bounds count",
        arguments: [
            "--gaussian 1000 --steps 1000000000 --sampling-rate 0.01 --delta 1e-5",
            "--gaussian 10000 --steps 100000000 --delta 1e-5", "--gaussian 1 --delta 1e-300",
            "--gaussian 1 --sampling-rate 0.004 --steps 1000 --delta 1e-5",
            "--gaussian 2e5 --sampling-rate 0.5 --steps 100000 --delta 1e-9",
            "--pure 0.1 --steps 100 --delta 1e-6", "--exponential 0.5 --steps 30 --delta 1e-6",
            "--laplace 3 --steps 1000 --delta 0", "--zcdp 0.1 --delta 1e-5", "--discrete-gaussian 0.03 --delta 1e-6",
        ])
    func everyAccountant(arguments: String) throws {
        let place = try Workplace()
        let all = try Self.bounds(arguments, in: place)
        #expect(all.upper < .infinity && all.lower <= all.upper)
        var answers = 0
        for accountant in ["renyi", "pld", "zcdp", "gaussian", "pure"] {
            guard let one = try? Self.bounds("\(arguments) --accountant \(accountant)", in: place) else { continue }
            answers += 1
            #expect(all.upper <= one.upper * (1 + 1e-9) && all.lower >= one.lower, "\(accountant): \(one) \(all)")
        }
        #expect(answers > 1)
    }

    @Test("The least noise that any accountant proves, and which one that is")
    func leastNoise() throws {
        let place = try Workplace()
        func noise(_ arguments: String) throws -> (noise: Double, by: Substring) {
            let words = arguments.split(separator: " ").map(String.init)
            let finished = try place.run([Workplace.executable, "privacy", "noise"] + words)
            #expect(finished.status == 0, "\(arguments)\n\(finished.all)")
            let match = try #require(
                try /noise    (?<noise>\S+) .*\n.*\nby       (?<by>[^,;]*)/.firstMatch(in: finished.output))
            return (try #require(Double(match.output.noise.replacing(",", with: ""))), match.output.by)
        }
        let gaussian = try noise("--epsilon 1 --delta 1e-5 --steps 100000000")
        #expect(gaussian.by == "exact Gaussian" && abs(gaussian.noise / 37306.5 - 1) < 1e-5)
        let training = try noise("--epsilon 3 --delta 1e-5 --sampling-rate 0.004 --steps 10,000")
        #expect(training.by == "privacy loss distribution" && abs(training.noise / 0.856735 - 1) < 3e-5)
        let laplace = try noise("--epsilon 2 --delta 0 --mechanism laplace --steps 10")
        #expect(laplace.by == "pure composition" && abs(laplace.noise / 5 - 1) < 3e-5)

        // Where one step's loss is far narrower than the usual grid, and where there is next to no noise.
        let narrow = "--epsilon 0.001 --delta 1e-9 --sampling-rate 0.5 --steps 100000"
        let renyi = try noise("\(narrow) --accountant renyi").noise
        #expect(try noise(narrow).noise <= renyi && noise("\(narrow) --accountant pld").noise < renyi)
        for sampling in ["", " --sampling-rate 0.1"] {
            #expect(try noise("--epsilon 700 --delta 1e-5" + sampling).noise < 0.06)
        }
        for (step, status, message) in [
            ("1e-4", 0, "too coarse here: renyi proves that 700,"), ("1", 1, "too coarse to prove epsilon 0.001"),
        ] as [(String, Int32, String)] {
            let coarse = try place.run(
                [Workplace.executable, "privacy", "noise", "--accountant", "pld", "--grid-step", step]
                    + narrow.split(separator: " ").map(String.init))
            #expect(coarse.status == status && coarse.errors.contains(message), "\(coarse.all)")
            #expect(coarse.errors.contains("finer --grid-step"))
        }
    }

    @Test("A batch answers every line that it can, and names the others by number")
    func batch() throws {
        let place = try Workplace()
        let levels = 200
        let deep =
            String(repeating: #"{"type": "repeated", "times": 1, "event": "#, count: levels)
            + #"{"type": "pure", "epsilon": 1}"# + String(repeating: "}", count: levels)
        let lines = [
            #"{"delta": 1e-5, "event": {"type": "gaussian", "noise-multiplier": 2}, "accountant": "gaussian"}"#, "",
            "nonsense", #"{"delta": "x", "event": {"type": "pure", "epsilon": 1}}"#,
            #"{"delta": 0, "event": {"type": "gaussian", "noise-multiplier": 2}, "accountant": "zcdp"}"#,
            #"{"delta": 1e-9, "accountant": "fancy", "event": {"type": "pure", "epsilon": 1}}"#,
            #"{"delta": 1e-9, "event": {"type": "pure", "epsilon": 1}, "steps": 3}"#,
            #"{"delta": 1e-5, "neighbours": "replace-one", "event": {"type": "shuffled", "local-epsilon": 1, "count": 9}}"#,
            #"{"delta": 1e-5, "event": {"type": "approximate", "epsilon": 1, "delta": 1e-3}}"#,
            #"{"delta": 1e-5, "event": {"type": "repeated", "times": 1.5, "event": {"type": "pure", "epsilon": 1}}}"#,
            #"{"delta": 1e-5, "event": {"type": "composition", "events": [{"type": "pure", "epsilon": 1e999}]}}"#,
            #"{"delta": 1e999, "event": {"type": "pure", "epsilon": 1}}"#,
            #"{"delta": 1e-5, "delta": 1e-6, "event": {"type": "pure", "epsilon": 1}}"#,
            #"{"delta": 1e-5, "event": {"type": "pure", "epsilon": 1}, "accountant": "renyi", "grid-step": 1e-3}"#,
            #"{"delta": 1e-5, "event": {"type": "pure", "epsilon": 1}, "grid-step": 0}"#,
            #"{"delta": 1e-5, "event": \#(deep)}"#,
        ]
        let finished = try place.parley("privacy", "epsilon", "--batch", input: lines.joined(separator: "\n"))
        #expect(finished.status == 1)
        #expect(finished.errors.contains("11 of 16 lines"))
        let answers = finished.output.split(separator: "\n").map(String.init)
        try #require(answers.count == 15)
        #expect(answers[0].contains(#""accountant":"gaussian""#) && answers[0].contains(#""epsilon_lower":1.9"#))
        #expect(
            answers[1].contains(#""line":3"#)
                && answers[1].contains("not valid JSON: expected a JSON value (at column 1)"))
        #expect(answers[2].contains("delta: expected a number"))
        #expect(answers[3].contains(#""epsilon_upper":null"#))
        #expect(answers[4].contains("unknown \\\"fancy\\\"") && answers[4].contains("pure"))
        #expect(answers[5].contains("unknown member \\\"steps\\\""))
        #expect(answers[6].contains(#""epsilon_upper":"#) && !answers[6].contains("null,\"order\":null"))
        #expect(answers[7].contains(#""epsilon_lower":null,"epsilon_upper":null,"order":null"#))
        for (answer, expected) in zip(
            answers[8...],
            [
                "event: times: expected a whole number", "event.events[0]: epsilon: expected a number of at most",
                "delta: expected a number of at most", "a key occurs twice in one object (at column 17)",
                "grid-step is for accountant pld", "grid-step: expected a number from 1e-7 to 1", "nested deeper than",
            ])
        { #expect(answer.contains(expected), "\(answer)") }
    }

    @Test("A number with an exponent is whole if its value is: 1e16 steps are accounted for")
    func wholeNumbers() throws {
        for (text, number) in [
            ("1e16", 10_000_000_000_000_000), ("9007199254740993e0", 9_007_199_254_740_993), ("1.50e1", 15),
            ("0e99", 0),
            ("120e-1", 12), ("1e18", 1_000_000_000_000_000_000), ("1E+3", 1_000), ("0.001e3", 1),
        ] {
            #expect(WholeNumberText.number(text) == number, "\(text)")
        }
        for text in ["1e19", "1.5e0", "15e-1", "1e", "e1", "1e999", "5e-1", "0x10", "1,00"] {
            #expect(WholeNumberText.number(text) == nil, "\(text)")
        }
        let place = try Workplace()
        let many = try place.parley("privacy", "epsilon", "--gaussian", "1e6", "--steps", "1e16", "--delta", "1e-6")
        let digits = try place.parley(
            "privacy", "epsilon", "--gaussian", "1e6", "--steps", "10000000000000000", "--delta", "1e-6")
        #expect(many.status == 0 && many.output == digits.output, "\(many.all)")
    }

    @Test("A number below zero reaches the word on what is wrong with it, in every command that takes numbers")
    func negativeNumbers() throws {
        let place = try Workplace()
        let ask = ["ask", "survey", "SELECT COUNT(*) FROM survey"]
        for (arguments, message) in [
            (ask + ["--epsilon", "-1"], "--epsilon must be a positive number"),
            (ask + ["--rho", "-1"], "--rho must be a positive number"),
            (ask + ["--error", "-2%", "--group-size", "10"], "--error must be a positive number"),
            (ask + ["--error", "2%", "--group-size", "-10"], "--group-size must be a positive number"),
            (ask + ["--epsilon", "1", "--selection-delta", "-1e-6"], "--selection-delta must be a positive number"),
            (ask + ["--epsilon", "1", "--groups-per-unit", "-1"], "--groups-per-unit must be at least 1"),
            (ask + ["--epsilon", "1", "--rows-per-group", "-1"], "--rows-per-group must be at least 1"),
            (["site", "limits", "--time", "-3"], "--time must be a positive number"),
            (["site", "limits", "--memory", "-3"], "--memory must be a positive number"),
            (["audit", "--limit", "-3"], "--limit from 1 to 1000"),
            (["audit", "--from", "-3"], "--from is at least 1"),
            (["requests", "--limit", "-3"], "--limit is a number"),
            (["history", "--limit", "-3"], "--limit is a number"),
            (["serve", "--port", "-3"], "from 0 to 65535"), (["serve", "--metrics-port", "-3"], "from 0 to 65535"),
            (["data", "synthesize", "survey", "--epsilon", "-1"], "--epsilon must be a positive number"),
            (["data", "synthesize", "survey", "--rho", "-1"], "--rho must be a positive number"),
            (["data", "synthesize", "survey", "--epsilon", "1", "--rows", "-1"], "--rows must be at least 1"),
            (
                ["data", "synthesize", "survey", "--epsilon", "1", "--rows-per-unit", "-1"],
                "--rows-per-unit must be at least 1"
            ),
            (["privacy", "sample", "skellam", "--scale", "1", "--count", "-3"], "--count must be from 1"),
        ] as [([String], String)] {
            let refused = try place.run([Workplace.executable] + arguments)
            #expect(refused.status == 64 && refused.errors.contains(message), "\(arguments)\n\(refused.all)")
        }
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
        #expect(refused.status == 64 && refused.errors.contains("--scale"))
    }
}
