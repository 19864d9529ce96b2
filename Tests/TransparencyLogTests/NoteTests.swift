import Crypto
import Foundation
import Secrets
import Testing

@testable import TransparencyLog

@Suite
struct NoteTests {
    static let vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    static let note = """
        This is an example message.

        — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=

        """

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("The specification's note verifies under the specification's key, and under no changed text")
    func specification() throws {
        let key = try VerifierKey(Self.vkey)
        #expect(key.kind == .ed25519 && key.name.description == "example.com/foo" && key.description == Self.vkey)
        let note = try SignedNote(parsing: bytes(Self.note))
        #expect(note.bytes == bytes(Self.note))
        #expect(try note.verify(KnownKeys([key])) == [VerifiedSignature(key: key, time: nil)])
        let changed = try SignedNote(parsing: bytes(Self.note.replacing("example message", with: "Example message")))
        #expect(throws: NoteError.wrongSignature(key.name)) { try changed.verify(KnownKeys([key])) }
    }

    @Test("A note of Unicode text, with blank lines in it, is cut at the last one")
    func blankLines() throws {
        let text = bytes("Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n")
        let key = try SigningKey(name: KeyName("quasimodo.example/salvatore"), kind: .ed25519, seed: [UInt8](1...32))
        let note = try SignedNote(signing: text, with: [key.signer])
        let again = try SignedNote(parsing: note.bytes)
        #expect(again == note && again.text == text)
        _ = try again.verify(KnownKeys([key.verifierKey]))
    }

    @Test(
        "What is no note is refused, each for its reason",
        arguments: [
            ("", NoteError.notANote), ("\n", .notANote), ("\n\n", .notANote), ("text\n\n", .notANote),
            ("text\n— a AAAAAAA=\n", .notANote), ("text\n\n— a AAAAAAA=", .notANote), ("text\n\n\n", .notANote),
            ("text\r\n\n— a AAAAAAA=\n", .notText), ("te\0xt\n\n— a AAAAAAA=\n", .notText),
            ("te\txt\n\n— a AAAAAAA=\n", .notText), ("text\n\n- a AAAAAAA=\n", .malformedSignature(line: 1)),
            ("text\n\n—a AAAAAAA=\n", .malformedSignature(line: 1)),
            ("text\n\n—  a AAAAAAA=\n", .malformedSignature(line: 1)),
            ("text\n\n— a  AAAAAAA=\n", .malformedSignature(line: 1)),
            ("text\n\n— a AAAAAAA= \n", .malformedSignature(line: 1)),
            ("text\n\n— a AAAAAAA\n", .malformedSignature(line: 1)),
            ("text\n\n— a AAAAAAB=\n", .malformedSignature(line: 1)),
            ("text\n\n— a AAAAAA==\n", .malformedSignature(line: 1)),
            ("text\n\n— a AAAA\n", .malformedSignature(line: 1)), ("text\n\n— a \n", .malformedSignature(line: 1)),
            ("text\n\n— a AA-AAAA=\n", .malformedSignature(line: 1)),
            ("text\n\n—  AAAAAAA=\n", .malformedSignature(line: 1)),
            ("text\n\n— a+b AAAAAAA=\n", .malformedSignature(line: 1)),
            ("text\n\n— a\u{2003}b AAAAAAA=\n", .malformedSignature(line: 1)),
            ("text\n\n— a AAAAAAA=\ntrailing\n", .malformedSignature(line: 2)),
        ])
    func malformed(_ text: String, expected: NoteError) {
        #expect(throws: expected) { try SignedNote(parsing: bytes(text)) }
    }

