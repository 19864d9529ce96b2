import DatasiteProtocol
import DifferentialPrivacy

extension LossRegime {
    /// The loss in which work is planned that a budget buys, which names an epsilon or a rho. Where losses are rhos, an epsilon means the largest that converts to at most it
    /// (docs/privacy.md, rule 6).
    ///
    /// - Throws: A `Problem`: a budget that the regime does not know.
    func planned(_ budget: Budget) throws -> PrivacyLoss {
        let isPure = kind == .pure
        do throws(MechanismError) {
            switch budget {
            case .epsilon(let epsilon) where epsilon > 0 && epsilon.isFinite:
                return isPure
                    ? try PrivacyLoss(roundingDownEpsilon: epsilon)
                    : try PrivacyLoss(roundingDownRho: planned(epsilon: epsilon))
            case .rho(let rho) where !isPure && rho > 0 && rho.isFinite:
                return try PrivacyLoss(roundingDownRho: rho)
            default: break
            }
        } catch {
            throw Problem.invalidRequest("\(error)")
        }
        throw Problem.invalidRequest(
            isPure ? "give an epsilon above 0" : "give exactly one of epsilon and rho, above 0")
    }
}
