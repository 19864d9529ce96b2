import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Processes of a demonstration: this program, with a folder of its own for logins and receipts.
final class DemonstrationProcesses {
    private let folder: String
    private let program = URL(filePath: Bundle.main.executablePath ?? CommandLine.arguments[0])
    /// Those that serve, by name.
    private(set) var servers: [String: Process] = [:]

    init(folder: String) { self.folder = folder }

    /// Ends all that serve, and waits until they hold nothing any more.
    func killAll() {
        for server in servers.values { kill(server.processIdentifier, SIGKILL) }
        for server in servers.values { server.waitUntilExit() }
    }

    /// A command's words as they are told.
    func shown(_ arguments: [String]) -> String {
        arguments.map { $0.replacing(folder + "/", with: "") }.joined(separator: " ")
    }

    /// - Parameter log: Where its words go; nil: to this terminal.
    func start(_ arguments: [String], log: String?) throws -> Process {
        let process = Process()
        (process.executableURL, process.arguments) = (program, arguments)
        process.environment = ProcessInfo.processInfo.environment.merging(
            [
                "XDG_CONFIG_HOME": folder + "/config", "XDG_DATA_HOME": folder + "/share",
                "XDG_STATE_HOME": folder + "/state",
            ]) { $1 }
        process.standardInput = FileHandle.nullDevice
        if let log {
            let path = "\(folder)/\(log)"
            guard FileManager.default.createFile(atPath: path, contents: nil),
                let handle = FileHandle(forWritingAtPath: path)
            else { throw Failure("\(path) cannot be written.") }
            (process.standardOutput, process.standardError) = (handle, handle)
        }
        do { try process.run() } catch { throw Failure("\(program.path) cannot be started: \(error)") }
        return process
    }

    /// Starts a command that serves, and waits until it listens.
    func serve(_ arguments: [String], named name: String, narrating narration: Narration) throws {
        narration.command("parley \(shown(arguments)) &")
        let process = try start(arguments, log: "\(name).log")
        servers[name] = process
        let limit = ContinuousClock.now + .seconds(30)
        while !((try? String(contentsOfFile: "\(folder)/\(name).log", encoding: .utf8)) ?? "").contains("listening on")
        {
            guard .now < limit, process.isRunning else { throw Failure("The server of \(name) did not start.") }
            usleep(50_000)
        }
    }

    /// Runs a command to its end.
    ///
    /// - Returns: What it said.
    @discardableResult
    func call(_ arguments: [String]) throws -> String {
        let process = try start(arguments, log: "last.log")
        process.waitUntilExit()
        let words = (try? String(contentsOfFile: folder + "/last.log", encoding: .utf8)) ?? ""
        guard process.terminationStatus == 0 else {
            throw Failure("parley \(shown(arguments)) failed: \(words)")
        }
        return words
    }
}
