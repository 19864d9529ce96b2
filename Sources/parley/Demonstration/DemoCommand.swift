import ArgumentParser
import Datasite
import DatasiteProtocol
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
            """)

    @Option(
        help: ArgumentHelp("The folder with the example's table and manifest.", valueName: "dir"),
        completion: .directory)
    var example: String?

    func run() async throws {
        let folder = try makeTemporaryFolder()
        defer { remove(folder) }
        let example = try example ?? Self.findExample()
        var session = try DemonstrationSession(folder: folder, example: example)
        try await session.run(staysOpen: isatty(STDIN_FILENO) == 1)
    }

    private func remove(_ folder: String) {
        do { try FileManager.default.removeItem(atPath: folder) } catch {
            let terminal = Terminal.diagnostics
            terminal.line(
                terminal.styled("warning: ", .bold, .yellow) + "\(folder) could not be removed whole: \(error)")
        }
    }

    private func makeTemporaryFolder() throws -> String {
        var template = Array((Self.temporaryFolder + "/parley-demo-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure("Cannot make a temporary folder.") }
        return String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static var temporaryFolder: String {
        let folder = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        return folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
    }

    /// Beside the working folder, or above the program in the folder that it was built in.
    private static func findExample() throws -> String {
        let relative = "Examples/randhie"
        let program = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        var folders: [String] = []
        var folder = program.deletingLastPathComponent()
        for _ in 0..<5 {
            folders.append(folder.path)
            folder.deleteLastPathComponent()
        }
        let found = ([relative] + folders.map { $0 + "/" + relative }).first {
            FileManager.default.fileExists(atPath: $0 + "/manifest.yaml")
        }
        guard let found else {
            throw Failure(
                "The example's data was not found.",
                next: "It is in the folder \(relative) of Parley's source: parley demo --example DIR")
        }
        return found
    }
}
