import ArgumentParser
import DatasiteClient
import DatasiteProtocol
import Foundation

struct LogMonitorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor", abstract: "Follow a log: tell what is new, and notice when it goes back or splits.",
        discussion: """
            What was seen is kept in --state, so that a log that lost entries, or shows another history, is found out also after weeks; both signed checkpoints are kept then, in \
            FILE.evidence, FILE.evidence.2 and so on. A site that is behind what was seen is told so, and stops until its owner acts; what is kept is shown to it again at each look, \
            until it has begun another log.

            It goes on while the site cannot be reached. Exit status: 4 the log went back, shows two histories, or stays behind for five looks; 1 it cannot be looked at or read.

              parley log monitor https://site.example.org --key KEY --state seen.json --interval 300
              parley log monitor https://site.example.org --key KEY --state seen.json --once    # from a timer: one line, and the exit status
            """)

    @Argument(help: "The datasite's URL.") var place: String
    @OptionGroup var trust: LogTrust
    @Option(help: ArgumentHelp("Where what was seen is kept.", valueName: "file"), completion: .file()) var state:
        String
    @Flag(help: "Look once, say how it stands, and end.") var once = false
    @Option(help: ArgumentHelp("How often to look, in seconds, from 1 to 86400.", valueName: "seconds")) var interval =
        60.0
    @Option(
        help: ArgumentHelp("Trust the certificate authorities in this PEM file.", valueName: "file"),
        completion: .file())
    var ca: String?

    func validate() throws {
        guard (1...86_400).contains(interval) else { throw ValidationError("--interval is from 1 to 86400.") }
        guard LogPlace.isServed(place) else {
            throw ValidationError("A monitor follows a served log: https://... (parley log verify reads a copy).")
        }
    }

    func run() async throws {
        var watch = LogWatch(place: place, trust: trust, certificateAuthority: ca, state: state, tells: true)
        if once { return Terminal.output.line(try await watch.settled(pause: 2).words) }
        var (isFirst, lost, pause) = (true, false, 1.0)
        while true {
            do {
                let seen = try await watch.settled(pause: interval)
                if lost { Terminal.output.line("\(PrintableText.escape(place)) is there again") }
                if isFirst { Terminal.output.line(seen.words) }
                (isFirst, lost, pause) = (false, false, 1)
                try await Task.sleep(for: .seconds(interval))
            } catch {
                guard let why = Self.passing(error) else { throw error }
                if !lost {
                    Terminal.diagnostics.line(
                        PrintableText.escape("\(place) cannot be looked at, and is tried again: \(why)"))
                }
                lost = true
                try await Task.sleep(for: .seconds(pause))
                // Soon at first, then as seldom as it looks, or each minute.
                pause = min(2 * pause, max(interval, 60))
            }
        }
    }

    /// Why it may be otherwise later: the site, or the way there, is gone; nil: it stays so.
    private static func passing(_ error: any Error) -> String? {
        switch error {
        case let error as TransportError:
            error.kind == .invalidURL || error.kind == .untrusted ? nil : error.detail
        case let problem as Problem: problem.detail.isEmpty ? problem.title : problem.detail
        default: nil
        }
    }
}
