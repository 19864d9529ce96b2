import DatasiteProtocol
import Federation
import Foundation
import ModularArithmetic
import SecureComputation
import Tables

/// A site's part in a computation on shares: message for message with two others, by way of who relays.
///
/// What was drawn for it serves once: that a first message left is stored before, and a part that was cut short behind that is not gone on with (docs/privacy.md, rule 33). What was made of rows first leaves at the
/// end of a public slot; all else follows from what others sent, by arithmetic whose time does not depend on a value.
struct ComputationExchange {
    let task: ComputationTask
    let bounds: ComputationBounds
    let desk: RoundsDesk

    /// A relay that is silent for longer is taken for gone, and so is a site once all have greeted each other.
    private static let patience: Duration = .seconds(120)
    /// So long all wait for a site that does not come at first.
    private static let longestPause: Duration = .seconds(3_600)
    /// Whoever relays may hold each round back: a part takes at most so long in all.
    private static let longest: Duration = .seconds(6 * 3_600)

    /// What goes out, counted.
    private struct Line {
        let connection: any CoordinatorConnection
        var participant: SealedRoundsParticipant
        var number: UInt64 = 0
    }

    /// - Returns: nil: it did not come to its end; the workspace says why, in public words.
    func run(_ table: Table) -> ComputationWork.Computed? {
        guard let lock = desk.workspace.lock() else { return nil }
        defer { withExtendedLifetime(lock) {} }
        guard !desk.workspace.folder.has(.participant) else {
            return fault("it was cut short behind its first message, and what was drawn for it serves once")
        }
        guard let connection = desk.outside.connection else {
            return fault("this process connects to no coordinator: `parley serve` does")
        }
        do {
            let terms = try SealedRoundsTerms(
                run: task.rounds.run, agreement: task.digest, roster: task.rounds.roster,
                place: task.rounds.index)
            let participant = try SealedRoundsParticipant(terms, identity: desk.outside.identity)
            guard desk.save([1], to: .participant, in: desk.workspace) else { return nil }
            var line = Line(connection: connection, participant: participant)
            guard let computed = try computed(table, &line) else {
                leave(&line)
                return nil
            }
            return computed
        } catch { return fault("\(error)") }
    }

    private func fault(_ words: String) -> ComputationWork.Computed? {
        desk.workspace.note(words)
        return nil
    }

    private func computed(_ table: Table, _ line: inout Line) throws -> ComputationWork.Computed? {
        do {
            guard try exchange(&line) != nil, let agreed = line.participant.session else { return nil }
            guard let machine = try machine(table, agreed) else { return nil }
            guard let outputs = try outputs(machine, &line) else { return nil }
            guard desk.track.finish(2) else { return nil }
            return ComputationWork.Computed(session: agreed, result: task.plan.result(outputs))
        } catch {
            // Errors of the protocol say numbers and places alone.
            desk.workspace.note("\(error)")
            return nil
        }
    }

    /// This site's machine, with what goes in: at the end of a slot of reading the rows.
    private func machine(_ table: Table, _ agreed: Data) throws -> ThreePartyMachine? {
        guard desk.enter("the computation \(task.request.invitation.run)") else { return nil }
        let start = desk.outside.pace.now
        let program = task.plan.program
        let session = try ThreePartySession(
            program: program, parties: task.request.invitation.sites, security: .withAbort,
            nonce: Array(agreed.prefix(16)))
        let inputs = try task.plan.inputs(of: task.party, task.ownRows(table))
        let machine = try ThreePartyMachine(
            program: program, session: session, party: task.party, inputs: ThreePartyInputs(inputs: inputs))
        desk.outside.pace.leave(bounds.reading, since: start)
        return desk.track.finish(1) ? machine : nil
    }

    private func outputs(_ begun: ThreePartyMachine, _ line: inout Line) throws -> [RingTensor]? {
        var machine = begun
        let others = line.participant.terms.others.compactMap(ComputingParty.init(rawValue:))
        var own: ThreePartyMessages? = try machine.begin()
        while let sent = own {
            try line.participant.send(others.map { Data(sent[$0]?.bytes ?? []) })
            guard let received = try exchange(&line) else { return nil }
            var messages: [ThreePartyMessage] = []
            for (bytes, other) in zip(received, others) {
                messages.append(
                    try ThreePartyMessage(bytes: Array(bytes), words: machine.expectedWords(from: other)))
            }
            own = try machine.receive(messages)
        }
        return machine.outputs
    }

    // MARK: A round

    /// Brings what this site has for the others, and waits for theirs.
    ///
    /// - Returns: nil: it is not wanted any more, or nobody answers; the workspace says why.
    private func exchange(_ line: inout Line) throws -> [Data]? {
        let pace = desk.outside.pace
        let start = pace.now
        var (heard, pause, refused) = (start, 0.1, 0)
        while true {
            guard desk.track.goesOn else { return nil }
            let most = line.participant.session == nil ? Self.longestPause : Self.patience
            guard pace.now - desk.outside.start < Self.longest else {
                desk.workspace.note("it took longer than \(Self.longest.components.seconds / 3_600) hours")
                return nil
            }
            guard pace.now - start < most else {
                desk.workspace.note("another site has not come for \(most.components.seconds) seconds")
                return nil
            }
            do {
                let reply = try reply(&line)
                (heard, pause) = (pace.now, 0.1)
                if let received = try line.participant.take(reply) { return received }
            } catch let error as UnusableCoordinator {
                desk.workspace.note(error.words)
                return nil
            } catch SealedRoundsObstacle.notFromSite(let place) {
                // Its own may come yet.
                refused += 1
                guard refused < RoundsSession.mostRefused else { throw SealedRoundsObstacle.notFromSite(place) }
                guard desk.sleep(seconds: 1) else { return nil }
            } catch let error as SealedRoundsObstacle { throw error } catch {
                if RoundsDesk.isAnswered(error) { heard = pace.now }
                guard pace.now - heard < Self.patience else {
                    desk.workspace.note(
                        "its coordinator has not answered for \(Self.patience.components.seconds) seconds")
                    return nil
                }
                guard desk.sleep(seconds: pause) else { return nil }
                pause = min(2 * pause, 5)
            }
        }
    }

    /// - Throws: ``UnusableCoordinator``; else that nobody answered, or not whom it should be from.
    private func reply(_ line: inout Line) throws -> SealedRoundsReply {
        try SealedRoundsReply(reading: try say(line.participant.message, &line))
    }

    private func say(_ said: SealedRoundsMessage, _ line: inout Line) throws -> Data {
        line.number += 1
        let message = try SignedMessage(
            body: said.bytes, run: task.rounds.run, sender: task.rounds.index, number: line.number,
            key: desk.outside.identity)
        let bytes = try line.connection.exchange(
            Array(message.bytes), with: task.request.invitation.coordinator,
            largestReply: 256 + task.rounds.roster.count * task.mostBytes)
        return try SignedReply.verifiedBody(Data(bytes), to: message, coordinator: task.rounds.coordinatorKey)
    }

    /// Tells the others that nothing comes of it, so that they do not wait.
    private func leave(_ line: inout Line) { _ = try? say(line.participant.leaving, &line) }
}
