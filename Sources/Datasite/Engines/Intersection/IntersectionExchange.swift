import DatasiteProtocol
import Federation
import Foundation
import Governance
import MultipartyComputation
import Tables

/// A site's part in an intersection from its stored state on, under one charge: messages to who relays, and back.
///
/// What is sent was durable before: the scalar, the points and the answer to the one list that it took. What was made from rows, or under the scalar, leaves at the end of a public
/// slot (``Pace``); all else follows from what others sent (docs/privacy.md, rules 29 and 33).
struct IntersectionExchange {
    let task: IntersectionTask
    let bounds: IntersectionBounds
    let desk: RoundsDesk
    /// Where what comes of it stays.
    let kept: Workspace

    /// What is kept between messages: as private as the rows.
    private struct Saved: Codable {
        var state: IntersectionParticipant.State?
        /// Of the last frame, or a later one.
        var number: UInt64
        /// How many identifiers there are beyond the capacity.
        var leftOut: Int
    }

    /// A relay that is silent for longer is taken for gone.
    private static let patience: Duration = .seconds(300)
    /// In seconds: between two messages of which the first brought nothing.
    private static let (leastIdle, mostIdle) = (0.01, 5.0)

    /// - Returns: nil: it did not come to its end; the workspace says why, in public words.
    func run(_ table: Table) -> IntersectionWork.Made? {
        guard let lock = desk.workspace.lock() else { return nil }
        defer { withExtendedLifetime(lock) {} }
        guard let connection = desk.outside.connection else {
            desk.workspace.note("this process connects to no coordinator: `parley serve` does")
            return nil
        }
        guard var saved = saved(), let participant = participant(saved) else { return nil }
        // Some frames may have been sent since.
        saved.number += RoundsDesk.leap
        guard save(participant.state, in: &saved) else { return nil }
        desk.outside.pace.leave(bounds.opening, since: desk.outside.start)
        return exchange(participant, saved, table, over: connection)
    }

    private func saved() -> Saved? {
        guard desk.workspace.folder.has(.participant) else { return Saved(state: nil, number: 0, leftOut: 0) }
        // Begun anew it would draw another scalar, and answer another list, under one charge.
        guard
            let saved = desk.workspace.saved(.participant).flatMap({
                try? JSONDecoder().decode(Saved.self, from: Data($0))
            })
        else {
            desk.workspace.note(
                "what it kept of the session cannot be read, and it does not begin anew under one charge")
            return nil
        }
        return saved
    }

    private func participant(_ saved: Saved) -> IntersectionParticipant? {
        do throws(IntersectionObstacle) {
            return try IntersectionParticipant(task.terms, identity: desk.outside.identity, state: saved.state)
        } catch {
            desk.workspace.note("\(error)")
            return nil
        }
    }

    private func save(_ state: IntersectionParticipant.State, in saved: inout Saved) -> Bool {
        saved.state = state
        guard let bytes = try? JSONEncoder().encode(saved) else { return false }
        return desk.save(Array(bytes), to: .participant, in: desk.workspace)
    }

    // MARK: Messages

