import Datasite
import DatasiteClient
import DatasiteProtocol
import DatasiteServer
import Federation
import Foundation
import Synchronization

/// A run that is coordinated by this process: sites are asked, rounds go on as they connect, and what they let out is fetched.
struct RunningRounds<Work: CoordinatedWork>: Sendable {
    let coordination: Coordination<Work>
    let purpose: String?
    let links: [Connection]
    let progress: Progress
    private let said = Said()

    private enum News: Sendable {
        case rounds(CoordinatorRun.Progress)
        case site(Int, RequestSummary)
        /// A site's part stopped, for this reason; it goes on when it is asked again.
        case stopped(Int, String)
        /// A site whose part had stopped is asked for it again.
        case askedAgain(Int)
        /// Every few seconds: the places of the sites that let out what came of it.
        case released(Set<Int>)
        case failed(any Error)
        case interrupted
    }

    /// What a site was asked: its request, or that it let out already what came of it.
    enum Asked: Sendable {
        case request(RequestSummary)
        case released(ReleasedWork)

        var request: RequestSummary? { if case .request(let summary) = self { summary } else { nil } }
    }

    /// Where a run does not go on.
    private static var askedAnew: String {
        "What was charged stays charged, and the other sites' parts are cancelled. The same command asks anew, at a charge of its own."
    }
    /// How long sites that are silent are waited for, once the last round is over.
    private static var farewell: Duration { .seconds(60) }
    /// How often a site whose part stopped is asked for it again without that a round began: five minutes of a full disk, or a site that is started again.
    private static var mostAgain: Int { 20 }

    /// - Parameter doing: What is going on, for the progress bar.
    init(_ coordination: Coordination<Work>, _ purpose: String?, doing: String) throws {
        (self.coordination, self.purpose) = (coordination, purpose)
        let logins = try Logins.load()
        links = try coordination.sites.map { try Connection($0.url, logins) }
        progress = Progress(doing)
    }

    /// Asks the sites, and coordinates them until the run is over.
    ///
    /// - Parameter changed: Told when a round, a phase or an event is new.
    /// - Returns: Where the run ended, and what each site was asked.
    func conduct(
        _ configuration: DatasiteServerConfiguration, patience: Double,
        changed: (CoordinatorRun.Progress) throws -> Void
    ) async throws -> (last: CoordinatorRun.Progress, asked: [Asked]) {
        let (news, continuation) = AsyncStream<News>.makeStream()
        let run = try coordination.begin(patience: patience) { continuation.yield(.rounds($0)) }
        try check(configuration)
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
        let asked = Mutex<[Asked?]>(coordination.sites.map { _ in nil })
        let asking = Task {
            do { try await ask(asked) { continuation.yield($0) } } catch { continuation.yield(.failed(error)) }
        }
        defer { asking.cancel() }
        continuation.yield(.rounds(run.progress))
        let last: CoordinatorRun.Progress
        do { last = try await follow(news, of: run, asked, changed) } catch let failure as Failure
            where failure.endsRun && !Work.goesOn
        {
            asking.cancel()
            await cancel(asked.withLock { $0.map { $0?.request } })
            throw failure
        }
        progress.finish()
        return (last, asked.withLock { $0.compactMap(\.self) })
    }

    /// What would be found out only when sites are charged.
    private func check(_ configuration: DatasiteServerConfiguration) throws {
        let isSecure = coordination.request.invitation.coordinator.hasPrefix("https:")
        guard isSecure == (configuration.certificate != nil) || configuration.isBehindProxy else {
            throw Failure(
                "Sites connect to \(coordination.request.invitation.coordinator), and this process would listen \(isSecure ? "without" : "with") TLS.",
                next: isSecure
                    ? "Give --tls-certificate and --tls-key, or --behind-proxy where a proxy on this machine ends TLS."
                    : "Give an --address that begins with https://, in a new --run.")
        }
        // Of another machine's address a port may lead here by another number.
        if let address = URLComponents(string: coordination.request.invitation.coordinator),
            ["127.0.0.1", "localhost", "::1", "[::1]"].contains(address.host ?? ""), !configuration.isBehindProxy,
            address.port ?? (isSecure ? 443 : 80) != configuration.port
        {
            throw Failure(
                "Sites connect to \(coordination.request.invitation.coordinator), and this process would listen on port \(configuration.port).",
                next: "Give --port \(address.port ?? (isSecure ? 443 : 80)).")
        }
    }

