import Foundation
import Testing

@Suite("What documentation and comments name exists")
struct ReferenceTests {
    private let repository = Repository()
    private let prose: Prose

    init() throws { prose = try Prose(repository) }

    @Test("Every relative link of the documentation leads to a file, and to a heading where it names one")
    func linksLead() throws {
        var followed = 0
        for page in prose.pages {
            for match in page.text.matches(of: /\]\(([^)\s]+)\)/) where !match.1.contains(/^[a-z]+:/) {
                followed += 1
                let parts = match.1.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let target = parts[0].isEmpty ? page.path : Prose.joined(page.folder, parts[0])
                guard prose.paths.contains(target) else {
                    Issue.record("\(page.path) links to \(match.1), which does not exist")
                    continue
                }
                guard parts.count == 2 else { continue }
                let anchors = Prose.anchors(of: try repository.text(target))
                #expect(anchors.contains(String(parts[1])), "\(page.path): \(match.1) is no heading")
            }
        }
        #expect(followed >= 15)
    }

    @Test("Every file that documentation, comments and messages name exists")
    func filesExist() throws {
        /// What only a run makes.
        let madeLater: Set = ["Fuzz/crashes", "card.md"]
        let package = try repository.text("Package.swift")
        var found = 0
        for place in prose.pages + prose.comments {
            for name in Prose.fileNames(in: place.text) where !madeLater.contains(name) {
                found += 1
                // Or a package's own name, such as GRDB.swift.
                let isThere = prose.hasFile(name, seenFrom: place.folder) || package.contains("/\(name)\"")
                #expect(isThere, "\(place.path) names \(name), which does not exist")
            }
        }
        #expect(found >= 100)
    }

    @Test("Every make target that documentation and comments name is in the Makefile")
    func targetsExist() throws {
        let targets = Set(try repository.text("Makefile").matches(of: /(?m)^([a-z]+):/).map { String($0.1) })
        var found = 0
        for place in prose.pages + prose.comments where place.text.contains("`make ") {
            for match in place.text.matches(of: /`make ([a-z]+)/) {
                found += 1
                #expect(targets.contains(String(match.1)), "\(place.path) names make \(match.1)")
            }
        }
        #expect(found >= 10)
    }

    @Test("Every symbol that a doc comment or a front page links to is a name in the sources")
    func symbolsExist() throws {
        var names = Set(
            try repository.sources().flatMap {
                $0.code.flatMap { $0.split { !($0.isLetter || $0.isNumber || $0 == "_") } }
            })
        // A front page's title, of a module that no other imports, say.
        names.formUnion(try repository.declaredModules().map { Substring($0.name) })
        var found = 0
        for place in prose.pages + prose.comments where place.path.hasPrefix("Sources/") && place.text.contains("``") {
            for match in place.text.matches(of: /``([A-Za-z][^`\s]*)``/) {
                for part in match.1.split(separator: "/") {
                    found += 1
                    let name = part.prefix { $0 != "(" && $0 != "-" }
                    #expect(names.contains(name), "\(place.path) links to \(match.1)")
                }
            }
        }
        #expect(found >= 100)
    }

    @Test("These checks see what is wrong")
    func checksSee() {
        #expect(
            Prose.fileNames(in: "see docs/sql.md, `Table.swift` and scripts/fuzz. Not a.swiftly, nor docs/*.md")
                == ["docs/sql.md", "Table.swift", "scripts/fuzz"])
        #expect(prose.hasFile("docs/sql.md", seenFrom: "Sources/Query"))
        #expect(prose.hasFile("sql.md", seenFrom: "docs"))
        #expect(prose.hasFile("Table.swift", seenFrom: "docs"))
        #expect(prose.hasFile("Storage/Table.swift", seenFrom: "docs"))
        #expect(!prose.hasFile("able.swift", seenFrom: "docs"))
        #expect(!prose.hasFile("PRIVACY.md", seenFrom: "docs"))
        #expect(!prose.hasFile("docs/nothing.md", seenFrom: ""))
        #expect(Prose.anchors(of: "# A *b*\ntext\n## Two words, `c`") == ["a-b", "two-words-c"])
        #expect(Prose.joined("docs/guide", "../../Examples/randhie") == "Examples/randhie")
        #expect(Prose.comment(of: "let a = \"http://b\" // sees c") == "// sees c")
        #expect(Prose.comment(of: "let a = 1") == nil)
    }
}
