public import ArgumentParser
import Datasite
public import DatasiteProtocol

extension Role: ExpressibleByArgument {}

struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Say who may use your datasite.",
        subcommands: [Add.self, List.self, Revoke.self, Rotate.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Add a user, and print her access token, once.")

        @OptionGroup var site: SiteOptions
        @Argument(help: "The user's name.") var name: String
        @Option(help: "owner, researcher or auditor (who reads audit, budget and receipts, never data).")
        var role: Role

        func run() async throws {
            let token = try site.open().addUser(name, role: role)
            printToken(token, for: name)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the users.")

        @OptionGroup var site: SiteOptions

        func run() async throws {
            let site = try site.open()
            let (users, late) = (try site.users(), try site.missedSlotsByResearcher())
            guard !users.isEmpty else {
                Terminal.output.line("There are no users yet. Add one with: parley user add NAME --role researcher")
                return
            }
            let rows = users.map {
                [
                    $0.name, $0.role.rawValue, $0.isRevoked ? "revoked" : "active", $0.created,
                    late[$0.name].map(String.init) ?? "",
                ]
            }
            Terminal.output.write(
                TextTable(titles: ["name", "role", "state", "since", "late answers"], rows: rows).render(on: .output))
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a user's token: it counts from her next request on.",
            discussion: "Her name, requests, answers and spending stay, and the name is given to nobody else.")

        @OptionGroup var site: SiteOptions
        @Argument(help: "The user's name.") var name: String

        func run() async throws {
            try site.open().revokeUser(name)
            Terminal.output.line("\(PrintableText.escape(name)) has no access any more.")
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replace a user's token; the old one stops working at once.")

        @OptionGroup var site: SiteOptions
        @Argument(help: "The user's name.") var name: String
        @Flag(help: "Give a revoked user access again, with the role, history and spending that the name has.")
        var reinstate = false

        func run() async throws {
            let token = try site.open().rotateUser(name, reinstating: reinstate)
            printToken(token, for: name)
        }
    }
}

/// The token alone on the result stream, so that a script can read it; the words beside it.
private func printToken(_ token: String, for name: String) {
    Terminal.diagnostics.line(
        "The token of \(PrintableText.escape(name)). It is shown this once and not stored; hand it over safely:")
    Terminal.output.line(token)
}
