import ArgumentParser
import Datasite
import DatasiteProtocol

struct SiteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "site", abstract: "Set up a datasite.", subcommands: [Initialise.self])

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
}
