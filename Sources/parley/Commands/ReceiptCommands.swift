import ArgumentParser
import DatasiteProtocol
import Foundation

struct ReceiptsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receipts", abstract: "The receipts that you hold, each checked offline against its pinned key.")

    func run() async throws {
        let kept = KeptReceipts()
        let entries = kept.all()
        guard !entries.isEmpty else {
            Terminal.output.line("You hold no receipts yet: each answer of parley ask comes with one.")
            return
        }
        let logins = try Logins.load()
        let rows = entries.map { entry in
            [
                entry.receipt.body.request, entry.receipt.body.time, entry.receipt.body.dataset,
                entry.receipt.shortChargeText,
                String(entry.receipt.body.journalIndex), state(entry, logins), entry.url,
            ]
        }
        Terminal.output.write(
            TextTable(titles: ["request", "when", "dataset", "cost", "journal", "check", "datasite"], rows: rows)
                .render(on: .output))
        Terminal.output.line("Kept in \(kept.folder)")
    }

    private func state(_ entry: KeptReceipts.Entry, _ logins: Logins) -> String {
        guard let key = logins.sites[entry.url]?.publicKey else { return "no pinned key" }
        do {
            try ReceiptVerifier(publicKey: key).verify(entry.receipt, answer: entry.answer)
            return "valid"
        } catch {
            return "WRONG: \(error)"
        }
    }
}

struct ReceiptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receipt", abstract: "Check a receipt without trusting the datasite.", subcommands: [Verify.self])

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a receipt's signature offline, and that it is about an answer.",
            discussion: """
                A valid receipt shows that whoever holds the site's key stated that this request was answered with \
                exactly these bytes, at this charge, at this place of the journal.
                """)

        @Argument(help: "The receipt, saved with: parley ask --receipt FILE", completion: .file()) var file: String
        @Option(
            help: ArgumentHelp("The answer's exact bytes, saved with: parley ask --answer FILE", valueName: "file"),
            completion: .file())
        var answer: String?
        @Option(help: "The site's public key (base64), from its owner or: parley whoami") var key: String

        func run() async throws {
            let receipt: Receipt
            do {
                receipt = try Receipt(decoding: try read(file))
            } catch let failure as Failure {
                throw failure
            } catch {
                throw Failure("\(file) is no receipt.")
            }
            let bytes = try answer.map { try read($0) }
            do {
                try ReceiptVerifier(publicKey: key).verify(receipt, answer: bytes)
            } catch {
                throw Failure("The receipt is not valid: \(error).")
            }
            show(receipt, withAnswer: bytes != nil)
        }

        private func read(_ path: String) throws -> [UInt8] {
            guard let data = FileManager.default.contents(atPath: path) else { throw Failure("Cannot read \(path).") }
            return Array(data)
        }

        private func show(_ receipt: Receipt, withAnswer: Bool) {
            let terminal = Terminal.output
            let verdict = withAnswer ? "The receipt is valid, and it is about this answer." : "The receipt is valid."
            terminal.line(terminal.styled(verdict, .bold, .green))
            let body = receipt.body
            let rows = [
                ["datasite", body.site], ["request", body.request], ["time", body.time],
                ["kind of work", body.engine],
                [
                    "dataset",
                    body.assets.map { "\($0.dataset), version \($0.version)" }.joined(separator: "; "),
                ], ["charged", receipt.chargeText],
                ["journal", "entry \(body.journalIndex), \(body.journalHash)"],
                ["input privacy", body.guarantees.inputPrivacy], ["output privacy", body.guarantees.outputPrivacy],
                ["input verification", body.guarantees.inputVerification],
                ["output verification", body.guarantees.outputVerification],
                ["flow governance", body.guarantees.flowGovernance],
            ]
            terminal.write(TextTable(titles: ["", ""], rows: rows).render(on: terminal))
        }
    }
}

extension Receipt {
    /// For a column of a table.
    var shortChargeText: String {
        body.charge.amounts.count > 1 ? "Rényi, \(body.charge.amounts.count) orders" : chargeText
    }

    /// The ledger's integers as decimals.
    var chargeText: String {
        let charge = body.charge
        let uses = charge.uses > 0 ? "\(charge.uses) use\(charge.uses == 1 ? "" : "s")" : nil
        guard let kind = charge.kind else { return uses ?? "nothing" }
        let amounts = charge.amounts.map { NumberText.significantAtLeast(Double($0) / 1e12) }.joined(separator: " ")
        let delta = Double(charge.delta) * 1e-18
        let selection = delta > 0 ? ", δ \(NumberText.significant(delta, digits: 3))" : ""
        let names = ["pure": "ε ", "zcdp": "ρ "]
        let name = names[kind] ?? "Rényi divergences at orders 2 4 6 8 12 24 64 256: "
        return [name + amounts + selection, uses].compactMap(\.self).joined(separator: ", ")
    }
}
