import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// One of the two streams on which people and scripts read us, and what it can show.
///
/// Colours appear only on a terminal, and not where `NO_COLOR` is set (no-color.org); box-drawing characters give way
/// to ASCII where the locale is explicitly `C` or `POSIX`.
struct Terminal: Sendable {
    let descriptor: Int32
    let isTerminal: Bool
    let usesColour: Bool
    let usesUnicode: Bool
    /// Columns of the terminal; 100 where there is none to ask.
    let width: Int
    /// Whether a terminal, or `COLUMNS`, says how wide lines may be.
    let isWidthKnown: Bool

    /// The system's error number after which results did not reach standard output; 0 where all did.
    private static let failed = Atomic<Int32>(0)

    /// Where a standard stream is closed, the next file that is opened would take its place, and what is said to people
    /// would be written into it.
    static func openStandardStreams() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) == -1 {
            _ = open("/dev/null", O_RDWR)
        }
    }

    /// Throws if anything that was written to standard output is lost.
    static func checkOutput() throws(Failure) {
        let error = failed.load(ordering: .relaxed)
        guard error != 0 else { return }
        throw Failure(
            "Standard output could not be written: \(String(cString: strerror(error))). The command itself was carried out.",
            next:
                "An answer is read again, at no cost, by: parley history; a lost token is replaced by: parley user rotate NAME."
        )
    }

    /// Results: what a script would read.
    static let output = Terminal(descriptor: STDOUT_FILENO)
    /// Progress, warnings and errors.
    static let diagnostics = Terminal(descriptor: STDERR_FILENO)

    init(descriptor: Int32, environment: [String: String] = ProcessInfo.processInfo.environment) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
        let noColour = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        usesColour = isTerminal && !noColour && environment["TERM"] != "dumb"
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }.first { !$0.isEmpty }
        usesUnicode = locale != "C" && locale != "POSIX"
        let columns = Self.columns(of: descriptor, isTerminal: isTerminal, environment: environment)
        width = columns ?? Self.defaultWidth
        isWidthKnown = columns != nil
    }

    private static let defaultWidth = 100

    /// - Parameter width: nil: unknown, as of a pipe.
    init(descriptor: Int32, isTerminal: Bool, usesColour: Bool, usesUnicode: Bool, width: Int?) {
        self.descriptor = descriptor
        self.isTerminal = isTerminal
        self.usesColour = usesColour
        self.usesUnicode = usesUnicode
        self.width = width ?? Self.defaultWidth
        isWidthKnown = width != nil
    }

    private static func columns(of descriptor: Int32, isTerminal: Bool, environment: [String: String]) -> Int? {
        if isTerminal {
            var size = winsize()
            if ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 20 { return Int(size.ws_col) }
        }
        if let columns = environment["COLUMNS"].flatMap(Int.init), columns >= 20 { return columns }
        return nil
    }

    /// Writes all of it, unbuffered, so that a line is there when we say that it is.
    func write(_ text: String) {
        write(Array(text.utf8))
    }

    func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { systemWrite(descriptor, $0) }
                if count < 0 {
                    if errno == EINTR { continue }
                    if errno == EAGAIN || errno == EWOULDBLOCK {
                        // Somebody else made it non-blocking: it is waited for, not asked again and again.
                        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                        _ = poll(&waiting, 1, -1)
                        continue
                    }
                    // A reader that has seen enough (`| head`) is no failure.
                    if errno != EPIPE, descriptor == STDOUT_FILENO { Self.failed.store(errno, ordering: .relaxed) }
                    return
                }
                rest = rest.dropFirst(count)
            }
        }
    }

    func line(_ text: String = "") {
        write(text + "\n")
    }

    /// Text in lines of at most 100 columns, and the terminal's, escaped here.
    func paragraph(_ text: String, _ styles: Style...) {
        for line in PrintableText.wrapped(PrintableText.escape(text), to: min(Self.defaultWidth, width)) {
            self.line(styled(line, styles))
        }
    }

    /// A message as JSON; a person's terminal gets nothing that it would obey.
    func json(_ value: some Encodable, isPretty: Bool = true) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if isPretty { encoder.outputFormatting.insert(.prettyPrinted) }
        json(Array(try encoder.encode(value)))
    }

    /// JSON as it is, byte for byte, but on a person's terminal.
    func json(_ bytes: [UInt8]) {
        if isTerminal {
            write(PrintableText.escapeJSON(String(decoding: bytes, as: UTF8.self)))
        } else {
            write(bytes)
        }
        line()
    }

    enum Style: String {
        case bold = "1"
        case dim = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case cyan = "36"
    }

    func styled(_ text: String, _ styles: Style...) -> String { styled(text, styles) }

    private func styled(_ text: String, _ styles: [Style]) -> String {
        guard usesColour, !text.isEmpty, !styles.isEmpty else { return text }
        return "\u{1B}[\(styles.map(\.rawValue).joined(separator: ";"))m\(text)\u{1B}[0m"
    }

    /// A horizontal rule of that many columns.
    func rule(_ columns: Int) -> String {
        String(repeating: usesUnicode ? "─" : "-", count: max(0, columns))
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}
