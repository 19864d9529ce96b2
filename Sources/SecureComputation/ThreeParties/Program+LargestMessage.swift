extension Program {
    /// The most words that a party of three sends another one in a round.
    public var mostWordsOfThree: Int {
        let plan = ThreePartyPlan(self)
        return plan.rounds.indices.reduce(0) { most, round in
            ComputingParty.three.reduce(most) { most, party in
                let traffic = plan.traffic(round, of: party)
                return max(most, traffic.next, traffic.previous)
            }
        }
    }
}
