import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Synchronization
import Tables
import Testing

@testable import Datasite
@testable import Federation
@testable import Query

@Suite("One question to several sites", .timeLimit(.minutes(20)))
struct FederatedQuestionTests {
    private static let sql = "SELECT kind, COUNT(*) AS n, AVG(amount) AS mean FROM shared GROUP BY kind"

    private func sites(_ rule: String = "", count: Int = 3, engine: String = "federated-questions") throws
        -> FederatedSites
    {
        try FederatedSites(count) { common in
            let kept = common.replacing(", aggregation: [masked, distributed-noise, plain]", with: "")
            return "questions: {}, \(engine): {\(kept)\(rule)}"
        }
    }

    private func asked(
        _ sites: FederatedSites, _ sql: String = sql, budget: Budget = .epsilon(2), colluders: Int = 1
    ) async throws -> Coordination<FederatedQuestion> {
        let asked = try Coordination(
            question: AskRequest(dataset: "shared", sql: sql, budget: budget), rows: 15_000, colluders: colluders,
            sites: sites.named, address: FederatedSites.address)
        return asked.settled(try await sites.agreements(asked.request))
    }

    @Test("Three sites let out the same answer; each charges the whole loss once, and signs its part")
    func answer() async throws {
        let sites = try sites()
        let coordination = try await sites.created(asked(sites))
        _ = try sites.connect(coordination)
        let ids = try await sites.begin(coordination)
        let answers = try await sites.released(ids, as: Answer.self)
        #expect(answers.allSatisfy { $0.rows == answers[0].rows && $0.columns == answers[0].columns })
        let rho = try #require(coordination.agreement?.rho)
        for (place, (site, answer)) in zip(sites.sites, answers).enumerated() {
            let spent = try site.site.read { try #require(try PopulationRow.named("people-\(place)", $0)).spent }
            let receipt = try Receipt(decoding: try site.site.receipt(ids[place], as: .ada))
            #expect(spent.amounts.allSatisfy { $0 > 0 } && spent.amounts == receipt.body.charge.amounts)
            #expect(coordination.isReleased(answer, by: place) && !coordination.isReleased(answer, by: (place + 1) % 3))
            #expect(answer.guarantees.inputPrivacy.contains("a noisy sum with those of 2 other sites alone"))
            #expect(answer.notes.contains { $0.contains("nobody but the coordinator answers for") })
            #expect(answer.notes.contains { $0.contains("m squared times the rho") })
            #expect(try site.site.verify().problems == [])
            #expect(try await site.workspaceGoes(of: ids[place]))
            let again = try await site.site.submit(
                FederatedSites.request(coordination.request), as: .ada, idempotencyKey: "run")
            #expect(again.answer != nil)
            let summary = try site.site.request(ids[place], as: .ada)
            #expect(summary.sql.hasPrefix(Self.sql) && summary.sql.contains("with 2 other sites"))
        }
        // All rows of the three sites, up to the noise: six standard deviations.
        let total = answers[0].rows.reduce(0.0) { $0 + (Self.number($1[1]) ?? 0) }
        let rows = sites.sites.indices.reduce(0) { $0 + 2 * (60 + 3 * $1) }
        #expect(abs(total - Double(rows)) < 6 * 3 * (3 / 2 * 3 * 3 / (2 * rho)).squareRoot(), "\(total) of \(rows)")
    }

    @Test("What a site makes of its rows for the sum has its share of the noise, drawn anew each time")
    func share() async throws {
        let sites = try sites()
        let coordination = try await asked(sites)
        let site = sites.sites[0]
        let terms = try FederatedQuestionTerms(
            coordination.request, site: try #require(Data(base64Encoded: site.key)), in: try site.site.catalogue())
        let source = RowSource.table(try site.site.table(try #require(try site.site.catalogue().datasets["shared"])))
        let header = RoundHeader(run: Data(), plan: Data(), round: 0, attempt: 0, model: Data(), asked: [0, 1, 2])
        let nothing = RunModel(round: 0, weights: [], server: try ServerState(.fedAvg, parameters: 1))
        func numbers() throws -> [Int64] {
            var work = QuestionShare(plan: terms.joint, source: source)
            let made = try work.update(of: nothing, in: header, carried: [])
            guard case .integers(let numbers) = made.update else { return [] }
            return numbers
        }
        let drawn = try (0..<20).map { _ in try numbers() }
        let exact = terms.joint.exact(source)
        #expect(drawn.allSatisfy { $0.count == terms.joint.length })
        // Shares have a standard deviation of at least one step: 20 draws of an entry are all equal with a chance below 0.4^19.
        for entry in exact.indices {
            #expect(Set(drawn.map { $0[entry] }).count > 1, "entry \(entry)")
            #expect(drawn.contains { $0[entry] != exact[entry] })
        }
    }

    private static func number(_ cell: Answer.Cell) -> Double? {
        switch cell.value {
        case .integer(let value): Double(value)
        case .real(let value): value
        default: nil
        }
    }

    @Test("Frames that are lost, and a coordinator that is killed at any moment, give one answer and one charge")
    func coordinatorKilled() async throws {
        let sites = try sites()
        let coordination = try await sites.created(asked(sites))
        let sent = try sites.connectToMortal(coordination, dyingEach: 5, losingEach: 4)
        let ids = try await sites.begin(coordination)
        let answers = try await sites.released(ids, as: Answer.self)
        #expect(answers.allSatisfy { $0.rows == answers[0].rows } && sent() > 12)
    }

    @Test(
        "A site that falls silent in the middle makes the question void at the others: charged, named, and not answered"
    )
    func silent() async throws {
        let sites = try sites()
        var coordination = try await asked(sites)
        coordination = coordination.with { $0.phaseSeconds = 6 }
        coordination = try await sites.created(coordination)
        let run = try coordination.begin(patience: 60) { _ in }
        for (place, site) in sites.sites.enumerated() {
            site.site.connect(
                by: DirectConnection({ run }) { message in
                    guard place == 2, let message = try? message.verified(roster: run.roster) else { return true }
                    if case .masked = message { return false }
                    return true
                })
        }
        let ids = try await sites.begin(coordination)
        for (site, id) in zip(sites.sites.prefix(2), ids) {
            while try site.site.jobs(as: .folder).first?.state != .failed {
                try await Task.sleep(for: .milliseconds(20))
            }
            let words = try site.site.read { try RequestEventRow.last(of: id, $0)?.event.words }
            #expect(words?.contains("the run ended without its last round") == true, "\(words ?? "none")")
            #expect(try site.site.request(id, as: .ada).state == "reserved")
        }
        #expect(run.progress.phase == .aborted)
        #expect(
            run.progress.events.contains {
                $0.participant == 2 && $0.words.contains("was not in time in the phase mask")
            }, "\(run.progress.events)")
        for place in 0..<3 {
            let spent = try sites.sites[place].site.read {
                try #require(try PopulationRow.named("people-\(place)", $0)).spent
            }
            #expect(spent.amounts.allSatisfy { $0 > 0 })
        }
    }

    @Test(
        "What an owner's policy does not name is refused before anything is charged",
        arguments: [
            (", least-honest: 3", 1, "sums over 2 honest participants"),
            (", colluders: 2", 1, "1 colluders: expected masks that bear at least 2"),
            ("", 2, "sums over 1 honest participants"), ("", 3, "3 sites of which 3 may tell"),
        ])
    func refusals(rule: String, colluders: Int, words: String) async throws {
        // Of five that the policy names three are asked.
        let sites = try sites(rule, count: 5)
        let asked = try Coordination(
            question: AskRequest(dataset: "shared", sql: Self.sql, budget: .rho(0.01)), rows: 15_000,
            colluders: colluders, sites: Array(sites.named.prefix(3)), address: FederatedSites.address)
        let refusal = await problem {
            _ = try await sites.sites[0].site.submit(FederatedSites.request(asked.request), as: .ada)
        }
        #expect(refusal?.detail.contains(words) == true, "\(refusal?.detail ?? "not refused")")
        #expect((400..<500).contains(refusal?.status ?? 0))
        #expect(try sites.sites[0].spent(population: "people-0") == 0)
    }

    @Test("Other sites, addresses, datasets and numbers than may be are refused, and so is a policy without the rule")
    func requests() async throws {
        let sites = try sites()
        let request = try await asked(sites).request
        let site = sites.sites[0].site
        func refusal(_ change: (inout FederatedQuestion) -> Void) async throws -> String {
            var changed = request
            change(&changed)
            let message = try FederatedSites.request(changed)
            return await problem { _ = try await site.submit(message, as: .ada) }?.detail ?? "not refused"
        }
        let invented = Curve25519.Signing.PrivateKey().publicKey.rawRepresentation.base64EncodedString()
        #expect(try await refusal { $0.invitation.sites[1] = invented }.contains("does not name the site"))
        #expect(try await refusal { $0.invitation.coordinator = "http://127.0.0.1:1" }.contains("the coordinator"))
        let few = try await refusal { $0.rows = 100 }
        #expect(few.contains("less than the"), "\(few)")
        #expect(try await refusal { $0.rows = 0 }.contains("'rows' is from 1"))
        #expect(try await refusal { $0.phaseSeconds = 0 }.contains("'phaseSeconds' is from"))
        #expect(try await refusal { $0.question.dataset = "nothing" }.contains("nothing"))
        #expect(try await refusal { $0.question.purpose = "x" }.contains("purpose stands beside"))
        #expect(try await refusal { $0.question.selectionDelta = 1e-9 }.contains("no keys are selected"))
        #expect(try await refusal { $0.question.budget = .rho(1e-9) }.contains("at least"))
        #expect(try await refusal { $0.question.budget = .epsilon(500) } != "not refused")
        #expect(
            try await refusal { $0.question.sql = "SELECT person, COUNT(*) FROM shared GROUP BY person" }
                != "not refused")
        #expect(
            try await refusal { $0.question.sql = "SELECT BIN(amount, 0.0001), COUNT(*) FROM shared GROUP BY 1" }
                != "not refused")
        #expect(try sites.sites[0].spent(population: "people-0") == 0)
        let others = try self.sites(engine: "federated-training")
        let other = await problem {
            _ = try await others.sites[0].site.submit(FederatedSites.request(request), as: .ada)
        }
        #expect(other?.status == 403 || other?.detail.contains("does not name this site") == true)
    }

    @Test("Sites that declare what the question reads differently are told apart, and what it does not read may differ")
    func disagreement() async throws {
        let sites = try sites()
        let coordination = try await asked(sites)
        var agreements = try await sites.agreements(coordination.request)
        let place = try #require(agreements[2].inputs.firstIndex { $0.hasPrefix("amount") })
        agreements[2].inputs[place] = "amount: integer, from 0.0 to 99.0"
        do {
            _ = try coordination.agreed(agreements)
            Issue.record("they agree")
        } catch let problem as Problem {
            #expect(
                problem.detail.contains("site 0: amount")
                    && problem.detail.contains("site 2: amount: integer, from 0.0 to 99.0"))
        }
        #expect(!agreements[0].inputs.contains { $0.hasPrefix("person") })
    }

