import Crypto
import DatasiteProtocol
import Foundation
import Synchronization
import Tables
import Testing

@testable import Datasite
@testable import Federation
@testable import MultipartyComputation

/// Two datasites in one process, over the whole pipeline, with who relays between them.
@Suite("Who is in both tables", .timeLimit(.minutes(20)))
struct IntersectionTests {
    private static let rule =
        "columns: [person, [kind, person]], output: identifiers, recipients: [here, there], capacity: 120, approval: automatic"

    /// The second site has three people more than the first, beside its 60.
    private func sites(_ rule: String = rule, uses: Int = 100, people: Int = 60) throws -> FederatedSites {
        try FederatedSites(
            2,
            engines: { common in
                let kept = common.replacing(", aggregation: [masked, distributed-noise, plain], uses: 100", with: "")
                return "questions: {}, set-intersection: {\(kept), uses: \(uses), \(rule)}"
            }, people: people)
    }

    private func asked(
        _ sites: FederatedSites, output: IntersectionSession.Output = .size,
        for recipients: IntersectionSession.Recipients = .both, columns: [String] = ["person"]
    ) throws -> Coordination<IntersectionRequest> {
        try Coordination(
            dataset: "shared", columns: columns, output: output, recipients: recipients, sites: sites.named,
            address: FederatedSites.address)
    }

    /// Asks, and gives what each site let out.
    private func made(
        _ sites: FederatedSites, _ asked: Coordination<IntersectionRequest>
    ) async throws -> (Coordination<IntersectionRequest>, [String], [ReleasedIntersection]) {
        let coordination = try await sites.created(asked)
        let run = try sites.connect(coordination)
        let ids = try await sites.begin(coordination)
        let released = try await sites.released(ids, as: ReleasedIntersection.self)
        #expect(run.progress.phase == .finished)
        return (coordination, ids, released)
    }

    private func own(_ sites: FederatedSites, _ place: Int) throws -> OwnIntersection {
        try #require(try sites.sites[place].site.intersections(as: .folder).first)
    }

