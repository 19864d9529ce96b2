import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Marketplace
import Query
import Secrets
import Tables
import TransparencyLog

/// Opening validation rows to the referee of a market's dispute: the only engine whose release holds rows. Which ones follows from the market's log alone, and they are those that the
/// sponsor committed to before anybody trained (docs/privacy.md, rule 34).
struct OpenedRowsWork: EngineWork {
    static let engine = OpenedRowsRule.engine
    static let noun = "opening validation rows"
    static let roles: Set<DatasiteProtocol.Role> = [.researcher]
    static let isAllowedUnlessSaid = false

    /// What leaves. It prints nothing.
    struct Opened: Sendable, CustomReflectable {
        let head: TreeHead
        let rows: [OpenedRow]

        var customMirror: Mirror { Mirror(self, children: []) }
    }

    let task: OpenedRowsTask
    let bound: PlanBound

    var assets: [Catalogue.Entry] { [task.entry] }
    var charge: Charge { Charge(loss: nil, uses: 1) }

    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        task = try OpenedRowsTask(try Self.request(body), in: knowledge.catalogue)
        let most = task.committed.contents.mostBytes
        bound = task.bound(
            knowledge.timings.measured("committed rows \(most)") { [OpenedRowsTask.nanoseconds(most)] }[0])
    }

    // MARK: The request

    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8] {
        try AnswerEncoding.bytes(OpenedRowsRequest(request))
    }

    static func request(_ body: [UInt8]) throws -> OpenedRowsRequest {
        try JSONDecoder().decode(OpenedRowsRequest.self, from: Data(body))
    }

    static func words(_ body: [UInt8]) -> String {
        (try? request(body)).map { request in
            let task = request.draw.map { ", for a dispute about the task \($0.task.hex.prefix(16))" } ?? ""
            return "OPEN \(request.rows) ROWS OF \(request.dataset) TO A REFEREE\(task)"
        } ?? ""
    }

    /// A task draws once: by other checkpoints, or in other numbers, more and more rows would be opened.
    func refusal(to asker: String, in db: Database) throws -> Problem? {
        let earlier = try String.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT requests.id FROM requests JOIN request_assets a ON a.request = requests.id
                    WHERE engine = :engine AND a.version = :version AND (state = 'pending' OR \(RequestRow.isSpent))
                    """), arguments: ["engine": Self.engine.rawValue, "version": task.entry.version])
        for id in earlier {
            guard let row = try RequestRow.find(id, db), let drawn = try? Self.request(row.body).draw,
                drawn.task == task.draw.task, drawn != task.draw
            else { continue }
            return .conflict(
                "of this task \(drawn.count) rows were drawn by the checkpoint \(drawn.checkpoint.hex.prefix(16)), and a task draws once",
                hint: "all its referees ask with that checkpoint, for as many rows, and get the same ones")
        }
        return nil
    }

    // MARK: The run

    func run(
        _ grant: borrowing Grant<OpenedRowsWork>, using randomness: inout SecureRandom
    ) -> Measured<Opened, SecureRandom>? {
        guard case .table(let table) = grant.tables[0],
            let key = try? grant.clustering(task.entry.manifest.population),
            let secret = try? grant.commitmentSecret(task.entry.version, task.committed.text),
            let (tree, rows) = try? task.committed.tree(table, key, secret: secret)
        else { return nil }
        // What the policy says, and the task's terms do: an owner's slip, and no row's.
        guard tree.commitment == task.proved.terms.goal.validation else {
            grant.workspace.note(
                "the policy's `commitment` is not that of its version and columns: `parley data commit` prints it")
            return nil
        }
        let opened = task.draw.places(of: rows.count).compactMap { place in
            try? tree.opened(place, task.committed.contents.bytes(table, row: rows[place]))
        }
        return Measured(answer: Opened(head: tree.head, rows: opened), events: [])
    }

    // MARK: What leaves

    var inputPrivacy: String? {
        "the rows that were drawn left the datasite as they are, in \(task.rule.columns.joined(separator: ", ")) alone; the others stayed, and so did what their salts are made from"
    }
    var outputPrivacy: String? {
        "no differential privacy: \(task.promise) become known to whoever asked, one of \(task.rule.referees.count) whom the owner's policy names; one use counted against the owner's limit"
    }
    var inputVerification: String? {
        "that the rows are those to which the sponsor committed before the task was funded, and that the market's log drew them, is shown by their salts and paths; that they are true is not verified"
    }

    func document(_ release: Release<Opened>, _ terms: ReleaseTerms) throws -> [UInt8] {
        let opened = release.answer
        return try AnswerEncoding.bytes(
            ReleasedRows(
                request: release.request, dataset: task.entry.manifest.name, version: task.entry.version,
                task: task.draw.task, checkpoint: task.draw.checkpoint,
                columns: String(decoding: task.committed.text, as: UTF8.self), head: opened.head, rows: opened.rows,
                charge: terms.charge, notes: task.notes + terms.timeNotes, guarantees: terms.guarantees,
                nonce: Nonce.new()))
    }

    func review(at site: Datasite) throws -> WorkReview {
        WorkReview(
            notes: task.notes + [
                "The market's log proves that the sponsor declared, and which checkpoint came behind it. It does not prove that a dispute is open: look at the market before you approve."
            ])
    }
}

/// Which rows are opened, of what: from request, manifest and policy alone.
struct OpenedRowsTask: Sendable {
    let request: OpenedRowsRequest
    let entry: Catalogue.Entry
    let rule: OpenedRowsRule
    let proved: DrawProof.Proved
    let draw: OpenedRows.Draw
    let committed: CommittedRows

    /// The most bytes of rows that one answer holds.
    static let mostBytes = 24 << 20

    init(_ request: OpenedRowsRequest, in catalogue: Catalogue) throws {
        self.request = request
        guard let entry = catalogue.datasets[request.dataset] else { throw catalogue.absent(request.dataset) }
        self.entry = entry
        let engine = OpenedRowsWork.engine
        guard let rule = entry.policy?.rule(for: engine, isAllowedUnlessSaid: false)?.openedRows,
            let market = Digest256(rule.market), let commitment = Digest256(rule.commitment),
            let operatorKey = Digest256(rule.operatorKey).flatMap(PartyKey.init),
            let sponsorKey = Digest256(rule.sponsorKey).flatMap(PartyKey.init)
        else { throw Problem.notAllowed("the dataset's policy does not allow \(OpenedRowsWork.noun)") }
        self.rule = rule
        do throws(DrawProofError) {
            proved = try request.proof.verify(market: market, operatorKey: operatorKey, sponsorKey: sponsorKey)
        } catch { throw Problem.invalidRequest("the proof of the draw: \(error)") }
        draw = OpenedRows.Draw(task: proved.task, checkpoint: proved.checkpoint, count: request.rows)
        guard proved.terms.goal.validation == commitment else {
            throw Problem.notAllowed(
                "the task's terms are committed to other rows than those that the owner's policy opens")
        }
        guard rule.version == entry.version else {
            throw Problem.notAllowed(
                "the owner's policy opens rows of another version of \(entry.manifest.name): those are not there any more"
            )
        }
        guard (OpenedRows.least...rule.rows).contains(request.rows) else {
            throw Problem.notAllowed(
                "'rows' is \(request.rows), and the owner's policy opens \(OpenedRows.least) to \(rule.rows) rows of a task"
            )
        }
        committed = try CommittedRows(rule.columns, of: entry.manifest.schema)
        let rows = min(request.rows, entry.manifest.capacityRows)
        guard committed.contents.mostBytes <= Self.mostBytes / rows else {
            throw Problem.invalidRequest(
                "\(rows) rows of \(committed.contents.mostBytes) bytes are more than an answer holds",
                hint: "at most \(Self.mostBytes >> 20) MiB: fewer rows, or an owner who opens fewer columns")
        }
    }

    // MARK: Words

    /// What becomes known.
    var promise: String {
        "\(rule.columns.joined(separator: ", ")) of \(request.rows) rows (of all, where there are fewer) of the half of \(entry.manifest.name) that finals are measured on, and how many rows this half has,"
    }

    var notes: [String] {
        [
            "Opened for a dispute about the declaration of the task \(draw.task) in the market \(hexadecimal(rule.market)): \(promise) become known to a referee.",
            "The checkpoint \(draw.checkpoint), signed behind the declaration, drew them.",
        ]
    }

    // MARK: What it takes

    /// Of a row so long: its salt, its leaf, and two nodes of the tree.
    static func nanoseconds(_ bytes: Int) -> Double {
        let count = 256
        let content = [UInt8](repeating: 7, count: bytes)
        return WorkCalibration.nanoseconds {
            var tree = ValidationTree(columns: [], secret: Salt(.sha256([])))
            for _ in 0..<count { try? tree.append(content) }
        } / Double(count)
    }

    /// The most work and memory, whatever the rows hold (docs/privacy.md, rule 26): the half may hold nearly all of them.
    func bound(_ nanoseconds: Double) -> PlanBound {
        let (count, bytes) = (Double(entry.manifest.capacityRows), Double(committed.contents.mostBytes))
        let fields = Double(committed.contents.columns.count + committed.contents.arrays.count + 1)
        let opened = min(Double(request.rows), count)
        let hashing = Work([
            .measured: (count + opened) * nanoseconds, .format: count * fields, .byte: 2 * count * bytes,
            .probe: count, .scan: 1,
        ])
        return PlanBound(
            work: entry.dividing + hashing, memory: 96 * count + opened * (8 * bytes + 16_384))
    }
}
