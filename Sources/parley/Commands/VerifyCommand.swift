import ArgumentParser
import Datasite

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check a datasite's own files: ledger against journal, checksums, schema.")

    @OptionGroup var site: SiteOptions
    @Flag(
        help: """
            Accept that this site was restored from a backup: charges the difference where it is known, everything \
            where it is not. Until then it answers no question and adds no table. You are told what it does, and asked.
            """)
    var acceptRestore = false
    @OptionGroup var confirmation: ConfirmationOptions

    func run() async throws {
        let terminal = Terminal.output
        let site = try site.open()
        if acceptRestore {
            try confirmation.confirm(try site.consequences(of: .acceptRestore))
            for line in try site.acceptRestore() { terminal.line(PrintableText.escape(line)) }
        }
        let report = try site.verify()
        for check in report.checks {
            if check.problems.isEmpty {
                terminal.line(terminal.styled("ok  ", .green) + PrintableText.escape(check.name))
            }
            for problem in check.problems {
                terminal.line(terminal.styled("WRONG  ", .bold, .red) + PrintableText.escape(problem))
            }
        }
        for remark in report.remarks {
            terminal.line(terminal.styled("note  ", .yellow) + PrintableText.escape(remark))
        }
        guard report.isSound else { throw ExitStatus.failed }
        terminal.line("The site's files are sound.")
        if acceptRestore { terminal.line("Next: start the site's server again (parley serve).") }
    }
}
