import Foundation

/// What the project says in words: its pages, and the comments of its code.
struct Prose {
    /// The words of one file.
    struct Place {
        var path: String
        var text: String

        var folder: String { path.split(separator: "/").dropLast().joined(separator: "/") }
    }

    /// Every file and folder of the project, from its root.
    let paths: Set<String>
    let pages: [Place]
    /// Comments; of the sources also the lines that name a page, as messages do.
    let comments: [Place]
    /// The last part of each path.
    private let names: Set<Substring>

    private static let folders = ["Sources", "Tests", "docs", "scripts", "Benchmarks", "Examples", "Fuzz"]

    init(_ repository: Repository) throws {
        paths = try Self.paths(under: repository.root)
        names = Set(paths.compactMap { $0.split(separator: "/").last })
        var pages: [Place] = []
        var comments: [Place] = []
        for path in paths.sorted() {
            switch path.split(separator: ".").last {
            case "md", "yaml": pages.append(Place(path: path, text: try repository.text(path)))
            case "swift", "c", "h":
                let lines = try repository.text(path).split(separator: "\n")
                let isSource = path.hasPrefix("Sources/")
                let words = lines.compactMap { isSource && $0.contains("docs/") ? $0 : Self.comment(of: $0) }
                comments.append(Place(path: path, text: words.joined(separator: "\n")))
            case "py": comments.append(Place(path: path, text: try Self.remarks(in: repository.text(path))))
            default:
                guard path == "Makefile" || path.hasPrefix("scripts/") || path == "Benchmarks/compare/run" else {
                    continue
                }
                comments.append(Place(path: path, text: try Self.remarks(in: repository.text(path))))
            }
        }
        (self.pages, self.comments) = (pages, comments)
    }

    private static func paths(under root: URL) throws -> Set<String> {
        let files = FileManager.default
        var paths: Set<String> = []
        for name in try files.contentsOfDirectory(atPath: root.path) {
            guard folders.contains(name) else {
                var isFolder: ObjCBool = false
                let exists = files.fileExists(atPath: root.appending(path: name).path, isDirectory: &isFolder)
                if exists, !isFolder.boolValue, !name.hasPrefix(".") { paths.insert(name) }
                continue
            }
            let below = try files.subpathsOfDirectory(atPath: root.appending(path: name).path)
            paths.formUnion(below.filter { !$0.contains(".build") }.map { "\(name)/\($0)" })
            paths.insert(name)
        }
        return paths
    }

    /// The part of a line of Swift or C from its `//` on, which begins the line or follows a space.
    static func comment(of line: some StringProtocol) -> Substring? {
        let line = Substring(line)
        if line.drop(while: { $0 == " " }).hasPrefix("//") { return line }
        return line.range(of: " //").map { line[line.index(after: $0.lowerBound)...] }
    }

    /// The comments that a number sign begins.
    private static func remarks(in text: String) -> String {
        text.split(separator: "\n").compactMap { line in line.firstIndex(of: "#").map { line[$0...] } }
            .joined(separator: "\n")
    }

    /// The names of pages and of files of code, with or without folders, and all paths that begin with one of the
    /// project's folders.
    static func fileNames(in text: String) -> [String] {
        text.split(separator: "\n").flatMap { line -> [String] in
            guard
                line.contains(".md") || line.contains(".swift") || line.contains(".py")
                    || folders.contains(where: { line.contains($0 + "/") })
            else { return [] }
            return line.split { !($0.isLetter || $0.isNumber || "_./-+".contains($0)) }.compactMap { word in
                let last = word.lastIndex { !".-+".contains($0) }
                let name = String(last.map { word[...$0] } ?? "")
                let isPath = folders.contains { name.hasPrefix($0 + "/") } && !name.hasSuffix("/")
                let isFile = [".md", ".swift", ".py"].contains { name.hasSuffix($0) && name != $0 }
                return isPath || isFile ? name : nil
            }
        }
    }

    /// Whether there is such a file: from the root, from the folder of the text that names it, or by the end of its path.
    func hasFile(_ name: String, seenFrom folder: String) -> Bool {
        if paths.contains(name) || paths.contains(Self.joined(folder, name[...])) { return true }
        return name.contains("/") ? paths.contains { $0.hasSuffix("/" + name) } : names.contains(name[...])
    }

    /// The path that a relative one means in a folder.
    static func joined(_ folder: String, _ path: Substring) -> String {
        var parts = folder.split(separator: "/")
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// The anchors of a page's headings, as GitHub makes them.
    static func anchors(of page: String) -> Set<String> {
        let headings = page.split(separator: "\n").filter { $0.hasPrefix("#") }
        return Set(
            headings.map { heading in
                let words = heading.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
                return words.filter { $0.isLetter || $0.isNumber || "_- ".contains($0) }.replacing(" ", with: "-")
            })
    }
}
