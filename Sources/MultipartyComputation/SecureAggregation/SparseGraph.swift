internal import Foundation

/// The numbers of a sparse graph and how likely it fails (Bell, Bonawitz, Gascón, Lepoint and Raykova 2020, section 3).
///
/// The participants stand on a circle in an order drawn from a hash over the session and all advertisements; the neighbours of one are the `degree` / 2 next
/// to it on each side (a Harary graph). The probability that **any** of the following happens to **any** participant is bounded by exact hypergeometric
/// tails and the union bound, for colluders and drop-outs that do not depend on the order:
///
/// - it has `threshold` or more colluders among its neighbours, who could open both its secrets;
/// - fewer than `threshold` of its neighbours stay to the end, so that the sum cannot be opened;
/// - `degree` / 2 participants in a row collude or drop out: without that, the honest ones who stay are connected, so that only their whole sum is free of
///   masks (Bell et al. 2020, section 3).
///
/// **What it promises**: less than the complete graph. The order is a hash that every participant recomputes, so the coordinator cannot write it down; but
/// who chooses which advertisements are in it, or advertises last, can draw many orders and take the best: each try has the probability of failure that is
/// computed here, and 2^20 tries make 2^-40 to 2^-20. So the promise is for a coordinator that follows the protocol (semi-honest), or that can try few orders,
/// and for drop-outs that are not chosen by who knows the order. One set of survivors is agreed on by all, as in the complete graph.
public struct SparseGraph: Sendable, Hashable {
    /// The largest failure that is accepted: 2^-40.
    public static let largestLog2Failure = -40.0

    /// The neighbours of each participant, an even number.
    public let degree: Int
    /// The shares that open a secret.
    public let threshold: Int
    /// The logarithm to base two of the bound on the probability of failure; at most 0.
    public let log2Failure: Double

    /// The bound for these numbers. Throws `parameter` unless participants are 4 to 65,535, colluders and drop-outs fewer than them, the degree even and
    /// from 2 to n - 2, the threshold from 1 to the degree.
    public init(
        participants: Int, colluders: Int, dropouts: Int, degree: Int, threshold: Int
    ) throws(AggregationError) {
        try Self.check(participants: participants, colluders: colluders, dropouts: dropouts)
        guard degree >= 2 && degree <= participants - 2 && degree % 2 == 0 else {
            throw .parameter("degree", expected: "an even number from 2 to \(participants - 2)")
        }
        guard (1...degree).contains(threshold) else {
            throw .parameter("threshold", expected: "1 to \(degree) neighbours")
        }
        let bound = Bound(participants: participants, colluders: colluders, dropouts: dropouts)
        self.init(degree: degree, threshold: threshold, log2Failure: bound.log2Failures(degree: degree)[threshold - 1])
    }

    private init(degree: Int, threshold: Int, log2Failure: Double) {
        (self.degree, self.threshold, self.log2Failure) = (degree, threshold, log2Failure)
    }

    /// The least degree for which some threshold fails with a probability of at most 2^-40, and the best threshold for it. Throws `parameter` where no graph
    /// with fewer than all edges does, or a number is out of its range.
    public static func least(participants: Int, colluders: Int, dropouts: Int) throws(AggregationError) -> SparseGraph {
        try check(participants: participants, colluders: colluders, dropouts: dropouts)
        let bound = Bound(participants: participants, colluders: colluders, dropouts: dropouts)
        // Beyond some thousand neighbours a larger degree than this would be a complete graph in all but name.
        for degree in stride(from: 2, through: min(participants - 2, 4096), by: 2) {
            let failures = bound.log2Failures(degree: degree)
            guard let best = failures.indices.min(by: { failures[$0] < failures[$1] }) else { continue }
            if failures[best] <= largestLog2Failure {
                return SparseGraph(degree: degree, threshold: best + 1, log2Failure: failures[best])
            }
        }
        throw .parameter(
            "sparse graph", expected: "more participants, or fewer colluders or drop-outs: here a complete one")
    }

    private static func check(participants: Int, colluders: Int, dropouts: Int) throws(AggregationError) {
        guard (4...AggregationSession.Limit.participants).contains(participants) else {
            throw .parameter("participants", expected: "4 to 65535 for a sparse graph")
        }
        guard (0..<participants).contains(colluders) && (0..<participants).contains(dropouts) else {
            throw .parameter("colluders and drop-outs", expected: "0 to \(participants - 1) each")
        }
    }

    /// Logarithms are natural ones in here, sums of products of factorials; rounding is allowed for at the end.
    private struct Bound {
        let participants: Int
        let colluders: Int
        let dropouts: Int
        /// ln n! for n from 0.
        private let factorials: [Double]

        init(participants: Int, colluders: Int, dropouts: Int) {
            (self.participants, self.colluders, self.dropouts) = (participants, colluders, dropouts)
            var factorials = [0.0]
            factorials.reserveCapacity(participants + 1)
            for number in 1...participants { factorials.append(factorials[number - 1] + log(Double(number))) }
            self.factorials = factorials
        }

        /// The bound for each threshold from 1 to the degree.
        func log2Failures(degree: Int) -> [Double] {
            // Both tails are of the neighbours of one participant: `degree` of the other n - 1, without replacement.
            let colluding = upperTails(marked: colluders, drawn: degree)
            let missing = upperTails(marked: dropouts, drawn: degree)
            let severed = logRow(degree / 2)
            let (honest, all) = (log(Double(max(participants - colluders, 1))), log(Double(participants)))
            return (1...degree).map { threshold in
                let failure = Self.logSum([
                    honest + colluding[threshold], all + missing[degree - threshold + 1], severed,
                ])
                // A millionth of a bit for the rounding of some thousand sums.
                return min(0, failure / log(2) + 1e-6)
            }
        }

        /// ln P(at least j marked) for j from 0 to `drawn` + 1.
        private func upperTails(marked: Int, drawn: Int) -> [Double] {
            let others = participants - 1
            let marked = min(marked, others)
            var tails = [Double](repeating: -.infinity, count: drawn + 2)
            for count in (0...drawn).reversed() {
                var term = -Double.infinity
                if count <= marked && drawn - count <= others - marked {
                    term = choose(marked, count) + choose(others - marked, drawn - count) - choose(others, drawn)
                }
                tails[count] = Self.logSum([tails[count + 1], term])
            }
            return tails
        }

        /// ln of n times P(these many in a row all collude or drop out).
        private func logRow(_ length: Int) -> Double {
            let bad = min(participants, colluders + dropouts)
            guard bad >= length else { return -.infinity }
            return log(Double(participants)) + choose(bad, length) - choose(participants, length)
        }

        private func choose(_ n: Int, _ k: Int) -> Double { factorials[n] - factorials[k] - factorials[n - k] }

        private static func logSum(_ terms: [Double]) -> Double {
            guard let largest = terms.max(), largest > -.infinity else { return -.infinity }
            return largest + log(terms.reduce(0) { $0 + exp($1 - largest) })
        }
    }
}
