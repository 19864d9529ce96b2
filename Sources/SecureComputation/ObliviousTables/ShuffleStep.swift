internal import ModularArithmetic

/// Rows of some columns in an order that nobody knows: the composition of three permutations, each of which another pair of parties draws from its key, so that each party lacks one (Laur, Willemson and
/// Zhang 2011; in the two rounds of Araki, Furukawa, Ohara, Pinkas, Rosemarin and Tsuchida 2021).
///
/// With x = s + t, s = x_a + x_(a+1) known to party a and t to both others: a and the party behind it mask and permute s and t by their key's permutation; a does the same with s by the
/// key that it has with the party before it, and gives it to the party behind, which gives t to the party before, which does the same with it. Each of both then has a part, to which both apply
/// the third permutation, and which they share anew.
///
/// **Privacy.** What a party receives is under a mask from the key that it lacks. **Cost.** Two rounds, 32 bytes a word, all parties together: a half from the party behind a.
struct ShuffleShape: ReplicatedShape {
    let rows: Int
    let columns: Int
    /// From which streams have their names, and a follows.
    let place: Int

    var rounds: Int { 2 }
    var lead: ComputingParty { ComputingParty.three[place % 3] }

    func traffic(_ round: Int, of party: ComputingParty) -> Traffic {
        let words = rows * columns
        return switch (round, party) {
        case (0, lead), (0, lead.next), (1, lead.next): Traffic(next: words)
        case (1, lead.previous): Traffic(previous: words)
        default: Traffic()
        }
    }
}

/// A shuffle under way.
struct ShuffleStep: ReplicatedStep {
    let shape: ShuffleShape
    let party: ComputingParty
    let keys: PairwiseKeys
    /// Column behind column.
    private var words: [UInt64]
    private(set) var result = ReplicatedWords(own: [], next: [])

    init(_ shape: ShuffleShape, _ columns: [ReplicatedWords], party: ComputingParty, keys: PairwiseKeys) {
        (self.shape, self.party, self.keys) = (shape, party, keys)
        switch party {
        case shape.lead:
            words = columns.flatMap(\.own)
            var place = 0
            for column in columns {
                for word in column.next {
                    words[place] &+= word
                    place += 1
                }
            }
        case shape.lead.next: words = columns.flatMap(\.next)
        default: words = []
        }
    }

    /// Fisher and Yates 1938, with the words of a key; the probability of one order differs from another's by a part in 2^40 at most.
    static func permutation(_ count: Int, _ key: CipherKey, _ stream: MaskStream) -> [Int32] {
        var order = (0..<Int32(count)).map { $0 }
        let words = key.words(count, stream)
        for left in stride(from: count - 1, to: 0, by: -1) {
            order.swapAt(left, Int(words[left].multipliedFullWidth(by: UInt64(left + 1)).high))
        }
        return order
    }

    private func permuted(_ words: [UInt64], _ key: CipherKey) -> [UInt64] {
        let order = Self.permutation(shape.rows, key, MaskStream(shape.place, .permutation))
        return [UInt64](unsafeUninitializedCapacity: words.count) { target, initialized in
            for column in 0..<shape.columns {
                let first = column * shape.rows
                for row in 0..<shape.rows { target[first + row] = words[first + Int(order[row])] }
            }
            initialized = words.count
        }
    }

    private func masks(_ key: CipherKey) -> [UInt64] { key.words(words.count, MaskStream(shape.place, .planes)) }

    private mutating func mask(adding: Bool, _ key: CipherKey) {
        let masks = masks(key)
        for i in words.indices { words[i] = adding ? words[i] &+ masks[i] : words[i] &- masks[i] }
    }

    mutating func send(_ round: Int, to outgoing: inout Outgoing) {
        switch (round, party) {
        case (0, shape.lead):
            for key in [keys.next, keys.own] {
                mask(adding: true, key)
                words = permuted(words, key)
            }
            outgoing.next += words
        case (0, shape.lead.next):
            mask(adding: false, keys.own)
            outgoing.next += permuted(words, keys.own)
        case (1, shape.lead.next): share(keys.own, permutation: keys.next, to: &outgoing.next)
        case (1, shape.lead.previous): share(keys.next, permutation: keys.own, to: &outgoing.previous)
        default: break
        }
    }

    /// The last permutation, and a part of the result that the lead has too.
    private mutating func share(_ key: CipherKey, permutation: CipherKey, to outgoing: inout [UInt64]) {
        words = permuted(words, permutation)
        let mask = key.words(words.count, MaskStream(shape.place, .results))
        for i in words.indices { words[i] &-= mask[i] }
        outgoing += words
        result = ReplicatedWords(own: mask, next: mask)
    }

    mutating func receive(_ round: Int, _ incoming: Incoming) {
        switch (round, party) {
        case (0, shape.lead.next): words = Array(incoming.previous)
        case (0, shape.lead.previous):
            words = Array(incoming.previous)
            mask(adding: false, keys.next)
            words = permuted(words, keys.next)
        case (1, shape.lead):
            let stream = MaskStream(shape.place, .results)
            result = ReplicatedWords(
                own: keys.own.words(words.count, stream), next: keys.next.words(words.count, stream))
        case (1, shape.lead.next): result.next = joined(incoming.next)
        case (1, shape.lead.previous): result.own = joined(incoming.previous)
        default: break
        }
    }

    private func joined(_ received: ArraySlice<UInt64>) -> [UInt64] { zip(words, received).map { $0 &+ $1 } }

    /// Behind the last round: the columns.
    var columns: [ReplicatedWords] {
        (0..<shape.columns).map { result[$0 * shape.rows..<($0 + 1) * shape.rows] }
    }
}
