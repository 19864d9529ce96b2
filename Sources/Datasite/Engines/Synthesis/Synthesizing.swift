import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import SyntheticData
import Tables

/// The permission to read rows for one synthetic table: a durable reservation, what was planned, and the private table.
struct SynthesisGrant: ~Copyable {
    let reservation: Reservation
    let synthesis: SyntheticData
    let table: Tables.Table

    fileprivate init(_ reservation: consuming Reservation, _ synthesis: SyntheticData, _ table: Tables.Table) {
        self.reservation = reservation
        self.synthesis = synthesis
        self.table = table
    }
}

extension Datasite {
    /// Turns a reservation into a grant: the charge that is durable must be the one that was planned.
    func grant(
        _ reservation: consuming Reservation, synthesis: SyntheticData, charge: PrivacyLoss, table: Tables.Table
    ) throws -> SynthesisGrant {
        guard reservation.loss == charge else {
            throw Problem.conflict("the synthetic table would now be charged differently; its charge is kept")
        }
        return SynthesisGrant(reservation, synthesis, table)
    }
}

/// Makes a granted synthetic table from the private rows. Exact marginals live and end inside `SyntheticData.generate`.
enum SynthesisEngine {
    static func run(_ grant: consuming SynthesisGrant) throws(SyntheticDataError) -> Outcome<SyntheticTable> {
        var randomness = SecureRandom()
        let measured = try grant.synthesis.measure(
            from: grant.table, budget: grant.reservation.loss, using: &randomness)
        return Outcome(grant.reservation, measured)
    }
}
