import Testing

@testable import TransparencyLog

@Suite
struct LogProofTests {
    private let log: TestLog
    private let witness: SigningKey
    private let policy: LogPolicy
    private let proof: LogProof

    init() throws {
        var log = try TestLog()
        try log.append(count: 1000)
        self.log = log
        witness = try cosigner("witness.example/w1", seed: 40)
        policy = try LogPolicy("log \(log.key.verifierKey)\nwitness w \(witness.verifierKey)\nquorum w\n")
        let checkpoint = try log.checkpoint()
        let line = try witness.signer.cosignature(of: checkpoint.checkpoint, at: 1000)
        var tiles = try log.tiles()
        proof = try LogProof(
            index: 738, inclusion: tiles.inclusionProof(of: 738), checkpoint: checkpoint.adding([line]),
            extra: Array("age-v1.2.1-darwin-arm64.tar.gz".utf8))
    }

    @Test("A proof is written, read, and verified without asking anyone")
    func roundTrip() throws {
        let read = try LogProof(parsing: proof.bytes)
        #expect(read == proof)
        let text = String(decoding: proof.bytes, as: UTF8.self)
        #expect(text.hasPrefix("c2sp.org/tlog-proof@v1\nextra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6\nindex 738\n"))
        let verified = try read.verify(.leaf(Array("entry 738".utf8)), policy: policy, latestTime: 1000)
        #expect(verified.checkpoint.head == log.writer.head && verified.cosignatures.map(\.time) == [1000])
        let bare = try LogProof(index: 738, inclusion: proof.inclusion, checkpoint: proof.checkpoint)
        #expect(try LogProof(parsing: bare.bytes) == bare && bare.extra == nil)
    }

    @Test("Another entry, index, policy, log or time is refused")
    func refused() throws {
        let leaf = MerkleHash.leaf(Array("entry 738".utf8))
        #expect(throws: PolicyError.inclusion(.rootMismatch)) {
            try proof.verify(.leaf(Array("entry 739".utf8)), policy: policy, latestTime: 1000)
        }
        for index in [0, 737, 739, 999, 1000, TreeHead.largestSize] {
            let moved = try LogProof(index: index, inclusion: proof.inclusion, checkpoint: proof.checkpoint)
            #expect(throws: PolicyError.self) { try moved.verify(leaf, policy: policy, latestTime: 1000) }
        }
        func expectNoWitness(_ proof: LogProof, latestTime: UInt64) {
            let error = #expect(throws: PolicyError.self) {
                try proof.verify(leaf, policy: policy, latestTime: latestTime)
            }
            #expect(error?.cosigned == [])
        }
        expectNoWitness(proof, latestTime: 999)
        let other = try TestLog(seed: 9)
        let strict = try LogPolicy("log \(other.key.verifierKey)\nquorum none\n")
        #expect(throws: PolicyError.notSignedByLog(log.identity.origin)) {
            try proof.verify(leaf, policy: strict, latestTime: 1000)
        }
        let uncosigned = try LogProof(index: 738, inclusion: proof.inclusion, checkpoint: log.checkpoint())
        expectNoWitness(uncosigned, latestTime: 1000)
    }

    @Test("Text that is not canonical is refused, and the line is named")
    func malformed() throws {
        let text = String(decoding: proof.bytes, as: UTF8.self)
        let extra = "extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6\n"
        let hash = MerkleHash.emptyTree.base64 + "\n"
        let cases: [(String, Int)] = [
            ("", 1), (" " + text, 1), (text.replacing("@v1", with: "@v2"), 1),
            (text.replacing("@v1\n", with: "@v1\r\n"), 1),
            (text.replacing("@v1\n", with: "@v1 \n"), 1), (text.replacing(extra, with: "extra \n"), 2),
            (text.replacing(extra, with: "extra YQ=\n"), 2), (text.replacing(extra, with: "extra YR==\n"), 2),
            (text.replacing(extra, with: extra + extra), 3), (text.replacing(extra, with: "\n"), 2),
            (text.replacing(extra, with: "extra\n"), 2), (text.replacing("index 738", with: "index 0738"), 3),
            (text.replacing("index 738", with: "index  738"), 3), (text.replacing("index 738", with: "index"), 3),
            (text.replacing("index 738", with: "Index 738"), 3),
            (text.replacing("index 738", with: "index 9223372036854775808"), 3),
            (text.replacing("index 738\n", with: "index 738\n" + String(repeating: hash, count: 64)), 4),
            (text.replacing("index 738\n", with: "index 738\nAAAA\n"), 4),
            (text.replacing("index 738\n", with: "index 738\n " + hash), 4),
        ]
        for (wrong, line) in cases {
            let error = #expect(throws: LogProofError.self) { try LogProof(parsing: Array(wrong.utf8)) }
            guard case .malformed(line, _) = error else {
                Issue.record("\(wrong): \(String(describing: error))")
                continue
            }
        }
        for wrong in [
            text + "x", text + "\n", String(text.dropLast()), text.replacing("index 738\n", with: "index 738\n\n"),
        ] {
            let error = #expect(throws: LogProofError.self) { try LogProof(parsing: Array(wrong.utf8)) }
            guard case .checkpoint = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
        #expect(throws: LogProofError.tooLong(2_000_001, limit: 2_000_000)) {
            try LogProof(parsing: [UInt8](repeating: 10, count: 2_000_001))
        }
    }

    @Test("A proof that could not be read again is not made")
    func unreadable() throws {
        for extra in [[], [UInt8](repeating: 0, count: LogProof.largestExtra + 1)] {
            #expect(throws: LogProofError.self) {
                try LogProof(index: 738, inclusion: proof.inclusion, checkpoint: proof.checkpoint, extra: extra)
            }
        }
        #expect(throws: LogProofError.self) {
            try LogProof(index: 1 << 63, inclusion: proof.inclusion, checkpoint: proof.checkpoint)
        }
        let long = InclusionProof(hashes: Array(repeating: .emptyTree, count: 64))
        #expect(throws: LogProofError.self) { try LogProof(index: 738, inclusion: long, checkpoint: proof.checkpoint) }
        let largest = try LogProof(
            index: 738, inclusion: proof.inclusion, checkpoint: proof.checkpoint,
            extra: [UInt8](repeating: 0, count: LogProof.largestExtra))
        #expect(try LogProof(parsing: largest.bytes) == largest)
    }
}
