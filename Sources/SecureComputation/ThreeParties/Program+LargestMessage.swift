extension Program {
    /// The most words that a party of three sends another one in a round of a run with abort.
    ///
    /// - Throws: ``ComputationError/unverifiable(_:)``.
    public func mostWordsWithAbort() throws(ComputationError) -> Int {
        let (first, plan) = (ThreePartyPlan(self), try VerifiedPlan(self))
        return (0...plan.rounds).reduce(0) { most, round in
            ComputingParty.three.reduce(most) { most, party in
                let traffic = round == 0 ? first.traffic(0, of: party) : plan.traffic(round - 1, of: party)
                return max(most, traffic.next, traffic.previous)
            }
        }
    }
}
