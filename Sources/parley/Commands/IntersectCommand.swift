public import ArgumentParser
import Crypto
import Datasite
import DatasiteClient
import DatasiteProtocol
import Federation
import Foundation
public import MultipartyComputation

extension IntersectionSession.Output: ExpressibleByArgument {}
extension IntersectionSession.Recipients: ExpressibleByArgument {}

struct IntersectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "intersect", abstract: "Let two datasites find out who is in both, which only their owners learn.",
        discussion: """
            Both sites have a dataset of that name, with a column that identifies people. They compare it by private set intersection: identifiers leave a \
            site only hashed under a secret of its own, and you see neither them nor how many are at both. What comes of it stays at the sites, for their owners \
            and for later computation (parley data intersections). No noise protects it: both owners' policies must allow it, and each decides.

              parley intersect https://a.example.org,https://b.example.org patients --column number --address https://rounds.example.org:8900
              parley intersect https://a.example.org,https://b.example.org patients --column name --column birth --output identifiers --for second \\
                  --address https://rounds.example.org:8900 --host 0.0.0.0 --tls-certificate chain.pem --tls-key key.pem
              parley intersect https://a.example.org,https://b.example.org patients --address https://rounds.example.org:8900 --dry-run
            """)

    @Argument(
        help: ArgumentHelp("Two sites, with a comma between: URLs that you are logged in to.", valueName: "site,site"))
    var sites: String
    @Argument(help: "The dataset, at both.", completion: DatasetNames.completion) var dataset: String
    @Option(
        name: .customLong("column"), parsing: .unconditionalSingleValue,
        help: "A column that identifies people; several identify together (default: the one that names the unit).")
    var columns: [String] = []
    @Option(help: "What becomes known: size (how many are at both) or identifiers (which).")
    var output: IntersectionSession.Output = .size
    @Option(
        name: .customLong("for"), help: "To the owners of which site: the first that you name, the second, or both.")
    var recipients: IntersectionSession.Recipients = .both
    @OptionGroup var rounds: RoundsOptions
    @Option(help: "What it is for; owners who decide read it.") var purpose: String?
    @Flag(help: "Only ask what each site would do, and at what cost.") var dryRun = false

    func validate() throws {
        guard sites.split(separator: ",").count == 2 else {
            throw ValidationError("Name two sites, with a comma between; of more intersect two at a time.")
        }
        guard (purpose?.utf8.count ?? 0) <= 2_000 else { throw ValidationError("A purpose has at most 2,000 bytes.") }
    }

    func run() async throws {
        let folder = BegunFolder("intersections", name: name)
        let lock = dryRun ? nil : try folder.lock()
        defer { withExtendedLifetime(lock) {} }
        if !dryRun, Coordination<IntersectionRequest>.exists(at: folder.path) {
            Terminal.diagnostics.line("Going on with the same intersection, which was begun and did not end.")
            return try await conduct(try Coordination(at: folder.path), folder)
        }
        let asking = try SitesAsked(sites)
        let coordination = try await coordination(asking)
        let previews = try await asking.previews(coordination.request, purpose: purpose)
        let agreements: [IntersectionAgreement] = try asking.agreements(previews)
        let agreed = try coordination.agreed(agreements)
        SitesAsked.show(previews, of: coordination.sites, on: dryRun ? .output : .diagnostics)
        if dryRun { Self.show(agreed, previews, coordination.sites) }
        let waits = try asking.waits(previews, coordination.sites)
        guard !dryRun else { return Terminal.output.line(Terminal.output.styled("Nothing was spent.", .dim)) }
        try KeptReceipts().prepare()
        // One that a crash left without its last file was asked of nobody.
        folder.remove()
        try await conduct(try coordination.create(at: folder.path, agreements: agreements, waits: waits), folder)
    }

    private func coordination(_ asking: SitesAsked) async throws -> Coordination<IntersectionRequest> {
        let sites = try await asking.sites()
        let details = try await asking.each { try await $0.client.dataset(dataset).detail() }
        var identifying = columns
        if identifying.isEmpty {
            guard let unit = details[0].columns.first(where: { $0.role == "unit" }) else {
                throw Failure(
                    "No column of \(PrintableText.escape(dataset)) names its unit.",
                    next: "Say which identifies people: --column NAME")
            }
            identifying = [unit.name]
        }
        return try Coordination(
            dataset: dataset, columns: identifying, output: output, recipients: recipients, sites: sites,
            address: rounds.coordinator)
    }

    /// What was asked, of whom, and where.
    private var name: String {
        let parts = [sites, dataset, output.rawValue, recipients.rawValue, rounds.coordinator] + columns
        return SHA256.hash(data: Data(parts.joined(separator: "\n").utf8)).prefix(16)
            .map { String(format: "%02x", $0) }.joined()
    }

    private static func show(_ agreed: IntersectionAgreement, _ previews: [Preview], _ sites: [CoordinatedSite]) {
        let terminal = Terminal.output
        terminal.line("Matched: \(PrintableText.escape(agreed.inputs.joined(separator: "; ")))")
        for (place, site) in sites.enumerated() {
            terminal.line(
                "\(PrintableText.escape(site.name)) brings up to \(NumberText.integer(agreed.parts[place].capacity)) identifiers"
                    + (agreed.parts[place].isPadded
                        ? ", and shows nobody how many." : ", and shows the other site how many."))
        }
        if agreed.inputs.contains(where: { $0.contains(": text") }) {
            terminal.paragraph("Text is compared letter by letter: Ann is not ann, and blanks count.", .dim)
        }
        // The first says which site it is.
        for note in previews.first?.notes.dropFirst() ?? [] { terminal.paragraph(note, .dim) }
    }

    // MARK: Together

    private func conduct(_ coordination: Coordination<IntersectionRequest>, _ folder: BegunFolder) async throws {
        let running = try RunningRounds(coordination, purpose, doing: "Intersecting")
        let (last, asked): (CoordinatorRun.Progress, [RunningRounds<IntersectionRequest>.Asked])
        do {
            (last, asked) = try await running.conduct(
                rounds.configuration, patience: TogetherOptions.usualPatience
            ) { now in
                if now.phase == .collect { running.progress.update(0.5, doing: "comparing identifiers") }
            }
        } catch let failure as Failure where failure.endsRun {
            folder.remove()
            throw failure
        }
        guard last.phase == .finished, asked.count == coordination.sites.count else {
            throw Failure("The intersection did not end.", next: "Go on with the same command.")
        }
        try await finish(running, asked)
        folder.remove()
    }

    private func finish(
        _ running: RunningRounds<IntersectionRequest>, _ asked: [RunningRounds<IntersectionRequest>.Asked]
    ) async throws {
        let coordination = running.coordination
        var sessions: Set<String> = []
        for (place, site) in coordination.sites.enumerated() {
            let work = try await running.released(asked[place], by: place)
            guard let made = try? JSONDecoder().decode(ReleasedIntersection.self, from: Data(work.bytes)),
                coordination.isReleased(made, by: place)
            else {
                throw Failure(
                    "What \(PrintableText.escape(site.name)) let out is not of this intersection.",
                    next: "Tell its owner.")
            }
            sessions.insert(made.session)
            try KeptReceipts().keep(.init(url: site.url, receipt: work.receipt, answer: work.bytes))
            Terminal.output.line(
                "\(PrintableText.escape(site.name)): intersected, charged \(made.charge.chargeText); receipt verified, request \(PrintableText.escape(made.request))."
            )
        }
        guard let session = sessions.first, sessions.count == 1 else {
            throw Failure("The sites let out different sessions.", next: "One of them did not do its part.")
        }
        let names = coordination.sites.map { PrintableText.escape($0.name) }
        let told =
            switch coordination.request.recipients {
            case .both: "the owners of \(names[0]) and \(names[1])"
            case .first: "the owners of \(names[0])"
            case .second: "the owners of \(names[1])"
            }
        Terminal.output.paragraph(
            "Session \(session.prefix(16)). What both have in common is known to \(told) alone: parley data intersections",
            .dim)
    }
}
