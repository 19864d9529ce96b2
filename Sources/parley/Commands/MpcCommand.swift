import ArgumentParser
import DatasiteClient
import DatasiteProtocol
import EncryptedPrediction
import Foundation
import PredictionClient
import SecureComputation

struct MpcCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mpc", abstract: "Computing on shares: look whether all that takes part can be reached.",
        subcommands: [MpcCheckCommand.self])
}

struct MpcCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look at the site, the dealer, and the way between them, before anything is spent.",
        discussion: """
            Says what is reachable, whose certificate, clock or version does not fit, how far away it is, and how fast the dealer's line is.

              parley mpc check scans --dealer https://dealer.example.org
              parley mpc check scans --dealer https://dealer.example.org --json

            Exit status: 0 all is well; 1 something is not.
            """)

    @Argument(help: "The dataset whose policy the model has.", completion: DatasetNames.completion) var dataset: String
    @Option(help: ArgumentHelp("The dealer that you trust.", valueName: "url")) var dealer: String
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var connection: ConnectionOptions

    struct Finding: Encodable, Sendable {
        var what: String
        var isWell: Bool
        var detail: String
        var next: String?
    }

    func run() async throws {
        let connection = try connection.connect()
        let (dataset, dealer) = (dataset, dealer)
        async let site = Self.site(dataset, connection)
        async let dealing = Self.dealer(dealer, ca: connection.certificateAuthority)
        async let between = Self.between(dataset, connection)
        var (findings, served) = await site
        let (others, key) = await dealing
        findings += others
        if let served, let key {
            findings.append(
                served.dealer.key == key
                    ? Finding(what: "same dealer", isWell: true, detail: "the site uses the one that you named")
                    : Finding(
                        what: "same dealer", isWell: false,
                        detail:
                            "the site uses \(served.dealer.url), with the key \(served.dealer.key.base64EncodedString())",
                        next: "If you trust that one, name it with --dealer."))
        }
        findings += await between
        let isWell = findings.allSatisfy(\.isWell)
        if json {
            try Terminal.output.json(findings)
        } else {
            let terminal = Terminal.output
            for finding in findings {
                terminal.line(
                    (finding.isWell ? terminal.styled("well  ", .green) : terminal.styled("WRONG ", .bold, .red))
                        + finding.what + ": " + PrintableText.escape(finding.detail))
                if let next = finding.next { terminal.line("      " + PrintableText.escape(next)) }
            }
        }
        if !isWell { throw ExitStatus.failed }
    }

    private static func words(_ error: any Error) -> (String, String?) {
        switch error {
        case let problem as Problem: (problem.detail, problem.hint)
        case let error as TransportError: (error.detail, error.hint)
        default: ("\(error)", nil)
        }
    }

    private static func milliseconds(_ start: ContinuousClock.Instant) -> String {
        "\(NumberText.significant((ContinuousClock.now - start) / .milliseconds(1))) ms"
    }

    /// Whether the site answers, and with a model that this version knows.
    private static func site(_ dataset: String, _ connection: Connection) async -> ([Finding], ServedPrediction?) {
        do {
            _ = try await connection.client.description()
            let start = ContinuousClock.now
            let served = try await connection.client.prediction(of: dataset)
            var found = [
                Finding(what: "site", isWell: true, detail: "\(connection.url) answers in \(milliseconds(start))")
            ]
            do {
                let terms = try PredictionTerms(bytes: Array(served.terms))
                let cost = try terms.program(rows: 1).cost
                found.append(
                    Finding(
                        what: "model", isWell: true,
                        detail:
                            "\(served.model) \(served.version), \(cost.rounds) rounds, \(cost.bytes) bytes both ways, \(cost.correlationBytesToFirst) dealt to you"
                    ))
            } catch {
                found.append(
                    Finding(
                        what: "model", isWell: false, detail: "its terms cannot be read: \(error)",
                        next: "The site may be of another version: parley --version at both."))
            }
            return (found, served)
        } catch {
            let (detail, next) = words(error)
            return ([Finding(what: "site", isWell: false, detail: detail, next: next)], nil)
        }
    }

    private static func dealer(_ url: String, ca: String?) async -> ([Finding], Data?) {
        do {
            let client = try DealerClient(url: url, options: ClientOptions(certificateAuthority: ca))
            _ = try await client.description()
            let start = ContinuousClock.now
            let about = try await client.description()
            let away = milliseconds(start)
            var found = [Finding(what: "dealer", isWell: true, detail: "\(url) answers in \(away)")]
            let apart = abs(Date().timeIntervalSince1970 - Double(about.time))
            found.append(
                Finding(
                    what: "clock", isWell: apart < Double(SignedQuestion.mostApart),
                    detail: "the dealer's is \(NumberText.significant(apart)) s from this one's",
                    next: apart < Double(SignedQuestion.mostApart)
                        ? nil : "Set both right: \(SignedQuestion.mostApart) s are allowed."))
            if about.version != 1 {
                found.append(
                    Finding(
                        what: "version", isWell: false,
                        detail: "the dealer speaks version \(about.version), and this is 1",
                        next: "Update the older one."))
            }
            let speed = try await client.bandwidth()
            found.append(
                Finding(what: "bandwidth", isWell: true, detail: "\(ByteText.of(Int(speed))) a second from the dealer"))
            return (found, about.key)
        } catch {
            let (detail, next) = words(error)
            return ([Finding(what: "dealer", isWell: false, detail: detail, next: next)], nil)
        }
    }

    private static func between(_ dataset: String, _ connection: Connection) async -> [Finding] {
        do {
            let check = try await connection.client.dealerCheck(of: dataset)
            return [
                Finding(
                    what: "site to dealer", isWell: check.isAdmitted, detail: check.detail,
                    next: check.isAdmitted ? nil : "Its owner has to mend that.")
            ]
        } catch {
            let (detail, next) = words(error)
            return [Finding(what: "site to dealer", isWell: false, detail: detail, next: next)]
        }
    }
}
