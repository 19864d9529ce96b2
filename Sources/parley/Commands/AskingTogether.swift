import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
import Federation
import Foundation

/// A question that several sites answer together: one sum with one noise, which this process opens.
///
/// What was begun is kept until its answer is shown (`$XDG_DATA_HOME/parley/questions`): the same command goes on after a crash, and no site is charged again.
struct AskingTogether: Sendable {
    let sites: String
    let request: AskRequest
    let rounds: RoundsOptions
    let colluders: Int
    let patience: Double
    let output: OutputOptions
    /// How the answer is drawn in the place of its table; nil: as any.
    var draw: (@Sendable (Answer) -> Void)?

    func run(isDry: Bool) async throws {
        guard (request.purpose?.utf8.count ?? 0) <= 2_000 else { throw Failure("A purpose has at most 2,000 bytes.") }
        let folder = folder
        let lock = isDry ? nil : try folder.lock()
        defer { withExtendedLifetime(lock) {} }
        if !isDry, Coordination<FederatedQuestion>.exists(at: folder.path) {
            Terminal.diagnostics.line("Going on with the same question, which was begun and not shown.")
            let coordination = try Coordination<FederatedQuestion>(at: folder.path)
            return try await run(coordination)
        }
        let asking = try SitesAsked(sites)
        let (coordination, previews, agreements) = try await agreed(asking)
        _ = try coordination.agreed(agreements)
        show(coordination, previews, isDry: isDry)
        let waits = try asking.waits(previews, coordination.sites)
        guard !isDry else {
            Terminal.output.line(Terminal.output.styled("Nothing was spent.", .dim))
            return
        }
        try KeptReceipts().prepare()
        try output.checkDestinations()
        // One that a crash left without its last file was asked of nobody.
        folder.remove()
        try await run(try coordination.create(at: folder.path, agreements: agreements, waits: waits))
    }

    // MARK: Before

    /// What all sites would do for the least that the budget comes to at any of them: policies convert an epsilon each at its own delta.
    private func agreed(
        _ asking: SitesAsked
    ) async throws -> (Coordination<FederatedQuestion>, [Preview], [FederatedQuestionAgreement]) {
        let sites = try await asking.sites()
        let capacities = try await asking.each { link in
            let rows = try await link.client.dataset(request.dataset).detail().capacityRows
            guard (1...1 << 50).contains(rows) else {
                throw Failure(
                    "\(link.url) declares a capacity of \(rows) rows for \(PrintableText.escape(request.dataset)).")
            }
            return rows
        }
        var question = request
        question.purpose = nil
        let asked = try Coordination(
            question: question, rows: capacities.reduce(0, +), colluders: colluders, sites: sites,
            address: rounds.coordinator)
        let settled = asked.settled(
            try asking.agreements(try await asking.previews(asked.request, purpose: request.purpose)))
        let previews = try await asking.previews(settled.request, purpose: request.purpose)
        return (settled, previews, try asking.agreements(previews))
    }

    /// Before anything is spent: of a trial run also what would be measured.
    private func show(_ coordination: Coordination<FederatedQuestion>, _ previews: [Preview], isDry: Bool) {
        let terminal = isDry ? Terminal.output : .diagnostics
        guard isDry || !output.quiet else { return }
        SitesAsked.show(previews, of: coordination.sites, on: terminal)
        guard isDry, let first = previews.first else { return }
        terminal.write(PreviewView.table(first.columns).render(on: terminal))
        // The first two are of one site.
        for note in first.notes.dropFirst(2) { terminal.paragraph(note, .dim) }
    }

    /// Where what was begun is kept: named by what is asked, of whom, and where.
    private var folder: BegunFolder {
        BegunFolder(
            "questions",
            name: String(request.digest(datasetVersion: "\(sites) \(rounds.coordinator) \(colluders)").prefix(32)))
    }

    // MARK: Together

