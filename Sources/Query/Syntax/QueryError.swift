/// Why a question cannot be planned: what was wrong, where, and what would be right. It follows from the text, the
/// manifest and the policy alone, never from data.
public struct QueryError: Error, Sendable, Hashable {
    /// A sentence without a full stop.
    public var message: String
    /// The 0-based UTF-8 offset in the text, where there is one.
    public var position: Int?
    /// The next step.
    public var hint: String?

    /// An error with the place in the text and the next step, where there are any.
    public init(_ message: String, at position: Int? = nil, hint: String? = nil) {
        self.message = message
        self.position = position
        self.hint = hint
    }

    /// The 1-based line and column (in Unicode scalars) of `position` in the text; nil without a position in it.
    public func location(in text: String) -> (line: Int, column: Int)? {
        guard let position, position >= 0, position <= text.utf8.count else { return nil }
        var line = 1
        var column = 1
        var offset = 0
        for scalar in text.unicodeScalars {
            let width = UTF8.width(scalar)
            if offset + width > position { break }
            offset += width
            if scalar == "\n" {
                line += 1
                column = 1
            } else {
                column += 1
            }
        }
        return (line, column)
    }
}

extension QueryError: CustomStringConvertible {
    public var description: String {
        let place = position.map { " (at offset \($0))" } ?? ""
        let next = hint.map { ". \($0)" } ?? ""
        return message + place + next
    }
}