    @Test("Bytes that are no UTF-8 are refused: alone, overlong, surrogates, cut, beyond Unicode")
    func invalidUTF8() {
        for wrong: [UInt8] in [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xe2, 0x80], [0xf4, 0x90, 0x80, 0x80]] {
            let note = bytes("text") + wrong + bytes("\n\n— a AAAAAAA=\n")
            #expect(throws: NoteError.notText) { try SignedNote(parsing: note) }
            #expect(throws: NoteError.malformedName) { try KeyName(wrong) }
        }
    }

    @Test("Limits: 100 signatures, a million bytes; more is refused without being looked at")
    func limits() throws {
        let line = "— a AAAAAAA=\n"
        let most = bytes("text\n\n" + String(repeating: line, count: 100))
        #expect(try SignedNote(parsing: most).signatures.count == 100)
        #expect(throws: NoteError.tooManySignatures(limit: 100)) { try SignedNote(parsing: most + bytes(line)) }
        let long = bytes(String(repeating: "a", count: 999_000) + "\n\n" + line)
        #expect(try SignedNote(parsing: long).bytes == long)
        #expect(throws: NoteError.tooLong(1_000_001, limit: 1_000_000)) {
            try SignedNote(parsing: [UInt8](repeating: 10, count: 1_000_001))
        }
        #expect(throws: NoteError.notANote) { try SignedNote(parsing: [UInt8](repeating: 10, count: 1_000_000)) }
    }

    @Test("Signatures of unknown keys are ignored, even of a known name or a known ID, but not of both")
    func unknownKeys() throws {
        let known = try SigningKey(name: KeyName("a"), kind: .ed25519, seed: Array(repeating: 1, count: 32))
        let other = try SigningKey(name: KeyName("a"), kind: .ed25519, seed: Array(repeating: 2, count: 32))
        let keys = try KnownKeys([known.verifierKey])
        let text = bytes("text\n")
        let both = try SignedNote(signing: text, with: [other.signer, known.signer])
        #expect(try both.verify(keys).map(\.key) == [known.verifierKey])
        let sameID = bytes(
            "— b "
                + String(
                    decoding: StrictBase64.encode(
                        BigEndian.bytes(known.verifierKey.id) + [1, 2, 3]), as: UTF8.self) + "\n")
        let ignored = try SignedNote(parsing: both.bytes + sameID)
        #expect(try ignored.verify(keys).count == 1)
        let unsigned = try SignedNote(signing: text, with: [other.signer])
        #expect(throws: NoteError.noKnownSignature) { try unsigned.verify(keys) }
        // The known key's name and ID, and another's signature: the first line of a key decides on the whole note, wherever it stands, and no other is looked at.
        let wrong = bytes(
            "— a "
                + String(
                    decoding: StrictBase64.encode(
                        BigEndian.bytes(known.verifierKey.id) + both.signatures[0].signature), as: UTF8.self) + "\n")
        let right = try known.signerLine(text)
        let refused = try SignedNote(parsing: both.text + [10] + both.signatures[0].line + wrong + right)
        #expect(throws: NoteError.wrongSignature(known.verifierKey.name)) { try refused.verify(keys) }
        #expect(try SignedNote(parsing: text + [10] + right + wrong).verify(keys).count == 1)
    }

    @Test("A key has one line: a further one counts for nothing, costs no check, and is not added")
    func duplicates() throws {
        let key = try SigningKey(name: KeyName("a"), kind: .ed25519, seed: Array(repeating: 1, count: 32))
        let note = try SignedNote(signing: bytes("text\n"), with: [key.signer, key.signer])
        #expect(note.signatures.count == 2)
        #expect(try note.verify(KnownKeys([key.verifierKey])).count == 1)
        #expect(try note.adding(note.signatures) == note)
        let cut = NoteSignature(key: key.verifierKey, signature: Array(note.signatures[0].signature.dropLast()))
        #expect(try note.adding([cut]) == note)
        // Were one of the 99 wrong lines checked, it would refuse the note.
        let lines = note.signatures.prefix(1) + Array(repeating: cut, count: 99)
        let padded = try SignedNote(text: note.text, signatures: Array(lines))
        #expect(try padded.verify(KnownKeys([key.verifierKey])).count == 1)
        #expect(throws: NoteError.wrongSignature(key.verifierKey.name)) {
            try SignedNote(text: note.text, signatures: lines.reversed()).verify(KnownKeys([key.verifierKey]))
        }
    }

    @Test("Names are compared byte for byte: what Unicode calls equivalent is another name, and another origin")
    func names() throws {
        let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
        #expect(composed == decomposed)
        #expect(try KeyName(composed) != KeyName(decomposed))
        #expect(try LogOrigin(composed) != LogOrigin(decomposed))
        let key = try SigningKey(name: KeyName(composed), kind: .ed25519, seed: Array(repeating: 1, count: 32))
        let note = try SignedNote(signing: bytes("text\n"), with: [key.signer])
        let renamed = try SigningKey(name: KeyName(decomposed), kind: .ed25519, seed: Array(repeating: 1, count: 32))
        #expect(throws: NoteError.noKnownSignature) { try note.verify(KnownKeys([renamed.verifierKey])) }
        for wrong in [
            "", "a b", "a+b", "a\u{a0}b", "a\u{85}b", "a\u{3000}", "a\nb", "a\u{7}", String(repeating: "a", count: 256),
        ] {
            #expect(throws: NoteError.malformedName) { try KeyName(wrong) }
        }
    }

    @Test(
        "Verifier keys that are not canonical are refused",
        arguments: [
            "", "+", "++", "example.com/foo+530d903a",
            "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k=",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
            "example.com/foo+530d903a+BOkyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3Q==",
            "example com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", " \(NoteTests.vkey)", "\(NoteTests.vkey)\n",
            "example.com/foo+530d903a+",
        ])
    func wrongVerifierKeys(_ text: String) {
        #expect(throws: NoteError.self) { try VerifierKey(text) }
    }

    @Test("A key of another type is read and ignored: its signatures verify nothing and refuse nothing")
    func otherTypes() throws {
        let text =
            "w.example+01020304+"
            + String(decoding: StrictBase64.encode([6] + Array(repeating: 9, count: 1312)), as: UTF8.self)
        let other = try VerifierKey(text)
        #expect(other.kind == .other(6) && other.description == text && other.publicKey.count == 1312)
        let key = try SigningKey(name: KeyName("a"), kind: .ed25519, seed: Array(repeating: 1, count: 32))
        let line = NoteSignature(key: other, signature: Array(repeating: 3, count: 2428))
        let note = try SignedNote(signing: bytes("text\n"), with: [key.signer]).adding([line])
        #expect(try SignedNote(parsing: note.bytes) == note)
        #expect(try note.verify(KnownKeys([other, key.verifierKey])).map(\.key) == [key.verifierKey])
        #expect(throws: NoteError.noKnownSignature) { try note.verify(KnownKeys([other])) }
        #expect(throws: NoteError.malformedKey) {
            try VerifierKey(name: other.name, kind: .other(6), publicKey: other.publicKey)
        }
    }

    @Test("Two known keys of one name and ID are refused: which of them signed could not be told")
    func ambiguousKeys() throws {
        // IDs have 32 bits: among some hundred thousand keys two agree.
        let name = try KeyName("w")
        var keys: [UInt32: VerifierKey] = [:]
        var pair: [VerifierKey] = []
        for number in UInt32(1)... {
            let publicKey = Array(repeating: UInt8(7), count: 28) + BigEndian.bytes(number)
            let key = try VerifierKey(name: name, kind: .ed25519, publicKey: publicKey)
            if let other = keys.updateValue(key, forKey: key.id) {
                pair = [other, key]
                break
            }
        }
        #expect(pair[0] != pair[1] && pair[0].id == pair[1].id)
        #expect(throws: NoteError.ambiguousKey(name)) { try KnownKeys(pair) }
        _ = try KnownKeys([pair[0], pair[0]])
    }

    @Test("Private keys are read and written in Go's form, and never printed")
    func signingKeys() throws {
        let key = try SigningKey(name: KeyName("a.example"), kind: .ed25519, seed: Array(repeating: 1, count: 32))
        #expect(try SigningKey(encoded: key.encoded).verifierKey == key.verifierKey)
        let secret = String(decoding: StrictBase64.encode(Array(repeating: 1, count: 32)), as: UTF8.self)
        let shown =
            "\(key) \(String(reflecting: key)) \(Mirror(reflecting: key).children.map { "\($0)" }) \(key.signer)"
        #expect(key.encoded.contains("AQEBAQEB") && !shown.contains("AQEBAQEB") && !shown.contains(secret))
        var dumped = ""
        dump(key, to: &dumped)
        dump(key.signer, to: &dumped)
        #expect(!dumped.contains("AQEBAQEB") && !dumped.contains("rivateKey"))
        for wrong in [
            "", "PRIVATE+KEY+", key.encoded + "=", key.encoded.replacing("PRIVATE", with: "private"),
            key.encoded.replacing("a.example", with: "b.example"), String(key.encoded.dropLast(4)),
        ] {
            #expect(throws: NoteError.malformedSigningKey) { try SigningKey(encoded: wrong) }
        }
        let fresh = try SigningKey.generate(name: key.verifierKey.name, kind: .ed25519)
        #expect(try fresh.verifierKey != SigningKey.generate(name: key.verifierKey.name, kind: .ed25519).verifierKey)
    }

    @Test("A signer whose signature does not verify is found out, and what a type does not sign is refused")
    func faultySigners() throws {
        let key = try SigningKey(name: KeyName("a"), kind: .ed25519, seed: Array(repeating: 1, count: 32))
        let faulty = NoteSigner(key: key.verifierKey) { _ in Array(repeating: 0, count: 64) }
        #expect(throws: NoteError.signerFailed(key.verifierKey.name)) { try faulty.signature(of: bytes("text\n")) }
        #expect(throws: NoteError.notForThisKey(key.verifierKey.name)) {
            try key.signer.signature(of: bytes("cosignature/v1\ntime 1\nlog\n0\n"))
        }
        let witness = try cosigner("w", seed: 2)
        #expect(throws: NoteError.notForThisKey(witness.verifierKey.name)) {
            try witness.signer.signature(of: bytes("text\n"))
        }
        let checkpoint = try Checkpoint(origin: LogOrigin("log"), head: .empty)
        #expect(throws: NoteError.notForThisKey(key.verifierKey.name)) {
            try key.signer.cosignature(of: checkpoint, at: 1)
        }
        for time in [0, UInt64(1) << 63] {
            #expect(throws: NoteError.impossibleTime) { try witness.signer.cosignature(of: checkpoint, at: time) }
        }
    }

    @Test("Notes that could not be read again are not made")
    func unreadableNotes() throws {
        let key = try SigningKey(name: KeyName("a"), kind: .ed25519, seed: Array(repeating: 1, count: 32))
        #expect(throws: NoteError.unterminatedText) { try SignedNote(signing: bytes("text"), with: [key.signer]) }
        #expect(throws: NoteError.unterminatedText) { try SignedNote(signing: [], with: [key.signer]) }
        #expect(throws: NoteError.notText) { try SignedNote(signing: [0xff, 10], with: [key.signer]) }
        #expect(throws: NoteError.notText) { try SignedNote(signing: bytes("a\rb\n"), with: [key.signer]) }
        #expect(throws: NoteError.notANote) { try SignedNote(signing: bytes("text\n"), with: []) }
        let long = [UInt8](repeating: 65, count: 1_000_000) + [10]
        #expect(throws: NoteError.self) { try SignedNote(signing: long, with: [key.signer]) }
    }

    @Test("The specification's cosigned checkpoint has cosignatures of 72 bytes, with their time in front")
    func cosignature() throws {
        let line =
            "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA=="
        let signature = try #require(NoteSignature(line: bytes(line)))
        let cosignature = try #require(Cosignature(signature.signature))
        #expect(cosignature.time == 1_679_315_147 && cosignature.bytes == signature.signature)
        #expect(signature.line == bytes(line + "\n"))
        let message = Cosignature.message(
            bytes("example.com/behind-the-sofa\n20852163\nCsU=\n"), time: cosignature.time)
        #expect(message == bytes("cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsU=\n"))
    }

    @Test("A cosignature holds for its time, its text and its key alone")
    func cosignatureBinding() throws {
        let (witness, other) = (try cosigner("w", seed: 2), try cosigner("w", seed: 3))
        let checkpoint = try Checkpoint(origin: LogOrigin("log"), head: .empty)
        let line = try witness.signer.cosignature(of: checkpoint, at: 1000)
        let note = try SignedNote(text: checkpoint.text, signatures: [line])
        #expect(try note.verify(KnownKeys([witness.verifierKey])).first?.time == 1000)
        #expect(witness.verifierKey.verify(line.signature, of: checkpoint.text + [65, 10]) == nil)
        #expect(other.verifierKey.verify(line.signature, of: checkpoint.text) == nil)
        var later = line.signature
        later[7] ^= 1
        #expect(witness.verifierKey.verify(later, of: checkpoint.text) == nil)
        #expect(witness.verifierKey.verify(Array(line.signature.dropFirst(8)), of: checkpoint.text) == nil)
        // Rightly signed, and of no time that there can be.
        let privateKey = try Curve25519.Signing.PrivateKey(rawRepresentation: Array(repeating: 2, count: 32))
        for time in [1, 0, UInt64(1) << 63, UInt64.max] {
            let signature = try privateKey.signature(for: Cosignature.message(checkpoint.text, time: time))
            let verified = witness.verifierKey.verify(BigEndian.bytes(time) + Array(signature), of: checkpoint.text)
            #expect((verified != nil) == (time == 1))
        }
        // The same private key under type 0x01 has another ID, and signs another message.
        let plain = try SigningKey(name: KeyName("w"), kind: .ed25519, seed: Array(repeating: 2, count: 32))
        #expect(plain.verifierKey.id != witness.verifierKey.id)
        #expect(plain.verifierKey.verify(Array(line.signature.dropFirst(8)), of: checkpoint.text) == nil)
    }
}

extension SigningKey {
    fileprivate func signerLine(_ text: [UInt8]) throws -> [UInt8] { try signer.signature(of: text).line }
}
