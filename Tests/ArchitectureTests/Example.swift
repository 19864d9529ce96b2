import Foundation

/// A Swift example in documentation. It is complete: a reader can paste it into a file of its own.
struct Example: CustomStringConvertible {
    let path: String
    let line: Int
    let code: String

    var description: String { "\(path):\(line)" }

    var imports: Set<String> {
        Set(code.components(separatedBy: "\n").compactMap { $0.wholeMatch(of: /import (\w+)/).map { String($0.1) } })
    }

    /// The examples of one file. In Swift sources they stand in doc comments.
    static func all(in text: String, path: String) -> [Example] {
        var examples: [Example] = []
        var open: (line: Int, code: [String])?
        for (number, raw) in text.components(separatedBy: "\n").enumerated() {
            var line = raw
            if path.hasSuffix(".swift") {
                guard let comment = raw.wholeMatch(of: /\s*\/\/\/ ?(.*)/) else { continue }
                line = String(comment.1)
            }
            if let current = open {
                if line.hasPrefix("```") {
                    examples.append(
                        Example(path: path, line: current.line, code: current.code.joined(separator: "\n") + "\n"))
                    open = nil
                } else {
                    open?.code.append(line)
                }
            } else if line.hasPrefix("```swift") {
                open = (number + 1, [])
            }
        }
        return examples
    }
}

extension Repository {
    /// The examples in the repository's pages and in its sources' comments.
    func examples() throws -> [Example] {
        let pages = try FileManager.default.contentsOfDirectory(atPath: root.path).filter { $0.hasSuffix(".md") }
        let below = try ["docs", "Sources"].flatMap { folder in
            try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path)
                .filter { $0.hasSuffix(".md") || $0.hasSuffix(".swift") }.map { "\(folder)/\($0)" }
        }
        return try (pages + below).sorted().flatMap { Example.all(in: try text($0), path: $0) }
    }

    /// The libraries that a package outside can name.
    func products() throws -> Set<String> {
        Set(try text("Package.swift").matches(of: /\.library\(name: "(\w+)"/).map { String($0.1) })
    }
}
