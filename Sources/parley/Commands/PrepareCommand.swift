import ArgumentParser
import DatasiteClient
import DatasiteProtocol
import EncryptedPrediction
import Foundation
import PredictionClient
import Secrets
import Synchronization

struct PrepareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prepare", abstract: "Be dealt ahead of time what predictions on shares take.",
        discussion: """
            A prediction takes seconds to be dealt for, and milliseconds to be made. This has both sides dealt now, so that 'parley predict' of as many rows begins at once; nothing is charged for it. What is prepared \
            stays on your disk and on the site's for three days, serves once, and is as secret as your rows: it belongs into no backup.

              parley prepare scans --dealer https://dealer.example.org --count 10 &
              parley prepare scans --dealer https://dealer.example.org --rows 32 --count 4 --checks 2
              parley prepare scans --list                # what is prepared, and what it takes of both disks
              parley prepare scans --discard             # give all of it up

            --checks prepares so many more, draws as many of all, and has the dealer open these, which then serve nobody: each side sees whether it was dealt what it should have been, and both whether they \
            were told the same. One that was dealt wrongly is found with probability checks / (count + checks), and nothing is kept then; a dealer that tells one side what the other has is not.
            """)

    @Argument(help: "The dataset whose policy the model has.", completion: DatasetNames.completion) var dataset: String
    @Option(help: ArgumentHelp("The dealer that you trust.", valueName: "url")) var dealer: String?
    @Option(help: "For how many rows at a time.") var rows = 1
    @Option(help: "How many.") var count = 1
    @Option(help: "How many more, to be opened and looked at.") var checks = 0
    @Flag(help: "Show what is prepared.") var list = false
    @Flag(help: "Give up what is prepared.") var discard = false
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard !(list && discard) else { throw ValidationError("--list or --discard, not both.") }
        guard list || discard || dealer != nil else {
            throw ValidationError("--dealer is missing: the URL of the dealer that you trust.")
        }
        guard rows >= 1 else { throw ValidationError("--rows is a number from 1 on.") }
        guard count >= 0, checks >= 0, (1...16).contains(count + checks) else {
            throw ValidationError("--count and --checks are together 1 to 16, as many as a site keeps for one.")
        }
    }

    func run() async throws {
        let connection = try connection.connect()
        let served = try await connection.client.prediction(of: dataset)
        let shelf = PreparedFolder.shelf()
        shelf.sweep(now: UInt64(max(0, Date().timeIntervalSince1970)))
        if list { return try await show(served, shelf, connection.client) }
        if discard { return try await giveUp(served, shelf, connection.client) }
        guard rows <= served.rows else {
            throw Failure(
                "The owner's policy allows \(served.rows) predictions at a time.", next: "--rows \(served.rows)")
        }
        let dealer = try await PredictCommand.dealer(
            self.dealer ?? "", of: served, ca: connection.certificateAuthority)
        let drawing = Drawing(served: served, dealer: dealer, client: connection.client, shelf: shelf)
        let bytes = try await checks > 0 ? checked(by: drawing) : unchecked(by: drawing)
        if json {
            struct Done: Encodable {
                var prepared: Int
                var rows: Int
                var checked: Int
                var bytes: Int
            }
            return try Terminal.output.json(Done(prepared: count, rows: rows, checked: checks, bytes: bytes))
        }
        Terminal.output.line(
            "\(count) prepared, for \(rows) row\(rows == 1 ? "" : "s") each: \(ByteText.of(bytes)) of your disk, until they serve or three days are over."
        )
        if checks > 0 {
            Terminal.output.line(
                "\(checks) of \(count + checks) were opened: both sides were told the same, and had been dealt what follows from it."
            )
        }
    }

    /// With whom something is prepared, and where.
    private struct Drawing {
        let served: ServedPrediction
        let dealer: DealerClient
        let client: DatasiteClient
        let shelf: PreparationShelf
    }

    private func next(
        _ place: Int, by drawing: Drawing, in folder: PreparationPlace
    ) async throws -> PreparedPrediction {
        let progress = Progress("Preparing")
        defer { progress.finish() }
        return try await drawing.client.prepare(
            rows: rows, with: drawing.served, dealer: drawing.dealer, in: folder
        ) {
            guard case .dealt(let bytes, let whole) = $0 else { return }
            progress.update(
                (Double(place) + Double(bytes) / Double(max(1, whole))) / Double(count + checks),
                doing: "\(place + 1) of \(count + checks)")
        }
    }

    /// - Returns: How many bytes are kept here.
    private func unchecked(by drawing: Drawing) async throws -> Int {
        var bytes = 0
        for place in 0..<count {
            do {
                let one = try await next(place, by: drawing, in: .shelf(drawing.shelf))
                await one.close(drawing.dealer, drawing.served)
                bytes += one.record.bytes
            } catch {
                if place > 0 {
                    Terminal.diagnostics.line("\(place) of \(count) are prepared; the next was not:")
                }
                throw error
            }
        }
        return bytes
    }

    /// Drafts until the draw is over: what was not drawn from serves nobody, however this ends.
    private func checked(by drawing: Drawing) async throws -> Int {
        var prepared: [PreparedPrediction] = []
        let waiting = Mutex<[PreparedPrediction]>([])
        let keeping = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: .seconds(120))
                for one in waiting.withLock({ $0 }) { await one.keepOpen(drawing.dealer, drawing.served) }
            }
        }
        defer { keeping.cancel() }
        do {
            for place in 0..<count + checks {
                let one = try await next(place, by: drawing, in: .draft(drawing.shelf))
                prepared.append(one)
                waiting.withLock { $0.append(one) }
            }
            // Drawn when both sides have all of them: what is looked at no dealer knows beforehand.
            var random = SecureRandom()
            prepared.shuffle(using: &random)
            for _ in 0..<checks {
                try await drawing.client.check(prepared[0], with: drawing.served, dealer: drawing.dealer)
                prepared.removeFirst()
            }
            for one in prepared {
                try one.publish()
                await one.close(drawing.dealer, drawing.served)
            }
        } catch {
            for one in prepared { one.abandon() }
            if error is WrongDealing {
                let doubted = drawing.shelf.all().filter { $0.dealer == drawing.served.dealer.key }
                for one in doubted { drawing.shelf.remove(one.session) }
                for one in doubted where one.other == hexadecimal(drawing.served.site) {
                    await drawing.client.discard(one)
                }
            }
            for one in prepared {
                drawing.shelf.remove(one.record.session)
                await drawing.client.discard(one.record)
            }
            throw error
        }
        return prepared.reduce(0) { $0 + $1.record.bytes }
    }

    /// What one side or both have.
    private struct Listed: Encodable {
        var session: String
        var rows: Int
        var state: String
        var bytesHere: Int
        var bytesAtSite: Int
        var expires: String
    }

    private func listed(
        _ served: ServedPrediction, _ shelf: PreparationShelf, _ client: DatasiteClient
    ) async throws -> [Listed] {
        let own = PreparedFolder.all(of: served, on: shelf)
        let there = try await client.preparations().filter { $0.dataset == served.dataset }
        return there.map { one in
            let here = own.first { hexadecimal($0.session) == one.session }
            let isHere = here != nil && here?.version == served.version && one.version == served.version
            return Listed(
                session: one.session, rows: one.rows,
                state: one.state == .ready && !isHere ? "of no use here" : one.state.rawValue,
                bytesHere: here?.bytes ?? 0, bytesAtSite: one.bytes, expires: one.expires)
        }
            + own.filter { one in !there.contains { $0.session == hexadecimal(one.session) } }.map {
                Listed(
                    session: hexadecimal($0.session), rows: $0.rows, state: "not at the site", bytesHere: $0.bytes,
                    bytesAtSite: 0, expires: "")
            }
    }

    private func show(_ served: ServedPrediction, _ shelf: PreparationShelf, _ client: DatasiteClient) async throws {
        let all = try await listed(served, shelf, client)
        if json { return try Terminal.output.json(all) }
        guard !all.isEmpty else {
            Terminal.output.line("Nothing is prepared for \(PrintableText.escape(dataset)).")
            return
        }
        var table = TextTable([
            .init(title: "session"), .init(title: "rows", alignsRight: true), .init(title: "state"),
            .init(title: "here", alignsRight: true), .init(title: "at the site", alignsRight: true),
            .init(title: "until"),
        ])
        for one in all {
            table.append([
                String(one.session.prefix(8)), String(one.rows), one.state, ByteText.of(one.bytesHere),
                ByteText.of(one.bytesAtSite), one.expires,
            ])
        }
        Terminal.output.write(table.render(on: .output))
    }

    private func giveUp(_ served: ServedPrediction, _ shelf: PreparationShelf, _ client: DatasiteClient) async throws {
        let own = PreparedFolder.all(of: served, on: shelf)
        let there = try await client.preparations().filter { $0.dataset == served.dataset }
        for one in own { shelf.remove(one.session) }
        var failed: (any Error)?
        for one in there {
            do { try await client.discard(session: one.session) } catch let problem as Problem
                where problem.kind == .notFound
            {
                // It served, or ended, meanwhile.
            } catch { failed = error }
        }
        if let failed { throw failed }
        let count = Set(own.map { hexadecimal($0.session) } + there.map(\.session)).count
        if json { return try Terminal.output.json(["discarded": count]) }
        Terminal.output.line("\(count) given up, here and at the site.")
    }
}

