import Foundation
import Testing

@Suite("parley content", .timeLimit(.minutes(5)))
struct ContentCommandTests {
    @Test("A file is named, published, exported, imported elsewhere and withdrawn, under one name; nothing is replaced")
    func whole() throws {
        let place = try Workplace()
        try place.write(String(repeating: "a row of text\n", count: 200_000), to: "file")
        let named = try place.parley("content", "name", "file")
        let name = named.output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(named.status == 0 && name.hasPrefix("bafybei") && !name.contains(" "), "\(named.all)")
        let published = try place.parley("content", "publish", "one", "file")
        #expect(published.output == "\(name)  2,800,000 bytes  file\n", "\(published.all)")
        #expect(try place.parley("content", "export", "one", name, "file.car").status == 0)
        let again = try place.parley("content", "export", "one", name, "file.car")
        #expect(again.status == 1 && again.errors.contains("is there already"), "\(again.all)")
        let imported = try place.parley("content", "import", "two", "file.car")
        #expect(imported.output.hasPrefix(name), "\(imported.all)")
        #expect(try place.parley("content", "list", "two").output.hasPrefix(name))
        #expect(try place.parley("content", "withdraw", "two", name).status == 0)
        let gone = try place.parley("content", "withdraw", "two", name)
        #expect(gone.status == 1 && gone.errors.contains("is not published here"), "\(gone.all)")
        #expect(try place.parley("content", "list", "two").output.contains("Nothing is published"))
        // A block of one digest.
        try place.write("hello world\n", to: "small")
        let small = try place.parley("content", "name", "small")
        #expect(small.output == "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4\n", "\(small.all)")
        for wrong in [["name", "nowhere"], ["export", "one", "bafy", "x"], ["import", "two", "file"]] {
            #expect(try place.run([Workplace.executable, "content"] + wrong).status == 1, "\(wrong)")
        }
    }
}
