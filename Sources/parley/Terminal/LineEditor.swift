import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reads lines at a prompt, with editing and history where libedit is installed, plainly where it is not. Ctrl-C drops the line.
///
/// libedit is looked up at run time, so that neither building nor running needs it.
final class LineEditor {
    /// What came of a prompt.
    enum Input: Equatable {
        case line(String)
        /// Ctrl-C: what was typed is dropped.
        case interrupted
        /// The end of the input.
        case end
    }

    private typealias ReadLine = @convention(c) (UnsafePointer<CChar>?) -> UnsafeMutablePointer<CChar>?
    private typealias WithPath = @convention(c) (UnsafePointer<CChar>?) -> Int32
    private typealias Nothing = @convention(c) () -> Int32
    private typealias Command = @convention(c) (Int32, Int32) -> Int32
    private typealias AddCommand = @convention(c) (UnsafePointer<CChar>?, Command, Int32) -> Int32

    private let readLineFunction: ReadLine?
    private let addHistory: WithPath?
    private let writeHistory: WithPath?
    private let historyPath: String?
    let isInteractive: Bool

    /// - Parameter historyPath: Where lines are remembered between runs (mode 0600); nil: nowhere.
    init(historyPath: String?) {
        isInteractive = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
        self.historyPath = historyPath
        let isDumb = ProcessInfo.processInfo.environment["TERM"] == "dumb"
        let library = isInteractive && !isDumb ? Self.openLibrary() : nil
        readLineFunction = Self.bindInterrupt(library) ? Self.function(library, "readline") : nil
        addHistory = Self.function(library, "add_history")
        writeHistory = Self.function(library, "write_history")
        let readHistory: WithPath? = Self.function(library, "read_history")
        if let historyPath, let readHistory { _ = readHistory(historyPath) }
    }

    func line(prompt: String) -> Input {
        guard isInteractive else { return readLine(strippingNewline: true).map(Input.line) ?? .end }
        return readLineFunction.map { edited(prompt, $0) } ?? plain(prompt)
    }

    // MARK: With libedit

    /// libedit ends the process on Ctrl-C, or the line's buffer stays, whatever handler is set. So at its prompt Ctrl-C is a key like
    /// others, and this is its command: it ends the line.
    private static func bindInterrupt(_ library: UnsafeMutableRawPointer?) -> Bool {
        guard let library, let initialise: Nothing = function(library, "rl_initialize"),
            let add: AddCommand = function(library, "rl_add_defun"), let done = dlsym(library, "rl_done"),
            initialise() == 0
        else { return false }
        lineIsDone.store(Int(bitPattern: done), ordering: .relaxed)
        let interrupt: Command = { _, _ in
            LineEditor.wasInterrupted.store(true, ordering: .relaxed)
            let done = UnsafeMutableRawPointer(bitPattern: LineEditor.lineIsDone.load(ordering: .relaxed))
            done?.storeBytes(of: 1, as: Int32.self)
            return 0
        }
        return add("parley-interrupt", interrupt, 3) == 0
    }

    /// `_POSIX_VDISABLE`.
    #if canImport(Darwin)
        private static let noKey: UInt8 = 0xFF
    #else
        private static let noKey: UInt8 = 0
    #endif

    private static let wasInterrupted = Atomic(false)
    /// The address of libedit's variable that ends a line.
    private static let lineIsDone = Atomic<Int>(0)

    private func edited(_ prompt: String, _ readLine: ReadLine) -> Input {
        var settings = termios()
        let isKnown = tcgetattr(STDIN_FILENO, &settings) == 0
        var changed = settings
        withUnsafeMutableBytes(of: &changed.c_cc) { $0[Int(VINTR)] = Self.noKey }
        if isKnown { tcsetattr(STDIN_FILENO, TCSADRAIN, &changed) }
        defer { if isKnown { tcsetattr(STDIN_FILENO, TCSADRAIN, &settings) } }
        Self.wasInterrupted.store(false, ordering: .relaxed)
        let text = readLine(prompt)
        defer { free(text) }
        if Self.wasInterrupted.load(ordering: .relaxed) {
            Terminal.output.line("^C")
            return .interrupted
        }
        return text.map { .line(String(cString: $0)) } ?? .end
    }

    // MARK: Without

    /// The terminal itself drops what was typed of a line.
    private func plain(_ prompt: String) -> Input {
        let before = Interrupts.count
        // Before the prompt: whoever sees it may press Ctrl-C.
        Interrupts.beginCounting()
        defer { Interrupts.endCounting() }
        Terminal.output.write(prompt)
        var bytes: [UInt8] = []
        while true {
            // Another thread may have taken the signal.
            var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, 100)
            if Interrupts.count > before {
                Terminal.output.line()
                return .interrupted
            }
            guard ready > 0 else { continue }
            var byte: UInt8 = 0
            guard read(STDIN_FILENO, &byte, 1) == 1 else {
                return bytes.isEmpty ? .end : .line(String(decoding: bytes, as: UTF8.self))
            }
            if byte == UInt8(ascii: "\n") { return .line(String(decoding: bytes, as: UTF8.self)) }
            bytes.append(byte)
        }
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