/// What is prepared for the user of this machine.
enum PreparedFolder {
    /// Beside no configuration, which people copy: what is here serves once.
    static func shelf(environment: [String: String] = ProcessInfo.processInfo.environment) -> PreparationShelf {
        let base =
            environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
            ?? (environment["HOME"] ?? NSHomeDirectory()) + "/.local/state"
        return PreparationShelf(path: base + "/parley/prepared")
    }

    /// Of a dataset of a site.
    static func all(of served: ServedPrediction, on shelf: PreparationShelf) -> [PreparedSession] {
        shelf.all().filter { $0.other == hexadecimal(served.site) && $0.dataset == served.dataset }
    }

    /// What serves a prediction of so many rows, the one that ends first of those that nobody has chosen; it is this process's from then on.
    static func first(
        for served: ServedPrediction, rows: Int, on shelf: PreparationShelf
    ) -> PreparedPrediction? {
        let now = UInt64(max(0, Date().timeIntervalSince1970))
        return all(of: served, on: shelf).lazy.filter {
            $0.version == served.version && $0.dealer == served.dealer.key && $0.rows == rows && $0.expires > now
        }.compactMap { prepared -> PreparedPrediction? in
            guard let chosen = PreparedPrediction(prepared, on: shelf) else { return nil }
            // Before anything is charged: a disk may have lost some of it in three days.
            guard shelf.isWhole(prepared) else {
                Terminal.diagnostics.line("One that was prepared is damaged, and given up.")
                shelf.remove(prepared.session)
                return nil
            }
            return chosen
        }.first
    }
}
