import DatasiteProtocol
import Governance
import Query

/// The names of a datasite's engines, as policies are read against them.
struct EngineNames: Sendable {
    let all: [EngineName]

    /// There is no engine of that name: the one that was probably meant, and all that there are.
    func absent(_ name: EngineName) -> Problem {
        let names = all.map(\.rawValue)
        let nearest = NameSuggestion.nearest(to: name.rawValue, among: names).map { "did you mean \($0)? " } ?? ""
        return .invalidRequest(
            "this datasite has no engine \(DisplayedName.of(name.rawValue))",
            hint: "\(nearest)It has \(names.joined(separator: ", "))")
    }
}
