/// What every run of three parties has: keys from seeds of the first round, messages that are checked before anything changes, and a count of what is sent.
struct ThreePartyRounds: Sendable {
    let session: ThreePartySession
    let party: ComputingParty
    /// Of the key of the party's own number.
    let seed: [UInt64]
    let ownKey: SeededKey
    /// From the first round on.
    private(set) var keys: PairwiseKeys?
    /// The round that is under way, or as many as there were.
    private(set) var round = 0
    private(set) var hasBegun = false
    private(set) var cost = ThreePartyCost()

    /// Words of a key's seed.
    static let seedWords = 2

    init(session: ThreePartySession, party: ComputingParty, random: inout some RandomNumberGenerator) {
        (self.session, self.party) = (session, party)
        seed = [random.next(), random.next()]
        ownKey = SeededKey(seed: seed, of: party, session: session.digest)
    }

    mutating func begin() throws(ComputationError) {
        guard !hasBegun else { throw .order(round: 0, expected: "no second beginning") }
        hasBegun = true
    }

    /// The two others' messages, where they are what the round expects.
    ///
    /// - Parameter expected: What each party sends in this round.
    func checked(
        _ messages: [ThreePartyMessage], expected: (ComputingParty) -> Traffic
    ) throws(ComputationError) -> Incoming {
        guard messages.count == 2, let next = messages.first(where: { $0.from == party.next }),
            let previous = messages.first(where: { $0.from == party.previous })
        else {
            throw .malformed("messages of \(messages.map(\.from))", expected: "one of each other party")
        }
        try check(next, expected(party.next).previous)
        try check(previous, expected(party.previous).next)
        return Incoming(next: next.words[...], previous: previous.words[...])
    }

    private func check(_ message: ThreePartyMessage, _ expected: Int) throws(ComputationError) {
        guard message.session.elementsEqual(session.digest.prefix(16)) else { throw .otherSession }
        guard message.to == party else {
            throw .malformed("a message to the \(message.to) party", expected: "one to the \(party)")
        }
        guard message.round == round else { throw .order(round: message.round, expected: "\(round)") }
        guard message.words.count == expected else {
            throw .malformed("\(message.words.count) words", expected: "\(expected)")
        }
    }

    /// The key that the party behind drew, by its seed.
    mutating func takeKey(_ words: ArraySlice<UInt64>) -> PairwiseKeys {
        let next = SeededKey(seed: Array(words), of: party.next, session: session.digest)
        let both = PairwiseKeys(own: ownKey.key, next: next.key, session: session.digest)
        keys = both
        return both
    }

    /// Ends a round, of which all three's words are counted.
    mutating func end(_ traffic: (ComputingParty) -> Traffic) {
        for party in ComputingParty.three {
            cost.send(traffic(party).next, from: party)
            cost.send(traffic(party).previous, from: party)
        }
        cost.rounds += 1
        round += 1
    }

    func messages(_ outgoing: Outgoing) -> ThreePartyMessages {
        let name = Array(session.digest.prefix(16))
        return ThreePartyMessages(
            toNext: ThreePartyMessage(
                session: name, from: party, to: party.next, round: round, words: outgoing.next),
            toPrevious: ThreePartyMessage(
                session: name, from: party, to: party.previous, round: round, words: outgoing.previous))
    }

    /// A party's own input, shared by its key alone: x has components F, x - F and zero. What is sent of it goes to the party behind.
    func shared(_ words: [UInt64], place: Int) -> ReplicatedWords {
        let mask = ownKey.key.words(words.count, MaskStream(place, .input))
        var rest = words
        for i in rest.indices { rest[i] &-= mask[i] }
        return ReplicatedWords(own: mask, next: rest)
    }

    /// What this party holds of another one's input.
    ///
    /// - Parameter received: Words of the party before; those of this input are taken off.
    static func received(
        from owner: ComputingParty, at party: ComputingParty, count: Int, place: Int, keys: PairwiseKeys,
        _ received: inout ArraySlice<UInt64>
    ) -> ReplicatedWords {
        let zeros = [UInt64](repeating: 0, count: count)
        guard owner == party.previous else {
            return ReplicatedWords(own: zeros, next: keys.next.words(count, MaskStream(place, .input)))
        }
        defer { received = received.dropFirst(count) }
        return ReplicatedWords(own: Array(received.prefix(count)), next: zeros)
    }
}
