import Foundation
import Testing

/// What is asked and said about a site's log and its keys, by the command line.
@Suite("Restores, openings and keys of a log by the command line", .timeLimit(.minutes(20)))
struct LogOwnerCommandTests {
    private func site(_ place: Workplace) throws -> String {
        try place.write(SmallSurvey.csv, to: "survey.csv")
        #expect(try place.parley("site", "init").status == 0)
        try place.write(SmallSurvey.manifest("survey", population: "people", epsilon: 100), to: "survey.yaml")
        #expect(try place.parley("data", "add", "survey.csv", "--manifest", "survey.yaml", "--yes").status == 0)
        return try place.parley("site", "key").output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func words(_ text: String) -> String { text.split { $0.isWhitespace }.joined(separator: " ") }

    @Test("Accepting a restore says what it does and asks; the log that follows says that it is not the first")
    func accepting() throws {
        let place = try Workplace()
        let key = try site(place)
        #expect(try place.parley("log", "fsck").status == 0)
        let first = try place.parley("log", "verify", "parley-site", "--key", key)
        #expect(first.status == 0 && words(first.output).contains("the site's first"), "\(first.all)")
        let none = try place.parley("verify", "--accept-restore", "--yes")
        #expect(none.status != 0 && none.errors.contains("no restore is suspected"), "\(none.all)")
        // What others hold, by this site's key: more than the folder that was put back has.
        try FileManager.default.copyItem(atPath: place.path("parley-site"), toPath: place.path("backup"))
        #expect(try place.parley("user", "add", "ruth", "--role", "researcher").status == 0)
        #expect(try place.parley("log", "fsck").status == 0)
        try FileManager.default.copyItem(
            atPath: place.path("parley-site/log/checkpoint"), toPath: place.path("backup/log/contradiction"))
        try FileManager.default.removeItem(atPath: place.path("parley-site"))
        try FileManager.default.moveItem(atPath: place.path("backup"), toPath: place.path("parley-site"))

        let asked = try place.parley("verify", "--accept-restore")
        #expect(asked.status != 0 && asked.errors.contains("Nothing was changed"), "\(asked.all)")
        for said in ["population people", "whole budget is charged", "the site's log ends", "can be taken back"] {
            #expect(words(asked.errors).contains(said), "\(said): \(asked.all)")
        }
        #expect(try !place.parley("log", "key").output.contains("/2+"))
        let accepted = try place.parley("verify", "--accept-restore", "--yes")
        let logKey = try place.parley("log", "key").output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(accepted.status == 0 && logKey.contains("/2+"), "\(accepted.all)")
        #expect(accepted.output.contains(logKey) && accepted.output.contains("parley serve"), "\(accepted.all)")
        #expect(try place.parley("log", "fsck").status == 0)
        let second = try place.parley("log", "verify", "parley-site", "--key", key)
        let shown = words(second.output)
        #expect(second.status == 0 && shown.contains("the site's log number 2"), "\(second.all)")
        #expect(shown.contains("its log 1 ended at 3 entries, with the root "), "\(second.all)")
        // The ended log is still verified, by the site's key.
        let ended = try place.parley("log", "verify", "parley-site/log.1", "--key", key)
        #expect(ended.status == 0, "\(ended.all)")
        let other = try place.parley("log", "verify", "parley-site/log.1", "--key", logKey)
        #expect(other.status != 0 && words(other.errors).contains("another log of the same site"), "\(other.all)")
    }

    @Test("An owner opens one entry for somebody, who checks it offline")
    func opening() throws {
        let place = try Workplace()
        let key = try site(place)
        let made = try place.parley("log", "explain", "1", "--output", "opening.tlog-proof", "--only", "datasets")
        #expect(made.status == 0, "\(made.all)")
        let checked = try place.parley("log", "verify", "opening.tlog-proof", "--key", key)
        #expect(
            checked.status == 0 && checked.output.contains("dataset added")
                && checked.output.contains("datasets: survey")
                && !checked.output.contains("by:"), "\(checked.all)")
        #expect(try place.parley("log", "explain", "1", "--output", "both.tlog-proof").status == 0)
        #expect(try place.parley("log", "verify", "both.tlog-proof", "--key", key).output.contains("by: local owner"))
        let text = try place.read("opening.tlog-proof")
        try place.write(text.replacing("index 1\n", with: "index 0\n"), to: "moved.tlog-proof")
        let moved = try place.parley("log", "verify", "moved.tlog-proof", "--key", key)
        #expect(moved.status != 0 && moved.errors.contains("not valid"), "\(moved.all)")
        let nothing = try place.parley("log", "explain", "0", "--output", "none", "--only", "datasets")
        #expect(nothing.status != 0 && nothing.errors.contains("about no dataset"), "\(nothing.all)")
        #expect(try place.parley("log", "explain", "1", "--only", "actor").status != 0)
    }

    @Test("A key that is another thing is refused with what it seems to be, and what would be right")
    func keys() throws {
        let place = try Workplace()
        let key = try site(place)
        #expect(try place.parley("log", "fsck").status == 0)
        let logKey = try place.parley("log", "key").output.trimmingCharacters(in: .whitespacesAndNewlines)
        let token = "parley_" + String(repeating: "a", count: 43)
        let witness = try place.parley("log", "witness", "--state", "w", "--name", "w.example", "--show-key").output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let other = Data(repeating: 7, count: 32).base64EncodedString()
        let otherLog = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
        for (wrong, said) in [
            (token, "a token"), (String(key.dropLast(8)), "bytes long"), (witness, "the key of the witness w.example"),
            (other, "another site's key"), (otherLog, "--key is of the log example.com/foo"),
            ("nonsense!", "is no key"),
            (logKey.replacing("parley.log", with: "parley.lag"), "ID that follows"),
        ] {
            let refused = try place.parley("log", "verify", "parley-site", "--key", wrong)
            #expect(refused.status != 0 && words(refused.errors).contains(said), "\(said): \(refused.all)")
            #expect(!refused.all.contains(String(token.suffix(20))))
        }
        for right in [key, logKey] {
            #expect(try place.parley("log", "verify", "parley-site", "--key", right).status == 0)
        }
    }
}
