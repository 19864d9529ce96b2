import Foundation
import Testing

@testable import TransparencyLog

@Suite
struct CheckpointTests {
    private static let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="

    @Test("The specification's checkpoint is read and written")
    func specification() throws {
        let text = "example.com/behind-the-sofa\n20852163\n\(Self.root)\n"
        let checkpoint = try Checkpoint(parsing: Array(text.utf8))
        #expect(checkpoint.origin.description == "example.com/behind-the-sofa")
        #expect(checkpoint.head.size == 20_852_163 && checkpoint.head.root.base64 == Self.root)
        #expect(checkpoint.extensions.isEmpty && checkpoint.text == Array(text.utf8))
    }

    @Test("Extension lines are kept; an origin may have spaces and pluses")
    func extensions() throws {
        let text = "go.sum + database tree\n0\n\(Self.root)\none\n\u{2014} two\n"
        let checkpoint = try Checkpoint(parsing: Array(text.utf8))
        #expect(checkpoint.extensions.map { String(decoding: $0, as: UTF8.self) } == ["one", "\u{2014} two"])
        #expect(checkpoint.text == Array(text.utf8))
        #expect(!checkpoint.head.isPossible)
    }

    @Test(
        "Anything else is refused, and the line is named",
        arguments: [
            ("", 1), ("log\n", 1), ("log\n1\n", 1), ("log\n1\n\(root)", 1), ("\n1\n\(root)\n", 1),
            ("\(String(repeating: "a", count: 256))\n1\n\(root)\n", 1), ("log\n\n\(root)\n", 2),
            ("log\n01\n\(root)\n", 2),
            ("log\n-1\n\(root)\n", 2), ("log\n+1\n\(root)\n", 2), ("log\n1 \n\(root)\n", 2), ("log\n1e3\n\(root)\n", 2),
            ("log\n9223372036854775808\n\(root)\n", 2), ("log\n18446744073709551617\n\(root)\n", 2),
            ("log\n99999999999999999999999\n\(root)\n", 2), ("log\n٣\n\(root)\n", 2), ("log\n1\n\(root) \n", 3),
            ("log\n1\n\n", 3), ("log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", 3),
            ("log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n", 3),
            ("log\n1\nCsUYapGGPo4dkMgIAUqom_Xajj7h2fB2MPA3j2jxq2I=\n", 3), ("log\n1\nAAAA\n", 3),
            ("log\n1\n\(root)\n\n", 4), ("log\n1\n\(root)\none\n\ntwo\n", 5),
        ])
    func malformed(_ text: String, line: Int) {
        let error = #expect(throws: NoteError.self) { try Checkpoint(parsing: Array(text.utf8)) }
        guard case .malformedCheckpoint(line, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("The largest size is read")
    func largestSize() throws {
        let text = "log\n9223372036854775807\n\(Self.root)\n"
        #expect(try Checkpoint(parsing: Array(text.utf8)).head.size == TreeHead.largestSize)
    }

    @Test("A checkpoint verifies under its log's origin and keys alone")
    func verification() throws {
        var log = try TestLog()
        try log.append(count: 3)
        let signed = try log.checkpoint()
        try signed.verify(log.identity)
        let other = try TestLog(seed: 9)
        #expect(throws: NoteError.noKnownSignature) { try signed.verify(other.identity) }
        let renamed = LogIdentity(origin: try LogOrigin("log.example/other"), keys: [log.key.verifierKey])
        #expect(throws: NoteError.wrongOrigin(expected: renamed.origin, found: signed.checkpoint.origin)) {
            try signed.verify(renamed)
        }
        // The log's own key over the text of another origin.
        let foreign = try SignedCheckpoint(
            signing: Checkpoint(origin: renamed.origin, head: signed.head), with: [log.key.signer])
        #expect(throws: NoteError.self) { try foreign.verify(log.identity) }
        let several = LogIdentity(origin: signed.checkpoint.origin, keys: [other.key.verifierKey, log.key.verifierKey])
        try signed.verify(several)
    }

    @Test("State with a checkpoint outlasts being written and read; damaged state is refused")
    func codable() throws {
        var log = try TestLog(name: "log.example/caf\u{e9}/e\u{301}\u{1f3e5}")
        try log.append(count: 3)
        let signed = try log.checkpoint()
        let data = try JSONEncoder().encode([signed])
        let read = try JSONDecoder().decode([SignedCheckpoint].self, from: data)
        #expect(read == [signed] && read.first?.bytes == signed.bytes)
        #expect(try JSONDecoder().decode(LogIdentity.self, from: JSONEncoder().encode(log.identity)) == log.identity)
        for damaged in ["[\"\"]", "[1]", "[null]", "[\"text\\n\"]"] {
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode([SignedCheckpoint].self, from: Data(damaged.utf8))
            }
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode([VerifierKey].self, from: Data(damaged.utf8))
            }
        }
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([LogOrigin].self, from: Data("[\"a\\nb\"]".utf8))
        }
    }
}
