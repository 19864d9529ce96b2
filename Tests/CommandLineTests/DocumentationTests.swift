import Foundation
import Testing

/// What the README tells people to type is typed here.
@Suite("The README's commands")
struct DocumentationTests {
    /// The fenced blocks that a comment `<!-- tested: NAME -->` precedes, in order.
    private static func blocks(_ name: String) throws -> [String] {
        let text = try String(contentsOfFile: Workplace.package + "/README.md", encoding: .utf8)
        return text.components(separatedBy: "<!-- tested: \(name) -->\n```sh\n").dropFirst().compactMap {
            $0.components(separatedBy: "\n```").first
        }
    }

    private static func run(_ script: String, in place: Workplace) throws -> Workplace.Finished {
        try place.run(["/bin/bash", "-euo", "pipefail", "-c", script])
    }

    @Test("Owner, then researcher, then owner again: every command ends well, in a new folder")
    func readme() throws {
        let place = try Workplace()
        let examples = Workplace.package + "/Examples"
        try FileManager.default.createSymbolicLink(atPath: place.path("Examples"), withDestinationPath: examples)
        let owner = try Self.blocks("owner").joined(separator: "\n")
        #expect(owner.hasSuffix("\nparley serve"))
        let prepared = try Self.run(String(owner.dropLast("parley serve".count)), in: place)
        #expect(prepared.status == 0, "\(prepared.all)")

        let server = try place.serve()
        let blocks = try Self.blocks("researcher")
        #expect(blocks.count == 4)
        for block in blocks {
            // A free port instead of the usual one, and the URL named, since this folder is the owner's too.
            let script =
                "export PARLEY_URL=\(server.url)\n"
                + block.replacing("http://127.0.0.1:8787", with: server.url)
            let finished = try Self.run(script, in: place)
            #expect(finished.status == 0, "\(block)\n\(finished.all)")
        }
        let after = try Self.blocks("owner-after")
        #expect(after.count == 1)
        let finished = try Self.run(after[0], in: place)
        #expect(finished.status == 0, "\(finished.all)")
        #expect(finished.output.contains("sound"))
    }

    @Test("The demonstration holds, step by step, with no terminal to wait at")
    func demonstration() throws {
        let place = try Workplace()
        // In a folder of its own: what it needs lies inside the program.
        let demo = try place.parley("demo")
        #expect(demo.status == 0, "\(demo.all)")
        #expect(demo.output.contains("Every step held"))
        #expect(demo.output.contains("95 % interval"))
        #expect(!demo.output.contains("\u{1B}"))
        let left = try FileManager.default.contentsOfDirectory(atPath: place.folder).filter {
            $0.hasPrefix("parley-demo")
        }
        #expect(left.isEmpty)
    }

    @Test("The links in the README and in the guide lead somewhere")
    func links() throws {
        let guide = Workplace.package + "/docs/guide"
        let pages =
            try ["README.md"] + FileManager.default.contentsOfDirectory(atPath: guide).map { "docs/guide/\($0)" }
        for page in pages {
            let url = URL(fileURLWithPath: Workplace.package + "/" + page)
            let text = try String(contentsOf: url, encoding: .utf8)
            for link in text.matches(of: /\]\(([^)#:]+)\)/).map(\.1) {
                let target = url.deletingLastPathComponent().appendingPathComponent(String(link)).standardizedFileURL
                    .path
                #expect(FileManager.default.fileExists(atPath: target), "\(page): \(link)")
            }
        }
    }
}
