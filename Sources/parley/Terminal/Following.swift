import DatasiteProtocol

/// Shows what becomes of a request, on the diagnostics stream: a line for each state, and a bar for its steps where that
/// stream is a terminal.
struct Following: Sendable {
    /// What is shown.
    enum Detail: Sendable {
        case nothing, steps, statesAndSteps
        /// On standard output, for programs.
        case json
    }

    let detail: Detail
    private let progress = Progress("Computing")

    init(_ detail: Detail = .statesAndSteps) { self.detail = detail }

    /// Follows until nothing more follows by itself.
    ///
    /// - Returns: Where it stands then; nil if there was nothing to be told.
    func follow(_ events: AsyncThrowingStream<RequestEvent, any Error>) async throws -> JobState? {
        defer { progress.finish() }
        var last: JobState?
        for try await event in events {
            try show(event, after: last)
            last = event.state
            if event.state.hasStopped { break }
        }
        return last
    }

    private func show(_ event: RequestEvent, after last: JobState?) throws {
        if detail == .json { return try Terminal.output.json(event, isPretty: false) }
        if event.state != last, detail == .statesAndSteps {
            progress.finish()
            let reason = event.state == .running ? nil : event.words
            Terminal.diagnostics.line(
                "\(event.state.rawValue)" + (reason.map { ": " + PrintableText.escape($0) } ?? ""))
        }
        guard event.state == .running, detail != .nothing else { return }
        progress.update(Double(event.step) / Double(max(event.steps, 1)), doing: event.words ?? "")
    }
}
