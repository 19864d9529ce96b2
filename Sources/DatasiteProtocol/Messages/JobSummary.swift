/// Work that takes a while: a request, or a table that is being added (`GET /v1/jobs`).
public struct JobSummary: Sendable, Hashable, Codable {
    /// What kind of job it is.
    public enum Kind: String, Sendable, Hashable, Codable {
        /// Somebody's request.
        case request
        /// A table is being added.
        case add
        /// Rows are being added to a table.
        case append
        /// A table's rows are being replaced.
        case replace
    }

    /// The request's id, or the new version's.
    public var id: String
    /// What kind of job it is.
    public var kind: Kind
    /// Who asked for it.
    public var who: String
    /// The dataset that it is about.
    public var dataset: String
    /// What was asked, in words; empty for a table.
    public var words: String
    /// Where it stands.
    public var state: JobState
    /// How many steps are done.
    public var step: Int
    /// How many there are.
    public var steps: Int
    /// What is done now.
    public var doing: String?
    /// How many rows were read, of a table that is being added: for owners alone.
    public var rowsRead: Int?
    /// The part that is done, from 0 to 1, of a table that is being added: for owners alone.
    public var share: Double?
    /// When it was asked for or begun: RFC 3339, UTC.
    public var begun: String
    /// When its state changed last: RFC 3339, UTC.
    public var changed: String

    /// A job, by its parts.
    public init(
        id: String, kind: Kind, who: String, dataset: String, words: String, state: JobState, step: Int, steps: Int,
        doing: String? = nil, rowsRead: Int? = nil, share: Double? = nil, begun: String, changed: String
    ) {
        self.id = id
        self.kind = kind
        self.who = who
        self.dataset = dataset
        self.words = words
        self.state = state
        self.step = step
        self.steps = steps
        self.doing = doing
        self.rowsRead = rowsRead
        self.share = share
        self.begun = begun
        self.changed = changed
    }
}
