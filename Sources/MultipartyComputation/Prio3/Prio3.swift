internal import Secrets

/// Prio3: sums of measurements that no server sees, each of which is proved to be valid (draft-irtf-cfrg-vdaf-20, section
/// 7; drafts 18 to 20 agree in every byte).
///
/// A client splits its measurement into shares and sends one to each aggregator, with a proof that they are of a valid
/// measurement. Aggregators verify that together, in one exchange of short messages, and add up their shares; the collector
/// adds up the aggregators' sums.
///
/// | client | each aggregator | collector |
/// |---|---|---|
/// | ``shard(_:)`` | ``verifyInit(_:aggregator:nonce:publicShare:inputShare:)``: a verifier share for the others | |
/// | | ``verifierSharesToMessage(_:)`` by one of them: a verifier message for all | |
/// | | ``verifyNext(_:_:)``: an ``OutputShare``, added up in a ``ReportBatch`` or an ``AggregateShare`` | |
/// | | | ``unshard(_:count:noiseBound:)`` |
///
/// ## Threat model
///
/// Privacy: the collector, all clients but the honest ones and all aggregators but one may collude and deviate from the
/// protocol as they like, and learn no more of honest measurements than the aggregate says (draft, section 9; Davis, Patton,
/// Rosulek and Schoppmann 2023). The reason: any shares but one are uniformly random; the proof is a fully linear one of Boneh
/// et al. 2019 (theorem 4.3), whose queries show random values that only hang together as those of any valid measurement do;
/// and the client draws the nonce, so that no aggregator chooses where the proof is queried.
///
/// Robustness: as long as all aggregators follow the protocol, each client adds one valid measurement or nothing, except with
/// a probability a report of at most 2^-56 for ``Prio3Count`` and ``Prio3Sum`` (over the field of 64 bits) and 2^-105 for the
/// others, where each hash that a client computes to look for joint randomness that suits it counts as a report (draft,
/// section 9.7).
///
/// Not protected: that an aggregator changes the sum (it can add to its own share what it likes), that one stops, that an
/// attacker sends all other reports of a batch itself and reads the one that is left off the sum, and what the sum itself
/// shows. So clients are authenticated by the caller, a batch has a least size, and noise is added by **each** aggregator in
/// full (``AggregateShare/addNoise(_:)``), since it protects against all others.
///
/// What a caller must see to:
/// - Channels are encrypted and authenticated: whoever has all input shares of a report has the measurement.
/// - The ``VerifyKey`` is known to aggregators alone, and is fixed before the first report.
/// - A report is aggregated once. ``ReportBatch`` sees to that within a batch; each batch needs its own context, so that a
///   report of one does not verify in another.
///
/// Time and memory follow from the parameters alone. Arithmetic takes the same time for all measurements and shares.
public struct Prio3<Measurement: Sendable, Aggregate: Sendable>: Sendable {
    private let scheme: any Prio3Scheme<Measurement, Aggregate>
    let task: Prio3Task

    /// Aggregators, of which number 0 is the leader.
    public var shares: Int { task.shares }

    /// The application's context string. A report verifies under its own alone.
    public var context: [UInt8] { task.context }

    init(
        _ scheme: any Prio3Scheme<Measurement, Aggregate>, algorithm: UInt32, proofs: Int = 1,
        among shares: Int, context: [UInt8]
    ) throws(Prio3Error) {
        guard shares >= 2, shares <= 255 else { throw .parameter("shares", expected: "2 to 255") }
        guard context.count <= Prio3Task.longestContext else {
            throw .parameter("context", expected: "at most \(Prio3Task.longestContext) bytes")
        }
        self.scheme = scheme
        task = Prio3Task(
            algorithm: algorithm, proofs: proofs, shares: shares, context: context, parameters: scheme.parameters)
    }
}

// MARK: - The client

extension Prio3 {
    /// Splits a measurement into shares, with a fresh nonce and the operating system's randomness.
    ///
    /// Throws `measurement` for one that is not valid.
    public func shard(_ measurement: Measurement) throws(Prio3Error) -> Prio3Report {
        let randomness = SecureRandom.bytes(scheme.randomnessSize(shares: task.shares))
        return try shard(measurement, nonce: ReportNonce(), randomness: randomness)
    }

    /// Splits a measurement into shares with given randomness: for known answers alone.
    func shard(
        _ measurement: Measurement, nonce: ReportNonce, randomness: [UInt8]
    ) throws(Prio3Error) -> Prio3Report {
        try scheme.shard(measurement, task, nonce: nonce, randomness: randomness)
    }
}

// MARK: - Aggregators

