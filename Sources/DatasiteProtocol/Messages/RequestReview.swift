/// A request as an owner sees it whole before she decides (`GET /v1/requests/{id}/review`): what follows from its plan, and
/// the answer that it would have on mock rows. Nothing of it comes from a private row.
public struct RequestReview: Sendable, Hashable, Codable {
    /// Who asks, what for, what is asked, its cost and where it stands.
    public var request: RequestSummary
    /// The columns of the answer with their noise and expected error; empty for work that has none.
    public var columns: [Preview.Column]
    /// Remarks on the plan.
    public var notes: [String]
    /// The answer that it gets on mock rows; nil for work that cannot be tried so.
    public var mock: Answer?
    /// Why it could not be planned at present, if it could not.
    public var problem: String?

    /// A request with what is known of it beforehand.
    public init(
        request: RequestSummary, columns: [Preview.Column] = [], notes: [String] = [], mock: Answer? = nil,
        problem: String? = nil
    ) {
        self.request = request
        self.columns = columns
        self.notes = notes
        self.mock = mock
        self.problem = problem
    }
}
