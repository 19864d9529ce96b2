import Foundation

/// The datasites that this user has logged in to: one token a URL, and the key that was pinned then.
///
/// `$XDG_CONFIG_HOME/parley/logins.json` (else `~/.config/parley`), mode 0600 in a folder of mode 0700.
struct Logins: Codable {
    struct Login: Codable, Hashable {
        var token: String
        /// The site's Ed25519 public key, base64: receipts signed by another are refused.
        var publicKey: String
        var siteName: String
        var user: String
        var role: String
        /// A file of certificates in PEM that is trusted for this site instead of the system's.
        var certificateAuthority: String?
    }

    /// Used where a command names no URL: the last one logged in to.
    var current: String?
    var sites: [String: Login] = [:]

    static func folder(environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
        if let base = environment["XDG_CONFIG_HOME"], base.hasPrefix("/") { return base + "/parley" }
        return (environment["HOME"] ?? NSHomeDirectory()) + "/.config/parley"
    }

    static func load(folder: String = folder()) throws(Failure) -> Logins {
        let path = folder + "/logins.json"
        guard let bytes = try PrivateFile.read(path) else { return Logins() }
        do {
            return try JSONDecoder().decode(Logins.self, from: Data(bytes))
        } catch {
            throw Failure("\(path) is damaged.", next: "Move it away and log in again: parley login URL")
        }
    }

    func save(folder: String = folder()) throws(Failure) {
        try PrivateFile.makeFolder(folder)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            try PrivateFile.write(Array(try encoder.encode(self)), to: folder + "/logins.json")
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("Cannot encode the logins: \(error)")
        }
    }
}

/// A datasite's URL in the one form under which its token is kept.
enum SiteURL {
    /// `HOST[:PORT]` is completed: plain HTTP on this machine, HTTPS elsewhere. Plain HTTP to another machine is
    /// refused, since it would carry the token in the clear.
    static func normalised(_ text: String) throws(Failure) -> String {
        let isBare = !text.contains("://")
        let bareHost = text.split(separator: "/", maxSplits: 1).first.map(String.init) ?? text
        let completed = isBare ? (isLoopback(hostOnly(bareHost)) ? "http://" : "https://") + text : text
        guard var parts = URLComponents(string: completed), let host = parts.host, !host.isEmpty,
            let scheme = parts.scheme?.lowercased(), ["http", "https"].contains(scheme)
        else {
            throw Failure(
                "\(text) is no URL of a datasite.",
                next: "It looks like https://data.example.org or http://127.0.0.1:8787")
        }
        guard parts.user == nil, parts.password == nil, parts.query == nil, parts.fragment == nil else {
            throw Failure(
                "A datasite's URL has no user, password, query or fragment.",
                next: "Tokens are given to: parley login URL")
        }
        guard scheme == "https" || isLoopback(host) else {
            throw Failure("\(text) would send the token unencrypted to another machine.", next: "Use https://")
        }
        parts.scheme = scheme
        parts.host = host.lowercased()
        while parts.path.hasSuffix("/") { parts.path.removeLast() }
        guard let url = parts.string else { throw Failure("\(text) is no URL of a datasite.") }
        return url
    }

    private static func hostOnly(_ text: String) -> String {
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") { return String(text[...end]) }
        return text.split(separator: ":").first.map(String.init) ?? text
    }

    private static func isLoopback(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isLoopbackAddress = parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
        return isLoopbackAddress || ["localhost", "::1", "[::1]"].contains(host.lowercased())
    }
}
