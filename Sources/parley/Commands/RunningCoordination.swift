import Datasite
import DatasiteClient
import DatasiteProtocol
import DatasiteServer
import Federation
import Foundation
import Learning
import Synchronization

/// A run that is coordinated by this process: sites are asked, rounds go on as they connect, and what they let out is fetched.
struct RunningCoordination: Sendable {
    private let coordination: Coordination
    private let rows: HeldOutRows?
    private let purpose: String?
    private let links: [Connection]
    private let progress = Progress("Training together")

    private enum News: Sendable {
        case rounds(CoordinatorRun.Progress)
        case site(Int, RequestSummary)
        /// Every few seconds: the places of the sites that let out the model.
        case released(Set<Int>)
        case failed(any Error)
        case interrupted
    }

    /// How long sites that are silent are waited for, once the last round is over.
    private static let farewell: Duration = .seconds(60)

    init(_ coordination: Coordination, _ rows: HeldOutRows?, _ purpose: String?) throws {
        (self.coordination, self.rows, self.purpose) = (coordination, rows, purpose)
        let logins = try Logins.load()
        links = try coordination.sites.map { try Connection($0.url, logins) }
    }

    func run(_ configuration: DatasiteServerConfiguration, patience: Double) async throws {
        let (news, continuation) = AsyncStream<News>.makeStream()
        let run = try coordination.begin(patience: patience) { continuation.yield(.rounds($0)) }
        try check(configuration, run.progress)
        let (ports, listening) = AsyncStream<Int>.makeStream()
        let serving = Task {
            defer { listening.finish() }
            do { try await serveRounds(configuration, run: run, onListening: { listening.yield($0) }) } catch {
                continuation.yield(.failed(error))
            }
        }
        // Nobody is asked, and charged, before sites could connect.
        if await ports.first(where: { _ in true }) == nil {
            for await piece in news { if case .failed(let error) = piece { throw error } }
        }
        let interrupted = Task {
            await Interruption.wait()
            continuation.yield(.interrupted)
        }
        defer {
            serving.cancel()
            interrupted.cancel()
            progress.finish()
        }
        let requests = try await ask()
        let watching = Task { await watch(requests) { continuation.yield($0) } }
        defer { watching.cancel() }
        continuation.yield(.rounds(run.progress))
        let (last, curve) = try await follow(news, run, requests)
        progress.finish()
        serving.cancel()
        guard last.phase == .finished else {
            throw Failure(
                "The run ended after \(last.round) of \(last.rounds) rounds: \(PrintableText.escape(last.events.last?.words ?? "no more may be begun")).",
                next: "What was charged stays charged. More `spare-rounds`, or a smaller `least`, bear more drop-outs.")
        }
        try await finish(requests, last, curve)
    }

    /// What would be found out only when sites are charged.
    private func check(_ configuration: DatasiteServerConfiguration, _ now: CoordinatorRun.Progress) throws {
        let isSecure = coordination.request.coordinator.hasPrefix("https:")
        guard isSecure == (configuration.certificate != nil) || configuration.isBehindProxy else {
            throw Failure(
                "Sites connect to \(coordination.request.coordinator), and this process would listen \(isSecure ? "without" : "with") TLS.",
                next: isSecure
                    ? "Give --tls-certificate and --tls-key, or --behind-proxy where a proxy on this machine ends TLS."
                    : "Give an --address that begins with https://, in a new --run.")
        }
        do { _ = try rows?.measure(now.average) } catch let problem as Problem {
            throw Failure(
                "The plan to measure by has another model: \(PrintableText.escape(problem.detail))",
                next: "--measure names a plan on files with the same `model`, and rows of the same shape.")
        }
    }

    // MARK: sites

    /// Asks each site, under the run's name: a site that was asked before is not charged again.
    private func ask() async throws -> [RequestSummary?] {
        var requests: [RequestSummary?] = []
        for (site, link) in zip(coordination.sites, links) {
            let outcome: WorkOutcome
            do {
                outcome = try await link.client.submit(
                    engine: Coordination.engine, coordination.request, purpose: purpose,
                    idempotencyKey: "run-\(coordination.request.run)")
            } catch var problem as Problem {
                problem.detail = "\(site.name): \(problem.detail)"
                throw problem
            }
            guard case .pending(let summary) = outcome else {
                requests.append(nil)
                continue
            }
            let state =
                summary.state == "pending"
                ? "waits for \(summary.approvalsNeeded) owner(s) to approve; its cost is held"
                : "is charged \(summary.charge.chargeText)"
            Terminal.output.line(
                "\(PrintableText.escape(site.name)): request \(PrintableText.escape(summary.id)) \(state).")
            requests.append(summary)
        }
        return requests
    }

