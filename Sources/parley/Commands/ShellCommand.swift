import ArgumentParser
import DatasiteClient
import DatasiteProtocol
import Foundation

struct ShellCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shell", abstract: "Ask a dataset one question after another, at a prompt.",
        discussion: "Questions end with a semicolon. \\help lists the other commands.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var spending: SpendingOptions
    @Option(help: "Say what the answers are for: owners who decide read it, and some datasets ask for it.")
    var purpose: String?
    @Argument(help: "The dataset.", completion: DatasetNames.completion) var dataset: String

    func run() async throws {
        let connection = try connection.connect()
        let detail = try await connection.client.dataset(dataset).detail()
        var shell = try Shell(connection: connection, detail: detail, spending: spending)
        shell.purpose = purpose
        try await shell.run()
        if shell.hasFailed, !shell.isInteractive { throw ExitStatus.failed }
    }
}

/// The prompt: reads a line at a time, remembers what a question may cost and what it is for.
private struct Shell {
    let connection: Connection
    let detail: DatasetDetail
    var spending: SpendingOptions
    var output: OutputOptions
    var purpose: String?
    /// Whether anything was refused or failed: what a script that feeds us needs to know.
    private(set) var hasFailed = false
    private let editor: LineEditor
    private let terminal = Terminal.output

    var isInteractive: Bool { editor.isInteractive }

    init(connection: Connection, detail: DatasetDetail, spending: SpendingOptions) throws {
        self.connection = connection
        self.detail = detail
        self.spending = spending
        output = try OutputOptions.parse([])
        let folder = Logins.folder()
        try PrivateFile.makeFolder(folder)
        editor = LineEditor(historyPath: folder + "/shell-history")
    }

    mutating func run() async throws {
        let name = PrintableText.escape(detail.summary.name)
        terminal.line("Asking \(name) at \(connection.url). End a question with ; and see \\help. Ctrl-D leaves.")
        terminal.line(budgetLine)
        var question = ""
        while true {
            let prompt = question.isEmpty ? "\(name)> " : String(repeating: ".", count: name.count) + "> "
            let line: String
            switch editor.line(prompt: prompt) {
            case .line(let text): line = text
            case .interrupted:
                question = ""
                continue
            case .end:
                if !question.isEmpty {
                    // It may be cut short, and a question costs.
                    fail(
                        Failure("The last question was not asked: it does not end with a semicolon.", next: question))
                }
                if isInteractive { terminal.line() }
                return
            }
            let text = line.trimmingCharacters(in: .whitespaces)
            if question.isEmpty, text.isEmpty { continue }
            if question.isEmpty, text.hasPrefix("\\") {
                editor.remember(text)
                guard await command(text) else { return }
                continue
            }
            question += question.isEmpty ? line : "\n" + line
            guard text.hasSuffix(";") else { continue }
            editor.remember(RequestView.oneLine(question))
            await ask(withoutSemicolon(question), .answer)
            question = ""
        }
    }

    private mutating func fail(_ error: any Error, sql: String? = nil) {
        hasFailed = true
        report(error, sql: sql)
    }

    private enum Way { case answer, preview, mock }

    /// Errors are printed and the prompt stays.
    private mutating func ask(_ sql: String, _ way: Way) async {
        guard let budget = spending.budget ?? (way == .mock ? .epsilon(1) : nil) else {
            fail(
                Failure(
                    "The question was not asked.",
                    next: "Say first what a question may cost: \\epsilon 0.5   or \\rho 0.01   or \\error 2% 1000"))
            return
        }
        var request = spending.request(dataset: detail.summary.name, sql: sql, budget: budget)
        request.purpose = purpose
        let asking = Asking(connection: connection, output: output)
        do {
            switch way {
            case .answer:
                _ = try await asking.askUnlessInterrupted(request, idempotencyKey: UUID().uuidString.lowercased())
            case .preview: try await asking.preview(request)
            case .mock: try await asking.mock(request)
            }
        } catch is ExitCode {
            return
        } catch {
            fail(error, sql: sql)
            guard way == .answer, let error = error as? TransportError, error.mayHaveBeenCharged else { return }
            Terminal.diagnostics.line("  It may have been answered and charged: look for it in parley history.")
        }
    }

    /// - Returns: Whether to go on.
    private mutating func command(_ text: String) async -> Bool {
        let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
        let argument = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        do {
            switch parts[0] {
            case "\\quit", "\\q": return false
            case "\\help", "\\?": terminal.line(Self.help)
            case "\\show": CatalogueView(detail: detail).show(on: terminal)
            case "\\budget":
                for report in try await connection.client.budget() { BudgetView.show(report, on: terminal) }
            case "\\dry": await ask(withoutSemicolon(argument), .preview)
            case "\\mock": await ask(withoutSemicolon(argument), .mock)
            case "\\epsilon", "\\rho", "\\error": try setBudget(String(parts[0].dropFirst()), argument)
            case "\\purpose":
                purpose = argument.isEmpty ? nil : argument
                terminal.line(argument.isEmpty ? "Questions say no purpose." : "Each question says that purpose.")
            case "\\plot": output.plot = argument != "off"
            case "\\format": try setFormat(argument)
            default: throw Failure("There is no command \(parts[0]).", next: "See \\help.")
            }
        } catch {
            fail(error)
        }
        return true
    }

    private mutating func setBudget(_ kind: String, _ argument: String) throws {
        let words = argument.split(separator: " ").map(String.init)
        let arguments =
            kind == "error" && words.count == 2
            ? ["--error", words[0], "--group-size", words[1]] : ["--\(kind)"] + words
        do {
            // Whatever else was said with the command stays.
            let chosen = try SpendingOptions.parse(arguments)
            (spending.epsilon, spending.rho) = (chosen.epsilon, chosen.rho)
            (spending.error, spending.groupSize) = (chosen.error, chosen.groupSize)
        } catch {
            throw Failure("That is not understood.", next: "Like this: \\epsilon 0.5   \\rho 0.01   \\error 2% 1000")
        }
        terminal.line(budgetLine)
    }

    private mutating func setFormat(_ argument: String) throws {
        guard let format = OutputFormat(argument: argument) else {
            throw Failure("The formats are table, csv and json.")
        }
        output.format = format
    }

    private var budgetLine: String {
        switch spending.budget {
        case .epsilon(let epsilon):
            return "Each question may cost epsilon \(NumberText.significant(epsilon))."
        case .rho(let rho):
            return "Each question may cost rho \(NumberText.significant(rho))."
        case .error(let relative, let size):
            let percent = NumberText.significant(relative * 100)
            return "Each question costs the least for an error of \(percent) % of \(NumberText.significant(size)) rows."
        case nil:
            return "Say what a question may cost: \\epsilon 0.5"
        }
    }

    private func withoutSemicolon(_ text: String) -> String {
        var text = text.trimmingCharacters(in: .whitespacesAndNewlines)
        while text.hasSuffix(";") { text.removeLast() }
        return text
    }

    private static let help = """
        SELECT ... ;            ask, over as many lines as you like
        \\dry SELECT ...         cost and expected error; spends nothing
        \\mock SELECT ...        answer from made-up rows; costs nothing
        \\epsilon 0.5            what each question may cost; also \\rho 0.01, \\error 2% 1000
        \\purpose TEXT           what the answers are for, which owners read; without a text, none
        \\show                   the dictionary        \\budget   what is left
        \\plot on|off            draw bars             \\format table|csv|json
        \\quit                   leave (or Ctrl-D)      Ctrl-C   drop the line, or stop waiting for an answer
        """
}
