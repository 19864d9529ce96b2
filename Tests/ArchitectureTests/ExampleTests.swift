import Foundation
import Testing

@Suite("Examples in documentation compile")
struct ExampleTests {
    let repository = Repository()

    @Test("Every module's front page has one, and it imports only what its reader has")
    func examplesAreThere() throws {
        let examples = try repository.examples()
        let products = try repository.products()
        let modules = try repository.declaredModules()
        for module in modules where !["CZlib", "CZstd", "Kernels", "ExampleData", "parley"].contains(module.name) {
            #expect(examples.contains { $0.path.hasPrefix("Sources/\(module.name)/") }, "\(module.name) has no example")
        }
        #expect(products.contains("DifferentialPrivacy"))
        for example in examples {
            // Outside, a reader has the products. The page of a module that is none is read by who works inside.
            let module = modules.first { example.path.hasPrefix("Sources/\($0.name)/") }
            let inside = module.flatMap { products.contains($0.name) ? nil : $0.imports.union([$0.name]) }
            #expect(!example.imports.isEmpty, "\(example) imports nothing")
            #expect(example.imports.isSubset(of: inside ?? products), "\(example) imports what its reader has not")
        }
    }

    @Test("Each compiles against the modules that were built with this test, as a stranger sees them: public alone")
    func examplesCompile() throws {
        let modules = try #require(builtModules(), "the folder of built modules is not above the test's own")
        for example in try repository.examples() {
            let (status, output) = try compile(example.code, against: modules)
            #expect(status == 0, "\(example): \(output)")
        }
        // What must not compile: names that are not there, and what `package` and `internal` hide.
        for wrong in [
            "import DifferentialPrivacy\nlet x = NoSuchMechanism()\n",
            "import DifferentialPrivacy\nlet generator = SeededGenerator(seed: 1)\n",
            "import DifferentialPrivacy\nlet x = Measured<Int, SecureRandom>(answer: 1, events: [])\n",
        ] {
            let (status, output) = try compile(wrong, against: modules)
            #expect(status != 0 && output.contains("error:"), "\(wrong)")
        }
    }

    @Test("A package outside that depends on DifferentialPrivacy alone builds its examples, and fetches nothing")
    func libraryAlone() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let examples = try repository.examples().filter { $0.imports == ["DifferentialPrivacy"] }
        try #require(examples.contains { $0.path.hasPrefix("Sources/DifferentialPrivacy/") })
        var targets: [String] = []
        for (number, example) in examples.enumerated() {
            let sources = folder.appending(path: "Sources/Example\(number)")
            try FileManager.default.createDirectory(at: sources, withIntermediateDirectories: true)
            try Data(example.code.utf8).write(to: sources.appending(path: "main.swift"))
            targets.append(
                """
                    .executableTarget(
                        name: "Example\(number)",
                        dependencies: [.product(name: "DifferentialPrivacy", package: "parley")],
                        swiftSettings: [.enableUpcomingFeature("MemberImportVisibility")]),
                """)
        }
        let manifest = """
            // swift-tools-version: 6.2
            import PackageDescription
            let package = Package(
                name: "Outside", platforms: [.macOS(.v15)],
                dependencies: [.package(path: "parley", traits: [])],
                targets: [
            \(targets.joined(separator: "\n"))
                ])
            """
        try Data(manifest.utf8).write(to: folder.appending(path: "Package.swift"))
        // The checkout's folder may have any name; here it has the package's.
        try FileManager.default.createSymbolicLink(
            at: folder.appending(path: "parley"), withDestinationURL: repository.root)
        let (status, output) = try run(["swift", "build", "--package-path", folder.path])
        #expect(status == 0, "\(output.suffix(4_000))")
        let fetched = try? FileManager.default.contentsOfDirectory(
            atPath: folder.appending(path: ".build/checkouts").path)
        #expect((fetched ?? []).isEmpty, "\(fetched ?? [])")
        let built = try FileManager.default.contentsOfDirectory(
            atPath: folder.appending(path: ".build/debug/Modules").path)
        let names = Set(built.map { String($0.prefix { $0 != "." }) }).filter { !$0.hasPrefix("Example") }
        #expect(names == ["DifferentialPrivacy", "Secrets"])
    }

    // MARK: -

    /// The folder of modules beside the test's own bundle.
    private func builtModules() -> URL? {
        var folder = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        while folder.path != "/" {
            let modules = folder.appending(path: "Modules")
            if FileManager.default.fileExists(atPath: modules.appending(path: "DifferentialPrivacy.swiftmodule").path) {
                return modules
            }
            folder.deleteLastPathComponent()
        }
        return nil
    }

    private func compile(_ code: String, against modules: URL) throws -> (status: Int32, output: String) {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "main.swift")
        try Data(code.utf8).write(to: file)
        var arguments = [
            "swiftc", "-typecheck", "-swift-version", "6", "-warnings-as-errors", "-enable-upcoming-feature",
            "MemberImportVisibility", "-I", modules.path, file.path,
        ]
        for map in try moduleMaps(beside: modules) { arguments += ["-Xcc", "-fmodule-map-file=\(map.path)"] }
        return try run(arguments)
    }

    /// The maps of C modules, ours and those of the libraries: modules that were built for testing refer to them.
    private func moduleMaps(beside modules: URL) throws -> [URL] {
        let sources = repository.root.appending(path: "Sources")
        let checkouts = repository.root.appending(path: ".build/checkouts")
        let targets = try [sources] + folders(in: checkouts).map { $0.appending(path: "Sources") }
        let candidates = try targets.flatMap { try folders(in: $0) }.flatMap {
            [$0.appending(path: "module.modulemap"), $0.appending(path: "include/module.modulemap")]
        }
        let made = try folders(in: modules.deletingLastPathComponent()).filter { $0.pathExtension == "build" }
            .map { $0.appending(path: "module.modulemap") }
        return (candidates + made).filter { FileManager.default.fileExists(atPath: $0.path) }
    }

    private func folders(in folder: URL) throws -> [URL] {
        guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter(\.hasDirectoryPath)
    }

    private func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "parley-example-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["timeout", "240"] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}