    /// Tells when a request's state changes, and how many are done.
    private func watch(_ requests: [RequestSummary?], _ tell: @Sendable (News) -> Void) async {
        var states = requests.map { $0?.state ?? "released" }
        while !Task.isCancelled {
            for (place, request) in requests.enumerated() where states[place] != "released" {
                guard let request, let now = try? await links[place].client.request(request.id) else { continue }
                if now.state != states[place] { tell(.site(place, now)) }
                states[place] = now.state
            }
            tell(.released(Set(states.indices.filter { states[$0] == "released" })))
            try? await Task.sleep(for: .seconds(1))
        }
    }

    // MARK: rounds

    private func follow(
        _ news: AsyncStream<News>, _ run: CoordinatorRun, _ requests: [RequestSummary?]
    ) async throws -> (CoordinatorRun.Progress, RoundCurve) {
        var (curve, told) = (RoundCurve(), run.progress.events.count)
        var ended: ContinuousClock.Instant?
        for await piece in news {
            switch piece {
            case .failed(let error): throw error
            case .interrupted:
                throw Failure(
                    "Stopped after \(run.progress.round) of \(run.progress.rounds) rounds.",
                    next:
                        "Go on with the same command: what was begun is in \(PrintableText.escape(coordination.path)).")
            case .site(let place, let request):
                say(place, request)
                if ["denied", "lapsed", "cancelled"].contains(request.state) {
                    await cancelOthers(place, requests)
                    throw Failure(
                        "\(PrintableText.escape(coordination.sites[place].name)) does not take part: its request is \(request.state)"
                            + (request.reason.map { ": \(PrintableText.escape($0))" } ?? "."),
                        next:
                            "The others' requests are cancelled; what was charged there stays charged. Ask them without it, with a new --run."
                    )
                }
            case .rounds(let now):
                for event in now.events.suffix(max(0, now.events.count - told)) { say(event) }
                told = now.events.count
                try take(now, &curve)
            case .released(let places):
                let now = run.progress
                guard [.finished, .aborted].contains(now.phase) else { continue }
                // All took the last step, from which a site that was cut off would learn nothing here any more.
                if now.phase == .aborted || places.count == run.roster.count { return (now, curve) }
                let since = ended ?? .now
                ended = since
                if since.duration(to: .now) > Self.farewell { return (now, curve) }
            }
        }
        return (run.progress, curve)
    }

    /// Nothing comes of the run any more: nobody needs to wait for it.
    private func cancelOthers(_ place: Int, _ requests: [RequestSummary?]) async {
        for (other, request) in requests.enumerated() where other != place {
            guard let request else { continue }
            _ = try? await links[other].client.cancelJob(request.id)
        }
    }

    private func take(_ now: CoordinatorRun.Progress, _ curve: inout RoundCurve) throws {
        let waiting = coordination.sites.indices.filter { !now.heard.contains($0) }.map { coordination.sites[$0].name }
        var words = "round \(now.round) of \(now.rounds)"
        if now.phase == .waiting {
            words = "waiting for \(waiting.joined(separator: ", ")) to connect"
            if !Terminal.diagnostics.isTerminal, said.isNew(-waiting.count - 1) {
                Terminal.diagnostics.line(PrintableText.escape(words))
            }
        }
        if now.round > curve.points.last?.round ?? 0 {
            let point = RoundCurve.Point(
                round: now.round, attempts: now.attempts, seconds: now.seconds,
                epsilon: coordination.epsilon(after: now.phase == .finished ? now.attempts : now.attempts - 1),
                measured: try rows?.measure(now.average) ?? [])
            curve.points.append(point)
        }
        if let point = curve.points.last {
            words += point.measured.map {
                ", \($0.metric.rawValue) \($0.value.map { NumberText.significant($0) } ?? "none")"
            }
            .joined()
            words += point.epsilon.map { ", epsilon \(NumberText.significant($0)) at each site" } ?? ""
        }
        progress.update(Double(now.round) / Double(max(now.rounds, 1)), doing: words)
        if !Terminal.diagnostics.isTerminal, let point = curve.points.last, point.round == now.round,
            now.round % max(1, now.rounds / 10) == 0, said.isNew(now.round)
        {
            Terminal.diagnostics.line(words)
        }
    }

