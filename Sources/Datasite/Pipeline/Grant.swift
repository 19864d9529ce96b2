import DatasiteProtocol
import DifferentialPrivacy
import Governance
import Marketplace
import Secrets
import Tables

/// The permission to read rows for one piece of work: a durable reservation, and the tables, opened.
struct Grant<Kind: EngineWork>: ~Copyable {
    let reservation: Reservation
    let work: Kind
    /// In the order of the work's assets.
    let tables: [OpenTables.Opened]
    /// Told when a step is done.
    let track: StepTrack
    /// Where long work keeps what it needs to go on after a crash.
    let workspace: Workspace
    /// What stays here for the site's owners, and never leaves.
    let kept: Workspace
    /// For work that talks to others.
    let outside: Outside
    /// The key by which a population's units are named and divided: secret.
    let clustering: @Sendable (_ population: String) throws -> ClusteringKey
    /// What the salts of a version's committed rows are derived from: secret.
    let commitmentSecret: @Sendable (_ version: String, _ columns: [UInt8]) throws -> Salt

    fileprivate init(
        _ reservation: consuming Reservation, _ work: Kind, _ tables: [OpenTables.Opened], on track: StepTrack,
        in folders: (workspace: Workspace, kept: Workspace), outside: Outside,
        secrets folder: SiteFolder
    ) {
        clustering = { ClusteringKey(siteSecret: try folder.readRowSecret(), population: $0) }
        commitmentSecret = { try folder.commitmentSecret(version: $0, columns: $1) }
        self.outside = outside
        self.reservation = reservation
        self.work = work
        self.tables = tables
        self.track = track
        (workspace, kept) = folders
    }
}

extension Datasite {
    /// Turns a reservation into a grant: the charge that is durable must be the plan's own.
    func grant<Kind: EngineWork>(
        _ reservation: consuming Reservation, to work: Kind, tables: [OpenTables.Opened], track: StepTrack,
        folders: (workspace: Workspace, kept: Workspace), outside: Outside
    ) throws -> Grant<Kind> {
        guard reservation.charge == work.charge else {
            throw Problem.conflict(
                "\(Kind.noun) would now be charged differently; its charge is kept",
                hint: Kind.askAgain)
        }
        return Grant(reservation, work, tables, on: track, in: folders, outside: outside, secrets: folder)
    }
}

/// What an engine computed: already private, with the events that really happened.
struct Outcome<Product: Sendable>: ~Copyable {
    let reservation: Reservation
    let answer: Product
    let events: [PrivacyEvent]

    /// Only of what was measured with the operating system's randomness.
    init(_ reservation: consuming Reservation, _ measured: Measured<Product, SecureRandom>) {
        self.reservation = reservation
        answer = measured.answer
        events = measured.events
    }
}

extension Grant {
    /// Runs the work on the private rows, once. Exact numbers live and end inside it; what comes back is noisy. nil: a
    /// fault of the machine.
    static func run(_ grant: consuming Grant) -> Outcome<Kind.Product>? {
        var randomness = SecureRandom()
        guard let measured = grant.work.run(grant, using: &randomness) else { return nil }
        return Outcome(grant.reservation, measured)
    }
}

/// What may leave: the only value that is encoded into a document.
struct Release<Product: Sendable>: Sendable {
    let request: String
    let charge: Charge
    let answer: Product

    fileprivate init(request: String, charge: Charge, answer: Product) {
        self.request = request
        self.charge = charge
        self.answer = answer
    }

    /// The same release, of which something else is told that follows from it and from what was let out before.
    func replacing(answer: Product) -> Release { Release(request: request, charge: charge, answer: answer) }
}

/// The one maker of releases: it refuses an outcome whose events its reservation does not cover.
enum ReleaseGate {
    /// The events cost more than was reserved, or one of them is not known: a defect, never the asker's fault.
    struct NotCovered: Error {}

    static func open<Product>(_ outcome: consuming Outcome<Product>) throws(NotCovered) -> Release<Product> {
        let charge = outcome.reservation.charge
        guard covers(charge, outcome.events) else { throw NotCovered() }
        return Release(request: outcome.reservation.request, charge: charge, answer: outcome.answer)
    }

    private static func covers(_ charge: Charge, _ events: [PrivacyEvent]) -> Bool {
        guard let reserved = charge.loss else { return events.isEmpty }
        guard let spent = try? PrivacyEvent.composition(events).loss(kind: reserved.kind) else { return false }
        return spent.isCovered(by: reserved)
    }
}
