import ArgumentParser
import Datasite
import DatasiteProtocol

struct SiteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "site", abstract: "Set up a datasite.",
        subcommands: [Initialise.self, KeyCommand.self, LimitsCommand.self])

    struct Initialise: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "init", abstract: "Make a new datasite in a folder of its own (mode 0700).")

        @Argument(help: "The folder, which must not exist yet.", completion: .directory)
        var directory = SiteOptions.defaultPath

        @Option(help: "The site's name, as researchers see it (default: the folder's).")
        var name: String?

        func run() async throws {
            try Datasite.create(at: directory, name: name)
            let site = try Datasite(path: directory)
            let terminal = Terminal.output
            terminal.line("Made the datasite “\(PrintableText.escape(site.description.name))” in \(directory).")
            terminal.line("Its key, which signs every receipt: \(site.description.publicKey)")
            let option = directory == SiteOptions.defaultPath ? "" : " --site \(directory)"
            terminal.line(
                """

                Next:
                  parley data describe FILE > manifest.yaml      draft what you declare of a table, then edit it
                  parley data add FILE --manifest manifest.yaml\(option)
                  parley user add NAME --role researcher\(option)
                  parley serve\(option)
                """)
        }
    }

    struct KeyCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "key", abstract: "Print the site's public key, in base64.",
            discussion: """
                It verifies receipts, and names the site where several train together: the others' owners put it into their policies.

                Example:
                  parley site key --site ./hospital-a
                """)

        @OptionGroup var site: SiteOptions

        func run() async throws { Terminal.output.line(try site.open().description.publicKey) }
    }

    struct LimitsCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "limits", abstract: "Show or set what a question, and long work, may take of this machine.",
            discussion: """
                Before anything is read, each question's plan says how long it computes at most and how much memory it \
                needs, whatever the rows hold; answers leave after 4 to 5 times that, so that their time says nothing. \
                What exceeds the limits is refused. All of this is public.

                Examples:
                  parley site limits
                  parley site limits --time 120 --memory 4
                  parley site limits --long-time 14400 long work, such as training
                  parley site limits --measure        after a move to another machine
                """)

        @OptionGroup var site: SiteOptions
        @Option(
            parsing: .unconditional,
            help: ArgumentHelp("The most that one question may be bound to compute.", valueName: "seconds"))
        var time: Double?
        @Option(
            parsing: .unconditional,
            help: ArgumentHelp("The most that all scans may hold together.", valueName: "GiB"))
        var memory: Double?
        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "The most that one piece of long work, such as training, may be bound to compute.", valueName: "seconds"
            ))
        var longTime: Double?
        @Flag(help: "Measure this machine's speed again.") var measure = false

        func validate() throws {
            for (name, value) in [("time", time), ("memory", memory), ("long-time", longTime)] {
                if let value, !(value > 0 && value.isFinite) {
                    throw ValidationError("--\(name) must be a positive number.")
                }
            }
        }

        func run() async throws {
            let site = try site.open()
            let isChange = time != nil || longTime != nil || memory != nil || measure
            let limits =
                isChange
                ? try site.setScanLimits(
                    seconds: time, longSeconds: longTime, memory: memory.map { $0 * 0x1p30 }, measure: measure)
                : site.scanLimits
            let terminal = Terminal.output
            terminal.line("\(isChange ? "Set: " : "")\(limits.words).")
            if isChange { terminal.line("A server that runs takes this up when it is started again.") }
        }
    }
}
