import DifferentialPrivacy

/// Chooses which pairs of columns to measure: a forest, edge by edge, each by an exact exponential mechanism.
///
/// A pair's utility is what measuring it would gain: the L1 distance between its true counts and what the single columns
/// say of it (their product), less the L1 error that the noise of a measurement is expected to have, as in AIM
/// (McKenna, Mullins, Sheldon and Miklau 2022, "AIM: An Adaptive and Iterative Mechanism for Differentially Private
/// Synthetic Data", equation 1). Candidates are the pairs that join two trees of the forest so far, as in MST (McKenna,
/// Miklau and Sheldon 2021, "Winning the NIST Contest", algorithm 1: Kruskal's algorithm by exponential mechanisms); and
/// "no more", of utility 0, since a pair whose gain is below its noise makes the table worse.
///
/// Privacy: estimate and expected noise come from released numbers, so they are constants here. One unit has at most R
/// counted rows, which change the counts of a pair by at most R in L1 norm, hence each utility by at most R (the
/// triangle inequality). Each of at most d - 1 rounds is then an exponential mechanism of sensitivity R.
struct PairSelection: Sendable {
    /// A candidate, with its utility, which is private.
    struct Candidate {
        let left: Int
        let right: Int
        let utility: Int64
    }

    let mechanism: ExponentialMechanism
    let rounds: Int

    /// The largest epsilon of `rounds` mechanisms that cost at most `loss` together.
    init(rounds: Int, rowsPerUnit: Int, loss: PrivacyLoss) throws(MechanismError) {
        guard rounds > 0, loss.amount > 0, loss.kind != .renyi else {
            throw .parameter("loss", expected: "more for a selection")
        }
        let share = loss.value / Double(rounds)
        var epsilon = loss.kind == .pure ? share : (8 * share).squareRoot()
        while epsilon > 0, try Self.cost(epsilon, rounds, loss.kind) > loss.amount { epsilon = epsilon.nextDown }
        mechanism = try ExponentialMechanism(epsilon: epsilon, sensitivity: Int64(rowsPerUnit))
        self.rounds = rounds
    }

    private static func cost(_ epsilon: Double, _ rounds: Int, _ kind: PrivacyLossKind) throws(MechanismError) -> Int64
    {
        try PrivacyEvent.exponentialMechanism(epsilon: epsilon, times: rounds).loss(kind: kind).amount
    }

    /// The pairs chosen, and the rounds that were run: they cost, whatever was chosen.
    func forest<R: RandomNumberGenerator>(
        columns: Int, _ candidates: [Candidate], using generator: inout R
    ) throws(MechanismError) -> (pairs: [(left: Int, right: Int)], rounds: Int) {
        var trees = Array(0..<columns)
        var pairs: [(left: Int, right: Int)] = []
        for round in 1...rounds {
            let open = candidates.filter { trees[$0.left] != trees[$0.right] }
            let chosen = try mechanism.select(utilities: open.map(\.utility) + [0], using: &generator)
            guard chosen < open.count else { return (pairs, round) }
            let (left, right) = (open[chosen].left, open[chosen].right)
            pairs.append((left, right))
            let joined = trees[right]
            for column in trees.indices where trees[column] == joined { trees[column] = trees[left] }
        }
        return (pairs, rounds)
    }

    /// What a pair's measurement would gain, in rows.
    static func utility(counts: [Int64], expected: [Int64], noise: Double) -> Int64 {
        var distance: Int64 = 0
        for (count, estimate) in zip(counts, expected) { distance += abs(count - estimate) }
        // The mean of |X| for Gaussian noise is sqrt(2 / pi) of its standard deviation; for Laplace noise it is less.
        let penalty = (2 / Double.pi).squareRoot() * noise * Double(counts.count)
        return distance - Int64(min(penalty, 0x1p61).rounded())
    }
}
