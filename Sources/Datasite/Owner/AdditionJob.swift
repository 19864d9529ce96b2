import DatasiteProtocol
import Foundation
import GRDB
import Synchronization

/// A table that is being added, as others see it: stored once a second at most, and stopped where somebody cancelled it.
final class AdditionJob: Sendable {
    static let interrupted = Problem.conflict("the addition was interrupted: nothing was added")

    private let site: Datasite
    private let addition: AdditionRow
    private let noted: Mutex<Duration>

    /// Stored before the first row is read.
    init(_ kind: JobSummary.Kind, of dataset: String, version: String, at site: Datasite) throws {
        self.site = site
        let now = site.clock.now()
        let addition = AdditionRow(
            version: version, kind: kind, dataset: dataset, state: .running, begun: now, changed: now)
        self.addition = addition
        noted = Mutex(site.clock.instant())
        try site.write { try addition.insert($0.db) }
    }

    /// Says how far it is.
    ///
    /// - Throws: a `CancellationError` if somebody cancelled it.
    func note(rows: Int, share: Double) throws {
        let now = site.clock.instant()
        let isDue = noted.withLock { noted in
            guard now - noted >= .seconds(1) else { return false }
            noted = now
            return true
        }
        guard isDue else { return }
        let version = addition.version
        let goesOn = try site.write { try AdditionRow.note(version, rows: rows, share: share, in: $0) }
        guard goesOn else { throw CancellationError() }
    }

    /// Says why nothing was added.
    func end(_ error: any Error) {
        let addition = addition
        _ = try? site.write { context in
            error as? Problem == Self.interrupted
                ? try AdditionRow.cancel(addition, by: Datasite.localOwner.name, in: &context)
                : try AdditionRow.end(addition.version, as: .failed, in: context)
        }
    }
}
