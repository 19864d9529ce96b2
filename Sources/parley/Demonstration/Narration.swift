/// The demonstration's words on the terminal: what happens, and the command that would do it by hand.
struct Narration {
    let terminal = Terminal.output
    private var step = 0

    mutating func heading(_ title: String) {
        step += 1
        terminal.line("\n" + terminal.styled("\(step). \(title)", .bold))
    }

    func command(_ text: String) {
        terminal.line(terminal.styled("$ \(text)", .green))
    }

    func say(_ text: String) {
        for line in PrintableText.wrapped(text, to: min(100, terminal.width)) { terminal.line(line) }
    }

    func published(_ text: String, holds: Bool) {
        say(terminal.styled("Published: ", .bold) + text)
        let verdict =
            holds
            ? terminal.styled("The private answer shows the same.", .green)
            : terminal.styled("The private answer does NOT show this.", .bold, .red)
        terminal.line(verdict)
    }
}
