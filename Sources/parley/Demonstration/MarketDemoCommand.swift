import ArgumentParser
import Foundation

struct MarketDemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "market",
        abstract: "See a model being paid for: a sponsor, scientists, owners of data, machines, referees.",
        discussion: """
            Plays a task of the marketplace from funding to payout on PneumoniaMNIST: two scientists propose, five owners train together with masks and shared noise, one of them without \
            images and one who copies, two providers compute, one of whom lies, referees decide. All parties are in this process; whatever they ask is an entry of a log that is verified at \
            the end. It ends with status 0 only if every invariant held.

              parley demo market --data pneumoniamnist.npz
              parley demo market --data pneumoniamnist.npz --keep ./market     # and read its log: parley market show ./market/market

            The archive (4 MB, 28x28 pixels) is at https://zenodo.org/records/10519652 (MedMNIST v2, Yang et al. 2023).
            """)

    @Option(help: ArgumentHelp("PneumoniaMNIST's archive.", valueName: "file"), completion: .file()) var data: String
    @Option(
        help: ArgumentHelp(
            "Keep everything in this folder, which must not exist (default: a temporary one).", valueName: "dir"),
        completion: .directory)
    var keep: String?

    func run() async throws {
        let folder = try DemoCommand.folder(data: data, keep: keep)
        defer { if keep == nil { DemoCommand.remove(folder) } }
        let session = try MarketSession(folder: folder, archive: URL(filePath: data).path, isKept: keep != nil)
        try await session.run()
    }
}
