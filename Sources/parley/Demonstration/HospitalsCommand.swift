import ArgumentParser
import Foundation

struct HospitalsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hospitals", abstract: "See three datasites train one model together, with crashes on the way.",
        discussion: """
            Starts three datasites and a coordinator as processes of their own on this machine, divides the images of PneumoniaMNIST among them, and \
            trains twice: with secure aggregation alone, and with noise of which each hospital adds its share. On the way one hospital is killed and \
            started again, and one falls silent. It ends with status 0 only if every step held.

              parley demo hospitals --data pneumoniamnist.npz
              parley demo hospitals --data pneumoniamnist.npz --keep ./hospitals     # and look at what they wrote

            The archive (4 MB, 28x28 pixels) is at https://zenodo.org/records/10519652 (MedMNIST v2, Yang et al. 2023).
            """)

    @Option(help: ArgumentHelp("PneumoniaMNIST's archive.", valueName: "file"), completion: .file()) var data: String
    @Option(
        help: ArgumentHelp(
            "Keep everything in this folder, which must not exist (default: a temporary one).", valueName: "dir"),
        completion: .directory)
    var keep: String?
    @Option(parsing: .unconditional, help: "The coordinator's port; the hospitals take the next three.") var port = 8940

    func validate() throws {
        guard (1...65_532).contains(port) else { throw ValidationError("A port is a number from 1 to 65532.") }
    }

    func run() async throws {
        let folder = try DemoCommand.folder(data: data, keep: keep)
        defer { if keep == nil { DemoCommand.remove(folder) } }
        let session = try HospitalsSession(folder: folder, archive: URL(filePath: data).path, port: port)
        try await session.run()
    }
}
