import Foundation
import Synchronization

/// One line on the diagnostics stream that shows how far a long job is; silent where that is no terminal.
///
/// Only the owner sees it: progress in rows is private (docs/privacy.md, rule 2).
final class Progress: Sendable {
    private let terminal: Terminal
    private let title: String
    private let state = Mutex(State())

    private struct State {
        var shown = -1
        var started = ContinuousClock.now
    }

    init(_ title: String, on terminal: Terminal = .diagnostics) {
        self.title = title
        self.terminal = terminal
    }

    /// - Parameter fraction: 0 to 1.
    func update(_ fraction: Double) {
        guard terminal.isTerminal else { return }
        let percent = Int((min(max(fraction, 0), 1) * 100).rounded(.down))
        state.withLock { state in
            guard percent != state.shown else { return }
            state.shown = percent
            let columns = 30
            let filled = percent * columns / 100
            let (full, empty) = terminal.usesUnicode ? ("█", "░") : ("#", ".")
            let bar = String(repeating: full, count: filled) + String(repeating: empty, count: columns - filled)
            let seconds = state.started.duration(to: .now) / .seconds(1)
            terminal.write("\r\(title)  \(bar) \(percent) %  \(NumberText.fixed(seconds, decimals: 0)) s ")
        }
    }

    /// Clears the line.
    func finish() {
        guard terminal.isTerminal, state.withLock({ $0.shown >= 0 }) else { return }
        terminal.write("\r" + String(repeating: " ", count: title.count + 50) + "\r")
    }
}
