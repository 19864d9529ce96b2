import ArgumentParser
import Datasite
import DatasiteProtocol
import DatasiteServer

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve a datasite over HTTP, until Ctrl-C.",
        discussion: """
            Other hosts than this machine need TLS (--tls-certificate and --tls-key), or --behind-proxy where a proxy \
            on this machine ends it. Metrics in Prometheus form are for the owner: on a port of their own, on \
            loopback, for the token in the file metrics.token of the site's folder.

            A file parley.yaml in the site's folder may name a command that is run when a request begins to wait for \
            owners, and gets the request as JSON on its standard input:

              notify: [/usr/local/bin/tell-owners, owners@example.org]

            and witnesses that cosign the transparency log (parley log witness), which everybody may read below /log:

              witnesses: [{key: witness.example.org+1b2c3d4e+BA..., url: "https://witness.example.org"}]

            It must be yours alone to write, and is read once, at the start.

            Where a policy allows training with other sites, this process connects to their coordinator; nobody connects to it for that.
            """)

    @OptionGroup var site: SiteOptions
    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(parsing: .unconditional, help: "The port; 0 takes a free one.") var port = 8787
    @Option(help: ArgumentHelp("The certificate chain (PEM).", valueName: "file"), completion: .file())
    var tlsCertificate: String?
    @Option(help: ArgumentHelp("Its private key (PEM).", valueName: "file"), completion: .file())
    var tlsKey: String?
    @Flag(help: "A proxy on this machine ends TLS in front of us.") var behindProxy = false
    @Option(parsing: .unconditional, help: "The port for /metrics on 127.0.0.1; 0 takes a free one (default: none).")
    var metricsPort: Int?

    @Option(
        help: ArgumentHelp(
            "Trust the certificate authorities in this PEM file where it connects to coordinators and witnesses, instead of the system's.",
            valueName: "file"), completion: .file())
    var coordinatorCa: String?

    func validate() throws {
        if (tlsCertificate == nil) != (tlsKey == nil) {
            throw ValidationError("--tls-certificate and --tls-key come together.")
        }
        for port in [port, metricsPort ?? 0] where !(0...65_535).contains(port) {
            throw ValidationError("A port is a number from 0 to 65535.")
        }
    }

    func run() async throws {
        let site = try site.open()
        if let suspension = site.suspension { warn(suspension) }
        site.connect(by: CoordinatorCalls(certificateAuthority: coordinatorCa))
        let authority = coordinatorCa
        let witnesses = Task { await WitnessCalls.run(for: site, certificateAuthority: authority) }
        defer { witnesses.cancel() }
        let configuration = configuration
        let (host, scheme) = (configuration.host, configuration.certificate == nil ? "http" : "https")
        let name = PrintableText.escape(site.description.name)
        try await serve(
            configuration, datasite: site,
            onMetrics: {
                Terminal.output.line("Metrics on http://127.0.0.1:\($0)/metrics, for the token in metrics.token")
            },
            onListening: { port in
                let shown = host.contains(":") ? "[\(host)]" : host
                Terminal.output.line("Datasite “\(name)” listening on \(scheme)://\(shown):\(port)")
            })
    }

    private func warn(_ suspension: Problem) {
        let terminal = Terminal.diagnostics
        let lines = suspension.lines(sql: nil)
        terminal.line(terminal.styled("warning: ", .bold, .yellow) + lines.joined(separator: "\n"))
        terminal.line(
            "  Until then no question is answered or previewed and no request decided on; the catalogue, mock answers and "
                + "what was released before are served.")
    }

    private var configuration: DatasiteServerConfiguration {
        var certificate: DatasiteServerConfiguration.Certificate?
        if let tlsCertificate, let tlsKey {
            certificate = DatasiteServerConfiguration.Certificate(chainFile: tlsCertificate, keyFile: tlsKey)
        }
        return DatasiteServerConfiguration(
            host: host, port: port, metricsPort: metricsPort, certificate: certificate, isBehindProxy: behindProxy)
    }
}
