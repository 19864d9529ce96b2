internal import ModularArithmetic

/// A product of replicated values: cross terms that a party can compute itself, and one round in which they are shared anew (Araki, Furukawa, Lindell, Nof and Ohara 2016, section 2.3).
struct ProductShape: ReplicatedShape {
    let count: Int

    var rounds: Int { 1 }
    func traffic(_ round: Int, of party: ComputingParty) -> Traffic { Traffic(previous: count) }
}

/// A third of the result, plus a share of zero, goes to the party before: uniform to it, which lacks one of both keys of that share.
struct ProductStep: ReplicatedStep {
    private(set) var result: ReplicatedWords

    /// - Parameter terms: This party's part of the sum of the cross terms.
    init(terms: [UInt64], keys: PairwiseKeys, place: Int) {
        var own = keys.zeros(terms.count, MaskStream(place, .product))
        for i in own.indices { own[i] &+= terms[i] }
        result = ReplicatedWords(own: own, next: [])
    }

    /// x y, of which party i takes x_i y_i + x_i y_(i+1) + x_(i+1) y_i.
    static func terms(
        _ map: BilinearMap, _ left: ReplicatedWords, _ right: ReplicatedWords, threads: Int
    ) -> [UInt64] {
        var sum = right.own
        for i in sum.indices { sum[i] &+= right.next[i] }
        var result = [UInt64](repeating: 0, count: map.resultCount)
        map.add(left.own, sum, to: &result, threads: threads)
        map.add(left.next, right.own, to: &result, threads: threads)
        return result
    }

    /// x w with weights of one party o, of which component o + 2 is zero: o takes (x_o + x_(o+1)) w, and each of the others the product of x_(o+2) with the component of w that it has. One
    /// product of the operation's size each, where two secret operands take two.
    static func terms(
        _ map: BilinearMap, _ left: ReplicatedWords, weights: [UInt64], owner: ComputingParty,
        party: ComputingParty, threads: Int
    ) -> [UInt64] {
        var result = [UInt64](repeating: 0, count: map.resultCount)
        var operand = party == owner.previous ? left.own : left.next
        if party == owner {
            operand = left.own
            for i in operand.indices { operand[i] &+= left.next[i] }
        }
        map.add(operand, weights, to: &result, threads: threads)
        return result
    }

    mutating func send(_ round: Int, to outgoing: inout Outgoing) { outgoing.previous += result.own }
    mutating func receive(_ round: Int, _ incoming: Incoming) { result.next = Array(incoming.next) }
}

/// The component that a party lacks, from the party before it.
struct RevealShape: ReplicatedShape {
    let count: Int
    let to: ComputingParty

    var rounds: Int { 1 }
    func traffic(_ round: Int, of party: ComputingParty) -> Traffic {
        Traffic(next: party == to.previous ? count : 0)
    }
}

/// An opening. What it sends follows from the value and what its receiver holds.
struct RevealStep: ReplicatedStep {
    let shape: RevealShape
    let party: ComputingParty
    /// At the receiver: the value, as a component beside zeros.
    private(set) var result: ReplicatedWords

    init(_ value: ReplicatedWords, to: ComputingParty, party: ComputingParty) {
        shape = RevealShape(count: value.count, to: to)
        self.party = party
        result = value
    }

    mutating func send(_ round: Int, to outgoing: inout Outgoing) {
        if party == shape.to.previous { outgoing.next += result.own }
    }

    mutating func receive(_ round: Int, _ incoming: Incoming) {
        guard party == shape.to else {
            result = ReplicatedWords(own: [], next: [])
            return
        }
        var value = Array(incoming.previous)
        for i in value.indices { value[i] &+= result.own[i] &+ result.next[i] }
        result = ReplicatedWords(own: value, next: [])
    }
}
