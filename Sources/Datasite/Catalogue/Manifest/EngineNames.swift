import DatasiteProtocol
import Governance
import Query

/// The names of a datasite's engines, as policies are read against them.
struct EngineNames: Sendable {
    let all: [EngineName]
    /// The datasite's own key, which a policy may name among others'; nil: not known.
    var site: [UInt8]?

    /// There is no engine of that name: the one that was probably meant, and all that there are.
    func absent(_ name: EngineName) -> Problem {
        .invalidRequest(
            "this datasite has no engine \(DisplayedName.of(name.rawValue))", hint: hint(for: name.rawValue))
    }

    /// The name that was probably meant, and all that there are.
    func hint(for name: String) -> String {
        let names = all.map(\.rawValue)
        let nearest = NameSuggestion.nearest(to: name, among: names).map { "did you mean \($0)? " } ?? ""
        return "\(nearest)It has \(names.joined(separator: ", "))"
    }
}
