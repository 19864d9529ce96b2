import DatasiteProtocol

/// The datasite's refusals. None takes a private value: what they say follows from the request, the public catalogue,
/// the policy and the ledger.
extension Problem {
    static func of(
        _ slug: String, _ title: String, _ status: Int, _ detail: String, hint: String? = nil, position: Int? = nil
    ) -> Problem {
        Problem(
            type: "urn:parley:problem:\(slug)", title: title, status: status, detail: detail, hint: hint,
            position: position)
    }

    static func forbidden(_ detail: String, hint: String? = nil) -> Problem {
        of("forbidden", "Forbidden", 403, detail, hint: hint)
    }

    static func absent(_ detail: String, hint: String? = nil) -> Problem {
        of("not-found", "Not found", 404, detail, hint: hint)
    }

    static func conflict(_ detail: String, hint: String? = nil) -> Problem {
        of("conflict", "Conflict", 409, detail, hint: hint)
    }

    static func invalidQuestion(_ detail: String, hint: String? = nil, position: Int? = nil) -> Problem {
        of("invalid-question", "The question cannot be answered", 422, detail, hint: hint, position: position)
    }

    static func notAllowed(_ detail: String, hint: String? = nil) -> Problem {
        of("not-allowed", "The policy does not allow it", 403, detail, hint: hint)
    }

    static func overBudget(_ detail: String, hint: String? = nil) -> Problem {
        of("over-budget", "Over budget", 403, detail, hint: hint)
    }

    static func busy() -> Problem {
        of(
            "busy", "Busy", 503, "all engines are busy and the queue is full",
            hint: "nothing was charged; try again in a moment")
    }

    static func tooLarge(_ detail: String) -> Problem {
        of("too-large", "Too large", 413, detail)
    }

    static func invalidManifest(_ detail: String, hint: String? = nil) -> Problem {
        of("invalid-manifest", "The manifest is not valid", 422, detail, hint: hint)
    }

    static func invalidData(_ detail: String, hint: String? = nil) -> Problem {
        of("invalid-data", "The data are not valid", 422, detail, hint: hint)
    }

    static func invalidRequest(_ detail: String, hint: String? = nil) -> Problem {
        of("invalid-request", "The request is not valid", 400, detail, hint: hint)
    }

    static func unavailable(_ detail: String, hint: String? = nil) -> Problem {
        of("site-unavailable", "The datasite is not available", 503, detail, hint: hint)
    }
}
