/// A name that a caller wrote, made fit for an error: cut, and without control characters.
enum DisplayedName {
    static func of(_ text: String) -> String {
        let visible = text.unicodeScalars.prefix(64).map { $0.value < 32 || $0.value == 127 ? "?" : Character($0) }
        return "\u{201C}\(String(visible))\u{201D}"
    }
}
