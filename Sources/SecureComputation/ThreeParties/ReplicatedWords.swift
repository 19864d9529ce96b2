/// What one of three parties holds of a value x = x0 + x1 + x2 modulo 2^64: two of the three components (Araki, Furukawa, Lindell, Nof and Ohara 2016). Party i holds component i and
/// component i + 1, counted round and round, so that each component is known to two parties and each party lacks one.
struct ReplicatedWords: Sendable, CustomStringConvertible, CustomReflectable {
    /// The component of the party's own number, which the party before it holds too.
    var own: [UInt64]
    /// The component of the next number, which the party behind it holds too.
    var next: [UInt64]

    init(own: [UInt64], next: [UInt64]) { (self.own, self.next) = (own, next) }

    init(zeros count: Int) {
        own = [UInt64](repeating: 0, count: count)
        next = own
    }

    var count: Int { own.count }

    subscript(range: Range<Int>) -> ReplicatedWords {
        ReplicatedWords(own: Array(own[range]), next: Array(next[range]))
    }

    var description: String { "ReplicatedWords(\(count))" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

/// What a party sends in a round.
struct Outgoing: Sendable {
    /// To the party behind it.
    var next: [UInt64] = []
    /// To the party before it.
    var previous: [UInt64] = []
}

/// What a party gets in a round, from the party behind it and from the one before it.
struct Incoming: Sendable {
    var next: ArraySlice<UInt64>
    var previous: ArraySlice<UInt64>

    /// The first words of both.
    mutating func taken(next nextCount: Int, previous previousCount: Int) -> Incoming {
        defer {
            next = next.dropFirst(nextCount)
            previous = previous.dropFirst(previousCount)
        }
        return Incoming(next: next.prefix(nextCount), previous: previous.prefix(previousCount))
    }
}

/// How many words a party sends in a round.
struct Traffic: Sendable, Hashable {
    var next = 0
    var previous = 0

    static func + (a: Traffic, b: Traffic) -> Traffic {
        Traffic(next: a.next + b.next, previous: a.previous + b.previous)
    }
}

/// What of an operation is public: how many rounds it takes, and what each party sends in each.
protocol ReplicatedShape: Sendable {
    var rounds: Int { get }
    func traffic(_ round: Int, of party: ComputingParty) -> Traffic
}

/// An operation under way at one party. In each round it sends first, and takes then; nothing else.
protocol ReplicatedStep: Sendable {
    mutating func send(_ round: Int, to outgoing: inout Outgoing)
    mutating func receive(_ round: Int, _ incoming: Incoming)
    /// Behind the last round.
    var result: ReplicatedWords { get }
}
