import DatasiteProtocol

/// What can be asked of the server; `openapi.yaml` has an operation of the same name for each.
enum Endpoint: String, CaseIterable, Sendable {
    case health, site, whoami, listDatasets, getDataset, getSynthetic, preview, ask, mock, submit, previewWork,
        listRequests, getRequest, getReview, getAnswer, getReceipt, getProof, getEvents, approve, deny, listJobs,
        cancelJob, budget, audit, getCheckpoint, compareCheckpoint, getTile, getPrediction, getMaskedWeights,
        checkDealer, prepare, listPreparations, checkPreparation, compareOpening, cancelPreparation,
        exchangeRound

    var method: String {
        switch self {
        case .preview, .ask, .mock, .submit, .previewWork, .approve, .deny, .cancelJob, .compareCheckpoint,
            .prepare, .checkPreparation, .compareOpening, .cancelPreparation, .exchangeRound:
            "POST"
        default: "GET"
        }
    }

    /// The path, a parameter in braces.
    var template: String {
        switch self {
        case .health: "/health"
        case .site: "/v1/site"
        case .whoami: "/v1/whoami"
        case .listDatasets: "/v1/datasets"
        case .getDataset: "/v1/datasets/{name}"
        case .getSynthetic: "/v1/datasets/{name}/synthetic"
        case .preview: "/v1/preview"
        case .ask: "/v1/ask"
        case .mock: "/v1/mock"
        case .submit, .listRequests: "/v1/requests"
        case .previewWork: "/v1/requests/preview"
        case .getRequest: "/v1/requests/{id}"
        case .getReview: "/v1/requests/{id}/review"
        case .getAnswer: "/v1/requests/{id}/answer"
        case .getReceipt: "/v1/requests/{id}/receipt"
        case .getProof: "/v1/requests/{id}/proof"
        case .getEvents: "/v1/requests/{id}/events"
        case .approve: "/v1/requests/{id}/approve"
        case .deny: "/v1/requests/{id}/deny"
        case .listJobs: "/v1/jobs"
        case .cancelJob: "/v1/jobs/{id}/cancel"
        case .budget: "/v1/budget"
        case .audit: "/v1/audit"
        case .getCheckpoint, .compareCheckpoint: "/log/checkpoint"
        case .getTile: "/log/tile/{path}"
        case .getPrediction: "/v1/predictions/{name}"
        case .getMaskedWeights: "/v1/predictions/{name}/weights"
        case .checkDealer: "/v1/predictions/{name}/dealer"
        case .prepare: "/v1/predictions/{name}/preparations"
        case .listPreparations: "/v1/preparations"
        case .checkPreparation: "/v1/preparations/{id}/check"
        case .compareOpening: "/v1/preparations/{id}/opening"
        case .cancelPreparation: "/v1/preparations/{id}/cancel"
        case .exchangeRound: "/v1/requests/{id}/rounds"
        }
    }

    /// Whether the last parameter stands for several segments.
    var takesRest: Bool { self == .getTile }

    /// The roles that may call it; nil: anyone, without a token. The datasite decides again, request by request: this
    /// is the outer of two walls, so that an auditor's call never reaches what holds an answer.
    var roles: Set<Role>? {
        switch self {
        case .health, .site, .getCheckpoint, .compareCheckpoint, .getTile: nil
        case .whoami, .listDatasets, .getDataset, .getSynthetic, .listRequests, .getRequest, .getReceipt, .getProof,
            .getEvents,
            .listJobs,
            .budget:
            Set(Role.allCases)
        case .preview, .ask, .mock, .submit, .previewWork, .getAnswer, .cancelJob, .getPrediction, .checkDealer:
            [.owner, .researcher]
        case .getMaskedWeights, .prepare, .listPreparations, .checkPreparation, .compareOpening, .cancelPreparation,
            .exchangeRound:
            [.researcher]
        case .getReview, .approve, .deny: [.owner]
        case .audit: [.owner, .auditor]
        }
    }

    var queryKeys: Set<String> {
        switch self {
        case .audit: ["from", "limit"]
        case .listRequests: ["before", "limit", "state"]
        case .listJobs: ["all", "limit"]
        default: []
        }
    }
}
