/// An aggregator's share of the sum of verified measurements (draft, section 7.2.4). A sum of few shows them: give a share
/// out through a ``ReportBatch``, which has a least size and gives it out once.
public struct AggregateShare: Sendable, Codable {
    let task: [UInt8]
    /// Whose share it is.
    public let aggregator: Int
    private(set) var elements: FieldElements

    init(task: [UInt8], aggregator: Int, elements: FieldElements) {
        self.task = task
        self.aggregator = aggregator
        self.elements = elements
    }

    /// Entries.
    public var length: Int { elements.count }

    /// The share as it goes to the collector, over an encrypted channel (draft, section 7.2.7.5).
    public var encoded: [UInt8] { elements.encoded }

    private func check(_ name: String, _ task: [UInt8], from aggregator: Int) throws(Prio3Error) {
        guard task == self.task, aggregator == self.aggregator else {
            throw .another(name, expected: "one of aggregator \(self.aggregator) in the same task")
        }
    }

    /// Both are of the same task; one that was read from a damaged store can have other entries all the same.
    private mutating func add(_ other: FieldElements) throws(Prio3Error) {
        guard elements.isSummable(with: other) else {
            throw .malformed("stored aggregate share", expected: "\(other.count) entries of the task's field")
        }
        elements.add(other)
    }

    /// Adds a verified measurement's share. Throws `another` for one of another task or aggregator.
    public mutating func update(_ share: OutputShare) throws(Prio3Error) {
        try check("output share", share.task, from: share.aggregator)
        try add(share.elements)
    }

    /// Adds what the same aggregator summed of other reports. Throws `another` for a share of another task or aggregator.
    public mutating func merge(_ share: AggregateShare) throws(Prio3Error) {
        try check("aggregate share", share.task, from: share.aggregator)
        try add(share.elements)
    }

    /// Adds noise, an integer to each entry: the sum has it on top.
    ///
    /// Each aggregator adds all the noise that privacy needs, as if it were the only one. Another one may be the attacker, who
    /// knows its own noise and takes it off; so half of the noise from each would leave half of it. The sum has the noise of
    /// all of them.
    ///
    /// The noise is drawn by the caller, from the operating system's randomness, and is as secret as the sum.
    ///
    /// Throws `parameter` unless there are ``length`` integers.
    public mutating func addNoise(_ noise: [Int64]) throws(Prio3Error) {
        guard noise.count == length else { throw .parameter("noise", expected: "\(length) integers") }
        elements.add(integers: noise)
    }
}

extension AggregateShare: CustomStringConvertible, CustomReflectable {
    /// The aggregator and the length.
    public var description: String { "AggregateShare(aggregator: \(aggregator), length: \(length))" }
    /// Nothing: it is a share.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