    // MARK: sites

    /// Asks first where owners decide, and waits for them: no other site is charged for what one of them denies. Then watches all.
    private func ask(
        _ asked: borrowing Mutex<[Asked?]>, _ tell: @Sendable (News) -> Void
    ) async throws {
        let waits = coordination.waits
        var states = coordination.sites.map { _ in "" }
        for place in coordination.sites.indices where waits[place] {
            states[place] = try await ask(place, asked)
        }
        while states.contains("pending"), !Task.isCancelled { await look(&states, asked, tell) }
        // Where one of them does not take part, no other is asked, and charged.
        guard coordination.sites.indices.allSatisfy({ !waits[$0] || ["reserved", "released"].contains(states[$0]) })
        else { return }
        for place in coordination.sites.indices where !waits[place] {
            states[place] = try await ask(place, asked)
        }
        var passes = 0
        while !Task.isCancelled {
            await look(&states, asked, tell)
            passes += 1
            // A site's part that failed goes on when it is asked for again; one that is computed is left to that.
            guard passes % 15 == 0 else { continue }
            for place in states.indices where states[place] == "reserved" {
                if await stopReason(of: place, asked) != nil { tell(.askedAgain(place)) }
                _ = try? await submitted(place)
            }
        }
    }

    /// Under the run's name: a site that was asked before is not charged again.
    private func submitted(_ place: Int) async throws -> WorkOutcome {
        try await links[place].client.submit(
            engine: Work.engine, coordination.request, purpose: purpose,
            idempotencyKey: "run-\(coordination.request.invitation.run)")
    }

    /// Asks a site, under the run's name: one that was asked before is not charged again.
    ///
    /// - Returns: The request's state.
    private func ask(_ place: Int, _ asked: borrowing Mutex<[Asked?]>) async throws -> String {
        let site = coordination.sites[place]
        var outcome: WorkOutcome?
        var isSaid = false
        while outcome == nil {
            let passing: String
            do {
                outcome = try await submitted(place)
                continue
            } catch let problem as Problem {
                guard [.busy, .siteUnavailable, .tooManyQuestions, .timeout].contains(problem.kind) else {
                    await cancel(asked.withLock { $0.map { $0?.request } }, but: place)
                    throw Failure(
                        "\(PrintableText.escape(site.name)) does not take part: \(PrintableText.escape(problem.detail))",
                        next: (problem.hint.map { PrintableText.escape($0) + ". " } ?? "")
                            + "The others' requests are cancelled; what was charged there stays charged.", endsRun: true
                    )
                }
                passing = problem.detail
            } catch let error as TransportError where error.mayPass { passing = error.detail }
            // It was there a moment ago, or before this process began; the others need not be asked anew.
            if !isSaid {
                progress.finish()
                Terminal.diagnostics.line(
                    PrintableText.escape("\(site.name) cannot be reached (\(passing)); trying again"))
            }
            isSaid = true
            try await Task.sleep(for: .seconds(2))
        }
        switch outcome {
        case nil: return ""
        case .pending(let summary):
            let state =
                summary.state == "pending"
                ? "waits for \(summary.approvalsNeeded) owner(s) to approve; its cost is held"
                : "is charged \(summary.charge.chargeText)"
            progress.finish()
            Terminal.diagnostics.line(
                "\(PrintableText.escape(site.name)): request \(PrintableText.escape(summary.id)) \(state).")
            asked.withLock { $0[place] = .request(summary) }
            return summary.state
        case .released(let work):
            asked.withLock { $0[place] = .released(work) }
            return "released"
        }
    }

