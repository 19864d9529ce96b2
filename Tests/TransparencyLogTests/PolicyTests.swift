import Testing

@testable import TransparencyLog

@Suite
struct PolicyTests {
    private let log: TestLog
    private let witnesses: [SigningKey]

    init() throws {
        var log = try TestLog()
        try log.append(count: 20)
        self.log = log
        witnesses = try (0..<6).map { try cosigner("witness.example/w\($0)", seed: UInt8(50 + $0)) }
    }

    /// The specification's example.
    private var example: String {
        let names = ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
        let lines = zip(names, witnesses).map { "witness \($0) \($1.verifierKey)" }
        return """
            # A policy
            log \(log.key.verifierKey)

            \(lines[0])
            \(lines[1])
            \t\(lines[2])   https://w.example/
            group X-witnesses 2 X1 X2 X3

            \(lines[3])
            \(lines[4])
            \(lines[5])
            group Y-witnesses any Y1 Y2 Y3
              # nested
            group X-and-Y all X-witnesses Y-witnesses
            quorum X-and-Y

            """
    }

    private func cosigned(_ numbers: [Int], at time: UInt64 = 1000) throws -> SignedCheckpoint {
        let checkpoint = try log.checkpoint()
        return try checkpoint.adding(
            numbers.map { try witnesses[$0].signer.cosignature(of: checkpoint.checkpoint, at: time) })
    }

    @Test("The specification's example is met by two of X and one of Y, for each of the 64 sets of witnesses")
    func quorumOfExample() throws {
        let policy = try LogPolicy(example)
        #expect(policy.logs.map(\.key) == [log.key.verifierKey] && policy.witnesses.count == 6)
        #expect(policy.witnesses[2].url == Array("https://w.example/".utf8) && policy.groups.count == 3)
        for set in 0..<64 {
            let numbers = (0..<6).filter { set >> $0 & 1 == 1 }
            let expected = numbers.count { $0 < 3 } >= 2 && numbers.contains { $0 >= 3 }
            let names = numbers.map { policy.witnesses[$0].name }
            #expect(policy.isQuorum(Set(names)) == expected)
            let signed = try cosigned(numbers)
            do throws(PolicyError) {
                let verified = try policy.verify(signed, latestTime: 1000)
                #expect(expected && verified.cosignatures.map(\.witness) == names)
                #expect(verified.logKey == log.key.verifierKey && verified.checkpoint == signed.checkpoint)
            } catch {
                #expect(!expected && error.cosigned == names)
            }
        }
    }

    @Test("What is read is written so that it is read the same")
    func roundTrip() throws {
        let policy = try LogPolicy(example)
        #expect(try LogPolicy(parsing: policy.bytes) == policy)
        #expect(try LogPolicy(parsing: policy.bytes).bytes == policy.bytes)
        let none = try LogPolicy("quorum none\n")
        #expect(none.quorum == nil && none.bytes == Array("quorum none\n".utf8) && none.isQuorum([]))
    }

    @Test("A cosignature that stands twice counts once; one from the future and one of a stranger do not count")
    func counting() throws {
        let policy = try LogPolicy(example)
        let once = try cosigned([0, 3])
        let earlier = try witnesses[0].signer.cosignature(of: once.checkpoint, at: 999)
        let twice = try SignedCheckpoint(
            SignedNote(text: once.note.text, signatures: once.note.signatures + [earlier]))
        #expect(try twice.note.signatures.count == 4 && once.adding([earlier]) == once)
        #expect(throws: PolicyError.self) { try policy.verify(twice, latestTime: 1000) }
        let signed = try cosigned([0, 1, 3])
        _ = try policy.verify(signed, latestTime: 1000)
        #expect(throws: PolicyError.self) { try policy.verify(signed, latestTime: 999) }
        let stranger = try cosigner("witness.example/w1", seed: 90)
        let line = try stranger.signer.cosignature(of: signed.checkpoint, at: 1000)
        #expect(throws: PolicyError.self) { try policy.verify(cosigned([0, 3]).adding([line]), latestTime: 1000) }
    }

