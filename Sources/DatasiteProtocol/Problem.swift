/// A problem document (RFC 9457), `application/problem+json`: why a datasite does not do what was asked.
public struct Problem: Sendable, Hashable, Codable, Error {
    /// What kind of problem it is: callers compare this. The raw value is the end of the URN.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The caller has not shown who she is.
        case unauthenticated
        /// The caller's role may not do this.
        case forbidden
        /// The owner's policy does not allow the question.
        case notAllowed = "not-allowed"
        /// The budget does not suffice.
        case overBudget = "over-budget"
        /// There is no such thing, or not for this caller.
        case notFound = "not-found"
        /// The resource has no such method.
        case methodNotAllowed = "method-not-allowed"
        /// The request did not arrive in time.
        case timeout
        /// The request does not fit the present state.
        case conflict
        /// The request, or a part of it, is larger than the datasite reads.
        case tooLarge = "too-large"
        /// The body is not of the type that is read here.
        case unsupportedMediaType = "unsupported-media-type"
        /// The request is malformed.
        case invalidRequest = "invalid-request"
        /// The question's text cannot be answered, whatever the budget.
        case invalidQuestion = "invalid-question"
        /// The owner's manifest or policy cannot be meant.
        case invalidManifest = "invalid-manifest"
        /// The owner's file is not what the manifest says.
        case invalidData = "invalid-data"
        /// The researcher has asked too much today.
        case tooManyQuestions = "too-many-questions"
        /// The datasite has failed; why is told to its owner alone.
        case internalError = "internal"
        /// All engines, or connections, are in use.
        case busy
        /// The datasite cannot work at present, or its files cannot be used.
        case siteUnavailable = "site-unavailable"

        static let prefix = "urn:parley:problem:"

        /// The document's `type`: stable over all versions.
        public var urn: String { Self.prefix + rawValue }

        /// The document's `title`: one for each kind, whatever the occurrence (RFC 9457, section 3.1.3).
        public var title: String {
            switch self {
            case .unauthenticated: "Not authenticated"
            case .forbidden: "Not allowed"
            case .notAllowed: "The policy does not allow it"
            case .overBudget: "Over budget"
            case .notFound: "Not found"
            case .methodNotAllowed: "Method not allowed"
            case .timeout: "Request timeout"
            case .conflict: "Conflict"
            case .tooLarge: "Too large"
            case .unsupportedMediaType: "Unsupported media type"
            case .invalidRequest: "Invalid request"
            case .invalidQuestion: "The question cannot be answered"
            case .invalidManifest: "The manifest is not valid"
            case .invalidData: "The data are not valid"
            case .tooManyQuestions: "Too many questions"
            case .internalError: "Internal error"
            case .busy: "Busy"
            case .siteUnavailable: "The datasite is not available"
            }
        }

        /// The HTTP status (RFC 9110, section 15).
        public var status: Int {
            switch self {
            case .invalidRequest: 400
            case .unauthenticated: 401
            case .forbidden, .notAllowed, .overBudget: 403
            case .notFound: 404
            case .methodNotAllowed: 405
            case .timeout: 408
            case .conflict: 409
            case .tooLarge: 413
            case .unsupportedMediaType: 415
            case .invalidQuestion, .invalidManifest, .invalidData: 422
            case .tooManyQuestions: 429
            case .internalError: 500
            case .busy, .siteUnavailable: 503
            }
        }
    }

    /// The kind's URN.
    public let type: String
    /// The kind in words.
    public let title: String
    /// The HTTP status of the response that bears the document.
    public let status: Int
    /// What is wrong this time, for people.
    public var detail: String
    /// The next step.
    public var hint: String?
    /// The 0-based UTF-8 offset in the SQL text, where the problem has one.
    public var position: Int?
    /// What is left for questions, where the budget does not suffice.
    public var left: QuestionsLeft?

    /// The kind that `type` names; nil for one that only a later version of the protocol knows.
    public var kind: Kind? {
        guard type.hasPrefix(Kind.prefix) else { return nil }
        return Kind(rawValue: String(type.dropFirst(Kind.prefix.count)))
    }

    /// - Parameter status: The HTTP status, where HTTP has one that says more than the kind's own (414 and 431 say what
    ///   was too large).
    public init(_ kind: Kind, _ detail: String, hint: String? = nil, position: Int? = nil, status: Int? = nil) {
        type = kind.urn
        title = kind.title
        self.status = status ?? kind.status
        self.detail = detail
        self.hint = hint
        self.position = position
    }
}
