import DatasiteProtocol
import Dispatch
import Foundation
import Synchronization

/// Messages to a piece of work while it runs, from whoever asked for it, and its replies: between one of the engines' threads, which waits, and the server's tasks.
///
/// Each message has one reply. The same message again has the same reply again, so that a line that broke loses nothing; another one in its place is refused.
final class Visit: Sendable {
    private struct State {
        var greeting: [UInt8]?
        /// Whoever asked has come.
        var isKnocked = false
        var isOver = false
        /// What is being answered.
        var pending: [UInt8]?
        /// What was answered last.
        var answered: (message: [UInt8], reply: [UInt8]?)?
        var visitors: [CheckedContinuation<[UInt8]?, any Error>] = []
    }

    private let state = Mutex(State())
    private let arrival = DispatchSemaphore(value: 0)
    /// Who asked; nobody else's messages are taken.
    let visitor: String?
    /// The longest message.
    let mostBytes: Int
    private let over = Problem.conflict(
        "the request is over", hint: "its answer is there, or `parley jobs` says what became of it")

    init(visitor: String?, mostBytes: Int) { (self.visitor, self.mostBytes) = (visitor, mostBytes) }

    // MARK: The work's side

    /// Messages are taken from here on.
    func open(_ greeting: [UInt8]) { state.withLock { $0.greeting = greeting } }

    /// Whether whoever asked has come for the greeting.
    var isKnocked: Bool { state.withLock { $0.isKnocked } }

    /// Waits for a message.
    ///
    /// - Returns: nil: none came in time.
    func next(within time: Duration) -> [UInt8]? {
        let deadline = DispatchTime.now() + .milliseconds(Int(time / .milliseconds(1)))
        guard arrival.wait(timeout: deadline) == .success else { return nil }
        return state.withLock { $0.pending }
    }

    /// Replies to the message that was taken last. The last of all has its reply when the work is released.
    func answer(_ reply: [UInt8]) {
        settle(.success(reply)) { state in
            if let message = state.pending { state.answered = (message, reply) }
        }
    }

    /// Says what is wrong with the message that was taken last; another may come in its place.
    func refuse(_ problem: Problem) { settle(.failure(problem)) { _ in } }

    private func settle(_ reply: Result<[UInt8]?, any Error>, note: (inout State) -> Void) {
        let visitors = state.withLock { state in
            note(&state)
            state.pending = nil
            defer { state.visitors = [] }
            return state.visitors
        }
        for visitor in visitors { visitor.resume(with: reply) }
    }

    /// Nothing is taken any more.
    ///
    /// - Parameter isReleased: Whether the message that was taken last was the last one, and what it led to is released.
    func close(isReleased: Bool) {
        let visitors = state.withLock { state in
            state.isOver = true
            defer { state.visitors = [] }
            return state.visitors
        }
        for visitor in visitors { visitor.resume(with: isReleased ? .success(nil) : .failure(over)) }
    }

    // MARK: The visitor's side

    /// What the work says before the first message; nil: it is not ready.
    func greeting() throws -> [UInt8]? {
        try state.withLock { state in
            guard !state.isOver else { throw over }
            state.isKnocked = state.isKnocked || state.greeting != nil
            return state.greeting
        }
    }

    /// Brings a message, and waits for its reply.
    ///
    /// - Returns: nil: it was the last.
    func exchange(_ message: [UInt8]) async throws -> [UInt8]? {
        try await withCheckedThrowingContinuation { continuation in
            let (settled, isNew) = state.withLock { state -> (Result<[UInt8]?, any Error>?, Bool) in
                guard !state.isOver else { return (.failure(over), false) }
                guard state.greeting != nil else { return (.failure(Problem.busy("the work is not ready yet")), false) }
                if let answered = state.answered, answered.message == message {
                    return (.success(answered.reply), false)
                }
                if let pending = state.pending {
                    guard pending == message else {
                        return (.failure(Problem.conflict("another message is being answered")), false)
                    }
                    state.visitors.append(continuation)
                    return (nil, false)
                }
                state.pending = message
                state.visitors.append(continuation)
                return (nil, true)
            }
            if isNew { arrival.signal() }
            if let settled { continuation.resume(with: settled) }
        }
    }
}