    /// Looks at all requests once, and tells what changed, and which are done.
    private func look(
        _ states: inout [String], _ asked: borrowing Mutex<[Asked?]>, _ tell: @Sendable (News) -> Void
    ) async {
        for place in states.indices where states[place] != "released" && states[place] != "" {
            guard let id = asked.withLock({ $0[place]?.request?.id }),
                let now = try? await links[place].client.request(id)
            else { continue }
            if now.state != states[place] { tell(.site(place, now)) }
            states[place] = now.state
            if now.state == "reserved", let words = await stopReason(of: place, asked) { tell(.stopped(place, words)) }
        }
        tell(.released(Set(states.indices.filter { states[$0] == "released" })))
        try? await Task.sleep(for: .seconds(1))
    }

    /// Why a site's part stopped; nil: it did not.
    private func stopReason(of place: Int, _ asked: borrowing Mutex<[Asked?]>) async -> String? {
        guard let id = asked.withLock({ $0[place]?.request?.id }),
            let job = try? await links[place].client.jobs().first(where: { $0.id == id }), job.state == .failed
        else { return nil }
        return job.doing
    }

    // MARK: rounds

    private func follow(
        _ news: AsyncStream<News>, of run: Work.Run, _ asked: borrowing Mutex<[Asked?]>,
        _ changed: (CoordinatorRun.Progress) throws -> Void
    ) async throws -> CoordinatorRun.Progress {
        var told = run.progress.events.count
        var ended: ContinuousClock.Instant?
        var stopped: [Int: String] = [:]
        var (again, attempts) = ([Int: Int](), 0)
        var trouble: String?
        for await piece in news {
            switch piece {
            case .stopped(let place, let words):
                guard Work.goesOn else {
                    throw Failure(
                        PrintableText.escape("\(coordination.sites[place].name): its part stopped: \(words)"),
                        next: Self.askedAnew, endsRun: true)
                }
                guard stopped.updateValue(words, forKey: place) != words else { continue }
                progress.finish()
                Terminal.diagnostics.line(
                    PrintableText.escape(
                        "\(coordination.sites[place].name): its part stopped, and is asked for again: \(words)"))
            case .askedAgain(let place):
                again[place, default: 0] += 1
                guard again[place, default: 0] >= Self.mostAgain, let words = stopped[place] else { continue }
                throw Failure(
                    "\(PrintableText.escape(coordination.sites[place].name)): its part does not go on: \(PrintableText.escape(words))",
                    next:
                        "What was charged stays charged. Once the cause is gone, go on with the same command; or give it up: parley jobs cancel ID, at each site."
                )
            case .failed(let error): throw error
            case .interrupted where !Work.goesOn && run.progress.round > 0:
                let out = await letOut(asked.withLock { $0 })
                throw Failure(
                    "Stopped after \(run.progress.round) of \(run.progress.rounds) rounds."
                        + (out == nil ? " Nothing was opened." : ""), next: out ?? Self.askedAnew, endsRun: true)
            case .interrupted:
                throw Failure(
                    run.progress.rounds == 1
                        ? "Stopped." : "Stopped after \(run.progress.round) of \(run.progress.rounds) rounds.",
                    next:
                        "Go on with the same command: what was begun is in \(PrintableText.escape(coordination.path)).")
            case .site(let place, let request):
                say(place, request)
                guard ["denied", "lapsed", "cancelled"].contains(request.state) else { continue }
                await cancel(asked.withLock { $0.map { $0?.request } }, but: place)
                throw Failure(
                    "\(PrintableText.escape(coordination.sites[place].name)) does not take part: its request is \(request.state)"
                        + (request.reason.map { ": \(PrintableText.escape($0))" } ?? "."),
                    next:
                        "The others' requests are cancelled; what was charged there stays charged. Ask them without it.",
                    endsRun: true)
            case .rounds(let now):
                if now.attempts != attempts { (again, attempts) = ([:], now.attempts) }
                for event in now.events.suffix(max(0, now.events.count - told)) { say(event) }
                told = now.events.count
                if trouble != now.trouble {
                    trouble = now.trouble
                    progress.finish()
                    Terminal.diagnostics.line(
                        PrintableText.escape(
                            trouble.map { "Nothing is taken, and the run stands still: \($0)" }
                                ?? "Messages are taken again."))
                }
                waitingFor(now)
                try changed(now)
            case .released(let places):
                let now = run.progress
                guard [.finished, .aborted].contains(now.phase) else { continue }
                // All took the last step, from which a site that was cut off would learn nothing here any more.
                if now.phase == .aborted || places.count == run.roster.count { return now }
                let since = ended ?? .now
                ended = since
                if since.duration(to: .now) > Self.farewell { return now }
            }
        }
        return run.progress
    }

