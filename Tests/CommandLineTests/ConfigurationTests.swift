import DatasiteProtocol
import Foundation
import Testing

@testable import parley

@Suite("What is kept for a user")
struct ConfigurationTests {
    private static func temporaryFolder() -> String {
        NSTemporaryDirectory() + "parley-configuration-\(UUID().uuidString)"
    }

    private static let login = Logins.Login(
        token: "parley_abc", publicKey: "key", siteName: "Site", user: "ana", role: "researcher")

    private static func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require((attributes[.posixPermissions] as? NSNumber)?.intValue)
    }

    @Test("Logins are kept per URL in a file of mode 0600, in a folder of mode 0700")
    func logins() throws {
        let folder = Self.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var logins = try Logins.load(folder: folder)
        #expect(logins.sites.isEmpty)
        logins.sites["https://a"] = Self.login
        logins.current = "https://a"
        try logins.save(folder: folder)
        try logins.save(folder: folder)
        #expect(try Self.mode(folder + "/logins.json") == 0o600)
        #expect(try Self.mode(folder) == 0o700)
        #expect(try Logins.load(folder: folder).sites == ["https://a": Self.login])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["logins.json"])
    }

    @Test("A file of tokens that others can read is refused")
    func wideMode() throws {
        let folder = Self.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Logins().save(folder: folder)
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: folder + "/logins.json")
        #expect(throws: Failure.self) { try Logins.load(folder: folder) }
    }

    @Test("Where a folder that nobody named wins over a login, the command says as whom it acts")
    func actingAs() {
        #expect(PlaceOptions.ownerNotice(nil) == nil && PlaceOptions.ownerNotice(Logins()) == nil)
        let logins = Logins(current: "https://a.example", sites: ["https://a.example": Self.login])
        #expect(
            PlaceOptions.ownerNotice(logins)
                == "acting as the owner of ./parley-site, not as ana (researcher) at https://a.example; "
                + "choose with --site ./parley-site or --url https://a.example")
    }

    @Test("A bar never goes back, until its job is done")
    func progress() throws {
        let pipe = Pipe()
        let terminal = Terminal(
            descriptor: pipe.fileHandleForWriting.fileDescriptor, isTerminal: true, usesColour: false,
            usesUnicode: false, width: 100)
        let bar = Progress("reading", on: terminal)
        for fraction in [0.5, 0.2, 0.6] { bar.update(fraction) }
        bar.finish()
        bar.update(0.1)
        try pipe.fileHandleForWriting.close()
        let shown = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        #expect(shown.contains("50 %") && shown.contains("60 %") && !shown.contains("20 %"))
        #expect(shown.contains("10 %"))
    }

    @Test("The configuration folder follows XDG_CONFIG_HOME, which must be absolute")
    func folder() {
        #expect(Logins.folder(environment: ["XDG_CONFIG_HOME": "/x", "HOME": "/h"]) == "/x/parley")
        #expect(Logins.folder(environment: ["XDG_CONFIG_HOME": "x", "HOME": "/h"]) == "/h/.config/parley")
        #expect(Logins.folder(environment: ["HOME": "/h"]) == "/h/.config/parley")
    }

    @Test(
        "URLs have one form each",
        arguments: [
            ("HTTPS://Data.Example.org/", "https://data.example.org"), ("127.0.0.1:8787", "http://127.0.0.1:8787"),
            ("data.example.org", "https://data.example.org"), ("localhost:1/", "http://localhost:1"),
            ("http://[::1]:80", "http://[::1]:80"),
        ])
    func normalised(text: String, expected: String) throws {
        #expect(try SiteURL.normalised(text) == expected)
    }

    @Test(
        "A URL that would leak the token is refused",
        arguments: [
            "http://data.example.org", "http://127.0.0.1.example.org", "http://127.0.0",
            "https://user:pw@data.example.org",
            "https://data.example.org?token=x", "ftp://localhost", "", "https://",
        ])
    func refused(text: String) {
        #expect(throws: Failure.self) { try SiteURL.normalised(text) }
    }

    @Test("A token comes from $PARLEY_TOKEN or a file, trimmed; what is no token is refused without repeating it")
    func token() throws {
        #expect(try AccessToken.given(file: nil, environment: ["PARLEY_TOKEN": " parley_x\n"]) == "parley_x")
        #expect(try AccessToken.given(file: nil, environment: [:]) == nil)
        let folder = Self.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try PrivateFile.makeFolder(folder)
        try PrivateFile.write(Array("parley_y\n".utf8), to: folder + "/t")
        #expect(try AccessToken.given(file: folder + "/t", environment: ["PARLEY_TOKEN": "parley_x"]) == "parley_y")
        let failure = #expect(throws: Failure.self) {
            try AccessToken.given(file: nil, environment: ["PARLEY_TOKEN": "hunter2"])
        }
        #expect(failure?.what.contains("hunter2") == false)
    }

    @Test("Receipts are kept with their answers, under a name that the datasite cannot choose")
    func receipts() throws {
        let folder = Self.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let kept = KeptReceipts(environment: ["XDG_DATA_HOME": folder])
        let receipt = Receipt(
            body: Receipt.Body(
                site: "s", publicKey: "k", request: "../../escape/r1", requestDigest: "", engine: "questions",
                assets: [Receipt.Asset(dataset: "d", version: "v")], charge: Receipt.Charge(kind: "pure", amounts: [1]),
                guarantees: Guarantees(
                    inputPrivacy: "", outputPrivacy: "", inputVerification: "", outputVerification: "",
                    flowGovernance: ""),
                answerDigest: "", journalIndex: 7, previousJournalHash: "", journalHash: "", time: "t"),
            signature: "")
        try kept.keep(.init(url: "u", receipt: receipt, answer: [1, 2, 3]))
        #expect(try FileManager.default.contentsOfDirectory(atPath: kept.folder) == ["7-escaper1.json"])
        #expect(try Self.mode(kept.folder + "/7-escaper1.json") == 0o600)
        let entry = try #require(kept.all().first)
        #expect(entry.answer == [1, 2, 3])
        #expect(entry.receipt == receipt)
    }
}
