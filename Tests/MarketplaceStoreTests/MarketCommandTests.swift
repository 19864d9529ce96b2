import Foundation
import MarketplaceStore
import Testing

@testable import Marketplace

@Suite("parley market", .timeLimit(.minutes(5)))
struct MarketCommandTests {
    private struct Finished {
        var status: Int32
        var output: String
        var errors: String
        var words: String { (output + errors).split { $0.isWhitespace }.joined(separator: " ") }
    }

    /// Runs the `parley` that was built with the tests, which lies beside their bundle.
    private func market(_ arguments: String...) throws -> Finished {
        var folder = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        while folder.path() != "/", !isProgram(folder.appending(path: "parley")) { folder.deleteLastPathComponent() }
        let process = BegunProcess()
        process.executableURL = folder.appending(path: "parley")
        process.arguments = ["market"] + arguments
        let (output, errors) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, errors)
        try process.begin()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        let complained = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Finished(
            status: process.terminationStatus, output: String(decoding: said, as: UTF8.self),
            errors: String(decoding: complained, as: UTF8.self))
    }

    private func isProgram(_ file: URL) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: file.path(), isDirectory: &isFolder) && !isFolder.boolValue
    }

    private func played() throws -> (place: TemporaryPath, play: PlayedFolder) {
        let place = TemporaryPath()
        var play = try PlayedFolder(at: place.path)
        let winner = try play.train()
        try play.settle(winner: winner)
        return (place, play)
    }

    @Test("A market that was played is verified, shown and drawn")
    func whole() throws {
        let (place, play) = try played()
        try play.end()
        let (key, task) = (signer("clerk").publicKey.description, play.task.hex)
        let verified = try market("verify", place.path, "--key", key)
        #expect(verified.status == 0, "\(verified.words)")
        for words in [
            "operated by clerk", key, "\(play.folder.count) entries, each signed by the party", "0 refused", "tasks: 1",
            "Pots: funded 120,000 = held 0 + paid 104,000 + refunded 16,000", "held 0 + returned", "+ forfeited 0",
            play.folder.market.fingerprint.hex,
        ] { #expect(verified.words.contains(words), "\(words): \(verified.words)") }
        #expect(try market("verify", place.path).words.contains("the one that the folder tells"))

        let shown = try market("show", place.path)
        #expect(shown.status == 0 && shown.words.contains("\(task.prefix(16)) paidOut sue 120,000 0 2 2 0.85"))
        #expect(shown.words.contains("olga 1,045,000"), "\(shown.words)")
        let one = try market("show", place.path, String(task.prefix(6)))
        for words in [
            "paidOut, ended as won", "ada, ben", "olga, omar", "rae, rex, rob; 2 decide", "2 of 12, 1 of them",
        ] {
            #expect(one.words.contains(words), "\(words): \(one.words)")
        }
        let paid = try market("payouts", place.path, String(task.prefix(6)))
        for words in [
            "Ended as won.", "ada scientist 40,000", "olga owner 45,000", "omar owner 15,000", "pia provider 4,000",
            "sue sponsor (returns) 16,000", "sum 120,000",
        ] { #expect(paid.words.contains(words), "\(words): \(paid.words)") }
        // 1.96 * 60,000 * |d share| of scores .3 ± .03 and .1 ± .02, to first order.
        let error = 1.96 * 60_000 * ((0.25 * 0.03) * (0.25 * 0.03) + (0.75 * 0.02) * (0.75 * 0.02)).squareRoot() / 0.4
        let told = try #require(paid.words.firstMatch(of: /olga owner 45,000 ([0-9,]+) 0\.3/)?.1)
        #expect(abs(Double(told.replacing(",", with: "")).map { $0 - error } ?? .infinity) < 2, "\(paid.words)")

        let tree = try market("tree", place.path, String(task.prefix(6)))
        #expect(tree.output.contains("0 task of sue") && tree.output.contains("3 trained for ada"), "\(tree.output)")
        #expect(tree.output.split(separator: "\n").count { $0.hasSuffix("*") } == 3)
        let picture = place.path + ".svg"
        defer { try? FileManager.default.removeItem(atPath: picture) }
        #expect(try market("tree", place.path, String(task.prefix(6)), "--svg", picture).status == 0)
        #expect(try String(contentsOfFile: picture, encoding: .utf8).hasPrefix("<svg "))

        let known = try market("reputation", place.path, "--evidence")
        #expect(known.words.contains("olga owner 0.67 1.00 0.00 kept in \(task.prefix(8))"), "\(known.words)")
        #expect(known.words.contains("olga as owner, the latest last: \(task.prefix(16)) kept, good"))
    }

    @Test("A receipt holds a claim that leads to the root, and entries with proofs")
    func receipt() throws {
        let (place, play) = try played()
        for name in ["entries", "new"] {
            let inside = try market("receipt", place.path, play.task.hex, "olga", "--output", place.path + "/./" + name)
            #expect(inside.status == 1 && inside.words.contains("lies in the market's folder"), "\(inside)")
        }
        let found = try market("receipt", place.path, play.task.hex, "olga")
        #expect(found.status == 0, "\(found.words)")
        let receipt = try #require(try JSONSerialization.jsonObject(with: Data(found.output.utf8)) as? [String: Any])
        let root = try #require((receipt["settlementRoot"] as? String).flatMap { Digest256(hex: $0) })
        let payouts = try #require(receipt["payouts"] as? [[String: Any]])
        #expect(payouts.count == 1 && payouts[0]["isPaid"] as? Bool == true)
        let encoded = try JSONSerialization.data(withJSONObject: try #require(payouts[0]["claim"]))
        let claim = try JSONDecoder().decode(Claim.self, from: encoded)
        #expect(claim.leads(to: root) && claim.leaf.amount == 45_000 && claim.leaf.party == party("olga"))
        // The payouts once more, from what the receipt says alone.
        func decoded<Value: Decodable>(_ name: String, _ type: Value.Type) throws -> Value {
            try JSONDecoder().decode(type, from: JSONSerialization.data(withJSONObject: try #require(receipt[name])))
        }
        let terms = try decoded("terms", TaskTerms.self)
        let declaration = try decoded("declaration", MarketTask.Declaration.self)
        #expect(terms == .example && receipt["termsDigest"] as? String == terms.digest.hex)
        var earnings = Earnings()
        earnings.contributions = try #require(declaration.verdict).contributions
        let again = try earnings.payouts(EndingTable.row(declaration.ending), terms: terms, sponsor: party("sue"))
        #expect(again.first { $0.party == party("olga") }?.amount == 45_000)
        let entries = try #require(receipt["entries"] as? [[String: Any]])
        let kinds = try entries.map { entry in
            let bytes = try #require((entry["bytes"] as? String).flatMap { Data(base64Encoded: $0) })
            #expect((entry["proof"] as? String)?.hasPrefix("c2sp.org/tlog-proof@v1\n") == true)
            return try SignedEntry(journalBytes: [UInt8](bytes)).request
        }
        #expect(kinds.contains { if case .draft(let drafted) = $0.action { drafted == terms } else { false } })
        #expect(kinds.contains { if case .task(_, .declare) = $0.action { $0.by == party("sue") } else { false } })
        #expect(kinds.allSatisfy { $0.by != party("omar") && $0.by != party("ben") })
    }

    @Test("A receipt is checked with the operator's key alone; whatever is changed in it is found")
    func checkedReceipt() throws {
        let (place, play) = try played()
        let file = place.path + ".json"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let key = signer("clerk").publicKey
        for name in ["olga", "ada", "sue", "pia", "rae"] {
            let found = try market("receipt", place.path, play.task.hex, name)
            try Data(found.output.utf8).write(to: URL(filePath: file))
            let checked = try market("check-receipt", file, "--key", key.description)
            #expect(checked.status == 0, "\(name): \(checked.words)")
            if name == "olga" { #expect(checked.words.contains("olga has 45,000 as owner"), "\(checked.words)") }
        }
        #expect(try market("check-receipt", file, "--key", signer("sue").publicKey.description).status == 4)
        #expect(try market("check-receipt", place.path + "/market.json", "--key", key.description).status == 1)

        let audit = try MarketAudit(of: place.path)
        let receipt = try MarketReceipt(of: party("olga"), in: try #require(audit.market[play.task]), audit)
        let encoded = try JSONEncoder().encode(receipt)
        func changed(_ change: (inout [String: Any]) -> Void) throws -> MarketReceipt {
            var object = try #require(try JSONSerialization.jsonObject(with: encoded) as? [String: Any])
            change(&object)
            return try JSONDecoder().decode(
                MarketReceipt.self, from: JSONSerialization.data(withJSONObject: object))
        }
        try changed { _ in }.verify(key)
        func nested(_ object: inout [String: Any], _ path: [String], _ value: (Any?) -> Any) {
            guard path.count > 1 else {
                object[path[0]] = value(object[path[0]])
                return
            }
            var inner = object[path[0]] as? [String: Any] ?? [:]
            nested(&inner, Array(path.dropFirst()), value)
            object[path[0]] = inner
        }
        let lies: [(inout [String: Any]) -> Void] = [
            { nested(&$0, ["terms", "pot", "data"]) { _ in 60_001 } },
            { $0["termsDigest"] = hashed("other").hex },
            { $0["settlementRoot"] = hashed("other").hex },
            { $0["market"] = hashed("other").hex },
            { $0["party"] = "omar" },
            { $0["payouts"] = [] as [Any] },
            { nested(&$0, ["declaration", "ending"]) { _ in "missed" } },
            { object in
                nested(&object, ["earnings", "contributions"]) { list in
                    var list = list as? [[String: Any]] ?? []
                    list[0]["score"] = 900_000_000
                    return list
                }
            },
            { object in
                var entries = object["entries"] as? [[String: Any]] ?? []
                entries.swapAt(0, 1)
                object["entries"] = entries
            },
            { object in
                var entries = object["entries"] as? [[String: Any]] ?? []
                // Without the key that signs the draft.
                entries.remove(at: 1)
                object["entries"] = entries
            },
            { object in
                var entries = object["entries"] as? [[String: Any]] ?? []
                entries[2]["bytes"] = entries[3]["bytes"]
                object["entries"] = entries
            },
            { object in
                var entries = object["entries"] as? [[String: Any]] ?? []
                entries[2]["proof"] = entries[3]["proof"]
                object["entries"] = entries
            },
        ]
        for (number, lie) in lies.enumerated() {
            #expect(throws: MarketFolderError.self, "lie \(number)") { try changed(lie).verify(key) }
        }
    }

    @Test("What was changed is exit status 4; what is no market, or no task, says what would be right")
    func refusals() throws {
        let (place, play) = try played()
        let other = try market("verify", place.path, "--key", signer("sue").publicKey.description)
        #expect(other.status == 4 && other.words.contains("expected that one"), "\(other.words)")
        #expect(try market("verify", place.path, "--key", "12").status == 64)
        let none = try market("verify", place.path + "/none")
        #expect(none.status == 1 && none.words.contains("Name the folder of a market"), "\(none.words)")
        let task = try market("tree", place.path, "0123")
        #expect(task.status == 1 && task.words.contains("There is no task 0123"), "\(task.words)")
        let party = try market("receipt", place.path, play.task.hex, "zoe")
        #expect(party.status == 1 && party.words.contains("does not take part"), "\(party.words)")
        let entries = place.path + "/entries"
        var bytes = try Data(contentsOf: URL(filePath: entries))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(filePath: entries))
        for command in ["verify", "show", "reputation"] {
            let changed = try market(command, place.path)
            #expect(
                changed.status == 4 && changed.words.contains("not what was signed"), "\(command): \(changed.words)")
        }
    }
}
