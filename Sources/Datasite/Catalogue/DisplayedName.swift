import DatasiteProtocol
import Query

/// A name that a caller wrote, made fit for an error: cut, and without control characters.
enum DisplayedName {
    static func of(_ text: String) -> String {
        let visible = text.unicodeScalars.prefix(64).map { $0.value < 32 || $0.value == 127 ? "?" : Character($0) }
        return "\u{201C}\(String(visible))\u{201D}"
    }
}

extension Catalogue {
    /// There is no dataset of that name: the one that was probably meant, or where to look.
    func absent(_ name: String) -> Problem {
        let nearest = NameSuggestion.nearest(to: name, among: datasets.keys.sorted())
        return .absent(
            "there is no dataset \(DisplayedName.of(name))",
            hint: nearest.map { "did you mean \($0)? `parley data list` names all" } ?? "`parley data list` names all")
    }
}