    @Test("An answer that the coordinator sends ready is not signed by a site that had no part in it")
    func readyAnswer() async throws {
        let sites = try sites()
        let coordination = try await sites.created(asked(sites))
        let plan = try #require(coordination.agreement?.plan)
        let ready = RunModel(
            round: 1, weights: [], server: try ServerState(plan.strategy, parameters: plan.parameterCount),
            sum: Packed([Int64](repeating: 5, count: plan.length)))
        let key = coordination.key
        let site = sites.sites[0].site
        let isFirst = Mutex(true)
        site.connect(
            by: ScriptedConnection { message in
                let first = isFirst.withLock { first in
                    defer { first = false }
                    return first
                }
                return try SignedReply(
                    first ? .model(model: ready) : .finished(round: 1, model: ready.digest), to: message, key: key
                ).bytes
            })
        let id = try await sites.begin(coordination)[0]
        while try site.jobs(as: .folder).first?.state != .failed { try await Task.sleep(for: .milliseconds(20)) }
        let words = try site.read { try RequestEventRow.last(of: id, $0)?.event.words }
        #expect(words?.contains("its part is in none of the sums") == true, "\(words ?? "none")")
        #expect(try site.request(id, as: .ada).state == "reserved")
    }

    /// A coordinator that says what it likes.
    private final class ScriptedConnection: CoordinatorConnection {
        private let reply: @Sendable (SignedMessage) throws -> Data

