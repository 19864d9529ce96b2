import ArgumentParser
import Crypto
import Datasite
import DatasiteClient
import DatasiteProtocol
import Federation
import Foundation

/// What every computation on shares among three sites is asked with.
struct SharedComputingOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The privacy loss of one person (zero-concentrated), which is charged to each site with rows.",
            valueName: "rho"))
    var rho: Double?
    @Flag(help: "Without noise.") var exact = false
    @OptionGroup var rounds: RoundsOptions
    @Option(help: "What it is for; owners who decide read it.") var purpose: String?
    @Option(
        help: ArgumentHelp("Keep the first site's answer, which its receipt is of.", valueName: "file"),
        completion: .file())
    var answer: String?
    @Flag(help: "Only ask what each site would do, and at what cost.") var dryRun = false

    func validate() throws {
        guard (rho == nil) == exact else {
            throw ValidationError(
                "Say how results are protected: --rho with the loss of one person, or --exact without noise.")
        }
        guard rho.map({ $0.isFinite && $0 > 0 }) ?? true else { throw ValidationError("--rho is a number above 0.") }
        guard (purpose?.utf8.count ?? 0) <= 2_000 else { throw ValidationError("A purpose has at most 2,000 bytes.") }
    }
}

/// A computation on shares that this process has three sites do: asked, conducted, and compared.
struct SharedComputing<Work: SealedComputation>: Sendable {
    let options: SharedComputingOptions
    /// Of all three, with commas between.
    let sites: String
    /// All that was asked: the same goes on where it was begun.
    let asked: [String]

    /// What came of it: each site's, which say the same.
    struct Made: Sendable {
        let sites: [CoordinatedSite]
        let released: [Work.Released]
        /// The first site's answer.
        let bytes: [UInt8]

        /// What each site was charged.
        func showCharges(on terminal: Terminal) {
            for (site, made) in zip(sites, released) {
                terminal.paragraph(
                    "\(PrintableText.escape(site.name)): charged \(made.charge.chargeText); receipt verified, request \(PrintableText.escape(made.request)).",
                    .dim)
            }
        }
    }

    /// - Parameters:
    ///   - coordination: What is asked, of the sites as they are now.
    /// - Returns: nil: it was only asked what each would do.
    func run(
        _ coordination: (SitesAsked) async throws -> Coordination<Work>
    ) async throws -> Made? {
        let name = SHA256.hash(data: Data(asked.joined(separator: "\n").utf8)).prefix(16)
            .map { String(format: "%02x", $0) }.joined()
        let folder = BegunFolder("computations", name: name)
        let lock = options.dryRun ? nil : try folder.lock()
        defer { withExtendedLifetime(lock) {} }
        if !options.dryRun, Coordination<Work>.exists(at: folder.path) {
            Terminal.diagnostics.line("Going on with the same computation, which was asked for before.")
            return try await conduct(try Coordination(at: folder.path), folder)
        }
        let asking = try SitesAsked(sites)
        let coordination = try await coordination(asking)
        let previews = try await asking.previews(coordination.request, purpose: options.purpose)
        let agreements: [ComputationAgreement] = try asking.agreements(previews)
        _ = try coordination.agreed(agreements)
        SitesAsked.show(previews, of: coordination.sites, on: options.dryRun ? .output : .diagnostics)
        if options.dryRun {
            // The first says which site it is.
            for note in previews.first?.notes.dropFirst() ?? [] { Terminal.output.paragraph(note, .dim) }
        }
        let waits = try asking.waits(previews, coordination.sites)
        guard !options.dryRun else {
            Terminal.output.line(Terminal.output.styled("Nothing was spent.", .dim))
            return nil
        }
        try KeptReceipts().prepare()
        if let answer = options.answer { try SavedFile.check(answer) }
        // One that a crash left without its last file was asked of nobody.
        folder.remove()
        return try await conduct(
            try coordination.create(at: folder.path, agreements: agreements, waits: waits), folder)
    }

    private func conduct(_ coordination: Coordination<Work>, _ folder: BegunFolder) async throws -> Made {
        let running = try RunningRounds(coordination, options.purpose, doing: "Computing together")
        let (last, asked): (CoordinatorRun.Progress, [RunningRounds<Work>.Asked])
        do {
            (last, asked) = try await running.conduct(
                options.rounds.configuration, patience: TogetherOptions.usualPatience
            ) { now in
                guard now.phase == .collect else { return }
                running.progress.update(Double(now.round) / Double(max(1, now.rounds)), doing: "computing on shares")
                let quarter = 4 * now.round / max(1, now.rounds)
                running.say("computing on shares: round \(now.round) of \(now.rounds)", once: quarter)
            }
        } catch let failure as Failure where failure.endsRun {
            folder.remove()
            throw failure
        }
        // Whatever comes now, nothing of it goes on.
        defer { folder.remove() }
        guard last.phase == .finished, asked.count == coordination.sites.count else {
            await running.cancel(asked.map(\.request))
            throw Failure(
                "The computation did not end: a site left it.",
                next: await running.letOut(asked)
                    ?? "What was charged stays charged. `parley jobs` at each site says why; asked again it is a new one."
            )
        }
        var released: [(document: Work.Released, work: ReleasedWork)] = []
        for (place, site) in coordination.sites.enumerated() {
            let work = try await running.released(asked[place], by: place)
            guard let made = try? JSONDecoder().decode(Work.Released.self, from: Data(work.bytes)),
                coordination.request.isReleased(made, by: place)
            else {
                throw Failure(
                    "What \(PrintableText.escape(site.name)) let out is not of this computation.",
                    next: "Tell its owner.")
            }
            released.append((made, work))
            try KeptReceipts().keep(.init(url: site.url, receipt: work.receipt, answer: work.bytes))
        }
        let first = released[0]
        guard released.allSatisfy({ coordination.request.agree($0.document, first.document) }) else {
            throw Failure("The sites let out different results.", next: "One of them did not do its part.")
        }
        if let answer = options.answer { try SavedFile.write(first.work.bytes, to: answer) }
        return Made(
            sites: coordination.sites, released: released.map(\.document), bytes: first.work.bytes)
    }
}

extension DatasetDetail.Column {
    /// What its numbers are held to where they are computed with on shares.
    func computedBounds() throws -> (Double, Double) {
        if type == "boolean" { return (0, 1) }
        let numbers = (domain ?? []).compactMap { value -> Double? in
            switch value {
            case .integer(let number): Double(number)
            case .real(let number): number
            case .null, .boolean, .text: nil
            }
        }
        guard let lower = lower ?? numbers.min(), let upper = upper ?? numbers.max() else {
            throw Failure(
                type == "date" || type == "timestamp"
                    ? "\(PrintableText.escape(name)) is a date: numbers alone are computed with on shares."
                    : "\(PrintableText.escape(name)) has no declared bounds.",
                next: "Name columns of numbers with bounds or a domain, or of true and false.")
        }
        return (lower, upper)
    }
}
