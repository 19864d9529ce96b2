import Foundation
import Synchronization

/// One line on the diagnostics stream that shows how far a long job is; silent where that is no terminal.
///
/// How far reading rows is is shown to the owner alone: it is private (docs/privacy.md, rule 2).
final class Progress: Sendable {
    private let terminal: Terminal
    private let title: String
    private let state = Mutex(State())

    private struct State {
        var shown = ""
        var width = 0
        /// What was shown last: workers report out of order, and a job may read two files one after the other.
        var percent = 0
        var started = ContinuousClock.now
    }

    init(_ title: String, on terminal: Terminal = .diagnostics) {
        self.title = title
        self.terminal = terminal
    }

    /// - Parameters:
    ///   - fraction: 0 to 1.
    ///   - doing: What is done now.
    func update(_ fraction: Double, doing: String = "") {
        guard terminal.isTerminal else { return }
        let reported = Int((min(max(fraction, 0), 1) * 100).rounded(.down))
        state.withLock { state in
            // A bar that goes back says that work was lost.
            let percent = max(state.percent, reported)
            state.percent = percent
            guard "\(percent) \(doing)" != state.shown else { return }
            if state.width == 0 { state.started = .now }
            state.shown = "\(percent) \(doing)"
            let columns = 30
            let filled = percent * columns / 100
            let (full, empty) = terminal.usesUnicode ? ("█", "░") : ("#", ".")
            let bar = String(repeating: full, count: filled) + String(repeating: empty, count: columns - filled)
            let seconds = state.started.duration(to: .now) / .seconds(1)
            let line =
                "\(title)  \(bar) \(percent) %  \(NumberText.fixed(seconds, decimals: 0)) s  \(PrintableText.escape(doing))"
            // What a longer line left behind is covered.
            terminal.write("\r" + line + String(repeating: " ", count: max(0, state.width - line.count)))
            state.width = line.count
        }
    }

    /// Clears the line.
    func finish() {
        let width = state.withLock { state in
            defer { (state.width, state.shown, state.percent) = (0, "", 0) }
            return state.width
        }
        guard width > 0 else { return }
        terminal.write("\r" + String(repeating: " ", count: width) + "\r")
    }
}