        init(_ reply: @escaping @Sendable (SignedMessage) throws -> Data) { self.reply = reply }

        func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8] {
            Array(try reply(try SignedMessage(reading: Data(message))))
        }
    }

    @Test("A preview costs nothing, and says what the sum measures and who would decide")
    func preview() async throws {
        let sites = try sites(", approval: owner")
        let request = try await asked(sites).request
        let preview = try await sites.sites[0].site.preview(FederatedSites.request(request), as: .ada)
        #expect(preview.approvals == 1 && preview.decision.contains("approval of 1 owner"))
        #expect(preview.columns.map(\.name) == ["kind", "n", "mean"])
        #expect(preview.columns[1].mechanism?.contains("a share from each of 3 sites") == true)
        var much = request
        much.question.budget = .rho(10_000)
        let refused = try await sites.sites[0].site.preview(FederatedSites.request(much), as: .ada)
        #expect(refused.approvals == nil && refused.decision.contains("would be refused"))
        #expect(try sites.sites[0].spent(population: "people-0") == 0)
    }

    @Test("Two sites answer where both owners say that one honest site is enough: the noise of each hides the other")
    func two() async throws {
        let sites = try sites(", least-honest: 1", count: 2)
        let coordination = try await sites.created(asked(sites))
        _ = try sites.connect(coordination)
        let answers = try await sites.released(try await sites.begin(coordination), as: Answer.self)
        #expect(answers[0].rows == answers[1].rows)
    }
}