    /// Nothing comes of the run any more: nobody needs to wait for it.
    func cancel(_ requests: [RequestSummary?], but place: Int? = nil) async {
        for (other, request) in requests.enumerated() where other != place {
            guard let request else { continue }
            _ = try? await links[other].client.cancelJob(request.id)
        }
    }

    /// Where the answer is, if a site let it out before the run ended: it is paid for.
    func letOut(_ asked: [Asked?]) async -> String? {
        for (place, asked) in asked.enumerated() {
            guard let id = asked?.request?.id, let state = try? await links[place].client.request(id).state,
                state == "released"
            else { continue }
            let site = coordination.sites[place]
            return
                "\(PrintableText.escape(site.name)) had its result by then, and let it out: parley history \(PrintableText.escape(id)) --url \(PrintableText.escape(site.url)) shows it, with its receipt. What was charged stays charged."
        }
        return nil
    }

    private func waitingFor(_ now: CoordinatorRun.Progress) {
        guard now.phase == .waiting else { return }
        let waiting = coordination.sites.indices.filter { !now.heard.contains($0) }.map { coordination.sites[$0].name }
        let words = "waiting for \(waiting.joined(separator: ", ")) to connect"
        progress.update(0, doing: words)
        if !Terminal.diagnostics.isTerminal, said.isNew(-waiting.count - 1) {
            Terminal.diagnostics.line(PrintableText.escape(words))
        }
    }

    /// Says a line where there is no bar, once for each number that comes.
    func say(_ words: String, once number: Int) {
        if !Terminal.diagnostics.isTerminal, said.isNew(number) { Terminal.diagnostics.line(words) }
    }

    /// What was said last where there is no bar.
    private final class Said: Sendable {
        private let last = Mutex(0)

        func isNew(_ now: Int) -> Bool {
            last.withLock { last in
                defer { last = now }
                return now != last
            }
        }
    }

    private func say(_ event: Coordinator.Event) {
        progress.finish()
        let who = event.participant.map { "\(coordination.sites[$0].name) " } ?? ""
        let attempt = coordination.agreementHasRounds ? "attempt \(event.attempt + 1): " : ""
        Terminal.diagnostics.line(PrintableText.escape("\(attempt)\(who)\(event.words)"))
    }

    private func say(_ place: Int, _ request: RequestSummary) {
        progress.finish()
        Terminal.diagnostics.line(
            PrintableText.escape("\(coordination.sites[place].name): \(RequestState.words(request.state))"))
    }

    // MARK: the end

    /// What a site let out; it stores it within moments of the last round.
    func released(_ asked: Asked, by place: Int) async throws -> ReleasedWork {
        switch asked {
        case .released(let work): return work
        case .request(let request):
            let end = ContinuousClock.now + Self.farewell
            while true {
                do { return try await links[place].client.work(request.id) } catch let problem as Problem
                    where problem.kind == .conflict && .now < end
                { try await Task.sleep(for: .milliseconds(300)) }
            }
        }
    }
}

extension Coordination {
    /// Whether attempts are worth a word.
    fileprivate var agreementHasRounds: Bool { Work.self == FederatedRequest.self }
}

extension TransportError {
    /// Whether a server that is started again, or a network, may answer later.
    var mayPass: Bool {
        switch kind {
        case .unreachable, .timedOut, .interrupted: true
        case .invalidURL, .untrusted, .notADatasite, .invalidReceipt: false
        }
    }
}

/// Where a request stands, as `parley jobs` has it: what is stored as reserved is charged, and computed.
enum RequestState {
    static func words(_ state: String) -> String {
        switch state {
        case "pending": "its request waits for its owner"
        case "reserved": "its request is approved and charged"
        case "released": "its part is done, and let out"
        default: "its request is \(state)"
        }
    }
}
