import DifferentialPrivacy

/// Exact integer noise on marginal counts, in the budget's unit of loss: discrete Gaussian under zCDP, discrete Laplace
/// under pure differential privacy.
///
/// Privacy: one unit has at most R counted rows. In each of m marginals all of them may lie in one cell, so the vector
/// of all m marginals changes by at most m R in L1 norm and m R^2 in squared L2 norm (``Sensitivity``: m groups full of
/// R rows each). The noise's own theorem does the rest.
enum MarginalNoise: Sendable {
    case gaussian(DiscreteGaussian, sensitivitySquared: Double)
    case laplace(DiscreteLaplace, sensitivity: Double)

    /// The least noise on `marginals` marginals that costs at most `loss`.
    init(marginals: Int, rowsPerUnit: Int, loss: PrivacyLoss) throws(MechanismError) {
        let (rows, overflow) = marginals.multipliedReportingOverflow(by: rowsPerUnit)
        guard !overflow else { throw .parameter("rows per unit", expected: "fewer rows") }
        switch loss.kind {
        case .renyi: throw .parameter("loss", expected: "a positive epsilon or rho")
        case .zeroConcentrated:
            let square = Sensitivity.l2Squared(groups: marginals, rowsPerGroup: rowsPerUnit, rowsPerUnit: rows)
            self = .gaussian(try DiscreteGaussian(sensitivitySquared: square, loss: loss), sensitivitySquared: square)
        case .pure:
            let sum = Sensitivity.l1(groups: marginals, rowsPerGroup: rowsPerUnit, rowsPerUnit: rows)
            self = .laplace(try DiscreteLaplace(sensitivity: sum, loss: loss), sensitivity: sum)
        }
    }

    func add<R: RandomNumberGenerator>(to counts: inout [Int64], using generator: inout R) {
        switch self {
        case .gaussian(let noise, _): noise.add(to: &counts, using: &generator)
        case .laplace(let noise, _): noise.add(to: &counts, using: &generator)
        }
    }

    var event: PrivacyEvent {
        switch self {
        case .gaussian(let noise, let square): noise.event(sensitivitySquared: square)
        case .laplace(let noise, let sum): noise.event(sensitivity: sum)
        }
    }

    var standardDeviation: Double {
        switch self {
        case .gaussian(let noise, _): noise.variance.squareRoot()
        case .laplace(let noise, _): noise.variance.squareRoot()
        }
    }
}

/// How a budget is divided among the steps: by the number of columns and the budget alone (docs/privacy.md, rule 5).
struct BudgetSplit: Sendable {
    let units: PrivacyLoss
    let singles: PrivacyLoss
    /// For all rounds of selection together.
    let selection: PrivacyLoss
    /// What is left for the pairs that were selected, if all rounds are run.
    let pairs: PrivacyLoss

    /// In hundredths. The most goes to single columns: they carry every answer, and their noise decides where cells are
    /// merged; selection needs little, since it only has to tell strong pairs from weak ones.
    private static let shares: (units: Int64, singles: Int64, selection: Int64) = (1, 50, 8)

    init(_ budget: PrivacyLoss, columns: Int) {
        func part(_ hundredths: Int64) -> PrivacyLoss {
            let (quotient, rest) = budget.amount.quotientAndRemainder(dividingBy: 100)
            return PrivacyLoss(kind: budget.kind, amount: quotient * hundredths + rest * hundredths / 100)
        }
        units = part(Self.shares.units)
        singles =
            columns > 1
            ? part(Self.shares.singles) : PrivacyLoss(kind: budget.kind, amount: budget.amount - units.amount)
        selection = columns > 1 ? part(Self.shares.selection) : .zero(budget.kind)
        pairs = PrivacyLoss(
            kind: budget.kind, amount: budget.amount - units.amount - singles.amount - selection.amount)
    }
}
