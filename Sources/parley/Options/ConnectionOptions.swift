import ArgumentParser
import DatasiteClient
import DatasiteProtocol
import Foundation

/// How to reach a datasite over HTTP.
struct ConnectionOptions: ParsableArguments {
    @Option(help: "The datasite's URL (default: $PARLEY_URL, else the one that you logged in to last).")
    var url: String?

    @Option(
        help: ArgumentHelp("Read the access token from this file; - is standard input.", valueName: "file"),
        completion: .file())
    var tokenFile: String?

    @Option(
        help: ArgumentHelp(
            "Trust the certificate authorities in this PEM file instead of the system's.", valueName: "file"),
        completion: .file())
    var ca: String?

    static var environmentURL: String? {
        ProcessInfo.processInfo.environment["PARLEY_URL"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A client with this user's token for that datasite, which refuses answers that its pinned key did not sign.
    func connect() throws -> Connection {
        let logins = try Logins.load()
        guard let named = url ?? Self.environmentURL ?? logins.current else {
            throw Failure(
                "Which datasite? You are not logged in to one.",
                next: "Log in with: parley login URL   or name it with --url URL or $PARLEY_URL.")
        }
        return try Connection(named, logins, token: AccessToken.given(file: tokenFile), ca: ca)
    }
}

/// A client, and what it was made from.
struct Connection: Sendable {
    let url: String
    /// The key that was pinned at login; nil where this user never logged in.
    let pinnedKey: String?
    /// The file with whom to trust for TLS; nil: the system's.
    let certificateAuthority: String?
    let client: DatasiteClient

    init(url: String, token: String?, certificateAuthority: String?, publicKey: String?) throws {
        self.url = url
        (pinnedKey, self.certificateAuthority) = (publicKey, certificateAuthority)
        client = try DatasiteClient(
            url: url, token: token,
            options: ClientOptions(certificateAuthority: certificateAuthority, pinnedKey: publicKey))
    }
}

extension Connection {
    /// To a site that this user has logged in to, or has a token for.
    init(_ named: String, _ logins: Logins, token: String? = nil, ca: String? = nil) throws {
        let address = try SiteURL.normalised(named)
        let login = logins.sites[address]
        guard let token = token ?? login?.token else {
            throw Failure("You are not logged in to \(address).", next: "Log in with: parley login \(address)")
        }
        try self.init(
            url: address, token: token, certificateAuthority: ca ?? login?.certificateAuthority,
            publicKey: login?.publicKey)
    }
}
