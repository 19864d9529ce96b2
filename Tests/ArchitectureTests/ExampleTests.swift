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
        for module in modules
        where !["CZlib", "CZstd", "CSecp256k1", "Kernels", "ExampleData", "parley"].contains(module.name) {
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
        let modules = try #require(BuiltModules(repository), "the folder of built modules is not above the test's own")
        for example in try repository.examples() {
            let (status, output) = try modules.compile(example.code)
            #expect(status == 0, "\(example): \(output)")
        }
        // What must not compile: names that are not there, and what `package` and `internal` hide.
        for wrong in [
            "import DifferentialPrivacy\nlet x = NoSuchMechanism()\n",
            "import DifferentialPrivacy\nlet generator = SeededGenerator(seed: 1)\n",
            "import DifferentialPrivacy\nlet x = Measured<Int, SecureRandom>(answer: 1, events: [])\n",
        ] {
            let (status, output) = try modules.compile(wrong)
            #expect(status != 0 && output.contains("error:"), "\(wrong)")
        }
    }

    @Test("A package outside that depends on DifferentialPrivacy alone builds its examples, and fetches nothing")
    func libraryAlone() throws {
        let folder = try BuiltModules.temporaryFolder()
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
        let (status, output) = try BuiltModules.run(["swift", "build", "--package-path", folder.path])
        #expect(status == 0, "\(output.suffix(4_000))")
        let fetched = try? FileManager.default.contentsOfDirectory(
            atPath: folder.appending(path: ".build/checkouts").path)
        #expect((fetched ?? []).isEmpty, "\(fetched ?? [])")
        let built = try FileManager.default.contentsOfDirectory(
            atPath: folder.appending(path: ".build/debug/Modules").path)
        let names = Set(built.map { String($0.prefix { $0 != "." }) }).filter { !$0.hasPrefix("Example") }
        #expect(names == ["DifferentialPrivacy", "Secrets"])
    }
}
