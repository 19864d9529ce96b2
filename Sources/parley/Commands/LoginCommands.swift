import ArgumentParser
import DatasiteClient
import DatasiteProtocol

struct LoginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login", abstract: "Remember a datasite, your token for it, and its key.",
        discussion: """
            The token is asked for without being shown, or read from --token-file or $PARLEY_TOKEN. It is kept with \
            mode 0600 in your configuration folder. The site's key is pinned: a later answer that another key signed \
            is refused. Compare the key with what the owner tells you.
            """)

    @Argument(help: "The datasite's URL.") var url: String
    @Option(
        help: ArgumentHelp("Read the access token from this file; - is standard input.", valueName: "file"),
        completion: .file())
    var tokenFile: String?
    @Option(
        help: ArgumentHelp(
            "Trust the certificate authorities in this PEM file instead of the system's.", valueName: "file"),
        completion: .file())
    var ca: String?
    @Flag(help: "Pin the site's new key in place of the one pinned before.") var acceptNewKey = false

    func run() async throws {
        let address = try SiteURL.normalised(url)
        var logins = try Logins.load()
        let description = try await publicDescription(of: address)
        if let known = logins.sites[address], known.publicKey != description.publicKey, !acceptNewKey {
            throw Failure(
                "The datasite's key is not the one that was pinned: \(description.publicKey) now, \(known.publicKey) before.",
                next:
                    "Somebody may be in between. Ask the owner; if the key really changed: parley login --accept-new-key \(address)"
            )
        }
        let token = try AccessToken.given(file: tokenFile) ?? AccessToken.prompted(for: address)
        let connection = try Connection(
            url: address, token: token, certificateAuthority: ca, publicKey: description.publicKey)
        let identity = try await connection.client.identity()
        logins.sites[address] = Logins.Login(
            token: token, publicKey: description.publicKey, siteName: description.name, user: identity.name,
            role: identity.role.rawValue, certificateAuthority: ca)
        logins.current = address
        try logins.save()
        let terminal = Terminal.output
        terminal.line(
            "Logged in to “\(PrintableText.escape(description.name))” at \(address)"
                + " as \(PrintableText.escape(identity.name)) (\(identity.role.rawValue)).")
        terminal.line("Its key, now pinned: \(PrintableText.escape(description.publicKey))")
        terminal.line("Next:  parley data list")
    }

    private func publicDescription(of address: String) async throws -> SiteDescription {
        let connection = try Connection(url: address, token: nil, certificateAuthority: ca, publicKey: nil)
        return try await connection.client.description()
    }
}

struct LogoutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout", abstract: "Forget your token for a datasite, and its pinned key.")

    @Argument(help: "The datasite's URL (default: $PARLEY_URL, else the one that you logged in to last).")
    var url: String?

    func run() async throws {
        var logins = try Logins.load()
        let named = url ?? ConnectionOptions.environmentURL
        guard let address = try named.map({ try SiteURL.normalised($0) }) ?? logins.current,
            logins.sites.removeValue(forKey: address) != nil
        else { throw Failure("You are not logged in\(named.map { " to \($0)" } ?? "").") }
        if logins.current == address { logins.current = logins.sites.keys.sorted().first }
        try logins.save()
        Terminal.output.line("Forgot the token for \(address).")
    }
}

struct WhoAmICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whoami", abstract: "Show which datasite you are logged in to, and as whom.")

    @OptionGroup var options: ConnectionOptions

    func run() async throws {
        let connection = try options.connect()
        let identity = try await connection.client.identity()
        let description = try await connection.client.description()
        let key =
            connection.pinnedKey.map { $0 == description.publicKey ? "pinned" : "NOT the pinned one" } ?? "not pinned"
        let rows = [
            ["user", "\(identity.name) (\(identity.role.rawValue))"], ["datasite", description.name],
            ["URL", connection.url], ["key", "\(description.publicKey) (\(key))"],
        ]
        Terminal.output.write(TextTable(titles: ["", ""], rows: rows).render(on: .output))
    }
}
