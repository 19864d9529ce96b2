import DifferentialPrivacy

/// The choice of the k groups that a count is largest in (`TopK`), as planned.
///
/// Privacy. Candidates are all groups of the public domain. One unit's rows raise the count of each group by 0 to
/// `sensitivity` (the bound on its rows in one group; 1 where units are counted) and lower none: what other units contribute
/// is the same with and without it (docs/privacy.md, rule 11). So all weights' logarithms move within one interval of length
/// epsilon, whatever the number of groups that the unit is in: each choice has bounded range epsilon. What is counted
/// afterwards is counted of the chosen groups alone, of which a unit is in at most min(groups of a unit, k): the second
/// measurement is composed adaptively with the first.
struct TopChoice: Sendable, Hashable {
    /// What is to be chosen, before anything is decided about its cost.
    struct Request: Sendable, Hashable {
        var count: Int
        var channel: Int
        var sensitivity: Int64
        var candidates: Int
    }

    var request: Request
    /// What each choice may cost.
    var epsilon: Double

    /// The largest epsilon whose choices cost at most `amount`, in units of `PrivacyLoss.amountUnit`.
    static func planned(
        _ request: Request, kind: PrivacyLossKind, amount: Int64
    ) throws(QueryError) -> (choice: TopChoice, loss: PrivacyLoss) {
        let loss = Double(amount) * PrivacyLoss.amountUnit / Double(request.count)
        var epsilon = Swift.min(kind == .pure ? loss : (8 * loss).squareRoot(), 0x1p20)
        var narrowing = 1e-15
        do {
            guard amount > 0 else { throw Channel.tooMuchNoise }
            while true {
                let choice = TopChoice(request: request, epsilon: epsilon)
                let mechanism = try choice.mechanism()
                let loss = try mechanism.event.loss(kind: kind)
                if loss.amount <= amount { return (choice, loss) }
                epsilon *= 1 - narrowing
                narrowing *= 2
            }
        } catch {
            throw Channel.tooMuchNoise
        }
    }

    func mechanism() throws(MechanismError) -> TopK {
        try TopK(count: request.count, epsilon: epsilon, sensitivity: request.sensitivity, change: .oneDirection)
    }

    /// The chosen groups, first choice first. Where the mechanism refuses, which planning rules out, the first groups:
    /// nothing of the data may show.
    func choose<Generator: RandomNumberGenerator>(_ counts: [Int64], using generator: inout Generator) -> [Int] {
        (try? mechanism().select(utilities: counts, using: &generator)) ?? Array(counts.indices.prefix(request.count))
    }

    /// How far each chosen group's count falls short of the best that was left at its turn, of all k with 95 %.
    var shortfall: Double {
        (try? mechanism().shortfall(candidates: request.candidates, confidence: 0.95)) ?? .infinity
    }

    var event: PrivacyEvent? { try? mechanism().event }

    var words: String {
        "The \(request.count) groups are chosen by the exponential mechanism, epsilon \(Channel.digits(epsilon)) for each choice, "
            + "among \(request.candidates); with 95 % no chosen group counts more than \(Channel.digits(shortfall)) less than one "
            + "that was left at its turn. They stand in the order in which they were chosen. Their numbers have noise of their "
            + "own, so that their intervals are as good as any."
    }
}
