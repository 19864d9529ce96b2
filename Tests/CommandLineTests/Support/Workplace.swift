import Foundation
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A temporary folder in which the built `parley` runs as a user's would: with its own home and no outside settings.
final class Workplace: Sendable {
    let folder: String
    private let children = Mutex<[Int32]>([])

    init() throws {
        folder = NSTemporaryDirectory() + "parley-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/home", withIntermediateDirectories: true)
    }

    /// Ends what still runs and removes the folder.
    deinit {
        for child in children.withLock({ $0 }) { kill(child, SIGKILL) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// The binary that was built with the tests: it lies beside their bundle.
    static let executable: String = {
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        var folder = bundle.deletingLastPathComponent()
        while folder.path != "/" {
            let candidate = folder.appendingPathComponent("parley").path
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: candidate, isDirectory: &isFolder), !isFolder.boolValue,
                FileManager.default.isExecutableFile(atPath: candidate)
            {
                return candidate
            }
            folder.deleteLastPathComponent()
        }
        return "parley"
    }()

    /// The package's own folder.
    static let package: String = {
        var folder = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { folder.deleteLastPathComponent() }
        return folder.path
    }()

    func path(_ name: String) -> String { folder + "/" + name }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    }

    func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path(name))), as: UTF8.self)
    }

    var environment: [String: String] {
        [
            "HOME": folder + "/home", "TMPDIR": folder, "LANG": "C.UTF-8", "SWIFT_BACKTRACE": "enable=no",
            "PATH": "/usr/bin:/bin:" + URL(fileURLWithPath: Self.executable).deletingLastPathComponent().path,
        ]
    }

    /// What a command printed and how it ended.
    struct Finished {
        var status: Int32
        var output: String
        var errors: String
        var all: String { output + errors }
    }

    /// Runs `parley` to its end. Its output goes through files, which never fill up as a pipe does.
    @discardableResult
    func parley(
        _ arguments: String..., input: String = "", environment extra: [String: String] = [:]
    ) throws -> Finished {
        try run([Self.executable] + arguments, input: input, environment: extra)
    }

    func run(_ command: [String], input: String = "", environment extra: [String: String] = [:]) throws -> Finished {
        let name = UUID().uuidString
        try write(input, to: name + ".in")
        try write("", to: name + ".out")
        try write("", to: name + ".err")
        let process = process(command, extra)
        process.standardInput = FileHandle(forReadingAtPath: path(name + ".in"))
        process.standardOutput = FileHandle(forWritingAtPath: path(name + ".out"))
        process.standardError = FileHandle(forWritingAtPath: path(name + ".err"))
        try process.begin()
        process.waitUntilExit()
        let status = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        let finished = Finished(status: status, output: try read(name + ".out"), errors: try read(name + ".err"))
        for suffix in [".in", ".out", ".err"] { try? FileManager.default.removeItem(atPath: path(name + suffix)) }
        return finished
    }

    /// A server that runs until it is killed or the workplace ends.
    struct Server {
        let process: BegunProcess
        let url: String
        /// Where its metrics are; nil where they were not asked for.
        let metricsURL: String?

        func kill() { process.killAndWait() }

        /// As Ctrl-C does.
        func interrupt() -> Int32 {
            process.interrupt()
            process.waitUntilExit()
            return process.terminationStatus
        }
    }

    /// Starts `parley` and does not wait for it.
    ///
    /// - Parameter errors: Where its diagnostics go; nil: the descriptor is closed.
    func start(
        _ arguments: [String], output: Any = FileHandle.nullDevice, errors: Any? = FileHandle.nullDevice
    ) throws -> BegunProcess {
        let shell = errors == nil ? ["/bin/sh", "-c", "exec \"$0\" \"$@\" 2>&-"] : []
        return try start(command: shell + [Self.executable] + arguments, output: output, errors: errors)
    }

    /// The same of any command.
    func start(
        command: [String], input: Any = FileHandle.nullDevice, output: Any = FileHandle.nullDevice,
        errors: Any? = FileHandle.nullDevice
    ) throws -> BegunProcess {
        let process = process(command, [:])
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors ?? FileHandle.nullDevice
        try process.begin()
        children.withLock { $0.append(process.processIdentifier) }
        return process
    }

    /// Starts `parley serve` on a free port and waits for the line that says where it listens.
    ///
    /// - Parameter log: Where its log goes; nil: the descriptor is closed.
    func serve(
        site: String? = nil, port: Int = 0, log: Any? = FileHandle.nullDevice, showsMetrics: Bool = false
    ) throws -> Server {
        try serve(
            ["serve", "--port", "\(port)"] + (showsMetrics ? ["--metrics-port", "0"] : [])
                + (site.map { ["--site", $0] } ?? []), log: log, showsMetrics: showsMetrics)
    }

    /// Starts a command that serves, and waits until it says where it listens.
    func serve(
        _ arguments: [String], log: Any? = FileHandle.nullDevice, showsMetrics: Bool = false
    ) throws -> Server {
        let pipe = Pipe()
        let process = try start(arguments, output: pipe, errors: log)
        var text = ""
        while true {
            let data = pipe.fileHandleForReading.availableData
            guard !data.isEmpty else {
                process.waitUntilExit()
                throw ServerEnded(status: process.terminationStatus, output: text)
            }
            text += String(decoding: data, as: UTF8.self)
            let metrics = text.firstMatch(of: /Metrics on (http:\S+)\/metrics,/).map { String($0.1) }
            if let match = text.firstMatch(of: /listening on (http\S+)\s/), !showsMetrics || metrics != nil {
                return Server(process: process, url: String(match.1), metricsURL: metrics)
            }
        }
    }

    struct ServerEnded: Error {
        var status: Int32
        var output: String
    }

    private func process(_ command: [String], _ extra: [String: String]) -> BegunProcess {
        let process = BegunProcess()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.environment = environment.merging(extra) { $1 }
        return process
    }
}
