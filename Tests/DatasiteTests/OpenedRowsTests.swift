import DatasiteProtocol
import Foundation
import GRDB
import Governance
import Marketplace
import Query
import Secrets
import Tables
import Testing
import TransparencyLog

@testable import Datasite

/// A sponsor's site, whose policy opens rows to two referees, and a market in which she declared.
struct OpenedRowsSite {
    let test: TestSite
    var site: Datasite { test.site }
    var market = MadeMarket()
    let committed: ValidationCommitment
    var proof: DrawProof

    static let columns = ["kind", "amount"]
    static let bea = Identity(name: "bea", role: .researcher)
    static let cy = Identity(name: "cy", role: .researcher)

    /// - Parameter approval: Of opening; nil: as it is unless said.
    init(people: Int = 600, approval: String? = "automatic", change: (String) -> String = { $0 }) throws {
        test = try TestSite(people: people, researchers: ["ada", "bea", "cy"])
        committed = try test.site.commitValidation(of: "visits", columns: Self.columns, as: .folder)
        proof = try market.task(committed: committed.commitment)
        try allow(approval: approval, change: change)
    }

    func allow(approval: String? = "automatic", change: (String) -> String = { $0 }) throws {
        try site.setPolicy(of: "visits", policyText: change(policy(approval: approval)))
    }

    func policy(approval: String?) -> String {
        "{loss: pure, total: {epsilon: 10}, engines: {questions: {}, opened-rows: {market: \(market.id), operator: \(market.operatorSigner.publicKey), sponsor: \(market.sponsor.publicKey), "
            + "referees: [ada, bea], columns: [\(committed.columns.joined(separator: ", "))], rows: 500, version: \(committed.version), commitment: \(committed.commitment), uses: 9"
            + (approval.map { ", approval: \($0)" } ?? "") + "}}}"
    }

    func request(_ proof: DrawProof? = nil, rows: Int = 400) -> OpenedRowsRequest {
        OpenedRowsRequest(dataset: "visits", rows: rows, proof: proof ?? self.proof)
    }

    func open(_ request: OpenedRowsRequest? = nil, as identity: Identity = .ada, key: String? = nil) async throws
        -> ReleasedRows
    {
        let result = try await site.openRows(request ?? self.request(), as: identity, idempotencyKey: key)
        guard let answer = result.answer else { throw Problem.conflict("nothing was released") }
        return try Self.released(answer)
    }

    static func released(_ bytes: [UInt8]) throws -> ReleasedRows {
        try JSONDecoder().decode(ReleasedRows.self, from: Data(bytes))
    }

    /// As a referee knows it.
    func draw(rows: Int = 400) throws -> OpenedRows.Draw {
        let proved = try proof.verify(
            market: market.id, operatorKey: market.operatorSigner.publicKey, sponsorKey: market.sponsor.publicKey)
        return OpenedRows.Draw(task: proved.task, checkpoint: proved.checkpoint, count: rows)
    }

    func check(_ released: ReleasedRows, rows: Int = 400) throws {
        try released.verify(commitment: committed.commitment, draw: draw(rows: rows))
    }

    func uses(by name: String = "ada") throws -> Int64 {
        try site.read { try UseLedger.spent(of: "visits", engine: OpenedRowsRule.engine, by: name, in: $0).own }
    }

    func refusal(_ request: OpenedRowsRequest? = nil, as identity: Identity = .ada) async -> Problem? {
        await problem { _ = try await open(request, as: identity) }
    }
}

@Suite("Rows that are opened to a market's referee", .timeLimit(.minutes(20)))
struct OpenedRowsTests {
    // MARK: What is opened

