import Foundation
import Testing

/// The fuzzers' package is not built by the ordinary tests (its instrumented libraries take a quarter of an hour): these find what would not build.
@Suite("The fuzzers' package")
struct FuzzerTests {
    let repository = Repository()

    @Test("Each module that is a part of the real one compiles", arguments: ["DatasiteProtocol", "Datasite"])
    func parts(_ module: String) throws {
        let modules = try #require(BuiltModules(repository), "the folder of built modules is not above the test's own")
        let files = try Self.swiftFiles(under: repository.root.appending(path: "Fuzz/Sources/\(module)"))
        try #require(files.count > 10)
        let (status, output) = try modules.compile(module: module, files)
        #expect(status == 0, "\(output.suffix(2_000))")
        // One file less, which others need.
        let needed = module == "Datasite" ? "PolicyReader.swift" : "ShortNumber.swift"
        let fewer = files.filter { $0.lastPathComponent != needed }
        #expect(fewer.count == files.count - 1)
        #expect(try modules.compile(module: module, fewer).status != 0)
    }

    @Test("Each module declares what its sources import")
    func imports() throws {
        let root = repository.root.appending(path: "Fuzz")
        let text = try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
        let platform: Set = [
            "Foundation", "Dispatch", "Synchronization", "Glibc", "Musl", "Darwin", "Android", "WASILibc",
        ]
        let folders = try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Sources").path)
        for folder in folders {
            let files = try Self.swiftFiles(under: root.appending(path: "Sources/\(folder)"))
            guard !files.isEmpty else { continue }
            let declared = try #require(Self.declaration(of: folder, in: text), "Fuzz/Package.swift has no \(folder)")
            for file in files {
                let lines = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
                for line in lines where line.contains("import ") {
                    guard
                        let match = line.prefixMatch(
                            of:
                                /\s*(?:@\w+ )?(?:public |internal |package |private )?import (?:struct |class |enum |func |protocol )?(\w+)/
                        )
                    else { continue }
                    let name = String(match.1)
                    #expect(
                        platform.contains(name) || declared.contains("\"\(name)\""),
                        "\(folder) imports \(name), in \(file.lastPathComponent)")
                }
            }
        }
    }

    /// What stands between a target's name and the next target.
    private static func declaration(of module: String, in package: String) -> Substring? {
        guard let targets = package.range(of: "targets: ["),
            let start = package.range(of: "\"\(module)\"", range: targets.upperBound..<package.endIndex)
        else { return nil }
        let rest = package[start.upperBound...]
        let end = [".executableTarget(", "module(", ".target(", ".systemLibrary("].compactMap {
            rest.range(of: $0)?.lowerBound
        }.min()
        return rest[..<(end ?? rest.endIndex)]
    }

    /// Links are followed: the package's sources are links.
    private static func swiftFiles(under folder: URL) throws -> [URL] {
        let resolved = folder.resolvingSymlinksInPath()
        return try FileManager.default.contentsOfDirectory(atPath: resolved.path).sorted().flatMap { name -> [URL] in
            let entry = resolved.appending(path: name).resolvingSymlinksInPath()
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: entry.path, isDirectory: &isFolder) else { return [] }
            if isFolder.boolValue { return try swiftFiles(under: entry) }
            return entry.pathExtension == "swift" ? [entry] : []
        }
    }
}