    @Test(
        "Recipients' owners learn what was agreed, whoever asked does not, and each site charges a use",
        arguments: IntersectionSession.Output.allCases, IntersectionSession.Recipients.allCases)
    func whole(output: IntersectionSession.Output, recipients: IntersectionSession.Recipients) async throws {
        let sites = try sites()
        let (coordination, ids, released) = try await made(sites, asked(sites, output: output, for: recipients))
        #expect(Set(released.map(\.session)).count == 1)
        for (place, role) in IntersectionSession.Role.allCases.enumerated() {
            let site = sites.sites[place].site
            let isRecipient = recipients.contains(role)
            let one = try own(sites, place)
            #expect(one.size == (isRecipient ? 60 : nil) && one.isKept == (isRecipient && output == .identifiers))
            #expect(one.state == "released" && one.leftOut == 0 && one.peer == sites.sites[1 - place].key)
            let kept = site.folder.kept(of: ids[place]).saved(.intersection).flatMap {
                try? JSONDecoder().decode(KeptIntersection.self, from: Data($0))
            }
            #expect(kept?.session == released[0].session && kept?.version == released[place].version)
            if one.isKept {
                let expected = (0..<60).map { Data([0, UInt8("\($0)".utf8.count)]) + Data("\($0)".utf8) }
                #expect(kept?.identifiers == expected.sorted { $0.lexicographicallyPrecedes($1) })
            }
            if one.isKept {
                let matches = try site.matches(of: ids[place], as: .folder)
                #expect(matches.columns == ["person"])
                #expect(
                    matches.rows == (0..<60).map { ["\($0)"] }.sorted { ($0[0].count, $0[0]) < ($1[0].count, $1[0]) })
            } else {
                #expect(throws: Problem.self) { try site.matches(of: ids[place], as: .folder) }
            }
            #expect(throws: Problem.self) { try site.matches(of: ids[place], as: .ada) }
            let receipt = try Receipt(decoding: try site.receipt(ids[place], as: .ada))
            #expect(receipt.body.charge.uses == 1 && receipt.body.charge.amounts == [])
            let privacy = receipt.body.guarantees.outputPrivacy
            #expect(
                recipients.contains(role.other)
                    ? privacy.contains("no differential privacy: ") && privacy.contains(sites.sites[1 - place].key)
                    : privacy == "nothing of these rows becomes known at the other site", "\(privacy)")
            #expect(
                coordination.isReleased(released[place], by: place)
                    && !coordination.isReleased(released[place], by: 1 - place))
            #expect(try site.verify().problems == [])
            #expect(try await sites.sites[place].workspaceGoes(of: ids[place]))
            #expect(throws: Problem.self) { try site.intersections(as: .ada) }
            #expect(throws: Problem.self) { try site.intersections(as: .auditor) }
        }
    }

    @Test("What whoever asked gets is the same for other people in the tables, but for what is drawn")
    func release() async throws {
        var seen: [Set<String>] = []
        for people in [60, 30] {
            let sites = try sites(people: people)
            let (coordination, ids, released) = try await made(sites, asked(sites, output: .identifiers))
            var texts: Set<String> = []
            for (place, document) in released.enumerated() {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                var text = String(decoding: try encoder.encode(document), as: UTF8.self)
                let invitation = coordination.request.invitation
                let drawn = [
                    document.request, document.version, document.session, document.nonce, invitation.run,
                    invitation.coordinatorKey,
                ]
                for word in drawn { text = text.replacing(word, with: "drawn") }
                for (number, site) in sites.sites.enumerated() {
                    text = text.replacing(site.key, with: "site \(number)")
                }
                texts.insert("\(place) " + text)
                let events = try sites.sites[place].site.events(of: ids[place], after: 0, as: .ada).events
                texts.insert("\(place) \(events.map { "\($0.state) \($0.step) \($0.words ?? "")" })")
            }
            for place in 0..<2 { #expect(try own(sites, place).size == people) }
            seen.append(texts)
        }
        #expect(seen[0] == seen[1] && seen[0].count == 4)
    }

    @Test("Columns identify together; a list beyond the capacity is cut, and its owner alone is told")
    func columns() async throws {
        let sites = try sites(Self.rule.replacing("capacity: 120", with: "capacity: 50, guesses: 70, padding: none"))
        let (_, _, released) = try await made(sites, asked(sites, columns: ["kind", "person"]))
        #expect(released[0].parts == [.init(capacity: 50, isPadded: false), .init(capacity: 50, isPadded: false)])
        // Of 60 people each third has one row, two rows, three rows: 120 pairs; of 63, 126.
        let found = try (0..<2).map { try own(sites, $0) }
        #expect(found.map(\.leftOut) == [70, 76] && found[0].size == found[1].size && (found[0].size ?? 99) <= 50)
        // The same ones are left out each time: an answer to other ones would show all in the end.
        let site = sites.sites[0].site
        let table = try site.table(try #require(try site.catalogue().datasets["shared"]))
        let (cut, all) = (table.identifiers(of: [1, 0], atMost: 50), table.identifiers(of: [1, 0], atMost: 120))
        #expect(cut.identifiers == Array(all.identifiers.prefix(50)) && cut.leftOut == 70 && all.leftOut == 0)
        #expect(Set(all.identifiers).count == 120 && all.identifiers.contains(Data([0, 1, 97, 0, 1, 55])))
    }

    @Test("A relay that dies, loses frames and changes them ends in the same result, under one use")
    func mortalRelay() async throws {
        let sites = try sites()
        let coordination = try await sites.created(asked(sites, output: .identifiers))
        let agreement = try #require(coordination.agreement)
        @Sendable func begin() throws -> IntersectionRun {
            try IntersectionRun(
                run: coordination.request.invitation.runBytes, roster: coordination.request.invitation.roster,
                relay: IntersectionRelay(capacities: agreement.parts.map(\.capacity), recipients: .both),
                RunOpening(folder: coordination.path, key: coordination.key, patience: 60, changed: { _ in }),
                longestWait: 0.1)
        }
        final class Mortal: Sendable {
            let run: Mutex<IntersectionRun?>
            let count = Mutex(0)
            init(_ run: IntersectionRun) { self.run = Mutex(run) }
        }
        let mortal = Mortal(try begin())
        for site in sites.sites {
            let direct = DirectConnection({ mortal.run.withLock { $0 } }) { _ in
                let number = mortal.count.withLock { count in
                    count += 1
                    return count
                }
                if number % 3 == 0 {
                    mortal.run.withLock { run in
                        run = nil
                        run = try? begin()
                    }
                    return false
                }
                return number % 4 != 0
            }
            site.site.connect(by: Changing(direct))
        }
        let ids = try await sites.begin(coordination)
        let released = try await sites.released(ids, as: ReleasedIntersection.self)
        #expect(released[0].session == released[1].session)
        for place in 0..<2 {
            #expect(try own(sites, place).size == 60)
            #expect(try sites.sites[place].integer("SELECT sum(uses) FROM uses") == 1)
        }
    }

    /// Each second reply that comes has a bit of it changed.
    private final class Changing: CoordinatorConnection {
        private let connection: DirectConnection
        private let count = Mutex(0)

        init(_ connection: DirectConnection) { self.connection = connection }

        func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8] {
            var reply = try connection.exchange(message, with: coordinator, largestReply: largestReply)
            let number = count.withLock { count in
                count += 1
                return count
            }
            if number % 2 == 0 { reply[(number * 31) % reply.count] ^= 1 }
            return reply
        }
    }

    @Test("A site that is killed around any message goes on from what it stored, under one scalar")
    func siteKilled() async throws {
        let sites = try sites()
        let coordination = try await sites.created(asked(sites, output: .identifiers))
        let run = try sites.connect(coordination)
        _ = try await sites.sites[1].site.submit(
            FederatedSites.request(coordination.request), as: .ada, idempotencyKey: "run")
        let site = sites.sites[0].site
        let work = try IntersectionWork(
            body: IntersectionWork.body(of: FederatedSites.request(coordination.request).request, purpose: nil),
            in: PublicKnowledge(catalogue: site.catalogue(), publicKey: site.signingKey.publicKey.rawRepresentation))
        let table = try site.table(work.task.entry)
        let workspace = Workspace(parent: sites.sites[0].path + "/work", name: "one")
        let kept = Workspace(parent: sites.sites[0].path + "/kept", name: "one")
        var (result, times, points): (IntersectionWork.Made?, Int, Set<Data>) = (nil, 0, [])
        while result == nil {
            times += 1
            // Each third process hears one reply.
            let left = MessagesLeft(times % 3 == 0 ? 2 : 1)
            let connection = DirectConnection({ run }) { _ in
                left.take()
            } dropsReply: {
                left.isNothing
            }
            let outside = Outside(
                identity: site.signingKey, connection: connection,
                pace: Pace(clock: site.clock) { _ in TimeSlot(bound: .milliseconds(1)) }, enters: { _ in true })
            let exchange = IntersectionExchange(
                task: work.task, bounds: work.bounds,
                desk: RoundsDesk(
                    outside: outside, workspace: workspace,
                    track: StepTrack(work.steps, isWanted: { !left.isNothing })), kept: kept)
            result = try await site.rounds.threads.run { exchange.run(table) }
            if let stored = workspace.saved(.participant).flatMap({
                try? JSONDecoder().decode(Stored.self, from: Data($0)).state.party?.blinded.points
            }) {
                points.insert(stored)
            }
            try #require(times < 500)
        }
        #expect(times > 3 && points.count == 1)
        let found = try #require(
            kept.saved(.intersection).flatMap {
                try? JSONDecoder().decode(KeptIntersection.self, from: Data($0))
            })
        #expect(found.size == 60 && found.identifiers?.count == 60)
        // What cannot be read is not begun anew.
        #expect(workspace.save(Array("{}".utf8), to: .participant))
        let outside = Outside(
            identity: site.signingKey, connection: DirectConnection({ run }),
            pace: Pace(clock: site.clock) { _ in TimeSlot(bound: .milliseconds(1)) }, enters: { _ in true })
        let exchange = IntersectionExchange(
            task: work.task, bounds: work.bounds,
            desk: RoundsDesk(outside: outside, workspace: workspace, track: StepTrack(work.steps)), kept: kept)
        #expect(try await site.rounds.threads.run { exchange.run(table) } == nil)
        #expect(workspace.fault?.contains("does not begin anew under one charge") == true)
    }

    private struct Stored: Decodable {
        struct State: Decodable { let party: IntersectionParty? }
        let state: State
    }

    @Test("What an owner's policy does not name is refused before anything is charged")
    func refusals() async throws {
        let sites = try sites(
            "columns: [person], output: size, recipients: [here], capacity: 100, guesses: 80, approval: automatic")
        let site = sites.sites[0].site
        let request = try asked(sites, for: .first).request
        func refusal(_ change: (inout IntersectionRequest) -> Void) async throws -> String {
            var changed = request
            change(&changed)
            let message = try FederatedSites.request(changed)
            return await problem { _ = try await site.preview(message, as: .ada) }?.detail ?? "not refused"
        }
        #expect(try await refusal { _ in } == "not refused")
        #expect(try await refusal { $0.output = .identifiers }.contains("not which"))
        #expect(try await refusal { $0.recipients = .both }.contains("lets nothing become known to the other site"))
        #expect(try await refusal { $0.columns = ["kind"] }.contains("does not allow to match kind"))
        #expect(try await refusal { $0.columns = ["nothing"] }.contains("there is no column"))
        #expect(
            try await refusal { $0.columns = ["amount"] }.contains(
                "amount cannot be matched: values outside its bounds"))
        #expect(try await refusal { $0.columns = [] }.contains("names 1 to 8 columns"))
        #expect(try await refusal { $0.columns = ["person", "person"] }.contains("each once"))
        #expect(try await refusal { $0.dataset = "none" }.contains("there is no dataset"))
        #expect(try await refusal { $0.dataset = "visits" }.contains("does not allow it"))
        #expect(try await refusal { $0.recipients = .second }.contains("lets nothing become known to the other site"))
        #expect(
            try await refusal { $0.invitation.sites.reverse() }.contains("lets nothing become known to the other site"))
        #expect(
            try await refusal { $0.invitation.sites.append(Data(repeating: 1, count: 32).base64EncodedString()) }
                .contains("an intersection is of two sites"))
        #expect(try await refusal { $0.invitation.sites[1] = $0.invitation.sites[0] }.contains("names a key twice"))
        #expect(
            try await refusal { $0.invitation.sites[1] = Data(repeating: 1, count: 32).base64EncodedString() }
                .contains("does not name the site"))
        #expect(
            try await refusal { $0.invitation.coordinator = "http://127.0.0.1:1" }.contains("the coordinator"))
        // Each brings up to 100, and each allows 80.
        let agreements = try await [
            sites.sites[0].site.preview(FederatedSites.request(request), as: .ada).document,
            sites.sites[0].site.preview(FederatedSites.request(request), as: .ada).document,
        ].map { try JSONDecoder().decode(IntersectionAgreement.self, from: Data(try #require($0).utf8)) }
        do {
            _ = try asked(sites, for: .first).agreed(agreements)
            Issue.record("they agree")
        } catch let problem as Problem {
            #expect(problem.detail == "site 0 brings up to 100 identifiers, and the policy of site 1 allows 80")
        }
        var other = agreements
        other[1].inputs = ["person: text, at most 20 bytes"]
        do {
            _ = try asked(sites, for: .first).agreed(other)
            Issue.record("they agree")
        } catch let problem as Problem {
            #expect(problem.detail.contains("site 0: person: integer; site 1: person: text, at most 20 bytes"))
        }
        #expect(try sites.sites[0].integer("SELECT count(*) FROM uses") == 0)
    }

    @Test("A site whose owner allows fewer guesses than the other brings ends before it reads a row, and says so")
    func tooManyGuesses() async throws {
        let sites = try sites(Self.rule + ", guesses: 100")
        let coordination = try asked(sites)
        // Whoever asks may say what it likes of what the sites agreed on.
        let claimed = IntersectionAgreement(
            inputs: ["person: integer"], parts: [.init(capacity: 120, isPadded: true)], guesses: [1 << 20])
        let created = try coordination.create(at: sites.folder, agreements: [claimed, claimed])
        _ = try sites.connect(created)
        let ids = try await sites.begin(created)
        for (site, id) in zip(sites.sites, ids) {
            while try site.site.jobs(as: .folder).first?.state != .failed {
                try await Task.sleep(for: .milliseconds(20))
            }
            let words = try site.site.read { try RequestEventRow.last(of: id, $0)?.event.words }
            #expect(
                words?.contains("would bring 120 identifiers, and this one's owner allows 100") == true,
                "\(words ?? "none")")
            // Charged it is, since what the other may have learned is not known here.
            #expect(try site.integer("SELECT sum(uses) FROM uses") == 1)
            #expect(try site.site.intersections(as: .folder).first?.size == nil)
        }
    }

    @Test("Uses run out for all and for one; unless a policy says otherwise an owner decides on each")
    func uses() async throws {
        let sites = try sites(Self.rule + ", uses-per-researcher: 1", uses: 2)
        _ = try await made(sites, asked(sites))
        let again = try asked(sites).request
        let refusal = await problem {
            _ = try await sites.sites[0].site.submit(
                FederatedSites.request(again), as: .ada, idempotencyKey: "again")
        }
        #expect(refusal?.detail.contains("uses of shared") == true, "\(refusal?.detail ?? "")")
        let careful = try self.sites(Self.rule.replacing(", approval: automatic", with: ""))
        let result = try await careful.sites[0].site.submit(
            FederatedSites.request(asked(careful).request), as: .ada, idempotencyKey: "run")
        guard case .pending(let summary) = result else { throw Problem.conflict("it did not wait") }
        #expect(summary.state == "pending" && summary.sql.hasPrefix("INTERSECT shared BY person: size for both"))
        let review = try await careful.sites[0].site.review(summary.id, as: .folder)
        #expect(
            review.notes.contains {
                $0.contains("Without differential privacy the owners of both sites learn how many")
            })
        #expect(try careful.sites[0].site.intersections(as: .folder) == [])
    }

    @Test("Owners see beside the budget whose people may be in another site's table too; nobody else does")
    func overlaps() async throws {
        let sites = try sites()
        _ = try await made(sites, asked(sites))
        for place in 0..<2 {
            let site = sites.sites[place].site
            let report = try #require(
                try site.budget(as: .folder).first { $0.population == "people-\(place)" })
            #expect(report.overlaps?.map(\.site) == [sites.sites[1 - place].key])
            #expect(report.overlaps?.first?.dataset == "shared" && report.overlaps?.first?.columns == ["person"])
            #expect(try site.budget(as: .folder).first { $0.population == "patients" }?.overlaps == [])
            #expect(try site.budget(as: .ada).allSatisfy { $0.overlaps == nil })
            #expect(try site.audit(as: .folder).contains { $0.detail.contains(sites.sites[1 - place].key) })
        }
        // With the rows goes what was kept of them.
        let site = sites.sites[0].site
        #expect(try FileManager.default.contentsOfDirectory(atPath: site.folder.kept).count == 1)
        try site.removeDataset("shared")
        #expect(try FileManager.default.contentsOfDirectory(atPath: site.folder.kept) == [])
        #expect(try site.budget(as: .folder).first { $0.population == "people-0" }?.overlaps?.count == 1)
    }
}
