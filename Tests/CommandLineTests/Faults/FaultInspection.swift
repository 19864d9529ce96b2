import DatasiteClient
import DatasiteProtocol
import Foundation
import Testing

/// What must hold after every restart, before the next load.
extension FaultSite {
    func inspect(_ server: Workplace.Server, isLast: Bool) async throws {
        let verified = try place.parley("verify")
        #expect(verified.status == 0, "\(verified.all)")
        let (ana, olga, aud) = (try client("ana", server), try client("olga", server), try client("aud", server))
        try await completeOpenQuestions(ana)
        try await repeatAnswers(ana, all: isLast)
        try await checkDecisions(olga)
        try await checkExtra(ana)
        try await checkJournal(aud)
        for client in [ana, olga, aud] { try await client.close() }
        try followLog(server, isLast: isLast)
        if isLast { #expect(try place.parley("verify").status == 0) }
    }

    /// What was ever signed begins what is signed now, and at the end all of it follows from the journal.
    private func followLog(_ server: Workplace.Server, isLast: Bool) throws {
        let key = try place.parley("site", "key").output.trimmingCharacters(in: .whitespacesAndNewlines)
        let followed = try place.parley("log", "monitor", server.url, "--key", key, "--state", "seen.json", "--once")
        #expect(followed.status == 0, "\(followed.all)")
        guard isLast else { return }
        for command in [["fsck"], ["verify", server.url, "--key", key]] {
            let checked = try place.run([Workplace.executable, "log"] + command)
            #expect(checked.status == 0, "\(checked.all)")
        }
    }

    /// What was asked and not answered is answered now under its own key: computed once, or stored before the kill.
    private func completeOpenQuestions(_ ana: DatasiteClient) async throws {
        for key in promises.withState({ $0.open }).sorted() {
            do {
                guard case .released(let answer) = try await ana.ask(Self.request(key), idempotencyKey: key) else {
                    Issue.record("\(key) waits for an owner")
                    continue
                }
                promises.answered(key, answer.bytes, isAfterKill: true)
            } catch let problem as Problem {
                // Only what was asked of `extra` may have lost its rows: before its charge (404), or after (409).
                #expect(key.hasPrefix("extra") && [404, 409].contains(problem.status), "\(key): \(problem.detail)")
                promises.withState { state in
                    state.open.remove(key)
                    state.counts.overtaken += 1
                }
            }
        }
    }

    private func repeatAnswers(_ ana: DatasiteClient, all: Bool) async throws {
        for (key, bytes) in promises.withState({ state in
            let keys = all ? Array(state.answers.keys) : state.fresh
            return keys.map { ($0, state.answers[$0] ?? []) }
        }) {
            let outcome = try await ana.ask(Self.request(key), idempotencyKey: key)
            guard case .released(let answer) = outcome else {
                Issue.record("the answer of \(key) is lost")
                continue
            }
            #expect(answer.bytes == bytes, "\(key) has other bytes now")
        }
    }

    private func checkDecisions(_ olga: DatasiteClient) async throws {
        for (id, state) in promises.withState({ $0.decisions }) {
            let now = try await olga.request(id).state
            #expect(now == state, "the owner was told '\(state)'")
        }
        // They need no second look.
        promises.withState { $0.decisions = [:] }
    }

    /// The dataset that comes and goes: as it was promised, or as before or after what was cut short; whole in any case.
    private func checkExtra(_ ana: DatasiteClient) async throws {
        let isListed = try await ana.datasets().contains { $0.name == "extra" }
        var rows: Int?
        if isListed {
            let request = AskRequest(
                dataset: "extra", sql: "SELECT COUNT(*) AS n FROM extra", budget: .epsilon(Self.countingEpsilon))
            let counted = try await ana.ask(request).answer?.rows.first?.first?.value
            guard case .integer(let count)? = counted else {
                Issue.record("the rows of extra cannot be counted")
                return
            }
            rows = Int(count)
        }
        let possible = promises.withState { $0.extra }
        #expect(possible.contains(rows), "extra has \(rows.map { "\($0)" } ?? "no") rows, not one of \(possible)")
        promises.withState { $0.extra = [rows] }
        let folders = try FileManager.default.contentsOfDirectory(atPath: place.path("parley-site/data"))
        let versions = folders.filter { !$0.hasSuffix(".lock") }
        #expect(versions.count == (isListed ? 3 : 2), "what was cut short was not cleared away: \(folders)")
        #expect(folders.count - versions.count <= 1, "locks of processes that have gone: \(folders)")
    }

    /// The journal goes on where it was, its charges add up to the ledger, and each answer has its charge.
    private func checkJournal(_ aud: DatasiteClient) async throws {
        var next = max(1, promises.withState { $0.journalLength })
        while true {
            let entries = try await aud.audit(from: next, limit: 1_000)
            promises.withState { state in
                for entry in entries { Self.read(entry, &state) }
            }
            guard entries.count == 1_000, let last = entries.last else { break }
            next = last.index
        }
        for report in try await aud.budget() {
            // What is held stands in the journal too.
            let held = report.lines.first?.held.flatMap(Self.amount) ?? 0
            let spent = report.lines.first.flatMap { Self.amount($0.spent) }.map { $0 + held } ?? -1
            let journaled = promises.withState { $0.losses[report.population] ?? 0 }
            #expect(abs(spent - journaled) < 1e-6, "\(report.population): the ledger differs from the journal")
        }
        let (fresh, released, charged) = promises.withState { state in
            defer { state.fresh = [] }
            return (state.fresh.map { state.answers[$0] ?? [] }, state.released, state.charged)
        }
        for bytes in fresh {
            let request = try JSONDecoder().decode(Answer.self, from: Data(bytes)).request
            #expect(released[request] == sha256Hex(bytes), "an answer was given that the journal does not know")
            #expect(charged.contains(request), "an answer was given without a charge")
        }
    }

    /// What adds up: epsilon, or the divergence at the highest order.
    private static func amount(_ loss: Loss) -> Double? { loss.epsilon ?? loss.divergences?.last }

    private static func read(_ entry: AuditEntry, _ state: inout Promises.State) {
        if entry.index == state.journalLength {
            #expect(entry.hash == state.journalHash, "the journal was another at entry \(entry.index)")
            return
        }
        #expect(entry.index == state.journalLength + 1, "the journal has a gap at \(state.journalLength)")
        (state.journalLength, state.journalHash) = (entry.index, entry.hash)
        let words = entry.detail.replacing(":", with: "").split(separator: " ").map(String.init)
        let request = words.count > 1 && words[0] == "request" ? words[1] : ""
        let population = population(entry.dataset ?? "")
        let charge = entry.charge.flatMap(amount) ?? 0
        switch entry.action {
        case "pending", "reserved":
            state.losses[population, default: 0] += charge
            state.charged.insert(request)
        case "denied", "lapsed", "cancelled": state.losses[population, default: 0] -= charge
        case "released":
            #expect(state.charged.contains(request), "released without a charge: \(request)")
            #expect(state.released[request] == nil, "released twice: \(request)")
            state.released[request] = words.last
        default: break
        }
    }
}