extension Prio3 {
    private func check(aggregator: Int) throws(Prio3Error) {
        guard aggregator >= 0, aggregator < task.shares else {
            throw .parameter("aggregator", expected: "0 to \(task.shares - 1)")
        }
    }

    /// An aggregator's first step for a report: a verifier share, which goes to the others (it shows nothing of the
    /// measurement), and a state, which does not. Deterministic: after a crash it is done again.
    ///
    /// Throws `parameter` for an aggregator that there is not, `malformed` for shares that are none of this task, and
    /// `unverifiable`.
    public func verifyInit(
        _ key: VerifyKey, aggregator: Int, nonce: ReportNonce, publicShare: [UInt8], inputShare: [UInt8]
    ) throws(Prio3Error) -> (state: VerifyState, verifierShare: [UInt8]) {
        try check(aggregator: aggregator)
        return try scheme.verifyInit(
            key, task,
            ReceivedReport(aggregator: aggregator, nonce: nonce, publicShare: publicShare, inputShare: inputShare))
    }

    /// The verifier shares of all aggregators, in their order, as one verifier message. Any aggregator can make it.
    ///
    /// Throws `malformed` for shares that are none of this task, and `invalidProof` for a report to drop.
    public func verifierSharesToMessage(_ verifierShares: [[UInt8]]) throws(Prio3Error) -> [UInt8] {
        try scheme.verifierMessage(verifierShares, task)
    }

    /// An aggregator's last step for a report, with the verifier message: its output share, for a report that was verified.
    ///
    /// Throws `another` for a state of another task, `malformed` for a message of another size, and `wrongJointRandomness`
    /// for a report to drop.
    public func verifyNext(_ state: VerifyState, _ verifierMessage: [UInt8]) throws(Prio3Error) -> OutputShare {
        guard state.output.task == task.digest else {
            throw .another("verification state", expected: "one of this task")
        }
        guard verifierMessage.count == state.jointSeed.count else {
            throw .malformed("verifier message", expected: "\(state.jointSeed.count) bytes")
        }
        guard constantTimeEqual(verifierMessage, state.jointSeed) else { throw .wrongJointRandomness }
        return state.output
    }

    /// An aggregator's share of the aggregate of no reports. ``ReportBatch`` guards one.
    ///
    /// Throws `parameter` for an aggregator that there is not.
    public func aggregateInit(aggregator: Int) throws(Prio3Error) -> AggregateShare {
        try check(aggregator: aggregator)
        return AggregateShare(task: task.digest, aggregator: aggregator, elements: scheme.emptyAggregate)
    }
}

// MARK: - The collector

extension Prio3 {
    /// The aggregate of `count` measurements from all aggregators' shares of it, in their order.
    ///
    /// - Parameters:
    ///   - aggregateShares: ``AggregateShare/encoded``, one of each aggregator.
    ///   - count: How many reports each aggregator says that it has summed.
    ///   - noiseBound: The most by which noise, all aggregators' together, moves an entry up or down; 0 without noise. An
    ///     entry beyond what measurements and such noise can give is refused, so choose it where noise exceeds it with a
    ///     probability that does not matter.
    /// - Throws: `malformed` for shares that are none of this task, `parameter` for a count below 0 and where
    ///   `count` measurements and the noise can exceed 2^62, and `impossibleSum`.
    public func unshard(
        _ aggregateShares: [[UInt8]], count: Int, noiseBound: Int64 = 0
    ) throws(Prio3Error) -> Aggregate {
        guard aggregateShares.count == task.shares else {
            throw .malformed("aggregate shares", expected: "\(task.shares), one of each aggregator")
        }
        guard count >= 0 else { throw .parameter("count", expected: "0 or more") }
        let limit = Int64(1) << 62
        guard noiseBound >= 0, noiseBound <= limit, let largest = largestSum(count), largest <= limit - noiseBound
        else {
            throw .parameter("noiseBound", expected: "0 or more, and at most 2^62 with the largest sum of the count")
        }
        let bounds = -noiseBound...largest + noiseBound
        guard let aggregate = try scheme.unshard(aggregateShares, bounds: bounds) else {
            throw .impossibleSum(count: count)
        }
        return aggregate
    }

    /// The largest entry of an aggregate of so many; nil above 2^62, from where on it is not told from a negative one.
    func largestSum(_ count: Int) -> Int64? {
        let (product, overflow) = scheme.largestEntry.multipliedReportingOverflow(by: UInt64(count))
        return overflow || product > 1 << 62 ? nil : Int64(product)
    }
}

extension Prio3: CustomStringConvertible, CustomReflectable {
    /// The variant and the number of shares.
    public var description: String { "Prio3(algorithm: \(task.algorithm), shares: \(task.shares))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
