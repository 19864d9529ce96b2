import ArgumentParser
import DatasiteClient
import DatasiteProtocol

/// How a command ends. Wrong usage is 64 (`EX_USAGE`), as swift-argument-parser has it.
enum ExitStatus {
    /// Refused, or failed.
    static let failed = ExitCode(1)
    /// Nothing was refused, but owners have to approve first.
    static let pending = ExitCode(3)
    /// A log went back, stays behind, shows two histories, or is not what was signed.
    static let contradicted = ExitCode(4)
    /// The answer is there, and its proof is not yet.
    static let unproved = ExitCode(5)
}

/// What went wrong, where, and what to do next.
struct Failure: Error, Hashable {
    var what: String
    var next: String?
    /// Of a run with several sites: nothing comes of it any more.
    var endsRun = false
    var status = ExitStatus.failed

    init(_ what: String, next: String? = nil, endsRun: Bool = false, status: ExitCode = ExitStatus.failed) {
        self.what = what
        self.next = next
        self.endsRun = endsRun
        self.status = status
    }
}

extension Problem {
    /// The problem as lines for a person; with the SQL text, a mark under the place where it went wrong.
    func lines(sql: String?) -> [String] {
        var lines = PrintableText.escapeLines(detail.isEmpty ? title : detail)
        if let position, let sql { lines += SourceMark(sql, offset: position).lines }
        // The site speaks of HTTP here, which is not what she did.
        let hint =
            kind == .unauthenticated ? "Log in again with the token that the owner gave you: parley login URL" : hint
        if let hint { lines += PrintableText.escapeLines(hint).map { "  " + $0 } }
        return lines
    }
}

/// The line of a text that holds an offset, with a mark under it.
struct SourceMark {
    let lines: [String]

    init(_ text: String, offset: Int) {
        let bytes = Array(text.utf8)
        let at = min(max(0, offset), bytes.count)
        let start = bytes[..<at].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let end = bytes[at...].firstIndex(of: 0x0A) ?? bytes.count
        let number = bytes[..<start].count { $0 == 0x0A } + 1
        let line = PrintableText.escape(String(decoding: bytes[start..<end], as: UTF8.self))
        let before = PrintableText.escape(String(decoding: bytes[start..<at], as: UTF8.self))
        let prefix = "  line \(number): "
        let indent = String(repeating: " ", count: prefix.count + PrintableText.width(before))
        lines = [prefix + line, indent + "^"]
    }
}

/// Prints an error to the diagnostics stream: what happened, where, the next step.
func report(_ error: any Error, sql: String? = nil, on terminal: Terminal = .diagnostics) {
    var lines: [String]
    switch error {
    case let problem as Problem: lines = problem.lines(sql: sql)
    case let failure as Failure:
        lines = PrintableText.escapeLines(failure.what)
        if let next = failure.next { lines += PrintableText.escapeLines(next).map { "  " + $0 } }
    case let error as TransportError:
        lines = PrintableText.escapeLines(error.detail) + PrintableText.escapeLines(error.hint).map { "  " + $0 }
    default: lines = PrintableText.escapeLines("\(error)")
    }
    guard !lines.isEmpty else { return }
    terminal.line(terminal.styled("error: ", .bold, .red) + lines[0])
    for line in lines.dropFirst() { terminal.line(line) }
}
