import ArgumentParser
import Foundation

struct PredictDemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "See a hospital's X-rays read by a company's model, neither of which the other sees.",
        discussion: """
            Starts a company's datasite and a dealer as processes of their own on this machine, trains the company's model on PneumoniaMNIST, and lets a hospital predict ten images of the test part on \
            shares. Labels stand beside what the model says in the clear, with the first bytes that each side saw, and what it cost. It ends with status 0 only if every step held.

              parley demo predict --data pneumoniamnist.npz
              parley demo predict --data pneumoniamnist.npz --keep ./predict     # and look at what they wrote

            The archive (4 MB, 28x28 pixels) is at https://zenodo.org/records/10519652 (MedMNIST v2, Yang et al. 2023).
            """)

    @Option(help: ArgumentHelp("PneumoniaMNIST's archive.", valueName: "file"), completion: .file()) var data: String
    @Option(
        help: ArgumentHelp(
            "Keep everything in this folder, which must not exist (default: a temporary one).", valueName: "dir"),
        completion: .directory)
    var keep: String?
    @Option(parsing: .unconditional, help: "The dealer's port; the company takes the next one.") var port = 8980

    func validate() throws {
        guard (1...65_534).contains(port) else { throw ValidationError("A port is a number from 1 to 65534.") }
    }

    func run() async throws {
        let folder = try DemoCommand.folder(data: data, keep: keep)
        defer { if keep == nil { DemoCommand.remove(folder) } }
        let session = PredictSession(folder: folder, archive: URL(filePath: data).path, port: port)
        try await session.run()
    }
}
