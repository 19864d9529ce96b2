/// What a limit of privacy loss means in questions: epsilons for people, where the ledger adds rhos or divergences. From the
/// accountant, rounded to the safe side.
public struct BudgetMeaning: Sendable, Hashable, Codable {
    /// The epsilon that all that the limit allows comes to together, at `delta`.
    public var epsilon: Double
    /// The delta beside it, what selecting keys may use included; 0 under a pure policy.
    public var delta: Double
    /// The epsilon of the questions that are counted here.
    public var question: Double
    /// How many such questions fit into all of the limit.
    public var fit: Int64
    /// How many fewer fit since what is spent was spent; nil where it is not told. Of one spending that may be one more under one
    /// limit than under another, whose ends differ: people are told what still fits.
    public var spent: Int64?
    /// How many fewer again, as long as what is held for requests that wait is held.
    public var held: Int64?

    /// A meaning, by its parts.
    public init(
        epsilon: Double, delta: Double, question: Double, fit: Int64, spent: Int64? = nil, held: Int64? = nil
    ) {
        self.epsilon = epsilon
        self.delta = delta
        self.question = question
        self.fit = fit
        self.spent = spent
        self.held = held
    }

    /// How many still fit; nil where it is not told what is spent.
    public var left: Int64? { spent.map { fit - $0 - (held ?? 0) } }

    /// For people: "epsilon 4 at delta 1e-6 for all questions together; about 47 of epsilon 0.5 fit into all of it, 35 into what is
    /// left".
    public var words: String {
        let at = delta > 0 ? " at delta \(ShortNumber.text(delta, .up))" : ""
        let size = "of epsilon \(ShortNumber.text(question))"
        let whole = "epsilon \(ShortNumber.text(epsilon, .up))\(at) for all questions together; "
        guard fit > 0 else { return whole + "none \(size) fits" }
        let fits = whole + "\(delta > 0 ? "about " : "")\(fit) \(size) \(fit == 1 ? "fits" : "fit")"
        guard let left else { return fits }
        let told = fits + " into all of it, \(left > 0 ? "\(left)" : "none") into what is left"
        guard let held, held > 0 else { return told }
        return told + ", and \(held) more if what is held is given back"
    }
}

/// What is left for questions, all limits taken together: of a preview, from the plan and the ledger.
public struct QuestionsLeft: Sendable, Hashable, Codable {
    /// How many questions like this one fit into what is left.
    public var alike: Int64
    /// The largest question that fits, as an epsilon or a rho, whichever this one was asked in, rounded down so that it
    /// fits as it is written; nil: none does.
    public var largest: Double?
    /// "epsilon" or "rho".
    public var unit: String
    /// Where an error was asked for, about the smallest that fits, relative to the same group size.
    public var error: Double?

    /// What is left, by its parts.
    public init(alike: Int64, largest: Double?, unit: String, error: Double? = nil) {
        self.alike = alike
        self.largest = largest
        self.unit = unit
        self.error = error
    }

    /// The error as `--error` takes it, of three digits and rounded up: "2.83%".
    public var errorText: String? {
        guard let error, error > 0, error.isFinite else { return nil }
        let percent = error * 100
        var scale = 1.0
        while percent * scale < 100, scale < 1e12 { scale *= 10 }
        while percent * scale >= 1_000, scale > 1e-12 { scale /= 10 }
        return ShortNumber.plain((percent * scale * (1 - 1e-9)).rounded(.up) / scale) + "%"
    }

    /// For people: "3 questions like this one fit into what is left; the largest that fits: epsilon 1.62".
    public var words: String {
        let most =
            largest.map { largest in
                errorText.map { "the smallest error that fits: about \($0)" }
                    ?? "the largest that fits: \(unit) \(ShortNumber.plain(largest))"
            } ?? "no question fits any more"
        guard largest != nil, alike > 0 else { return most }
        return
            "\(alike) question\(alike == 1 ? "" : "s") like this one fit\(alike == 1 ? "s" : "") into what is left; \(most)"
    }
}
