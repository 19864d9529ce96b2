import Foundation

/// The modules that were built with this test, to compile other code against.
struct BuiltModules {
    let repository: Repository
    private let folder: URL

    /// nil: the folder of built modules is not above the test's own.
    init?(_ repository: Repository) {
        self.repository = repository
        var above = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        while above.path != "/" {
            let modules = above.appending(path: "Modules")
            if FileManager.default.fileExists(atPath: modules.appending(path: "DifferentialPrivacy.swiftmodule").path) {
                folder = modules
                return
            }
            above.deleteLastPathComponent()
        }
        return nil
    }

    /// As a stranger compiles it.
    func compile(_ code: String) throws -> (status: Int32, output: String) {
        let folder = try Self.temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "main.swift")
        try Data(code.utf8).write(to: file)
        return try check([file], ["-warnings-as-errors", "-enable-upcoming-feature", "MemberImportVisibility"])
    }

    /// As a module of this package.
    func compile(module name: String, _ files: [URL]) throws -> (status: Int32, output: String) {
        let features = [
            "ExistentialAny", "InternalImportsByDefault", "MemberImportVisibility", "InferIsolatedConformances",
            "NonisolatedNonsendingByDefault",
        ]
        return try check(
            files,
            [
                "-parse-as-library", "-module-name", name, "-package-name",
                repository.root.lastPathComponent.lowercased(),
            ]
                + features.flatMap { ["-enable-upcoming-feature", $0] })
    }

    private func check(_ files: [URL], _ options: [String]) throws -> (status: Int32, output: String) {
        var arguments = ["swiftc", "-typecheck", "-swift-version", "6", "-I", folder.path] + options
        for map in try moduleMaps() { arguments += ["-Xcc", "-fmodule-map-file=\(map.path)"] }
        return try Self.run(arguments + files.map(\.path))
    }

    /// The maps of C modules, ours and those of the libraries: modules that were built for testing refer to them.
    private func moduleMaps() throws -> [URL] {
        let sources = repository.root.appending(path: "Sources")
        let checkouts = repository.root.appending(path: ".build/checkouts")
        let targets = try [sources] + folders(in: checkouts).map { $0.appending(path: "Sources") }
        let candidates = try targets.flatMap { try folders(in: $0) }.flatMap {
            [$0.appending(path: "module.modulemap"), $0.appending(path: "include/module.modulemap")]
        }
        let made = try folders(in: folder.deletingLastPathComponent()).filter { $0.pathExtension == "build" }
            .map { $0.appending(path: "module.modulemap") }
        return (candidates + made).filter { FileManager.default.fileExists(atPath: $0.path) }
    }

    private func folders(in folder: URL) throws -> [URL] {
        guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter(\.hasDirectoryPath)
    }

    static func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "parley-example-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    static func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = BegunProcess()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["timeout", "240"] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.begin()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}
