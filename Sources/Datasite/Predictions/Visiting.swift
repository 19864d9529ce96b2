public import DatasiteProtocol
import Foundation
import Synchronization

extension Datasite {
    /// So long a visitor waits for work that is not ready, before she is told to come again.
    private static let mostWait: Duration = .seconds(20)

    /// What a piece of work that takes messages from whoever asked for it says before the first: waits until it is ready.
    ///
    /// - Returns: That, and how long her messages may be.
    /// - Throws: A `Problem`: not hers, over, or not ready yet.
    public func greeting(of request: String, as identity: Identity) async throws -> (bytes: [UInt8], mostBytes: Int) {
        if let visit = visit(of: request, identity), let bytes = try visit.greeting() {
            return (bytes, visit.mostBytes)
        }
        try await checkVisitor(of: request, identity)
        return try await waiting(for: request, identity) { visit in
            try visit.greeting().map { ($0, visit.mostBytes) }
        }
    }

    private func waiting<Result>(
        for request: String, _ identity: Identity, _ found: (Visit) throws -> Result?
    ) async throws -> Result {
        let start = clock.instant()
        while true {
            if let visit = visit(of: request, identity), let result = try found(visit) { return result }
            guard clock.instant() - start < Self.mostWait else {
                throw Problem.busy("the work is not ready yet: its thread is")
            }
            if clock.instant() - start > .seconds(1) { try await checkVisitor(of: request, identity) }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Brings a message to a piece of work, and waits for its reply.
    ///
    /// - Returns: nil: it was the last, and the answer follows.
    /// - Throws: A `Problem`.
    public func exchange(
        _ message: [UInt8], with request: String, as identity: Identity
    ) async throws -> [UInt8]? {
        guard let visit = visit(of: request, identity) else {
            try await checkVisitor(of: request, identity)
            throw Problem.busy("the work is not ready yet: its thread is")
        }
        return try await visit.exchange(message)
    }

    /// Whether she asked for it, and it goes on.
    private func checkVisitor(of request: String, _ identity: Identity) async throws {
        let (row, event) = try await reading(for: identity.name) { site in
            try site.read { (try RequestRow.find(request, $0), try RequestEventRow.last(of: request, $0)) }
        }
        guard let row, row.researcher == identity.name else {
            throw Problem.absent("there is no such request of yours")
        }
        switch row.state {
        case .reserved: break
        case .pending: throw Problem.conflict("its owners have not decided on it yet")
        default:
            throw Problem.conflict("the request is over", hint: "`parley history \(request)` says what became of it")
        }
        if event?.event.state == .failed || event?.event.state == .interrupted {
            throw Problem.conflict(
                "the request's work has ended without an answer", hint: "`parley jobs` says why; its charge is kept")
        }
    }

    private func visit(of request: String, _ identity: Identity) -> Visit? {
        visits.withLock { $0[request] }.flatMap { $0.visitor == identity.name ? $0 : nil }
    }

    /// A place for a researcher's messages to her request's work, for as long as it runs.
    func visit(_ request: String, by visitor: String?, mostBytes: Int) -> Visit {
        let visit = Visit(visitor: visitor, mostBytes: mostBytes)
        visits.withLock { $0[request] = visit }
        return visit
    }

    /// Nobody's messages are taken any more; whoever waits for what comes of the last one is told.
    func endVisit(_ request: String, isReleased: Bool) {
        visits.withLock { $0.removeValue(forKey: request) }?.close(isReleased: isReleased)
    }
}
