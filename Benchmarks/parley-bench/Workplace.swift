import Foundation

/// A folder for the benchmarks' files, and the programs that they start.
final class Workplace {
    let folder: URL
    private var baseline: String?

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "parley-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    /// Bytes that may still be written here.
    var freeBytes: Int {
        let values = try? FileManager.default.attributesOfFileSystem(forPath: folder.path)
        return (values?[.systemFreeSize] as? NSNumber)?.intValue ?? 0
    }

    /// The repository's root.
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The seconds of a plain C loop; nil where no C compiler is installed.
    func loop(_ arguments: String...) throws -> (wall: Double, cpu: Double)? {
        if baseline == nil {
            guard let compiler = Self.find("cc") ?? Self.find("clang") else { return nil }
            let program = path("baseline")
            let source = Self.repository.appending(path: "Benchmarks/baseline.c").path
            _ = try output(of: compiler, ["-O2", "-o", program, source])
            baseline = program
        }
        guard let baseline else { return nil }
        let numbers = try output(of: baseline, arguments).split(separator: " ").compactMap { Double($0) }
        return numbers.count >= 2 ? (numbers[0], numbers[1]) : nil
    }

    /// What this program prints, run again as a child.
    func child(_ arguments: String...) throws -> String {
        try output(of: CommandLine.arguments[0], ["child"] + arguments)
    }

    func output(of program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError(reason: "\(program) ended with \(process.terminationStatus)")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// The program of that name in the PATH.
    static func find(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

struct BenchmarkError: Error, CustomStringConvertible {
    var reason: String
    var description: String { reason }
}

func complain(_ words: String) { FileHandle.standardError.write(Data("\(words)\n".utf8)) }
