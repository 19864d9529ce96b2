import Foundation

/// The package's own files, found from this file's place.
struct Repository {
    let root: URL

    init() {
        root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    struct Source {
        let module: String
        let path: String
        let lines: [String]

        /// The lines without comments and string literals' contents: enough to search for words of code.
        var code: [String] {
            lines.map { line in
                let uncommented = line.range(of: "//").map { String(line[..<$0.lowerBound]) } ?? line
                return uncommented.contains("\"") ? uncommented.replacing(/"[^"]*"/, with: "\"\"") : uncommented
            }
        }
    }

    func sources(under folder: String = "Sources") throws -> [Source] {
        let base = root.appending(path: folder)
        let names = try FileManager.default.subpathsOfDirectory(atPath: base.path)
        return try names.filter { $0.hasSuffix(".swift") && $0.contains("/") }.sorted().map { name in
            let contents = try String(contentsOf: base.appending(path: name), encoding: .utf8)
            return Source(
                module: String(name.prefix { $0 != "/" }), path: "\(folder)/\(name)",
                lines: contents.components(separatedBy: "\n"))
        }
    }

    /// Module name to allowed imports, in the order of ARCHITECTURE.md's table.
    func declaredModules() throws -> [(name: String, imports: Set<String>)] {
        var modules: [(String, Set<String>)] = []
        for line in try text("ARCHITECTURE.md").components(separatedBy: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 3 else { continue }
            let imports = cells[2] == "none" ? [] : cells[2].components(separatedBy: ", ")
            modules.append((cells[0].trimmingCharacters(in: ["`"]), Set(imports)))
        }
        return modules
    }
}
