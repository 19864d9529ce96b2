import Foundation
import Testing

@Suite("The sources keep to ARCHITECTURE.md")
struct ArchitectureTests {
    let repository = Repository()

    @Test("The table names every module, each importing only modules above it")
    func tableIsALadder() throws {
        let modules = try repository.declaredModules()
        #expect(modules.count >= 10)
        var above: Set<String> = []
        for module in modules {
            #expect(module.imports.isSubset(of: above), "\(module.name) imports a module that is not above it")
            above.insert(module.name)
        }
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: repository.root.appending(path: "Sources").path)
        #expect(Set(folders) == above)
    }

    @Test("Each source imports only what its module's row names")
    func importsFollowTheTable() throws {
        let modules = Dictionary(uniqueKeysWithValues: try repository.declaredModules().map { ($0.name, $0.imports) })
        for source in try repository.sources() {
            let allowed = try #require(modules[source.module], "\(source.module) is not in ARCHITECTURE.md")
            for imported in imports(of: source) where modules[imported] != nil {
                #expect(allowed.contains(imported), "\(source.path) imports \(imported)")
            }
        }
    }

    @Test("The package's targets depend on what the table says")
    func packageFollowsTheTable() throws {
        let modules = try repository.declaredModules()
        let names = Set(modules.map(\.name))
        let targets = try packageTargets()
        for module in modules {
            let dependencies = try #require(targets[module.name], "Package.swift has no target \(module.name)")
            #expect(dependencies.intersection(names) == module.imports, "dependencies of \(module.name)")
        }
    }

    @Test("A client links neither planner nor kernels, nor anything that could hold a row")
    func clientIsSmall() throws {
        let targets = try packageTargets()
        var closure: Set<String> = []
        var unseen: Set<String> = ["DatasiteClient"]
        while let module = unseen.popFirst() {
            closure.insert(module)
            unseen.formUnion(targets[module, default: []].subtracting(closure))
        }
        let own = closure.intersection(try repository.declaredModules().map(\.name))
        #expect(own == ["DatasiteClient", "DatasiteProtocol"])
    }

    @Test("A library is imported only where it belongs")
    func librariesStayAtTheirPlace() throws {
        let places = [
            "GRDB": ["Datasite"], "Yams": ["Datasite"], "Hummingbird": ["DatasiteServer"],
            "HummingbirdTLS": ["DatasiteServer"], "AsyncHTTPClient": ["DatasiteClient"], "ArgumentParser": ["parley"],
            "Crypto": [
                "Datasite", "DatasiteProtocol", "DatasiteClient", "DatasiteServer", "Federation",
                "Marketplace", "ContentAddressing", "MultipartyComputation", "TransparencyLog", "SecureComputation",
                "EncryptedPrediction", "PredictionClient", "SecureStatistics", "parley",
            ],
            "CryptoExtras": ["MultipartyComputation"], "CSecp256k1": ["ChainRail"],
        ]
        var found: Set<String> = []
        for source in try repository.sources() {
            for library in imports(of: source) {
                guard let modules = places[library] else { continue }
                found.insert(library)
                #expect(modules.contains(source.module), "\(source.path) imports \(library)")
            }
        }
        #expect(found == Set(places.keys))
    }

    @Test("One module gives out a name of another, and only the one that decision 007 names")
    func exportsAreNamed() throws {
        try forbid(/@_exported/) { $0.path != "Sources/DifferentialPrivacy/Noise/SystemRandomness.swift" }
    }

    @Test("Mathematics is synchronous: async stays in the datasite and at the edges")
    func asyncStaysAtTheEdges() throws {
        let edges: Set<String> = [
            "Datasite", "DatasiteClient", "DatasiteServer", "MarketplaceStore", "PredictionClient", "parley",
        ]
        try forbid(/\basync\b|\bawait\b/) { !edges.contains($0.module) }
    }

    @Test(
        "No unchecked sendability outside Secrets, and nonisolated(unsafe) only in the mapped bytes and in parts of a product"
    )
    func sendabilityIsChecked() throws {
        try forbid(/@unchecked Sendable/) { $0.module != "Secrets" }
        let mapped: Set<String> = [
            "Sources/Tables/Storage/ColumnBytes.swift",
            "Sources/ModularArithmetic/HeldWords.swift",
            // Two threads, each of which writes rows, or images, of its own.
            "Sources/ModularArithmetic/BilinearMap.swift",
        ]
        try forbid(/nonisolated\(unsafe\)/) { !mapped.contains($0.path) && $0.module != "Secrets" }
    }

    @Test("No force: try!, fatalError and unsafe flags stay out")
    func nothingIsForced() throws {
        try forbid(/\btry!|\bfatalError\(|\bas!/) { _ in true }
        #expect(!(try repository.text("Package.swift").contains("unsafeFlags")))
    }

    @Test("No value holds a vector of more than 16 bytes: frames of asynchronous functions lie at multiples of 16")
    func vectorsAreNotStored() throws {
        // Swift 6.3 puts such a value where it writes over what lies beside it: a double free, or an equal number that is not equal.
        try forbid(
            /^ {4}(private |public |fileprivate |internal )*(let|var) \w+(: | = )\[?SIMD(4<(U?Int64|Double)|8<(U?Int(32|64)|Float|Double)|(16<(U?Int(16|32|64)|Float|Double))|32<|64<)/
        ) { _ in true }
    }

    @Test("Randomness has one source, and the seeded one is where no release is made")
    func randomnessIsSystems() throws {
        try forbid(/SystemRandomNumberGenerator|\.random\(|\.shuffled\((using|\))|\.randomElement\(|drand48|srand/) {
            _ in true
        }
        try forbid(/SeededGenerator/) {
            // Learning: a seeded run on one's own data, and what a row's own key draws; private training is given its source.
            !["Secrets"].contains($0.module) && !$0.path.hasSuffix("MockData.swift")
                && !$0.path.hasSuffix("Training/TrainingRun.swift") && !$0.path.hasSuffix("Data/Augmentation.swift")
                // What a simulated network does.
                && !$0.path.hasSuffix("Simulation/Simulator.swift")
                // A key that the dealer drew is expanded to masks.
                && $0.path != "Sources/Marketplace/Valuation/InnerProductMessages.swift"
                // Draws of a test's null law, which follow from the released integers: no noise of a release.
                && $0.path != "Sources/Statistics/Distributions/NullDraws.swift"
        }
        // What follows from a key is drawn for the noise of a tally's batch, under a key that is derived for it, and nowhere else.
        try forbid(/KeyedRandom/) { $0.module != "Secrets" && $0.path != "Sources/Federation/Tallies/TallyKey.swift" }
    }

    @Test(
        "A seeded generator cannot reach a release: an outcome is made of what SecureRandom measured, and of nothing else"
    )
    func seedsStayOut() throws {
        let sources = try repository.sources()
        let grant = try #require(sources.first { $0.path == "Sources/Datasite/Pipeline/Grant.swift" }).code
        let outcome = grant.drop { !$0.contains("struct Outcome") }.prefix { $0 != "}" }
        let initializers = outcome.filter { $0.contains("init(") }
        #expect(
            initializers.count == 1
                && initializers.allSatisfy { $0.contains("_ measured: Measured<Product, SecureRandom>") })
        // Where a Measured is made: where a question, a synthetic table or somebody's model is measured, and where training ends, alone or with others, whose noise is SecureRandom's by the
        // types of what it calls; where an intersection ends, whose release holds nothing of rows; where an owner opens rows, without noise; where a prediction ends, which holds a share of its result alone; and where a computation on shares ends, into which each owner put noise that is SecureRandom's by the types of what it calls. Outside the package, nowhere.
        let makers = sources.filter { $0.code.contains { $0.contains(/\bMeasured(<[^>]*>)?\(/) } }.map(\.path)
        #expect(
            makers.sorted() == [
                "Sources/Datasite/Engines/Computation/ComputationWork.swift",
                "Sources/Datasite/Engines/Evaluation/EvaluationWork.swift",
                "Sources/Datasite/Engines/FederatedQuestions/FederatedAnswerWork.swift",
                "Sources/Datasite/Engines/Federation/FederatedWork.swift",
                "Sources/Datasite/Engines/Intersection/IntersectionWork.swift",
                "Sources/Datasite/Engines/OpenedRows/OpenedRowsWork.swift",
                "Sources/Datasite/Engines/Prediction/PredictionWork.swift",
                "Sources/Datasite/Engines/Training/TrainingWork.swift", "Sources/Query/Measurement/Measurement.swift",
                "Sources/SyntheticData/SyntheticData.swift",
            ])
        let measurement = try #require(sources.first { $0.path == "Sources/DifferentialPrivacy/Measured.swift" }).code
        #expect(!measurement.contains { $0.contains("public init") })
        // Nobody makes a generator of randomness for mechanisms but Secrets.
        try forbid(/(struct|class|enum|actor|extension)\s+\w+\s*:[^{]*RandomNumberGenerator/) { $0.module != "Secrets" }
    }

    @Test("An engine is one folder and one line: the shared parts of the datasite name none")
    func enginesAreFolders() throws {
        let sources = try repository.sources()
        let engines = sources.filter { $0.path.hasPrefix("Sources/Datasite/Engines/") }
        var names: Set<String> = []
        for source in engines {
            let text = source.lines.joined(separator: "\n")
            for match in text.matches(of: /struct (\w+): EngineWork\b/) { names.insert(String(match.1)) }
            for match in text.matches(of: /static let engine: EngineName = "([a-z-]+)"/) {
                names.insert("\"\(match.1)\"")
            }
        }
        #expect(names.count >= 4, "two engines at least, each with a type and a name")
        // The migrations tell what earlier schemas held.
        let shared = sources.filter { source in
            ["Pipeline", "Records", "Access"].contains { source.path.hasPrefix("Sources/Datasite/\($0)/") }
                && !source.path.hasSuffix("/Migrations.swift")
        }
        #expect(shared.count > 20)
        for source in shared {
            for name in names.sorted() {
                #expect(!source.lines.contains { $0.contains(name) }, "\(source.path) names the engine \(name)")
            }
        }
        let table = try #require(engines.first { $0.path.hasSuffix("/EngineTable.swift") }).code
        for name in names where !name.hasPrefix("\"") {
            #expect(table.filter { $0.contains("\(name).self") }.count == 1, "\(name) has one line in the table")
        }
    }

    @Test("Nothing is written in a way that ends the process when the disk is full or a reader has gone")
    func writesDoNotTrap() throws {
        // FileHandle's standard streams and its `write(_:)` trap where `write(contentsOf:)` throws; `print` goes past what
        // `Terminal` and `LogOutput` do about failing descriptors.
        try forbid(/FileHandle\.(standardError|standardOutput)|\bprint\(|\bfputs\(|\bputs\(|\bNSLog\(/) { _ in true }
        try forbid(/\.write\(Data\(|\.seek\(toFileOffset|\.readData\(ofLength/) { _ in true }
    }

    @Test("No module or type has a name that says nothing")
    func namesSaySomething() throws {
        let empty = /\b(struct|class|enum|actor|protocol)\s+(\w*(Util|Utils|Helper|Helpers|Manager)|Core|Common|Base)\b/
        try forbid(empty) { _ in true }
    }

    @Test("Platform libraries are imported only under a condition")
    func platformImportsAreConditional() throws {
        for source in try repository.sources() {
            var depth = 0
            for (number, line) in source.lines.enumerated() {
                let trimmed = line.trimmingCharacters(in: .whitespaces)
                if trimmed.hasPrefix("#if") { depth += 1 }
                if trimmed.hasPrefix("#endif") { depth -= 1 }
                if trimmed.contains(/import (Glibc|Darwin|Musl)\b/) {
                    #expect(depth > 0, "\(source.path):\(number + 1)")
                }
            }
        }
    }

    @Test("A grant and a reservation cannot be copied, nor made by a stranger; a release cannot be encoded")
    func theWayOutIsOne() throws {
        let code = try repository.sources().filter { $0.module == "Datasite" }
            .flatMap(\.code).joined(separator: "\n")
        for type in ["Reservation", "Grant<Kind: EngineWork>"] {
            #expect(code.contains(try Regex("struct \(type)\\s*:\\s*~Copyable")), "\(type) is ~Copyable")
            let declaration = try Regex("struct \(type)\\s*:\\s*~Copyable[^}]*?(fileprivate|private) init")
                .dotMatchesNewlines()
            #expect(code.contains(declaration), "\(type)'s initialiser is private to its file")
        }
        #expect(code.contains(/struct Release\b/))
        #expect(!code.contains(/struct Release\b[^{]*(Codable|Encodable)/))
    }

    @Test("A source file holds one idea: at most 600 lines")
    func filesAreShort() throws {
        for source in try repository.sources() + repository.sources(under: "Tests") {
            #expect(source.lines.count <= 601, "\(source.path) has \(source.lines.count) lines")
        }
    }

    @Test("Every module has a DocC front page that states its threat model or privacy argument")
    func everyModuleHasAFrontPage() throws {
        for module in try repository.declaredModules()
        where !["CZlib", "CZstd", "CSecp256k1", "parley"].contains(module.name) {
            let page = try repository.text("Sources/\(module.name)/\(module.name).docc/\(module.name).md")
            #expect(page.lowercased().contains(/threat model|privacy/), "\(module.name)")
        }
    }

    // MARK: -

    private func imports(of source: Repository.Source) -> [String] {
        // Matching each of the lines would take minutes.
        source.lines.filter { $0.contains("import ") }.compactMap { line in
            line.prefixMatch(
                of:
                    /^\s*(?:@\w+(?:\(\w+\))?\s+)?(?:public |internal |package |private |fileprivate )?import (?:struct |class |enum |func |protocol |typealias |let |var )?(\w+)/
            )
            .map { String($0.1) }
        }
    }

    private func forbid(
        _ pattern: some RegexComponent, where applies: (Repository.Source) -> Bool
    ) throws {
        for source in try repository.sources() where applies(source) {
            for (number, line) in source.code.enumerated() where line.contains(pattern) {
                Issue.record("\(source.path):\(number + 1): \(line.trimmingCharacters(in: .whitespaces))")
            }
        }
    }

    /// Target name to the names of what it depends on. Its own scratch path: inside `swift test` the build folder is
    /// locked, and without one this would wait for ever.
    private func packageTargets() throws -> [String: Set<String>] {
        let scratch = FileManager.default.temporaryDirectory.appending(path: "parley-dump-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: scratch) }
        let process = BegunProcess()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "timeout", "240", "swift", "package", "--package-path", repository.root.path, "--scratch-path",
            scratch.path, "dump-package",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.begin()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "swift package dump-package failed")
        let package = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let targets = try #require(package["targets"] as? [[String: Any]])
        var result: [String: Set<String>] = [:]
        for target in targets {
            let name = try #require(target["name"] as? String)
            let dependencies = target["dependencies"] as? [[String: Any]] ?? []
            result[name] = Set(
                dependencies.compactMap { ($0["byName"] as? [Any])?.first as? String }
                    + dependencies.compactMap { ($0["product"] as? [Any])?.first as? String })
        }
        return result
    }
}
