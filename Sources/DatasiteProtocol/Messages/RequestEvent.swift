/// What became of a request, as it is told while it happens (`GET /v1/requests/{id}/events`).
///
/// Everything in it follows from what is public: a step's event leaves at the end of the step's own time slot, whenever the
/// step really ended (docs/privacy.md, rule 26).
public struct RequestEvent: Sendable, Hashable, Codable {
    /// The request's id.
    public var request: String
    /// Counts the events of this request, from 1: what `Last-Event-ID` names.
    public var number: Int
    /// Where the request stands since then.
    public var state: JobState
    /// How many steps are done.
    public var step: Int
    /// How many there are.
    public var steps: Int
    /// What is done now, in the words of its kind of work, or why it ended.
    public var words: String?
    /// RFC 3339, UTC.
    public var time: String

    /// An event, by its parts.
    public init(
        request: String, number: Int, state: JobState, step: Int, steps: Int, words: String?, time: String
    ) {
        self.request = request
        self.number = number
        self.state = state
        self.step = step
        self.steps = steps
        self.words = words
        self.time = time
    }
}
