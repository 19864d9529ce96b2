import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where an access token comes from: a file, standard input, `$PARLEY_TOKEN` or a hidden prompt. Never an argument,
/// which every user of the machine could read in the process list.
enum AccessToken {
    /// The token that was given from outside; nil where there is none.
    static func given(
        file: String?, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(Failure) -> String? {
        if let file {
            return try checked(file == "-" ? readStandardInput() : readFile(file), from: file)
        }
        guard let text = environment["PARLEY_TOKEN"], !text.isEmpty else { return nil }
        return try checked(text, from: "$PARLEY_TOKEN")
    }

    /// Asks for it without showing it.
    static func prompted(for url: String) throws(Failure) -> String {
        guard isatty(STDIN_FILENO) == 1 else {
            throw Failure(
                "There is no terminal to ask for the token.",
                next: "Give it with --token-file FILE (- for standard input) or in $PARLEY_TOKEN.")
        }
        Terminal.diagnostics.write("Token for \(PrintableText.escape(url)) (not shown): ")
        let text = HiddenInput.readLine()
        Terminal.diagnostics.line()
        return try checked(text ?? "", from: "the prompt")
    }

    private static func readStandardInput() throws(Failure) -> String {
        readLine(strippingNewline: true) ?? ""
    }

    private static func readFile(_ path: String) throws(Failure) -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure("Cannot read the token from \(path).")
        }
        return String(decoding: data.prefix(4096), as: UTF8.self)
    }

    /// The message never repeats what was given: it may be a password pasted by mistake.
    private static func checked(_ text: String, from source: String) throws(Failure) -> String {
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        let isWellFormed =
            token.hasPrefix("parley_") && token.utf8.count <= 200
            && token.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        guard isWellFormed else {
            throw Failure(
                "What came from \(source) is no token of a datasite.",
                next:
                    "A token starts with parley_; the site's owner makes one with: parley user add NAME --role researcher"
            )
        }
        return token
    }
}

/// A line typed without being shown.
private enum HiddenInput {
    static func readLine() -> String? {
        var saved = termios()
        guard tcgetattr(STDIN_FILENO, &saved) == 0 else { return Swift.readLine(strippingNewline: true) }
        var hidden = saved
        hidden.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
        defer { tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved) }
        return Swift.readLine(strippingNewline: true)
    }
}
