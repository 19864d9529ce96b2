import Foundation
import Testing

/// What people read who type a command of the marketplace, word for word. `PARLEY_RECORD=1` writes the words anew, to be read before they are
/// committed.
@Suite("Recorded words of parley market and parley content", .timeLimit(.minutes(5)))
struct GoldenTextTests {
    private static let market = [
        "verify", "show", "tree", "payouts", "reputation", "receipt", "check-receipt", "copy", "enter", "watch",
        "rotate-key", "withdraw", "dispute", "vote", "claim", "rows", "terms", "draft", "fund", "open", "cancel",
        "score", "declare", "join", "propose", "reveal", "begin-round", "update", "close-round", "finish-round",
        "ask-score", "authorise", "deliver", "create", "serve", "admit", "credit",
    ]
    private static let content = ["publish", "list", "withdraw", "export", "import", "name", "serve"]

    /// Commands one after the other in one folder: what each printed, and its exit status.
    private func transcript(_ commands: [[String]], in place: Workplace) throws -> String {
        try commands.map { command in
            let done = try place.run([Workplace.executable] + command)
            let words = done.all.replacing(place.folder, with: "FOLDER")
                .replacing(#/[0-9a-f]{64}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+/#, with: "(a log's key)")
                .replacing(#/[0-9a-f]{64}/#, with: "(64 digits)").replacing(#/\b[0-9a-f]{16}\b/#, with: "(16 digits)")
            return "$ parley \(command.joined(separator: " "))\n\(words)[\(done.status)]\n"
        }.joined(separator: "\n")
    }

    private func check(_ found: String, _ name: String) throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Texts/\(name).txt")
        if ProcessInfo.processInfo.environment["PARLEY_RECORD"] == "1" { try Data(found.utf8).write(to: file) }
        let expected = try String(contentsOf: file, encoding: .utf8).split(separator: "\n$ ")
        let said = found.split(separator: "\n$ ")
        #expect(said.count == expected.count)
        for (said, expected) in zip(said, expected) { #expect(said == expected) }
    }

    @Test("Helps, of every command that there is")
    func helps() throws {
        let place = try Workplace()
        for (group, names) in [("market", Self.market), ("content", Self.content)] {
            let commands = [[group, "--help"]] + names.map { [group, $0, "--help"] }
            let found = try transcript(commands, in: place)
            for name in names { #expect(found.contains("\n  \(name) "), "\(name) is in no list") }
            let listed = found.prefix(while: { $0 != "[" }).split(separator: "\n").filter {
                $0.firstMatch(of: #/^  [a-z-]+ {2,}\S/#) != nil && !$0.hasPrefix("  -") && !$0.contains("parley ")
            }
            #expect(listed.count == names.count, "commands without a recorded help")
            try check(found, "\(group)-helps")
        }
    }

    @Test("Refusals of parley market")
    func marketRefusals() throws {
        let place = try Workplace()
        try place.write("{", to: "terms.json")
        let unentered = "http://127.0.0.1:1"
        let found = try transcript(
            [
                ["market", "dance"], ["market", "show", "nowhere"], ["market", "verify", "nowhere"],
                ["market", "show", unentered], ["market", "enter", unentered, "--as", "olga"],
                ["market", "enter", "nonsense", "--as", "olga"], ["market", "enter", unentered, "--as", "No Name"],
                ["market", "enter", unentered, "--as", "olga", "--key", "5f"],
                ["market", "copy", unentered, "copy"], ["market", "fund", "3fa8"], ["market", "watch"],
                ["market", "join", "3fa8", "king"], ["market", "vote", "3fa8", "0", "maybe"],
                ["market", "draft", "terms.json"], ["market", "create", "market", "--operator", "clerk"],
                ["market", "create", "market", "--operator", "clerk"],
                ["market", "create", "other", "--operator", "-"],
                ["market", "show", "market"], ["market", "show", "market", "3fa8"],
                ["market", "payouts", "market", "3f"],
                ["market", "tree", "market", "3fa8"], ["market", "verify", "market"],
                ["market", "verify", "market", "--key", "5f"],
                ["market", "verify", "market", "--key", String(repeating: "0", count: 63) + "1"],
                ["market", "receipt", "market", "3fa8", "olga", "--output", "market/receipt.json"],
                ["market", "check-receipt", "terms.json"],
                ["market", "check-receipt", "terms.json", "--key", String(repeating: "0", count: 63) + "1"],
                ["market", "check-receipt", "nothing.json", "--key", String(repeating: "0", count: 63) + "1"],
                ["market", "serve", "nowhere"], ["market", "serve", "market", "--host", "0.0.0.0"],
                ["market", "rows", "market", "3fa8", "rows", "--output", "rows.csv"],
            ], in: place)
        try check(found, "market-refusals")
    }

    @Test("Refusals of parley content")
    func contentRefusals() throws {
        let place = try Workplace()
        try place.write("hello world\n", to: "file")
        try place.write("hello world\n", to: "there.car")
        let name = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"
        let other = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
        let first = try transcript(
            [
                ["content", "dance"], ["content", "name", "nowhere"], ["content", "name", "."],
                ["content", "publish", "none/there", "file"], ["content", "publish", "c", "nowhere"],
                ["content", "publish", "c", "."], ["content", "list", "c"], ["content", "publish", "c", "file"],
                ["content", "list", "c"], ["content", "export", "c", "bafy", "x.car"],
                ["content", "export", "c", other, "x.car"], ["content", "export", "c", name, "there.car"],
                ["content", "import", "c", "file"], ["content", "import", "c", "nowhere"],
                ["content", "withdraw", "c", other], ["content", "withdraw", "c", "Qm"],
                ["content", "serve", "c", "--host", "0.0.0.0"],
            ], in: place)
        // A link in the place of a folder of blocks; and a block that is gone.
        try FileManager.default.createSymbolicLink(atPath: place.path("c/blocks/22"), withDestinationPath: "/tmp")
        let second = try transcript([["content", "list", "c"]], in: place)
        try FileManager.default.removeItem(atPath: place.path("c/blocks/22"))
        let shard = String(name.suffix(3).prefix(2))
        try FileManager.default.removeItem(atPath: place.path("c/blocks/\(shard)/\(name)"))
        let third = try transcript([["content", "list", "c"], ["content", "export", "c", name, "y.car"]], in: place)
        try check([first, second, third].joined(separator: "\n"), "content-refusals")
    }
}
