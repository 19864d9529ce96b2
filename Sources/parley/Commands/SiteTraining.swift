import Datasite
import DatasiteClient
import DatasiteProtocol
import Foundation

/// Training at a datasite, by a plan that names one of its datasets.
struct SiteTraining {
    let connection: Connection
    /// The plan's text.
    let plan: String
    /// Its file.
    let file: String
    let output: String?
    let purpose: String?
    let idempotencyKey: String?

    private struct Body: Encodable, Sendable { var plan: String }

    func preview() async throws {
        let preview = try await naming(file) { [connection, plan, purpose] in
            try await connection.client.preview(engine: "training", Body(plan: plan), purpose: purpose)
        }
        let terminal = Terminal.output
        terminal.line(PrintableText.escape(preview.sql))
        for note in preview.notes { terminal.line("  \(PrintableText.escape(note))") }
        terminal.line("Charge: \(preview.charge.chargeText); you could still spend \(preview.available.chargeText).")
        terminal.line("It \(PrintableText.escape(preview.decision)). Nothing was spent.")
    }

    /// - Parameter follows: Whether to wait for the model, and show how far it is.
    func train(follows: Bool) async throws {
        let key = idempotencyKey ?? UUID().uuidString.lowercased()
        let folder = try self.folder()
        try KeptReceipts().prepare()
        let outcome = try await naming(file) { [connection, plan, purpose] in
            try await connection.client.submit(
                engine: "training", Body(plan: plan), purpose: purpose, idempotencyKey: key)
        }
        switch outcome {
        case .released(let released): try save(released, in: folder)
        case .pending(let summary):
            let id = PrintableText.escape(summary.id)
            Terminal.diagnostics.line(
                summary.state == "pending"
                    ? "Request \(id) waits for \(summary.approvalsNeeded) owner(s) to approve it; its cost is held."
                    : "Request \(id) is charged \(summary.charge.chargeText), and is being computed.")
            guard follows else {
                Terminal.diagnostics.line("  See how far it is:  parley jobs follow \(id)")
                Terminal.diagnostics.line(
                    "  Fetch the model:    parley train \(PrintableText.escape(file)) --request \(id)")
                throw ExitStatus.pending
            }
            let state = try await Following().follow(connection.client.events(of: summary.id))
            guard state == .released else {
                if state?.isFinal != true {
                    Terminal.diagnostics.line(
                        "  Go on under its charge with: parley train \(PrintableText.escape(file)) --request \(id)")
                }
                throw ExitStatus.failed
            }
            try await fetch(summary.id)
        }
    }

    /// Fetches what was let out for a request; one that was cut short goes on, and is waited for.
    func fetch(_ id: String) async throws {
        let folder = try self.folder()
        if try await connection.client.request(id).state == "reserved" {
            // Asked for, it goes on where nobody computes it.
            do { return try save(try await connection.client.work(id), in: folder) } catch let problem as Problem
                where problem.kind == .conflict
            {
                guard try await Following().follow(connection.client.events(of: id)) == .released else {
                    throw ExitStatus.failed
                }
            }
        }
        try save(try await connection.client.work(id), in: folder)
    }

    private func folder() throws -> String {
        let folder = try output ?? ReleasedModelFiles.name(ofPlan: plan)
        guard !FileManager.default.fileExists(atPath: folder) else {
            throw Failure("\(folder) is there already.", next: "Nothing was asked. Name another folder with --output.")
        }
        return folder
    }

    private func save(_ released: ReleasedWork, in folder: String) throws {
        let model = try JSONDecoder().decode(ReleasedModel.self, from: Data(released.bytes))
        guard model.plan == plan else {
            throw Failure(
                "Request \(PrintableText.escape(model.request)) trained another plan: nothing was written.",
                next:
                    "Name the file of the plan \(PrintableText.escape(try ReleasedModelFiles.name(ofPlan: model.plan))), as it was sent."
            )
        }
        let files = try ReleasedModelFiles(at: folder).write(
            model, bytes: released.bytes, receipt: released.receiptBytes)
        try KeptReceipts().keep(.init(url: connection.url, receipt: released.receipt, answer: released.bytes))
        if let privacy = model.privacy {
            let epsilon = NumberText.significant(privacy.epsilon ?? privacy.chargedEpsilon)
            Terminal.output.line(
                "Trained \(NumberText.integer(privacy.steps)) steps, differentially private for each "
                    + "\(PrintableText.escape(privacy.unit)): epsilon \(epsilon) at delta \(NumberText.significant(privacy.delta))."
            )
        }
        Terminal.output.line("In \(PrintableText.escape(folder)): \(files.joined(separator: ", "))")
    }
}