    @Test("A wrong signature of any known witness refuses the checkpoint, though a quorum would be met without it")
    func wrongSignature() throws {
        let policy = try LogPolicy(example)
        let other = try TestLog().sign(.empty)
        let line = try witnesses[5].signer.cosignature(of: other.checkpoint, at: 1000)
        #expect(throws: PolicyError.note(.wrongSignature(witnesses[5].verifierKey.name))) {
            try policy.verify(cosigned([0, 1, 3]).adding([line]), latestTime: 1000)
        }
    }

    @Test("A checkpoint needs the signature of a log under its own origin")
    func origins() throws {
        let second = try TestLog(seed: 8, name: "log.example/other")
        let text = "log \(log.key.verifierKey)\nlog \(second.key.verifierKey)\nquorum none\n"
        let policy = try LogPolicy(text)
        _ = try policy.verify(log.checkpoint(), latestTime: 0)
        // Signed by a log of the policy, for the origin of another one.
        let crossed = try SignedCheckpoint(
            signing: Checkpoint(origin: second.identity.origin, head: log.head(at: 20)), with: [log.key.signer])
        #expect(throws: PolicyError.notSignedByLog(second.identity.origin)) {
            try policy.verify(crossed, latestTime: 0)
        }
        #expect(throws: PolicyError.notSignedByLog(log.identity.origin)) {
            try policy.verify(log.checkpoint(), of: second.identity, latestTime: 0)
        }
        let open = try LogPolicy("quorum none\n")
        #expect(throws: PolicyError.notSignedByLog(log.identity.origin)) {
            try open.verify(log.checkpoint(), latestTime: 0)
        }
        _ = try open.verify(log.checkpoint(), of: log.identity, latestTime: 0)
        #expect(throws: PolicyError.inclusion(.impossibleHead)) {
            try open.verify(log.sign(TreeHead(size: 0, root: .leaf([]))), of: log.identity, latestTime: 0)
        }
        // Witnesses alone are no log.
        let witnessed = try LogPolicy("witness w \(witnesses[0].verifierKey)\nquorum w\n")
        #expect(throws: PolicyError.notSignedByLog(log.identity.origin)) {
            try witnessed.verify(cosigned([0]), latestTime: 1000)
        }
    }

    @Test("A witness of a type that is not verified never cosigns: what needs it is not met")
    func otherTypes() throws {
        let other =
            "w.example+01020304+"
            + String(
                decoding: StrictBase64.encode([6] + Array(repeating: 9, count: 1312)), as: UTF8.self)
        let text = "log \(log.key.verifierKey)\nwitness old \(witnesses[0].verifierKey)\nwitness new \(other)\n"
        _ = try LogPolicy(text + "group g any old new\nquorum g\n").verify(cosigned([0]), latestTime: 1000)
        let all = try LogPolicy(text + "group g all old new\nquorum g\n")
        #expect(throws: PolicyError.self) { try all.verify(cosigned([0]), latestTime: 1000) }
    }

    @Test("Each mistake is refused with its line")
    func mistakes() throws {
        let (a, b) = ("witness a \(witnesses[0].verifierKey)\n", "witness b \(witnesses[1].verifierKey)\n")
        let logLine = "log \(log.key.verifierKey)\n"
        let renamed = try cosigner("other.example", seed: 50)
        let own = try cosigner("own.example", seed: 1)
        let name = { (text: String) in PolicyName(text.utf8) }
        let cases: [(String, PolicyError)] = [
            ("", .noQuorum), ("# quorum none\n", .noQuorum), ("quorum none", .line(1, .unterminated)),
            ("quorum none\nlog", .line(2, .unterminated)), ("quorum none\r\n", .line(1, .forbiddenByte(13))),
            ("quorum none\n\0\n", .line(2, .forbiddenByte(0))), ("# \u{7f}\n", .line(1, .forbiddenByte(0x7f))),
            ("Quorum none\n", .line(1, .unknownKeyword)), ("quorum none\nfoo\n", .line(2, .unknownKeyword)),
            ("quorum none\nquorum none\n", .line(2, .secondQuorum)),
            ("quorum\n", .line(1, .wrongForm("quorum <name>"))),
            ("quorum none none\n", .line(1, .wrongForm("quorum <name>"))),
            ("\n\nquorum a\n\(a)", .line(3, .undefinedName(name("a")))),
            ("log\n", .line(1, .wrongForm("log <vkey> [<url>]"))),
            ("log x\n", .line(1, .key(.malformedKey))),
            (logLine.dropLast() + " u v\n", .line(1, .wrongForm("log <vkey> [<url>]"))),
            (logLine + logLine, .line(2, .duplicateKey)), (a + a, .line(2, .duplicateKey)),
            (a + "witness b \(renamed.verifierKey)\n", .line(2, .duplicateKey)),
            (
                logLine + "witness own \(own.verifierKey)\n",
                .line(2, .logIsWitness(log: log.key.verifierKey.name, witness: name("own")))
            ),
            (
                "witness own \(own.verifierKey)\n" + logLine,
                .line(2, .logIsWitness(log: log.key.verifierKey.name, witness: name("own")))
            ),
            ("witness a \(log.key.verifierKey)\n", .line(1, .notACosigner)),
            (a + "witness a \(witnesses[1].verifierKey)\n", .line(2, .nameTaken(name("a")))),
            ("witness none \(witnesses[0].verifierKey)\n", .line(1, .nameTaken(name("none")))),
            (a + b + "group a any b\n", .line(3, .nameTaken(name("a")))),
            (a + "group none any a\n", .line(2, .nameTaken(name("none")))),
            (a + "group g any none\n", .line(2, .undefinedName(name("none")))),
            (a + "group g any g\n", .line(2, .undefinedName(name("g")))),
            (a + "group g any b\n" + b, .line(2, .undefinedName(name("b")))),
            (a + "group g any a a\n", .line(2, .alreadyMember(name("a")))),
            (a + b + "group g any a\ngroup h any a b\n", .line(4, .alreadyMember(name("a")))),
            (a + "group g 0 a\n", .line(2, .wrongThreshold(members: 1))),
            (a + "group g 2 a\n", .line(2, .wrongThreshold(members: 1))),
            (a + "group g 01 a\n", .line(2, .wrongThreshold(members: 1))),
            (a + "group g All a\n", .line(2, .wrongThreshold(members: 1))),
            (a + "group g any\n", .line(2, .wrongForm("group <name> all|any|<k> <name>..."))),
        ]
        for (text, expected) in cases {
            let error = #expect(throws: PolicyError.self) { try LogPolicy(text) }
            #expect(error == expected, "\(text)")
            #expect(error?.description.isEmpty == false)
        }
        #expect(throws: PolicyError.tooLong(300_000, limit: LogPolicy.largestSize)) {
            try LogPolicy(parsing: [UInt8](repeating: 10, count: 300_000))
        }
    }

    @Test("A log that is known otherwise than by the policy is no witness of itself either")
    func ownWitness() throws {
        let own = try cosigner("own.example", seed: 1)
        let policy = try LogPolicy("witness own \(own.verifierKey)\nquorum own\n")
        let checkpoint = try log.checkpoint()
        let signed = try checkpoint.adding([own.signer.cosignature(of: checkpoint.checkpoint, at: 1000)])
        #expect(throws: PolicyError.logIsWitness(PolicyName("own".utf8))) {
            try policy.verify(signed, of: log.identity, latestTime: 1000)
        }
    }

    @Test("Who is missing for a quorum is said by name, in nested groups too, and in a text that stays short")
    func missing() throws {
        func words(_ policy: LogPolicy, _ numbers: [Int]) throws -> String {
            let signed = try cosigned(numbers)
            do throws(PolicyError) { _ = try policy.verify(signed, latestTime: 1000) } catch { return "\(error)" }
            return "met"
        }
        let nested = try LogPolicy(example)
        #expect(
            try words(nested, [0, 3])
                == "1 of 2 members of the quorum have cosigned; missing: group X-witnesses (1 of X2, X3).")
        #expect(
            try words(nested, [])
                == "0 of 2 members of the quorum have cosigned; missing: "
                + "group X-witnesses (2 of X1, X2, X3), group Y-witnesses (1 of Y1, Y2, Y3).")
        let lines = (0..<6).map { "witness w\($0) \(witnesses[$0].verifierKey)\n" }.joined()
        let both = try LogPolicy("log \(log.key.verifierKey)\n\(lines)group g all w0 w1\nquorum g\n")
        #expect(try words(both, [0]) == "1 of 2 witnesses of the quorum have cosigned; missing: w1.")
        let single = try LogPolicy("log \(log.key.verifierKey)\n\(lines)quorum w3\n")
        #expect(try words(single, [0]) == "0 of 1 witness of the quorum has cosigned; missing: w3.")
        var chain = "log \(log.key.verifierKey)\n\(lines)group g0 all w0\n"
        for number in 1..<4000 { chain += "group g\(number) all g\(number - 1)\n" }
        #expect(try words(LogPolicy(chain + "quorum g3999\n"), []).count < 200)
    }

    @Test("Names are bytes: a Kelvin sign is no K, and bytes that are no UTF-8 are names")
    func names() throws {
        let text = "witness K \(witnesses[0].verifierKey)\nwitness \u{212a} \(witnesses[1].verifierKey)\n"
        #expect(try LogPolicy(text + "quorum K\n").witnesses.count == 2)
        let bytes = Array("witness ".utf8) + [0xff, 0x80] + Array(" \(witnesses[0].verifierKey)\nquorum ".utf8)
        let policy = try LogPolicy(parsing: bytes + [0xff, 0x80, 10])
        #expect(policy.quorum?.bytes == [0xff, 0x80] && policy.bytes.last == 10)
    }

    @Test("A chain of a thousand groups, and groups of many members, take no long time and no deep stack")
    func manyGroups() throws {
        var text = "witness w \(witnesses[0].verifierKey)\ngroup g0 any w\n"
        for number in 1..<4000 { text += "group g\(number) all g\(number - 1)\n" }
        let policy = try LogPolicy(text + "quorum g3999\n")
        #expect(policy.isQuorum([PolicyName("w".utf8)]) && !policy.isQuorum([]))
    }
}

extension PolicyError {
    /// Who cosigned, where those were too few.
    var cosigned: [PolicyName]? {
        if case .noQuorumOfWitnesses(let shortfall) = self { shortfall.cosigned } else { nil }
    }
}
