import ArgumentParser
import DatasiteProtocol
import DifferentialPrivacy

struct PrivacyExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "What an epsilon, or a rho, means for one person: what an attacker's certainty can become.",
        discussion: """
            parley privacy explain --epsilon 1 --delta 1e-6
            parley privacy explain --rho 0.25 --delta 1e-6

            The attacker sees every answer and knows everybody else's rows. docs/guide/choosing.md says how to choose.
            """)

    @Option(parsing: .unconditional, help: "The epsilon that all answers together may cost.") var epsilon: Double?
    @Option(parsing: .unconditional, help: "The rho that all answers together may cost, in epsilon's place.")
    var rho: Double?
    @Option(parsing: .unconditional, help: "The delta beside it; with --rho, the one at which an epsilon is said.")
    var delta: Double?
    @Flag(help: "Print one line of JSON.") var json = false

    func validate() throws {
        guard (epsilon == nil) != (rho == nil) else { throw ValidationError("Give --epsilon or --rho, one of them.") }
        for (name, value) in [("epsilon", epsilon), ("rho", rho)] {
            if let value, !(value > 0 && value.isFinite) {
                throw ValidationError("--\(name) must be a positive number.")
            }
        }
        if let delta, !(delta >= 0 && delta < 1) { throw ValidationError("--delta must be from 0 to below 1.") }
        guard rho == nil || delta ?? 0 > 0 else {
            throw ValidationError("--delta is missing: a rho is an epsilon at a delta, for example --delta 1e-6.")
        }
    }

    func run() async throws {
        let explanation = try PrivacyExplanation(epsilon: epsilon, rho: rho, delta: delta ?? 0)
        if json {
            Terminal.output.line(try PrivacyAnswer.line(explanation))
        } else {
            explanation.show(on: .output)
        }
    }
}

/// What a guarantee means for one privacy unit, in numbers.
struct PrivacyExplanation: Encodable {
    struct Belief: Encodable {
        let before, after: Double
    }

    struct Test: Encodable {
        let accused, found: Double
    }

    let epsilon: Double
    let delta: Double
    let rho: Double?
    let rightGuess: Double
    /// The same bound from the other way to say this budget: from the epsilon where a rho was given, from the rho where an epsilon
    /// was; nil where there is no delta.
    let otherGuess: Double?
    /// The budget as a rho.
    let whole: Double
    let beliefs: [Belief]
    let tests: [Test]
    /// As a total under zCDP; nil without a delta.
    let questions: BudgetMeaning?

    private enum CodingKeys: String, CodingKey {
        case epsilon, delta, rho, beliefs, tests, questions
        case rightGuess = "right_guess"
    }

    init(epsilon given: Double?, rho: Double?, delta: Double) throws(MechanismError) {
        let tradeOff: TradeOff
        if let rho {
            epsilon = Conversion.epsilon(rho: rho, delta: delta)
            tradeOff = try TradeOff(rho: rho)
        } else {
            epsilon = given ?? 0
            tradeOff = try TradeOff(epsilon: epsilon, delta: delta)
        }
        (self.rho, self.delta) = (rho, delta)
        rightGuess = tradeOff.rightGuess
        let epsilon = epsilon
        beliefs = [0.001, 0.01, 0.1, 0.5, 0.9].map {
            Belief(before: $0, after: TradeOff.belief(before: $0, epsilon: epsilon))
        }
        tests = [0.001, 0.01, 0.05, 0.1].map { Test(accused: $0, found: tradeOff.power(falseAlarm: $0)) }
        whole = rho ?? Conversion.rho(epsilon: epsilon, delta: delta)
        let other = try rho == nil ? TradeOff(rho: whole) : TradeOff(epsilon: epsilon, delta: delta)
        otherGuess = delta > 0 ? other.rightGuess : nil
        // As policies count: half of delta converts (docs/privacy.md, rule 6).
        let (total, one) = (
            rho ?? Conversion.rho(epsilon: epsilon, delta: delta / 2), Conversion.rho(epsilon: 0.5, delta: delta / 2)
        )
        questions =
            one > 0 && total >= one
            ? BudgetMeaning(
                epsilon: epsilon, delta: delta, question: 0.5, fit: Int64(min(1e15, (total / one).rounded(.down))))
            : nil
    }

    func show(on terminal: Terminal) {
        func say(_ text: String) {
            for line in PrintableText.wrapped(text, to: min(80, terminal.width)) { terminal.line(line) }
        }
        let at = delta > 0 ? " at delta \(ShortNumber.text(delta))" : ""
        let total = "epsilon \(ShortNumber.text(epsilon, .up))\(at)"
        terminal.line(terminal.styled(rho.map { "rho \(ShortNumber.text($0)): \(total)" } ?? total, .bold))
        if let questions {
            say(
                "As the total of a policy (`loss: zcdp`, this delta, half of which is for selecting keys): about "
                    + "\(questions.fit) question\(questions.fit == 1 ? "" : "s") of epsilon \(ShortNumber.text(questions.question))."
            )
        }
        terminal.line()
        say(
            "Whoever sees every answer, and knows everybody else's rows, believes to some degree that one person is in "
                + "the data, or that her rows are what he thinks. The answers can raise that:")
        terminal.line()
        var belief = TextTable([
            .init(title: "before", alignsRight: true), .init(title: "after, at most", alignsRight: true),
            .init(title: ""),
        ])
        for row in beliefs { belief.append([percent(row.before), percent(row.after), bar(row.after, on: terminal)]) }
        terminal.write(belief.render(on: terminal))
        if delta > 0 {
            terminal.line()
            say(
                "This holds but for one chance in \(NumberText.fixed(1 / delta, decimals: 0)) (delta), in which an answer may tell "
                    + "everything about her. So delta belongs well below one in the number of people.")
        }
        terminal.line()
        say(
            "So much he believes after the answers that tell the most. Over all answers that may come, the best guess of whether "
                + "she is in the data, where both are as likely, is right at most \(percent(rightGuess)) of the time; a coin is "
                + "right 50 %.\(otherWords)")
        terminal.line()
        say("A test that finds people in the data finds at most:")
        terminal.line()
        var power = TextTable([
            .init(title: "wrongly accused", alignsRight: true), .init(title: "found, at most", alignsRight: true),
            .init(title: ""),
        ])
        for row in tests { power.append([percent(row.accused), percent(row.found), bar(row.found, on: terminal)]) }
        terminal.write(power.render(on: terminal))
    }

    /// Why `--rho` and `--epsilon` say other bounds of one budget.
    private var otherWords: String {
        guard let otherGuess else { return "" }
        return rho == nil
            ? " Of noise that is counted as rho (`loss: zcdp`) more is known, how seldom answers tell the most: it is at most "
                + "\(percent(otherGuess)), and `--rho \(ShortNumber.text(whole, .up))` says what else is less."
            : " From \(ShortNumber.text(epsilon, .up)) as an epsilon alone, which says nothing of how seldom answers tell the most, "
                + "`--epsilon` bounds it by \(percent(otherGuess))."
    }

    /// Rounded up: all are upper bounds.
    private func percent(_ share: Double) -> String {
        NumberText.significantAtLeast(share * 100 * (1 - 1e-12), digits: share > 0.9 ? 4 : 3) + " %"
    }

    private func bar(_ share: Double, on terminal: Terminal) -> String {
        let filled = Int((min(1, share) * 30).rounded())
        return String(repeating: terminal.usesUnicode ? "█" : "#", count: filled)
    }
}
