import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reads lines at a prompt, with editing and history where libedit is installed, plainly where it is not.
///
/// libedit is looked up at run time, so that neither building nor running needs it.
final class LineEditor {
    private typealias ReadLine = @convention(c) (UnsafePointer<CChar>?) -> UnsafeMutablePointer<CChar>?
    private typealias WithPath = @convention(c) (UnsafePointer<CChar>?) -> Int32

    private let readLineFunction: ReadLine?
    private let addHistory: WithPath?
    private let writeHistory: WithPath?
    private let historyPath: String?
    let isInteractive: Bool

    /// - Parameter historyPath: Where lines are remembered between runs (mode 0600); nil: nowhere.
    init(historyPath: String?) {
        isInteractive = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
        self.historyPath = historyPath
        let library = isInteractive ? Self.openLibrary() : nil
        readLineFunction = Self.function(library, "readline")
        addHistory = Self.function(library, "add_history")
        writeHistory = Self.function(library, "write_history")
        let readHistory: WithPath? = Self.function(library, "read_history")
        if let historyPath, let readHistory { _ = readHistory(historyPath) }
    }

    /// The next line; nil at the end of the input.
    func line(prompt: String) -> String? {
        guard let readLineFunction else {
            if isInteractive { Terminal.output.write(prompt) }
            return readLine(strippingNewline: true)
        }
        guard let text = readLineFunction(prompt) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    /// Remembers a line, on disk too: what was asked is private to the researcher, so the file is hers alone.
    func remember(_ line: String) {
        guard let addHistory, !line.isEmpty else { return }
        _ = addHistory(line)
        guard let historyPath, let writeHistory else { return }
        let previous = umask(0o077)
        _ = writeHistory(historyPath)
        umask(previous)
        chmod(historyPath, 0o600)
    }

    private static func openLibrary() -> UnsafeMutableRawPointer? {
        for name in ["libedit.so.2", "libedit.so.0", "libedit.dylib"] {
            if let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) { return handle }
        }
        return nil
    }

    /// The function of that name; the caller states its C type, which libedit's `readline.h` gives.
    private static func function<Function>(_ library: UnsafeMutableRawPointer?, _ name: String) -> Function? {
        guard let library, let symbol = dlsym(library, name) else { return nil }
        return unsafeBitCast(symbol, to: Function.self)
    }
}
