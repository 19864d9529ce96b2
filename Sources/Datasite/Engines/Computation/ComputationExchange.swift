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
            guard let (inputs, join) = try begun(table, agreed) else { return nil }
            var tables: [SharedColumns] = []
            if let join {
                guard let shares = try shares(join, &line) else { return nil }
                tables = [shares]
            }
            guard let outputs = try outputs(try machine(inputs, tables, agreed), &line) else { return nil }
            guard try end(&line), desk.track.finish(2) else { return nil }
            return ComputationWork.Computed(session: agreed, outputs: outputs)
        } catch {
            // Errors of the protocol say numbers and places alone.
            desk.workspace.note("\(error)")
            return nil
        }
    }

    /// What goes in, and the machine of the join where there is one: at the end of a slot of reading the rows.
    private func begun(_ table: Table, _ agreed: Data) throws -> (ComputationInputs, TableMachine?)? {
        guard desk.enter("the computation \(task.request.invitation.run)") else { return nil }
        let start = desk.outside.pace.now
        let inputs = try task.plan.inputs(table)
        let join = try task.plan.join.map { join in
            // Sessions of two programs are two, whatever their nonce.
            try TableMachine(
                program: join.program,
                session: try ThreePartySession(
                    program: join.program, parties: task.request.invitation.sites, nonce: Array(agreed.prefix(16))),
                party: task.party, tables: inputs.tables)
        }
        desk.outside.pace.leave(bounds.reading, since: start)
        return desk.track.finish(1) ? (inputs, join) : nil
    }

    private func machine(
        _ inputs: ComputationInputs, _ tables: [SharedColumns], _ agreed: Data
    ) throws -> ThreePartyMachine {
        let session = try ThreePartySession(
            program: task.plan.program, parties: task.request.invitation.sites, security: task.plan.security,
            nonce: Array(agreed.prefix(16)))
        return try ThreePartyMachine(
            program: task.plan.program, session: session, party: task.party,
            inputs: ThreePartyInputs(inputs: inputs.inputs, tables: tables))
    }

    private func outputs(_ begun: ThreePartyMachine, _ line: inout Line) throws -> [RingTensor]? {
        var machine = begun
        var own: ThreePartyMessages? = try machine.begin()
        while let sent = own {
            guard let messages = try exchange(sent, machine.expectedWords, &line) else { return nil }
            own = try machine.receive(messages)
        }
        return machine.outputs
    }

    private func shares(_ begun: TableMachine, _ line: inout Line) throws -> SharedColumns? {
        guard let join = task.plan.join else { return nil }
        var machine = begun
        var own: ThreePartyMessages? = try machine.begin()
        while let sent = own {
            guard let messages = try exchange(sent, machine.expectedWords, &line) else { return nil }
            own = try machine.receive(messages)
        }
        return machine.shared(join.joined)
    }

    /// Sends a round's messages, and gives both others'.
    private func exchange(
        _ sent: ThreePartyMessages, _ words: (ComputingParty) -> Int, _ line: inout Line
    ) throws -> [ThreePartyMessage]? {
        let others = line.participant.terms.others.compactMap(ComputingParty.init(rawValue:))
        try line.participant.send(others.map { Data(sent[$0]?.bytes ?? []) })
        guard let received = try exchange(&line) else { return nil }
        return try zip(received, others).map { bytes, other in
            try ThreePartyMessage(bytes: Array(bytes), words: words(other))
        }
    }

    /// Says that all rounds are over, where there might have been more. This site has its result by then, whether or not it is heard.
    ///
    /// - Returns: Whether it is still wanted.
    private func end(_ line: inout Line) throws -> Bool {
        guard line.participant.round < task.agreement.rounds - 1 else { return true }
        let start = desk.outside.pace.now
        while desk.outside.pace.now - start < Self.patience {
            if (try? say(line.participant.ending, &line)) != nil { return true }
            guard desk.sleep(seconds: 1) else { return false }
        }
        return true
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
            } catch  where Self.mayComeRight(error) {
                refused += 1
                guard refused < RoundsSession.mostRefused else { throw error }
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

    /// Of what whoever relays signed: no reply, or not a site's own, which may come yet.
    private static func mayComeRight(_ error: any Error) -> Bool {
        if case SealedRoundsObstacle.notFromSite = error { return true }
        return error is FrameError
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
