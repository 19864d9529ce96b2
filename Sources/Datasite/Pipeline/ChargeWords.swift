import DatasiteProtocol
import Governance

extension Charge {
    /// For people.
    ///
    /// - Parameter conversionDelta: The delta at which divergences are shown as an epsilon; 0 where it is not known.
    func words(conversionDelta: Double) -> String {
        let counted = uses > 0 ? "\(uses) use\(uses == 1 ? "" : "s")" : nil
        return [loss.map { LossWords.text($0, conversionDelta: conversionDelta) }, counted].compactMap(\.self).joined(
            separator: " and ")
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