    private func exchange(
        _ beginning: IntersectionParticipant, _ before: Saved, _ table: Table,
        over connection: any CoordinatorConnection
    ) -> IntersectionWork.Made? {
        let pace = desk.outside.pace
        var (participant, saved) = (beginning, before)
        var (heard, moved, refused, pause, idle) = (pace.now, pace.now, 0, 0.1, Self.leastIdle)
        while !participant.isFinished {
            guard desk.track.goesOn else { return nil }
            saved.number += 1
            let sent = pace.now
            let answered: IntersectionReply?
            do { answered = try reply(to: participant, saved.number, over: connection) } catch let error
                as UnusableCoordinator
            {
                desk.workspace.note(error.words)
                return nil
            } catch {
                if RoundsDesk.isAnswered(error) { heard = pace.now }
                answered = nil
            }
            guard let reply = answered else {
                guard pace.now - moved < RoundsSession.longestPause else {
                    desk.workspace.note("the other site has not come for a day")
                    return nil
                }
                guard pace.now - heard < Self.patience else {
                    desk.workspace.note(
                        "its coordinator has not answered for \(Self.patience.components.seconds) seconds")
                    return nil
                }
                guard desk.sleep(seconds: pause) else { return nil }
                pause = min(2 * pause, 5)
                continue
            }
            (heard, pause) = (pace.now, 0.1)
            // It may have been cancelled, or its dataset removed, while the reply was waited for: nothing more comes of it.
            guard desk.track.goesOn else { return nil }
            let start = pace.now
            var made: IntersectionParticipant.Made?
            do throws(IntersectionObstacle) {
                made = try participant.take(reply) {
                    guard desk.enter("the intersection \(task.request.invitation.run)") else { return nil }
                    let read = table.identifiers(of: task.columns, atMost: task.rule.capacity)
                    saved.leftOut = read.leftOut
                    return read.identifiers
                }
            } catch {
                refused += 1
                guard case .notFromTheOther = error, refused < RoundsSession.mostRefused else {
                    desk.workspace.note("\(error)")
                    return nil
                }
                guard desk.sleep(seconds: 1) else { return nil }
                continue
            }
            guard let made else {
                guard pace.now - moved < RoundsSession.longestPause else {
                    desk.workspace.note("the other site has not come for a day")
                    return nil
                }
                // Who relays holds back what brings nothing new. One that does not is not asked at its own speed.
                idle = start - sent < .seconds(1) ? min(2 * idle, Self.mostIdle) : Self.leastIdle
                guard desk.sleep(seconds: idle) else { return nil }
                continue
            }
            (moved, refused, idle) = (pace.now, 0, Self.leastIdle)
            guard save(participant.state, in: &saved) else { return nil }
            // Before its slot ends: it takes longer the more there is.
            if made == .result, !keep(participant, saved, table) { return nil }
            guard finish(made, participant, since: start) else { return nil }
        }
        if !task.isRecipient, !keep(participant, saved, table) { return nil }
        return participant.agreed.map { session in
            IntersectionWork.Made(
                session: session.digest,
                parts: [session.first, session.second].map { .init(capacity: $0.capacity, isPadded: $0.isPadded) })
        }
    }

    /// - Throws: ``UnusableCoordinator``; else that nobody answered, or not whom it should be from.
    private func reply(
        to participant: IntersectionParticipant, _ number: UInt64, over connection: any CoordinatorConnection
    ) throws -> IntersectionReply? {
        guard let next = participant.next() else { return nil }
        let message = try SignedMessage(
            body: next.bytes, run: task.rounds.run, sender: task.rounds.index, number: number,
            key: desk.outside.identity)
        let bytes = try connection.exchange(
            Array(message.bytes), with: task.request.invitation.coordinator, largestReply: largestReply)
        return try IntersectionReply(
            reading: try SignedReply.verifiedBody(Data(bytes), to: message, coordinator: task.rounds.coordinatorKey))
    }

    private var largestReply: Int {
        256 + IntersectionReply.largest(capacities: [task.rule.capacity, task.rule.guesses])
    }

    /// Waits for the end of what was made's slot, and says the step.
    private func finish(
        _ made: IntersectionParticipant.Made, _ participant: IntersectionParticipant, since start: Duration
    ) -> Bool {
        let (end, pace) = (desk.outside.pace.now, desk.outside.pace)
        let (work, step) =
            switch made {
            case .blinded: (bounds.blinding, 1)
            case .evaluated: (bounds.evaluating(otherCapacity(participant)), 2)
            case .result: (bounds.concluding, 3)
            }
        pace.leave(work, since: start, computedAt: end)
        return desk.track.finish(step)
    }

    private func otherCapacity(_ participant: IntersectionParticipant) -> Int {
        participant.agreed?.party(task.role.other).capacity ?? task.rule.guesses
    }

    // MARK: The end

    /// Stores what comes of it, for this site's owners.
    private func keep(_ participant: IntersectionParticipant, _ saved: Saved, _ table: Table) -> Bool {
        guard let session = participant.agreed else { return false }
        var common: [Data]?
        if case .identifiers(let places)? = participant.result {
            let own = table.identifiers(of: task.columns, atMost: task.rule.capacity).identifiers
            common = places.map { own[$0] }.sorted { $0.lexicographicallyPrecedes($1) }
        }
        let found = KeptIntersection(
            dataset: task.entry.manifest.name, version: task.entry.version, columns: task.request.columns,
            peer: task.peer, session: hexadecimal(session.digest), size: participant.result?.size, identifiers: common,
            leftOut: saved.leftOut)
        guard let bytes = try? JSONEncoder().encode(found) else { return false }
        return desk.save(Array(bytes), to: .intersection, in: kept)
    }
}
