internal import DifferentialPrivacy
internal import ModularArithmetic
internal import SecureComputation

extension Program {
    /// What the first recipient gets, without cryptography, of all owners' inputs in each one's order and of the columns of tables that are in shares.
    func clear(
        _ inputs: [ComputingParty: [RingTensor]], setting: JointSetting, tables: [RingTensor] = []
    ) throws(SecureStatisticsError) -> [RingTensor] {
        var next: [ComputingParty: Int] = [:]
        var all: [RingTensor] = []
        var shared = tables[...]
        for party in inputOwners {
            guard let party else {
                guard let column = shared.popFirst() else {
                    throw .rows("\(tables.count) columns of tables", expected: "all of the program")
                }
                all.append(column)
                continue
            }
            let place = next[party, default: 0]
            guard let own = inputs[party], own.indices.contains(place) else {
                throw .rows("no input of the \(party) party", expected: "one of each owner")
            }
            all.append(own[place])
            next[party] = place + 1
        }
        let run = try computing { () throws(ComputationError) in try ClearText.run(self, inputs: all) }
        let recipient = outputs.first?.to
        return zip(outputs, run.outputs).filter { $0.0.to == recipient }.map { $0.1 }
    }
}

extension EncodedTable {
    /// An owner's tensors: of its rows, and of its noise where there is any.
    ///
    /// - Parameter isSilent: Noughts in place of noise. For tests alone.
    func inputs(
        of party: ComputingParty, _ rows: OwnerRows?, noise: JointNoise?, isSilent: Bool,
        using generator: inout some RandomNumberGenerator
    ) throws(SecureStatisticsError) -> [RingTensor] {
        guard table.owners.contains(party) else {
            guard rows == nil else { throw .rows("rows of the \(party) party", expected: "none: it owns no part") }
            return []
        }
        guard let rows else { throw .rows("no rows of the \(party) party", expected: "its part of the table") }
        let given = try tensors(of: party, rows)
        guard let noise else { return given }
        let draws = try noise.draws(using: &generator)
        return given + [isSilent ? try tensor(draws.shape, draws.words.map { _ in 0 }) : draws]
    }
}
