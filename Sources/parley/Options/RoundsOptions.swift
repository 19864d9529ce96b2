import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
import DatasiteServer
import Foundation
import Logging

/// Where this process coordinates sites that take part in something together.
struct RoundsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where sites connect to, as their owners' policies name it (default: this machine, at the port).",
            valueName: "url"))
    var address: String?
    @OptionGroup var listening: ListeningOptions

    /// As sites are told.
    var coordinator: String {
        address ?? "\(listening.tlsCertificate == nil ? "http" : "https")://127.0.0.1:\(listening.port)"
    }

    /// Whether anything of it was said.
    var isSaid: Bool { address != nil || listening.isSaid }

    var configuration: DatasiteServerConfiguration { listening.configuration }
}

/// Where this process listens.
struct ListeningOptions: ParsableArguments {
    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(parsing: .unconditional, help: "The port.") var port = 8900
    @Option(help: ArgumentHelp("The certificate chain (PEM).", valueName: "file"), completion: .file())
    var tlsCertificate: String?
    @Option(help: ArgumentHelp("Its private key (PEM).", valueName: "file"), completion: .file())
    var tlsKey: String?
    @Flag(help: "A proxy on this machine ends TLS in front of us.") var behindProxy = false

    func validate() throws {
        if (tlsCertificate == nil) != (tlsKey == nil) {
            throw ValidationError("--tls-certificate and --tls-key come together.")
        }
        guard (1...65_535).contains(port) else { throw ValidationError("A port is a number from 1 to 65535.") }
    }

    /// Whether anything of it was said.
    var isSaid: Bool { host != "127.0.0.1" || port != 8900 || tlsCertificate != nil || behindProxy }

    var configuration: DatasiteServerConfiguration {
        var certificate: DatasiteServerConfiguration.Certificate?
        if let tlsCertificate, let tlsKey {
            certificate = DatasiteServerConfiguration.Certificate(chainFile: tlsCertificate, keyFile: tlsKey)
        }
        return DatasiteServerConfiguration(
            host: host, port: port, certificate: certificate, isBehindProxy: behindProxy, handlesSignals: false,
            logger: Logger(label: "coordinate") { _ in SwiftLogNoOpLogHandler() })
    }
}

/// How several sites answer together.
struct TogetherOptions: ParsableArguments {
    @OptionGroup var rounds: RoundsOptions
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How many of the sites may be in league with whoever asks: more of them take more noise.",
            valueName: "number"),
        transform: WholeNumberText.parse)
    var colluders: Int?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("For how long sites that are there wait for the others.", valueName: "seconds"))
    var patience: Double?

    static let usualPatience = 86_400.0

    func validate() throws {
        guard patience ?? 0 >= 0, patience ?? 0 <= 1e9 else {
            throw ValidationError("--patience is from 0 to 1e9 seconds.")
        }
    }

    /// Whether anything of it was said.
    var isSaid: Bool { rounds.isSaid || colluders != nil || patience != nil }
}

/// Several sites, asked beforehand what they would do.
struct SitesAsked: Sendable {
    let links: [Connection]

    /// - Parameter sites: URLs with commas between, of sites that this user is logged in to.
    init(_ sites: String?) throws {
        let named = (sites ?? "").split(separator: ",").map { String($0).trimmingCharacters(in: .whitespaces) }
        guard named.count >= 2 else { throw ValidationError("Name at least two sites, with commas between.") }
        let logins = try Logins.load()
        links = try named.map { try Connection($0, logins) }
        for (place, link) in links.enumerated() where links[..<place].contains(where: { $0.url == link.url }) {
            throw ValidationError("\(link.url) is named twice.")
        }
    }

    /// Asks each site, one after the other; a failure names the site.
    func each<Result>(_ body: (Connection) async throws -> Result) async throws -> [Result] {
        var results: [Result] = []
        for link in links {
            do { results.append(try await body(link)) } catch var problem as Problem {
                problem.detail = "\(link.url): \(problem.detail)"
                throw problem
            }
        }
        return results
    }

    func sites() async throws -> [CoordinatedSite] {
        let descriptions = try await each { try await $0.client.description() }
        return zip(links, descriptions).map { link, site in
            CoordinatedSite(name: site.name, url: link.url, key: site.publicKey)
        }
    }

    func previews<Work: CoordinatedWork>(_ request: Work, purpose: String?) async throws -> [Preview] {
        try await each { try await $0.client.preview(engine: Work.engine, request, purpose: purpose) }
    }

    func agreements<Agreement: Decodable>(_ previews: [Preview]) throws -> [Agreement] {
        try zip(links, previews).map { link, preview in
            guard let document = preview.document,
                let agreement = try? JSONDecoder().decode(Agreement.self, from: Data(document.utf8))
            else {
                throw Failure(
                    "\(link.url) does not say what it would do, or not so that this version knows it.",
                    next: "It may run another version of Parley.")
            }
            return agreement
        }
    }

    /// Whether an owner of each site would decide first.
    ///
    /// - Throws: A `Failure`: one of them would refuse; nobody is asked, and charged, then.
    func waits(_ previews: [Preview], _ sites: [CoordinatedSite]) throws -> [Bool] {
        try zip(sites, previews).map { site, preview in
            guard let approvals = preview.approvals else {
                throw Failure(
                    "\(PrintableText.escape(site.name)): it \(PrintableText.escape(preview.decision)).",
                    next: "Nobody was asked, and nothing was spent.")
            }
            return approvals > 0
        }
    }

    /// What each would do, and what it would cost there.
    static func show(_ previews: [Preview], of sites: [CoordinatedSite], on terminal: Terminal = .output) {
        var table = TextTable([.init(title: "site"), .init(title: "it"), .init(title: "cost")], indent: 2)
        for (site, preview) in zip(sites, previews) {
            table.append([
                PrintableText.escape(site.name), PrintableText.escape(preview.decision),
                preview.charge.chargeText,
            ])
        }
        terminal.write(table.render(on: terminal))
    }
}