    private func run(_ coordination: Coordination<FederatedQuestion>) async throws {
        let running = try RunningRounds(coordination, request.purpose, doing: "Asking together")
        let (last, asked): (CoordinatorRun.Progress, [RunningRounds<FederatedQuestion>.Asked])
        do {
            (last, asked) = try await running.conduct(rounds.configuration, patience: patience) { now in
                if let words = Self.words(now.phase) { running.progress.update(0.5, doing: words) }
            }
        } catch let failure as Failure where failure.endsRun {
            folder.remove()
            throw failure
        }
        guard last.phase == .finished else {
            // Nothing comes of it any more, and no site goes on with it.
            await running.cancel(asked.map(\.request))
            folder.remove()
            throw Failure(
                "The question is void: \(Self.reason(last, coordination)).",
                next: "What was charged stays charged. Asked again it is a new question, at a charge of its own.")
        }
        try await finish(running, asked)
        folder.remove()
    }

    private static func reason(_ last: CoordinatorRun.Progress, _ coordination: Coordination<FederatedQuestion>)
        -> String
    {
        let named = last.events.filter { $0.participant != nil }.map { event in
            "\(coordination.sites[event.participant ?? 0].name) \(event.words)"
        }
        let words = named.isEmpty ? last.events.map(\.words).filter { $0.hasPrefix("void") } : named
        return PrintableText.escape(words.isEmpty ? "its sum was not opened" : words.joined(separator: "; "))
    }

    private static func words(_ phase: Coordinator.Phase) -> String? {
        switch phase {
        case .advertise, .share: "exchanging keys"
        case .mask: "adding up"
        case .confirm, .unmask: "opening the sum"
        case .waiting, .collect, .finished, .aborted: nil
        }
    }

    // MARK: What came of it

    private func finish(
        _ running: RunningRounds<FederatedQuestion>, _ asked: [RunningRounds<FederatedQuestion>.Asked]
    ) async throws {
        let coordination = running.coordination
        var answers: [(work: ReleasedWork, answer: Answer)] = []
        for (place, site) in coordination.sites.enumerated() {
            let work = try await running.released(asked[place], by: place)
            guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(work.bytes)),
                coordination.isReleased(answer, by: place)
            else {
                throw Failure(
                    "What \(PrintableText.escape(site.name)) let out is no answer to this question.",
                    next: "Tell its owner.")
            }
            answers.append((work, answer))
        }
        guard let first = answers.first,
            answers.allSatisfy({ $0.answer.columns == first.answer.columns && $0.answer.rows == first.answer.rows })
        else {
            throw Failure(
                "The sites let out different answers.", next: "One of them, or this coordinator, did not do its part.")
        }
        AnswerView(answer: first.answer, bytes: first.work.bytes, output: output, draw: draw).show(on: .output)
        for (place, (work, answer)) in answers.enumerated() {
            let site = coordination.sites[place]
            try KeptReceipts().keep(.init(url: site.url, receipt: work.receipt, answer: work.bytes))
            try output.save(place: place, answerBytes: work.bytes, receiptBytes: work.receiptBytes)
            guard output.format == .table, !output.quiet else { continue }
            Terminal.output.paragraph(
                "\(PrintableText.escape(site.name)): charged \(answer.charge.chargeText); receipt verified, request \(PrintableText.escape(answer.request)).",
                .dim)
        }
    }
}

extension OutputOptions {
    /// Of several sites each has a file of its own: `receipt-1.json`.
    fileprivate func save(place: Int, answerBytes: [UInt8], receiptBytes: [UInt8]?) throws(Failure) {
        var own = self
        func numbered(_ path: String) -> String {
            let url = URL(filePath: path)
            let name = url.deletingPathExtension().path + "-\(place + 1)"
            return url.pathExtension.isEmpty ? name : name + "." + url.pathExtension
        }
        (own.answer, own.receipt) = (answer.map(numbered), receipt.map(numbered))
        try own.save(answerBytes: answerBytes, receiptBytes: receiptBytes)
    }
}