    @Test(
        "A referee gets the rows that were drawn, of those that were committed to, as they are; another one gets the same, and nobody else any"
    )
    func whole() async throws {
        let site = try OpenedRowsSite()
        let result = try await site.site.openRows(site.request(), as: .ada, idempotencyKey: "k")
        let bytes = try #require(result.answer)
        let opened = try OpenedRowsSite.released(bytes)
        try site.check(opened)
        #expect(opened.rows.count == 400 && opened.head.size > 400 && opened.head.size < 1_200)
        #expect(opened.rows.map(\.index) == (try site.draw().places(of: Int(opened.head.size))))

        // They are the table's: as many of each kind and amount at the most.
        let (columns, rows) = try opened.table
        #expect(columns == ["row", "kind", "amount"])
        var there: [String: Int] = [:]
        for line in TestSite.rows(people: 600).split(separator: "\n").dropFirst() {
            there[line.split(separator: ",").dropFirst().joined(separator: ","), default: 0] += 1
        }
        for row in rows {
            guard case .text(let kind) = row[1], case .integer(let amount) = row[2] else {
                Issue.record("not a row of the table")
                return
            }
            there["\(kind),\(amount)", default: 0] -= 1
        }
        #expect(there.values.allSatisfy { $0 >= 0 })

        // What it says of itself.
        #expect(opened.guarantees.outputPrivacy.hasPrefix("no differential privacy: kind, amount of 400 rows"))
        #expect(opened.guarantees.outputPrivacy.contains("one use counted"))
        #expect(opened.charge.uses == 1 && opened.charge.epsilon == nil)
        let receipt = try Receipt(decoding: try #require(result.receipt)).body
        #expect(receipt.engine == "opened-rows" && receipt.answerDigest == sha256Hex(bytes))
        #expect(try site.test.spent() == 0 && site.uses() == 1)
        #expect("\(opened) \(opened.rows[0]) \(opened.rows[0].salt)" == "ReleasedRows OpenedRow Salt")

        let other = try await site.open(as: OpenedRowsSite.bea)
        #expect(other.rows == opened.rows && other.head == opened.head)
        let stranger = await site.refusal(as: OpenedRowsSite.cy)
        #expect(stranger?.detail == "the dataset's policy names who may ask, and you are not named")
        #expect(try site.uses(by: "cy") == 0 && site.site.verify().problems == [])
        // Nothing of a row stands in the journal.
        let journal = try site.test.read("SELECT CAST(entry AS BLOB) FROM journal").joined()
        #expect(journal.contains("OPEN 400 ROWS OF visits TO A REFEREE"))
        #expect(!opened.rows.contains { journal.contains($0.content.base64EncodedString()) })
    }

    @Test(
        "The half is the one that finals are measured on, whose rows the commitment holds in one order, and of one version it is always the same"
    )
    func half() async throws {
        let site = try OpenedRowsSite()
        let opened = try await site.open()
        let table = try site.site.table(try #require(try site.site.catalogue().datasets["visits"]))
        let key = ClusteringKey(siteSecret: try site.site.folder.readRowSecret(), population: "patients")
        let counted = try EvaluationTask(EvaluationSite.request(), in: try site.site.catalogue()).counts(
            table, key, .final)
        #expect(counted.map { $0[0] + $0[1] } == Int64(opened.head.size))
        let again = try site.test.reopened().commitValidation(
            of: "visits", columns: OpenedRowsSite.columns, as: .folder)
        #expect(again == site.committed)
        for columns in [["amount", "kind"], ["kind"], ["kind", "amount", "person"]] {
            let other = try site.site.commitValidation(of: "visits", columns: columns, as: .folder)
            #expect(other.commitment != site.committed.commitment)
        }
        _ = try site.site.addVersion(of: "visits", file: try site.test.file("same", TestSite.rows(people: 600)))
        let version = try site.site.commitValidation(of: "visits", columns: OpenedRowsSite.columns, as: .folder)
        #expect(version.commitment != site.committed.commitment)
        let refusal = await problem {
            _ = try site.site.commitValidation(of: "visits", columns: ["kind"], as: .ada)
        }
        #expect(refusal?.kind == .forbidden)
        for columns in [[], ["kind", "kind"], ["height"]] {
            let wrong = await problem {
                _ = try site.site.commitValidation(of: "visits", columns: columns, as: .folder)
            }
            #expect(wrong?.kind == .invalidRequest)
        }
    }

    @Test("A sponsor who lies about a score is found out by the rows, and an honest one is not")
    func lies() async throws {
        let site = try OpenedRowsSite()
        let opened = try await site.open()
        // Half of the rows are of kind a; the model says so of each.
        let (right, rows) = try opened.measure(
            data: EvaluationSite.data, model: EvaluationSite.architecture, weights: EvaluationSite.weights())
        #expect(right == (try opened.table.rows.count { $0[1] == .text("a") }) && rows == 400)
        let task = try EvaluationTask(EvaluationSite.request(), in: try site.site.catalogue())
        let key = ClusteringKey(siteSecret: try site.site.folder.readRowSecret(), population: "patients")
        let all = try #require(task.counts(try site.site.table(task.entry), key, .final))
        let honest = Double(all[0]) / Double(all[0] + all[1])
        func test(_ declared: Double) throws -> DeclaredScoreTest {
            try #require(
                DeclaredScoreTest(right: right, rows: rows, declared: declared, tolerance: 0.01, falseAlarm: 1e-6))
        }
        #expect(try test(honest).isPlausible)
        // 400 rows have a standard error of 0.025.
        for lie in [honest + 0.2, honest - 0.2, 1, 0] { #expect(try !test(lie).isPlausible, "\(lie)") }
        // A model that looks at its input is measured on it as the site does.
        let looking = EvaluationSite.weights([0, -0.5, -9], weight: [0, 1, 0])
        let table = try opened.table.rows
        let expected = table.count { row in
            guard case .integer(let amount) = row[2] else { return false }
            return row[1] == .text(amount > 50 ? "b" : "a")
        }
        #expect(
            try opened.measure(data: EvaluationSite.data, model: EvaluationSite.architecture, weights: looking).right
                == expected)
        for (data, words) in [
            (EvaluationRequest.data(dataset: "v", features: ["person"], label: "kind"), "no column “person”"),
            (EvaluationRequest.data(dataset: "v", features: ["kind"], label: "amount"), "no declared domain"),
        ] {
            let wrong = await problem {
                _ = try opened.measure(data: data, model: EvaluationSite.architecture, weights: looking)
            }
            #expect(wrong?.detail.contains(words) == true, "\(wrong?.detail ?? "")")
        }
    }

    @Test("Where there are fewer rows than are opened, all are")
    func few() async throws {
        let site = try OpenedRowsSite(people: 60)
        let opened = try await site.open()
        try site.check(opened)
        #expect(opened.rows.map(\.index) == Array(0..<Int(opened.head.size)) && opened.rows.count < 120)
    }

    @Test(
        "A row, salt, path, place, number of rows or meaning that was changed is found, and so is one that was left out"
    )
    func changed() async throws {
        let site = try OpenedRowsSite()
        let opened = try await site.open()
        func found(_ change: (inout ReleasedRows) throws -> Void) rethrows -> OpenedRowsError? {
            var other = opened
            try change(&other)
            do {
                try site.check(other)
                return nil
            } catch { return error as? OpenedRowsError }
        }
        let place = opened.rows[7].index
        #expect(found { $0.rows[7].content[0] ^= 1 } == .row(place))
        #expect(found { $0.rows[7].content.append(0) } == .row(place))
        #expect(found { $0.rows[7].salt = .fresh() } == .row(place))
        #expect(found { $0.rows[7].path[0] = .emptyTree } == .row(place))
        #expect(found { $0.rows[7].path.removeLast() } == .row(place))
        #expect(found { $0.rows[7].path = [] } == .row(place))
        #expect(found { $0.rows.swapAt(7, 8) } == .drawn(expected: 400, found: 400))
        #expect(found { $0.rows.removeLast() } == .drawn(expected: 400, found: 399))
        #expect(found { $0.rows.append($0.rows[7]) } == .drawn(expected: 400, found: 401))
        // Another row of the tree in the place of a drawn one.
        #expect(
            found {
                let rows = $0.rows
                $0.rows[7] = rows[8]
                $0.rows[7].index = rows[7].index
            } == .row(place))
        #expect(found { $0.head = TreeHead(size: $0.head.size - 1, root: $0.head.root) } == .commitment)
        #expect(found { $0.head = TreeHead(size: $0.head.size, root: .emptyTree) } == .commitment)
        #expect(found { $0.columns = $0.columns.replacing("amount", with: "amounts") } == .commitment)
        #expect(throws: OpenedRowsError.commitment) {
            try opened.verify(commitment: .sha256([]), draw: try site.draw())
        }
        // By another checkpoint other rows are drawn.
        var draw = try site.draw()
        draw.checkpoint = .sha256([])
        #expect(throws: OpenedRowsError.drawn(expected: 400, found: 400)) {
            try opened.verify(commitment: site.committed.commitment, draw: draw)
        }
    }

    // MARK: The proof

    @Test(
        "A proof that proves no draw opens nothing: forged, of another market, of another task, or from before the declaration"
    )
    func forged() async throws {
        var site = try OpenedRowsSite()
        let proof = site.proof
        func refused(_ words: String, _ change: (inout DrawProof) throws -> Void) async throws {
            var other = proof
            try change(&other)
            let refusal = await site.refusal(site.request(other))
            #expect(
                refusal?.status == 400 && refusal?.detail.contains(words) == true,
                "\(words): \(refusal?.detail ?? "accepted")")
        }
        try await refused("the checkpoint's entry: expected the operator's, of this task") { $0.checkpoint[3] ^= 1 }
        try await refused("the checkpoint's entry: expected the bytes") { $0.drawing.entry[9] ^= 1 }
        try await refused("the checkpoint's entry: expected an entry that is signed under") {
            $0.drawing.entry[$0.drawing.entry.count - 1] ^= 1
        }
        try await refused("the proof of the declaration: expected one of this entry") {
            $0.declaration.proof = $0.funding.proof
        }
        try await refused("the proof of the declaration: expected a .tlog-proof") { $0.declaration.proof = [] }
        try await refused("the declaration: expected an entry that declares") { $0.declaration = $0.funding }
        try await refused("the funding: expected an entry that funds a task") { $0.funding = $0.declaration }
        try await refused("the terms: expected the entry that drafted") { $0.terms = $0.funding.entry }
        try await refused("the terms: expected the bytes of a signed entry") { $0.terms = [] }

        // A checkpoint that somebody else signed.
        let stranger = SecureRandom.bytes(32)
        let drawing = site.market.entries.count - 1
        let forged = try site.market.logged(drawing, seed: stranger)
        try await refused("the proof of the checkpoint's entry: expected a checkpoint that") { $0.drawing = forged }

        // The operator brings a forged one, and one that was signed before the declaration: its tree does not hold it.
        guard case .task(let task, _) = site.market.entries[1].request.action else { return }
        for (checkpoint, words) in [
            (
                try site.market.checkpoint(4, seed: stranger).bytes,
                "the checkpoint: expected one that the market's operator signed"
            ),
            (try site.market.checkpoint(2).bytes, "the checkpoint: expected one that is over the declaration"),
        ] {
            let place = try site.market.add(
                .task(task, .checkpoint(.sha256(checkpoint))), by: site.market.operatorSigner, "clerk")
            let logged = try site.market.logged(place)
            try await refused(words) { ($0.checkpoint, $0.drawing) = (checkpoint, logged) }
        }
        // Somebody else says it is the operator's.
        let other = MadeMarket.signer()
        let place = try site.market.add(.task(task, .checkpoint(.sha256(proof.checkpoint))), by: other, "clerk")
        let logged = try site.market.logged(place)
        try await refused("the checkpoint's entry: expected an entry that is signed under") { $0.drawing = logged }
        // Of another market, whole and sound.
        var second = MadeMarket()
        let foreign = try second.task(committed: site.committed.commitment)
        try await refused("the funding: expected an entry of the market \(site.market.id)") { $0 = foreign }
        // Entries of one market that are signed for another.
        let mixed = try site.market.add(
            .task(task, .declare(MadeMarket.verdict(0.9))), by: site.market.sponsor, "sue", in: second.id)
        let mixedLogged = try site.market.logged(mixed)
        try await refused("the declaration: expected an entry of the market") { $0.declaration = mixedLogged }
        #expect(try site.uses() == 0)
    }

    @Test("What is sent is read strictly, and no more of it than a proof can be")
    func strict() async throws {
        let site = try OpenedRowsSite()
        func sent(_ change: (inout [String: Any]) -> Void) async throws -> Problem? {
            var members = try #require(
                try JSONSerialization.jsonObject(with: JSONEncoder().encode(site.request())) as? [String: Any])
            change(&members)
            let body = try JSONSerialization.data(
                withJSONObject: ["engine": OpenedRowsRequest.engine, "request": members])
            return await problem { _ = try await site.site.submit(try WorkRequest(decoding: [UInt8](body)), as: .ada) }
        }
        #expect(try await sent { _ in } == nil)
        for (key, value, words) in [
            ("funding", "%%%" as Any, "'funding' is no entry"),
            ("terms", String(repeating: "A", count: 100_000), "'terms' is no entry"),
            ("drawingProof", String(repeating: "A", count: 70_000), "'drawingProof' has at most 64 KiB"),
            ("checkpoint", 7, "'request.checkpoint' must be text, not"), ("rows", 399, "'rows' is 399"),
            ("rows", 501, "opens 400 to 500 rows"), ("dataset", "visit", "there is no dataset"),
            ("more", "x", "unknown key"),
        ] {
            let refusal = try await sent { $0[key] = value }
            #expect(refusal?.detail.contains(words) == true, "\(key): \(refusal?.detail ?? "accepted")")
        }
    }

    @Test(
        "A task draws once: another checkpoint or another number of rows is refused, to every referee, and opens nothing"
    )
    func once() async throws {
        var site = try OpenedRowsSite()
        let first = try await site.open()
        guard case .task(let task, _) = site.market.entries[1].request.action else { return }
        let second = try site.market.drawn(task, draft: 0, funding: 1, declaration: 2)
        for (request, identity) in [
            (site.request(second), Identity.ada), (site.request(second), OpenedRowsSite.bea),
            (site.request(rows: 500), OpenedRowsSite.bea),
        ] {
            let refusal = await site.refusal(request, as: identity)
            #expect(refusal?.kind == .conflict && refusal?.detail.contains("a task draws once") == true)
        }
        // The same draw, proved by a later log.
        var later = site.proof
        (later.funding, later.declaration) = (try site.market.logged(1), try site.market.logged(2))
        later.drawing = try site.market.logged(3)
        #expect(later != site.proof)
        #expect(try await site.open(site.request(later), as: OpenedRowsSite.bea).rows == first.rows)
        // Another task of hers is another draw.
        let other = try site.market.task(committed: site.committed.commitment)
        #expect(try await site.open(site.request(other)).rows.map(\.index) != first.rows.map(\.index))
        #expect(try site.uses() == 2 && site.uses(by: "bea") == 1)
    }

    @Test("One that waits for an owner draws already; one that she denied does not")
    func waiting() async throws {
        var site = try OpenedRowsSite(approval: nil)
        guard case .pending(let waiting) = try await site.site.openRows(site.request(), as: .ada) else {
            Issue.record("opened without an approval")
            return
        }
        let preview = try site.site.requests(as: .folder)
        #expect(preview.map(\.sql).first?.hasPrefix("OPEN 400 ROWS OF visits TO A REFEREE, for a dispute") == true)
        guard case .task(let task, _) = site.market.entries[1].request.action else { return }
        let second = try site.market.drawn(task, draft: 0, funding: 1, declaration: 2)
        #expect(await site.refusal(site.request(second), as: OpenedRowsSite.bea)?.kind == .conflict)
        _ = try await site.site.deny(waiting.id, by: .folder, reason: "no dispute is open")
        guard case .pending(let next) = try await site.site.openRows(site.request(second), as: OpenedRowsSite.bea)
        else {
            Issue.record("opened without an approval")
            return
        }
        // A referee whom the policy does not name any more gets nothing.
        try site.allow(approval: nil) { $0.replacing("[ada, bea]", with: "[ada]") }
        let lapsed = await problem { _ = try await site.site.approve(next.id, by: .folder) }
        #expect(lapsed?.detail.contains("bea is not named") == true, "\(lapsed?.detail ?? "")")
        try site.allow(approval: nil)
        guard case .pending(let last) = try await site.site.openRows(site.request(second), as: .ada) else { return }
        _ = try await site.site.approve(last.id, by: .folder)
        let opened = try OpenedRowsSite.released(try await site.site.answer(last.id, as: .ada))
        site.proof = second
        try site.check(opened)
        #expect(opened.guarantees.flowGovernance.contains("approved by"))
    }

    // MARK: The policy

    @Test(
        "Nothing is opened that the policy does not name: no engine, another version, other rows, other keys, a slip in the commitment"
    )
    func policies() async throws {
        let site = try OpenedRowsSite()
        func refused(_ words: String, _ change: (String) -> String) async throws {
            try site.allow(change: change)
            let refusal = await site.refusal()
            #expect(refusal?.detail.contains(words) == true, "\(words): \(refusal?.detail ?? "accepted")")
        }
        let policy = site.policy(approval: "automatic")
        try await refused("does not allow opening validation rows") { _ in "{loss: pure, total: {epsilon: 10}}" }
        let other = MadeMarket.signer().publicKey
        for (key, words) in [
            (site.market.operatorSigner.publicKey, "a checkpoint that the market's operator signed"),
            (site.market.sponsor.publicKey, "the funding: expected an entry that is signed under"),
        ] {
            try await refused(words) { $0.replacing("\(key)", with: "\(other)") }
        }
        try await refused("of the market \(Digest256.sha256([]))") {
            $0.replacing("\(site.market.id)", with: "\(Digest256.sha256([]))")
        }
        try await refused("committed to other rows") {
            $0.replacing("\(site.committed.commitment)", with: "\(Digest256.sha256([]))")
        }
        try await refused("rows of another version") { $0.replacing("version: ", with: "version: 0") }
        try await refused("there is no column “height”") { $0.replacing("columns: [kind", with: "columns: [height") }
        #expect(try site.uses() == 0)
        // The columns are not the ones that were committed to: found when rows are read, and nothing leaves.
        try await refused("the policy's `commitment` is not that of its version and columns") {
            $0.replacing("columns: [kind, amount]", with: "columns: [amount, kind]")
        }
        #expect(try site.uses() == 1)
        #expect(try site.test.integer("SELECT count(*) FROM answers") == 0)

        for (part, with, words) in [
            ("market: \(site.market.id), ", "", "the key `market` is missing"),
            ("sponsor: ", "sponsors: ", "sponsors"), ("referees: [ada, bea]", "referees: []", "expected 1 to"),
            ("rows: 500", "rows: 399", "expected 400 to"), ("rows: 500", "rows: many", "a number of rows"),
            (", uses: 9", "", "the key `uses` is missing"), ("uses: 9", "uses: 1001", "above 1000"),
            ("\(site.market.operatorSigner.publicKey)", "7", "an Ed25519 key of 64 hexadecimal digits"),
            ("\(site.committed.commitment)", "7", "64 hexadecimal digits"),
            ("columns: [kind, amount], ", "", "the key `columns` is missing"),
            ("referees: [ada, bea], ", "", "the key `referees` is missing"),
        ] {
            let text = policy.replacing(part, with: with)
            let wrong = await problem { try site.site.setPolicy(of: "visits", policyText: text) }
            #expect(wrong?.all.contains(words) == true, "\(part): \(wrong?.all ?? "accepted")")
        }
        try site.allow()
        let work = try site.site.dataset("visits").work
        #expect(work?.contains { $0.contains("opens kind, amount of version") && !$0.contains("ada") } == true)
        #expect(try Policy.doubtful(site, "columns: [kind", "columns: [height").contains("names height"))
    }

    @Test("As often as the policy says, and no more")
    func uses() async throws {
        let site = try OpenedRowsSite { $0.replacing("uses: 9", with: "uses: 2, uses-per-researcher: 1") }
        _ = try await site.open()
        #expect(await site.refusal()?.detail.contains("uses") == true)
        _ = try await site.open(as: OpenedRowsSite.bea)
        #expect(try site.uses() == 1 && site.uses(by: "bea") == 1)
    }

    @Test("Time and memory follow from the declared capacity and the request, whatever the rows are")
    func bounds() throws {
        func bound(_ people: Int) throws -> PlanBound {
            let site = try OpenedRowsSite(people: people)
            let body = try AnswerEncoding.bytes(site.request())
            return try site.site.planned(OpenedRowsWork.self, body, in: try site.site.catalogue(), isLimited: true).work
                .bound
        }
        let bounds = [try bound(3), try bound(900)]
        #expect(bounds[0].memory == bounds[1].memory && bounds[0].memory < 1e8)
    }

    // MARK: Crashes

    @Test("What a crash cut short is completed once under its charge, and a retry gives the stored bytes")
    func crashed() async throws {
        let site = try OpenedRowsSite()
        let body = try AnswerEncoding.bytes(site.request())
        let planned = try site.site.planned(OpenedRowsWork.self, body, in: try site.site.catalogue(), isLimited: true)
        let attempt = ReserveAttempt(
            planned, Submission(engine: OpenedRowsWork.self, body: body, key: "k"), asker: .ada, waits: false)
        guard case .reserved(let id, _) = try await site.site.commit.perform({ try attempt.run(in: &$0) }) else {
            throw Problem.unavailable("not reserved")
        }
        #expect(try site.uses() == 1 && site.test.integer("SELECT count(*) FROM answers") == 0)
        // Behind the crash the draw stands, though nothing was opened.
        #expect(await site.refusal(site.request(rows: 500), as: OpenedRowsSite.bea)?.kind == .conflict)
        let after = try site.test.reopened()
        async let one = after.openRows(site.request(), as: .ada, idempotencyKey: "k")
        async let two = site.site.answer(id, as: .ada)
        let (first, second) = try await (one, two)
        #expect(first.answer == second && first.answer != nil)
        let again = try await site.site.openRows(site.request(), as: .ada, idempotencyKey: "k")
        #expect(again == first)
        #expect(try site.uses() == 1)
        let other = await problem {
            _ = try await site.site.openRows(site.request(rows: 450), as: .ada, idempotencyKey: "k")
        }
        #expect(other?.kind == .conflict)
        try site.check(try OpenedRowsSite.released(second))
        #expect(try site.site.verify().problems == [])
    }
}

extension Problem {
    /// What is wrong, and what would be right.
    fileprivate var all: String { detail + " " + (hint ?? "") }
}

extension Policy {
    /// What of a changed policy cannot be meant.
    fileprivate static func doubtful(_ site: OpenedRowsSite, _ part: String, _ with: String) throws -> String {
        var manifest = try #require(try site.site.catalogue().datasets["visits"]).manifest
        manifest.policy = try PolicyReader.document(site.policy(approval: nil).replacing(part, with: with))
        return manifest.doubts().map(\.message).joined(separator: " ")
    }
}
