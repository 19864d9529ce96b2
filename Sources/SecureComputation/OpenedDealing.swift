/// A session that both parties gave up, so that its dealer opened it: each makes anew what it was dealt, and compares.
///
/// **What it shows.** That all a party had of this session is what ``Dealer`` makes of the seeds that it was told, to the bit. Where both were told the same, which they compare by what the dealer signed for each (`DatasiteClient.check`), they were dealt what
/// belongs together: parties that are dealt k sessions, and draw c of them to be opened only when both have all of them, find one that was dealt wrongly with probability c / k. **What it does not.** A dealer that colludes with a party deals rightly and tells what it dealt; one that knew which
/// sessions are opened would deal these rightly. **Privacy.** An opened session serves no run, and other sessions have seeds of their own. The mask of a party's weights is not told: what follows from it only its owner checks.
public struct OpenedDealing: Sendable, CustomStringConvertible, CustomReflectable {
    private let dealer: Dealer
    private let party: ComputingParty

    /// - Parameters:
    ///   - seeds: ``Dealer/openedSeeds``.
    ///   - party: Who looks.
    ///   - mask: Of its weights, where it has any.
    /// - Throws: ``ComputationError``: seeds of another length, or no mask of the party's weights.
    public init(
        seeds: [UInt8], program: Program, session: ComputationSession, party: ComputingParty, mask: WeightMask? = nil
    ) throws(ComputationError) {
        try program.checkTwoParties()
        guard seeds.count == 32 else { throw .malformed("seeds of \(seeds.count) bytes", expected: "32") }
        guard mask != nil || !program.weights.contains(where: { $0.owner == party }) else {
            throw .input("no mask of the \(party) party's weights", expected: "one")
        }
        self.party = party
        dealer = Dealer(
            program: program, session: session, masks: mask.map { [party: $0] } ?? [:],
            seeds: ((word(seeds, 0), word(seeds, 8)), (word(seeds, 16), word(seeds, 24))))
    }

    /// Whether the party had the seed that was opened.
    public func isRight(_ correlations: Correlations) -> Bool {
        let own = party == .first ? dealer.seeds.0 : dealer.seeds.1
        return correlations.party == party && correlations.session == dealer.session.digest && correlations.seed == own
    }

    /// Whether these are the bytes of a step that the party had to get (``Dealer/encodedStep(_:for:)``).
    public func isRight(_ bytes: [UInt8], step: Int) -> Bool {
        let count = dealer.correlationBytes(step: step, for: party)
        // Of a step without any the other party's mask might be needed.
        return bytes.count == count && (count == 0 || bytes == dealer.encodedStep(step, for: party))
    }

    /// The party alone.
    public var description: String { "OpenedDealing(\(party))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
