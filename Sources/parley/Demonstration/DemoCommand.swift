import ArgumentParser
import Datasite
import DatasiteProtocol
import ExampleData
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "See a datasite at work on real data, from the catalogue to a receipt.",
        discussion: """
            Starts a datasite in a fresh temporary folder on a free port of 127.0.0.1, puts the RAND Health Insurance \
            Experiment on it, and plays a researcher's session. On a terminal it then stays until Ctrl-C, for you to \
            go on by hand; otherwise it ends by itself, with status 0 only if every step held.
            """, subcommands: [HospitalsCommand.self, PredictDemoCommand.self, MarketDemoCommand.self])

    @Option(
        help: ArgumentHelp(
            "A folder with another table and manifest for the example (default: those that the program carries).",
            valueName: "dir"),
        completion: .directory)
    var example: String?

    func run() async throws {
        let folder = try Self.makeTemporaryFolder()
        defer { Self.remove(folder) }
        let example = try example ?? Self.unpackExample(into: folder + "/randhie")
        var session = try DemonstrationSession(folder: folder, example: example)
        try await session.run(staysOpen: isatty(STDIN_FILENO) == 1)
    }

    static func remove(_ folder: String) {
        do { try FileManager.default.removeItem(atPath: folder) } catch {
            let terminal = Terminal.diagnostics
            terminal.line(
                terminal.styled("warning: ", .bold, .yellow) + "\(folder) could not be removed whole: \(error)")
        }
    }

    /// Where a demonstration on PneumoniaMNIST writes.
    ///
    /// - Throws: A `Failure` where its archive cannot be read, or the folder cannot be made.
    static func folder(data: String, keep: String?) throws -> String {
        guard FileManager.default.isReadableFile(atPath: data) else {
            throw Failure(
                "\(data) cannot be read.", next: "Get pneumoniamnist.npz from https://zenodo.org/records/10519652")
        }
        guard let keep else { return try makeTemporaryFolder() }
        do { try FileManager.default.createDirectory(atPath: keep, withIntermediateDirectories: false) } catch {
            throw Failure("\(keep) cannot be made.", next: "Name a folder that does not exist yet.")
        }
        return URL(filePath: keep).path
    }

    static func makeTemporaryFolder() throws -> String {
        var template = Array((temporaryFolder + "/parley-demo-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure("Cannot make a temporary folder.") }
        return String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static var temporaryFolder: String {
        let folder = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        return folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
    }

    /// The files lie inside the program, so that it runs from any folder.
    private static func unpackExample(into folder: String) throws -> String {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        var (name, size, index) = (UnsafePointer<CChar>?.none, 0, Int32(0))
        while let bytes = example_data_file(index, &name, &size), let name {
            try SavedFile.write(
                Array(UnsafeBufferPointer(start: bytes, count: size)), to: folder + "/" + String(cString: name))
            index += 1
        }
        return folder
    }
}
