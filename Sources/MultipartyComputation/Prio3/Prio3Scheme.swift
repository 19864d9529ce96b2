/// One variant of Prio3 whose field and circuit do not show in its type: what ``Prio3`` calls.
///
/// A variant's circuit is a concrete type, so that the compiler has these functions, and all that they call, for its field
/// alone. That makes proofs about as fast as if no generics were involved.
protocol Prio3Scheme<Measurement, Aggregate>: Sendable {
    associatedtype Measurement: Sendable
    associatedtype Aggregate: Sendable

    /// Entries of the aggregate.
    var outputLength: Int { get }
    /// The largest entry that a measurement adds to the aggregate.
    var largestEntry: UInt64 { get }
    /// What the circuit was made with.
    var parameters: [UInt64] { get }
    /// Zeros to add output shares to.
    var emptyAggregate: FieldElements { get }
    /// Bytes of randomness that sharding takes, for so many shares.
    func randomnessSize(shares: Int) -> Int

    func shard(_ measurement: Measurement, _ task: Prio3Task, nonce: ReportNonce, randomness: [UInt8])
        throws(Prio3Error) -> Prio3Report
    func verifyInit(_ key: VerifyKey, _ task: Prio3Task, _ received: ReceivedReport)
        throws(Prio3Error) -> (state: VerifyState, verifierShare: [UInt8])
    func verifierMessage(_ verifierShares: [[UInt8]], _ task: Prio3Task) throws(Prio3Error) -> [UInt8]
    func unshard(_ aggregateShares: [[UInt8]], bounds: ClosedRange<Int64>) throws(Prio3Error) -> Aggregate?
}

/// What one aggregator has of a report.
struct ReceivedReport {
    let aggregator: Int
    let nonce: ReportNonce
    let publicShare: [UInt8]
    let inputShare: [UInt8]
}

extension ReceivedReport: CustomStringConvertible, CustomReflectable {
    /// The name alone: it holds shares.
    var description: String { "ReceivedReport" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
