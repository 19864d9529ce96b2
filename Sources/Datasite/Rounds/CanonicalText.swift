import Tables

/// A value in the one form that is compared between sites.
enum CanonicalText {
    static func of(_ value: Value) -> String {
        (try? AnswerEncoding.bytes(AnswerEncoding.scalar(value))).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
