import ArgumentParser
import Crypto
import Datasite
import DatasiteProtocol
import DatasiteServer
import Foundation
import Logging

struct DealerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dealer",
        abstract: "Deal correlations to two parties that compute on shares, and be neither of them.",
        discussion: """
            Two parties predict on shares with random numbers that a dealer makes for them. It sees no message, input or result; but together with one of the two it sees everything, so that both \
            must trust it not to collude. Who serves it should be neither's: an association, a notary, a third hospital.

              parley dealer create ./dealer
              parley dealer admit ./dealer company "$(parley site key --site ./company)"
              parley dealer serve ./dealer --host 0.0.0.0 --tls-certificate chain.pem --tls-key key.pem
            """,
        subcommands: [
            DealerCreateCommand.self, DealerAdmitCommand.self, DealerListCommand.self, DealerServeCommand.self,
        ])
}

struct DealerCreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a dealer's folder, with a new key.",
        discussion: """
              parley dealer create ./dealer
            """)

    @Argument(help: "The folder to make.", completion: .directory) var folder: String

    func run() throws {
        let dealer = try DealerFolder.create(at: folder)
        Terminal.output.line("A dealer with the key \(dealer.key.publicKey.rawRepresentation.base64EncodedString())")
        Terminal.output.line(
            "Admit the sites whose models are predicted with: parley dealer admit \(PrintableText.escape(folder)) NAME KEY"
        )
    }
}

struct DealerAdmitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admit", abstract: "Serve a site whose model is predicted with, from now on.",
        discussion: """
            Whoever asks such a site for predictions needs no admission: the site names her when she is charged.

              parley dealer admit ./dealer company "$(parley site key --site ./company)"
            """)

    @Argument(help: "The dealer's folder.", completion: .directory) var folder: String
    @Argument(help: "What to call the site.") var name: String
    @Argument(help: "The site's key in base64: parley site key prints it.") var key: String

    func run() throws {
        guard let bytes = Data(base64Encoded: key), bytes.count == 32 else {
            throw ValidationError("A key is 32 bytes in base64; parley site key prints a site's.")
        }
        try DealerFolder(path: folder).admit(name, key: bytes)
        Terminal.output.line("\(name) may keep masks and begin sessions.")
    }
}

struct DealerListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the dealer's key, and whom it serves.",
        discussion: """
              parley dealer list ./dealer
            """)

    @Argument(help: "The dealer's folder.", completion: .directory) var folder: String

    func run() throws {
        let dealer = try DealerFolder(path: folder)
        Terminal.output.line("Key \(dealer.key.publicKey.rawRepresentation.base64EncodedString())")
        let parties = try dealer.parties()
        for party in parties { Terminal.output.line("\(party.name)  \(party.key.base64EncodedString())") }
        if parties.isEmpty { Terminal.output.line("Nobody is admitted yet: parley dealer admit") }
    }
}

struct DealerServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Deal to whom it was asked for, until Ctrl-C.",
        discussion: """
            What is dealt is as secret as the parties' inputs: other hosts than this machine need TLS.

              parley dealer serve ./dealer
              parley dealer serve ./dealer --host 0.0.0.0 --port 443 --tls-certificate chain.pem --tls-key key.pem
            """)

    @Argument(help: "The dealer's folder.", completion: .directory) var folder: String
    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(parsing: .unconditional, help: "The port; 0 takes a free one.") var port = 8970
    @Option(help: ArgumentHelp("The certificate chain (PEM).", valueName: "file"), completion: .file())
    var tlsCertificate: String?
    @Option(help: ArgumentHelp("Its private key (PEM).", valueName: "file"), completion: .file())
    var tlsKey: String?
    @Flag(help: "A proxy on this machine ends TLS in front of us.") var behindProxy = false

    func validate() throws {
        if (tlsCertificate == nil) != (tlsKey == nil) {
            throw ValidationError("--tls-certificate and --tls-key come together.")
        }
        guard (0...65_535).contains(port) else { throw ValidationError("A port is a number from 0 to 65535.") }
    }

    func run() async throws {
        let office = try DealerOffice(try DealerFolder(path: folder))
        var certificate: DatasiteServerConfiguration.Certificate?
        if let tlsCertificate, let tlsKey {
            certificate = DatasiteServerConfiguration.Certificate(chainFile: tlsCertificate, keyFile: tlsKey)
        }
        let configuration = DatasiteServerConfiguration(
            host: host, port: port, certificate: certificate, isBehindProxy: behindProxy,
            logger: Logger(label: "dealer") { _ in SwiftLogNoOpLogHandler() })
        let (host, scheme) = (host, certificate == nil ? "http" : "https")
        try await serveDealer(configuration, office: office) { port in
            let shown = host.contains(":") ? "[\(host)]" : host
            Terminal.output.line("Dealer \(office.key.base64EncodedString()) listening on \(scheme)://\(shown):\(port)")
        }
    }
}
