import ArgumentParser
import Datasite
import DatasiteProtocol
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Whether an owner means a change that touches others, or that protects nobody.
struct ConfirmationOptions: ParsableArguments {
    @Flag(help: "Do it without asking, whatever it touches and however unusual it is.") var yes = false

    /// Says what the change does beside what it is for; asks on a terminal, and goes on elsewhere only where `--yes` was said.
    func confirm(_ consequences: Consequences) throws(Failure) {
        guard !consequences.isEmpty else { return }
        let terminal = Terminal.diagnostics
        for (mark, sentences) in [("unusual: ", consequences.doubts), ("note: ", consequences.touched)] {
            for sentence in sentences {
                let lines = PrintableText.wrapped(PrintableText.escape(sentence), to: min(100, terminal.width) - 9)
                for (number, line) in lines.enumerated() {
                    terminal.line((number == 0 ? terminal.styled(mark, .yellow) : "  ") + line)
                }
            }
        }
        guard !yes else { return }
        guard isatty(STDIN_FILENO) == 1 else {
            throw Failure(
                "Nothing was changed: nobody is there to be asked.", next: "Where all of that is meant, say so: --yes")
        }
        terminal.write("Go on? [y/N] ")
        let answer = readLine()?.lowercased() ?? ""
        guard ["y", "yes"].contains(answer) else { throw Failure("Nothing was changed.") }
    }
}
