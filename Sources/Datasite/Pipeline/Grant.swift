import DatasiteProtocol
import DifferentialPrivacy
import Query
import Secrets
import Tables

/// The permission to read rows for one plan: a durable reservation, the plan, and the private tables. It holds no
/// randomness: the engine that runs it makes its own `SecureRandom`, and an `Outcome` takes no other's noise.
struct Grant: ~Copyable {
    let reservation: Reservation
    let plan: Plan
    let source: RowSource
    let lookups: [LookupTable]
    fileprivate init(_ reservation: consuming Reservation, _ plan: Plan, _ source: RowSource, _ lookups: [LookupTable])
    {
        self.reservation = reservation
        self.plan = plan
        self.source = source
        self.lookups = lookups
    }
}

extension Datasite {
    /// Turns a reservation into a grant: the charge that is durable must be the plan's own.
    func grant(
        _ reservation: consuming Reservation, plan: Plan, source: RowSource, lookups: [LookupTable]
    ) throws -> Grant {
        guard reservation.loss == plan.charge else {
            throw Problem.conflict(
                "the question would now be charged differently; its charge is kept",
                hint: "ask again with a new idempotency key")
        }
        return Grant(reservation, plan, source, lookups)
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

/// Runs a granted plan on the private rows. Exact aggregates live and end inside `Plan.measure`; what comes back is noisy.
enum QueryEngine {
    static func run(_ grant: consuming Grant) -> Outcome<NoisyAnswer> {
        var randomness = SecureRandom()
        let plan = grant.plan
        let measured = plan.measure(grant.source, lookups: grant.lookups, using: &randomness)
        return Outcome(grant.reservation, measured)
    }
}

/// What may leave: the only value that is encoded into an answer.
struct Release<Product: Sendable>: Sendable {
    let request: String
    let loss: PrivacyLoss
    let answer: Product

    fileprivate init(request: String, loss: PrivacyLoss, answer: Product) {
        self.request = request
        self.loss = loss
        self.answer = answer
    }
}

/// The one maker of releases: it refuses an outcome whose events its reservation does not cover.
enum ReleaseGate {
    /// The events cost more than was reserved, or one of them is not known: a defect, never the asker's fault.
    struct NotCovered: Error {}

    static func open<Product>(_ outcome: consuming Outcome<Product>) throws(NotCovered) -> Release<Product> {
        let reserved = outcome.reservation.loss
        guard let spent = try? PrivacyEvent.composition(outcome.events).loss(kind: reserved.kind),
            spent.kind == reserved.kind, spent.amount <= reserved.amount, spent.delta <= reserved.delta
        else { throw NotCovered() }
        return Release(request: outcome.reservation.request, loss: reserved, answer: outcome.answer)
    }
}
