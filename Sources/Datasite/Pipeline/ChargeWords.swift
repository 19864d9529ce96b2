import DatasiteProtocol
import Governance

extension Charge {
    /// For people, in the unit that was asked.
    ///
    /// - Parameter size: By the population's measure of loss; nil where it is not known.
    func words(in unit: AskedUnit, _ size: QuestionSize?) -> String {
        let counted = uses > 0 ? "\(uses) use\(uses == 1 ? "" : "s")" : nil
        let lost = loss.map { size?.words($0, in: unit) ?? LossWords.text($0, conversionDelta: 0) }
        return [lost, counted].compactMap(\.self).joined(separator: " and ")
    }

    /// As messages have it.
    ///
    /// - Parameter conversionDelta: The delta at which a rho is shown as an epsilon; 0 for none.
    func wire(conversionDelta: Double) -> Loss {
        var wire = loss.map { LossWords.wire($0, conversionDelta: conversionDelta) } ?? Loss(kind: "uses")
        wire.uses = uses > 0 ? uses : nil
        return wire
    }
}