    /// What was said last where there is no bar.
    private final class Said: Sendable {
        private let round = Mutex(0)

        func isNew(_ now: Int) -> Bool {
            round.withLock { round in
                defer { round = now }
                return now != round
            }
        }
    }
    private let said = Said()

    private func say(_ event: Coordinator.Event) {
        progress.finish()
        let who = event.participant.map { "\(coordination.sites[$0].name) " } ?? ""
        Terminal.diagnostics.line(PrintableText.escape("attempt \(event.attempt + 1): \(who)\(event.words)"))
    }

    private func say(_ place: Int, _ request: RequestSummary) {
        progress.finish()
        Terminal.diagnostics.line(
            PrintableText.escape("\(coordination.sites[place].name): \(Self.words(ofState: request.state))"))
    }

    /// Where a request stands, as `parley jobs` has it: what is stored as reserved is charged, and computed.
    static func words(ofState state: String) -> String {
        switch state {
        case "pending": "its request waits for its owner"
        case "reserved": "its request is approved and charged"
        case "released": "it let out the model"
        default: "its request is \(state)"
        }
    }

    // MARK: the end

    private func finish(
        _ requests: [RequestSummary?], _ last: CoordinatorRun.Progress, _ curve: RoundCurve
    ) async throws {
        let terminal = Terminal.output
        // Of a run that was over before there is no curve here: what was written then stays.
        let isThere = FileManager.default.fileExists(atPath: coordination.path + "/weights.safetensors")
        let files = isThere ? [] : try coordination.write(last.average, curve, into: coordination.path)
        terminal.line("\(last.round) rounds, \(last.attempts - last.round) of those begun were void.")
        for metric in curve.points.last?.measured ?? [] {
            terminal.line("\(metric.metric.rawValue): \(metric.value.map { NumberText.significant($0) } ?? "none")")
        }
        var weights: Set<String> = []
        for (place, site) in coordination.sites.enumerated() {
            let released = try await released(place, requests[place])
            let model = try JSONDecoder().decode(ReleasedModel.self, from: Data(released.bytes))
            guard coordination.isReleased(model, by: place) else {
                throw Failure(
                    "What \(PrintableText.escape(site.name)) let out is not of this run.", next: "Tell its owner.")
            }
            weights.insert(model.weights)
            let folder = coordination.path + "/site-\(place + 1)"
            if !FileManager.default.fileExists(atPath: folder) {
                _ = try ReleasedModelFiles(at: folder).write(
                    model, bytes: released.bytes, receipt: released.receiptBytes)
            }
            try KeptReceipts().keep(.init(url: links[place].url, receipt: released.receipt, answer: released.bytes))
            terminal.line("\(PrintableText.escape(site.name)): \(Self.promise(model)); receipt verified, in \(folder)")
        }
        guard weights.count == 1 else {
            throw Failure(
                "The sites let out different models.", next: "One of them, or this coordinator, did not do its part.")
        }
        terminal.line("All sites came to the same model, to the bit.")
        terminal.line(
            "In \(PrintableText.escape(coordination.path)): \(files.isEmpty ? "as it was" : files.joined(separator: ", "))"
        )
    }

    private static func promise(_ model: ReleasedModel) -> String {
        guard let privacy = model.privacy else {
            return model.federation?.aggregation == "plain"
                ? "updates were seen, no epsilon" : "sums of updates were seen, no epsilon"
        }
        return
            "epsilon \(NumberText.significant(privacy.chargedEpsilon)) at delta \(NumberText.significant(privacy.delta)) for each \(PrintableText.escape(privacy.unit))"
    }

    /// What a site let out; it stores it within moments of the last round.
    private func released(_ place: Int, _ request: RequestSummary?) async throws -> ReleasedWork {
        let link = links[place]
        guard let request else {
            guard
                case .released(let work) = try await link.client.submit(
                    engine: Coordination.engine, coordination.request, purpose: purpose,
                    idempotencyKey: "run-\(coordination.request.run)")
            else { throw Failure("The release is gone.") }
            return work
        }
        let end = ContinuousClock.now + Self.farewell
        while true {
            do { return try await link.client.work(request.id) } catch let problem as Problem
                where problem.kind == .conflict && .now < end
            { try await Task.sleep(for: .milliseconds(300)) }
        }
    }
}
