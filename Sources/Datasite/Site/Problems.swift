import DatasiteProtocol

/// The datasite's refusals. None takes a private value: what they say follows from the request, the public catalogue,
/// the policy and the ledger.
extension Problem {
    static func forbidden(_ detail: String, hint: String? = nil) -> Problem {
        Problem(.forbidden, detail, hint: hint)
    }

    static func absent(_ detail: String, hint: String? = nil) -> Problem {
        Problem(.notFound, detail, hint: hint)
    }

    static func conflict(_ detail: String, hint: String? = nil) -> Problem {
        Problem(.conflict, detail, hint: hint)
    }

    static func invalidQuestion(_ detail: String, hint: String? = nil, position: Int? = nil) -> Problem {
        Problem(.invalidQuestion, detail, hint: hint, position: position)
    }

    static func notAllowed(_ detail: String, hint: String? = nil) -> Problem {
        Problem(.notAllowed, detail, hint: hint)
    }

    static func overBudget(_ detail: String, hint: String? = nil, left: QuestionsLeft? = nil) -> Problem {
        var problem = Problem(.overBudget, detail, hint: hint)
        problem.left = left
        return problem
    }

    static func busy(_ what: String = "all engines are") -> Problem {
        Problem(
            .busy, "\(what) busy and the queue is full",
            hint: "nothing was charged; try again in a moment")
    }

    static func tooLarge(_ detail: String) -> Problem {
        Problem(.tooLarge, detail)
    }

    static func invalidManifest(_ detail: String, hint: String? = nil) -> Problem {
        Problem(.invalidManifest, detail, hint: hint)
    }

    static func invalidData(_ detail: String, hint: String? = nil) -> Problem {
        Problem(.invalidData, detail, hint: hint)
    }

    static func invalidRequest(_ detail: String, hint: String? = nil) -> Problem {
        Problem(.invalidRequest, detail, hint: hint)
    }

    static func unavailable(_ detail: String, hint: String? = nil) -> Problem {
        Problem(.siteUnavailable, detail, hint: hint)
    }
}
