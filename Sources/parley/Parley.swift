import ArgumentParser
import DatasiteProtocol

/// The command line of Parley: for data owners (site, serve, user, data), researchers (login, ask, shell, ...) and all
/// who check (audit, budget, verify, receipt).
@main
struct Parley: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parley",
        abstract: "Ask questions of data that you may not see, and let others ask them of yours.",
        discussion: """
            A data owner puts a table on a datasite; a researcher asks it questions in SQL and gets answers that \
            differential privacy protects, each at a cost that is known beforehand.

            To see it all at work on real data:  parley demo
            A data owner begins with:            parley site init ./parley-site
            A researcher begins with:            parley login URL

            Exit status: 0 done; 1 refused or failed; 3 waits for an owner's approval; 4 a log went back or split, or is not what was signed; 5 an answer is there, and its proof not yet; 64 wrong usage.
            """,
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(
                name: "Demonstration", subcommands: [DemoCommand.self]),
            CommandGroup(
                name: "Data owner",
                subcommands: [
                    SiteCommand.self, ServeCommand.self, UserCommand.self, DataCommand.self, ModelCommand.self,
                    ApproveCommand.self, DenyCommand.self, VerifyCommand.self,
                ]),
            CommandGroup(
                name: "Researcher",
                subcommands: [
                    LoginCommand.self, LogoutCommand.self, WhoAmICommand.self, AskCommand.self, ShellCommand.self,
                    EvaluateCommand.self, PredictCommand.self, PrepareCommand.self, HistoryCommand.self,
                    ReceiptsCommand.self,
                    ReceiptCommand.self,
                ]),
            CommandGroup(
                name: "Owner, researcher and auditor",
                subcommands: [
                    RequestsCommand.self, JobsCommand.self, AuditCommand.self, BudgetCommand.self, LogCommand.self,
                ]),
            CommandGroup(name: "Planning", subcommands: [PrivacyCommand.self]),
            CommandGroup(
                name: "Together",
                subcommands: [
                    CoordinateCommand.self, StatsCommand.self, IntersectCommand.self, FitCommand.self,
                    JoinCommand.self,
                    DevicesCommand.self,
                    DealerCommand.self, MpcCommand.self,
                ]),
            CommandGroup(name: "Marketplace", subcommands: [MarketCommand.self, ContentCommand.self]),
            CommandGroup(name: "On one's own data", subcommands: [TrainCommand.self, SimulateCommand.self]),
        ])

    static func main() async {
        Terminal.openStandardStreams()
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            try Terminal.checkOutput()
        } catch let error where isOurs(error) {
            report(error)
            exit(withError: (error as? Failure)?.status ?? ExitStatus.failed)
        } catch {
            exit(withError: error)
        }
    }

    /// What the argument parser knows (usage, help, exit codes) it prints itself.
    private static func isOurs(_ error: any Error) -> Bool {
        let parsers = error is ExitCode || error is CleanExit || error is ValidationError
        return !parsers && exitCode(for: error) == .failure
    }
}
