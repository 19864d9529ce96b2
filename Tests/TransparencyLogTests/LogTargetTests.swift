import Secrets
import Testing

@testable import TransparencyLog

@Suite
struct LogTargetTests {
    /// One well-formed text of each kind.
    private func corpus() throws -> [[UInt8]] {
        var log = try TestLog()
        try log.append(count: 300)
        let witness = try cosigner("witness.example/w1", seed: 40)
        let checkpoint = try log.checkpoint()
        let line = try witness.signer.cosignature(of: checkpoint.checkpoint, at: 1_679_315_147)
        let signed = try checkpoint.adding([line])
        var tiles = try log.tiles()
        let proof = try LogProof(
            index: 77, inclusion: tiles.inclusionProof(of: 77), checkpoint: signed, extra: [1, 2, 3])
        let request = try AddCheckpointRequest(
            oldSize: 123, proof: tiles.consistencyProof(from: 123), checkpoint: signed)
        let policy = """
            log \(log.key.verifierKey) https://log.example/
            witness a \(witness.verifierKey)
            group g 1 a
            quorum g

            """
        return [
            signed.bytes, signed.note.text, proof.bytes, request.bytes, line.line, Array("300\n".utf8),
            Array("tile/0/x001/x234/067.p/13".utf8), Array("tile/entries/003".utf8),
            Array(log.key.verifierKey.description.utf8), Array(log.key.encoded.utf8), Array(policy.utf8),
        ]
    }

    private func mutated(_ text: [UInt8], _ other: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var text = text
        for _ in 0..<1 + random.below(4) {
            guard !text.isEmpty else { return other }
            let place = random.below(text.count)
            switch random.below(8) {
            case 0: text[place] ^= UInt8(1 << random.below(8))
            case 1: text.remove(at: place)
            case 2: text.insert(Array("\n =+/0\r—é\0".utf8).randomElement(using: &random) ?? 0, at: place)
            case 3: text.removeLast(text.count - place)
            case 4: text.insert(contentsOf: text[place...].prefix(1 + random.below(60)), at: place)
            case 5: text.swapAt(place, random.below(text.count))
            case 6: text.append(contentsOf: other.prefix(random.below(other.count)))
            default: text[place] = UInt8(random.below(256))
            }
        }
        return text
    }

    @Test("Thirty thousand damaged texts: none traps, and what is read is written with the same bytes")
    func texts() throws {
        var random = SeededGenerator(seed: 17)
        let corpus = try corpus()
        for text in corpus { #expect(LogTargets.texts(text).isEmpty) }
        for _ in 0..<30_000 {
            let text = mutated(
                corpus[random.below(corpus.count)], corpus[random.below(corpus.count)], &random)
            for problem in LogTargets.texts(text) { Issue.record("\(problem): \(text)") }
        }
    }

    @Test("Each of the corpus's texts is read by the reader that it is for: the check above has something to check")
    func corpusIsRead() throws {
        let corpus = try corpus()
        _ = try SignedCheckpoint(parsing: corpus[0])
        _ = try Checkpoint(parsing: corpus[1])
        _ = try LogProof(parsing: corpus[2])
        _ = try AddCheckpointRequest(parsing: corpus[3])
        _ = try WitnessReply(status: 200, body: corpus[4])
        _ = try WitnessReply(status: 409, body: corpus[5])
        _ = try (TilePath(parsing: corpus[6]), TilePath(parsing: corpus[7]), VerifierKey(parsing: corpus[8]))
        _ = try SigningKey(encoded: String(decoding: corpus[9], as: UTF8.self))
        _ = try LogPolicy(parsing: corpus[10])
    }

    @Test("Every prefix of a proof, and of a request, is refused, as is each with a byte more")
    func prefixes() throws {
        let corpus = try corpus()
        for count in 0..<corpus[2].count {
            // A note may end after any of its signature lines: the log's alone is enough to be read.
            let prefix = Array(corpus[2].prefix(count))
            guard let read = try? LogProof(parsing: prefix) else { continue }
            #expect(read.bytes == prefix && read.checkpoint.note.signatures.count == 1)
        }
        for text in [corpus[2], corpus[3]] {
            for byte in UInt8.min...UInt8.max {
                #expect((try? LogProof(parsing: text + [byte])) == nil)
                #expect((try? AddCheckpointRequest(parsing: text + [byte])) == nil)
            }
        }
    }

    @Test("Random bytes as proofs, tiles, bundles and frontiers: none traps, and nothing is proved")
    func trees() {
        var random = SeededGenerator(seed: 19)
        for _ in 0..<20_000 {
            var bytes = (0..<24 + random.below(300)).map { _ in UInt8(random.below(256)) }
            // Sizes and ranges that are small, or at an edge, as often as any.
            for field in 0..<3 where random.below(4) > 0 {
                let value = [0, 1, 2, 255, 256, UInt64(random.below(1000)), UInt64.max, 1 << 63, 1 << 62]
                bytes.replaceSubrange(8 * field..<8 * field + 8, with: BigEndian.bytes(value[random.below(9)]))
            }
            for problem in LogTargets.trees(bytes) { Issue.record("\(problem): \(bytes)") }
        }
    }

    @Test("Hostile texts of 300,000 bytes are refused, each in one pass")
    func hugeTexts() {
        let parts = ["\n", "\n\n", " ", "=", "— ", "A", "old 0\n", "group ", "/", "+", "x000/", "é", "— a AAAAAAA=\n"]
        for part in parts {
            let bytes = Array(part.utf8)
            let text = Array(repeatElement(bytes, count: 300_000 / bytes.count).joined())
            for prefix in [
                "", "text\n\n", "old 0\n", "c2sp.org/tlog-proof@v1\nextra ", "c2sp.org/tlog-proof@v1\nindex 0\n",
            ] {
                #expect(LogTargets.texts(Array(prefix.utf8) + text).isEmpty)
            }
        }
    }
}
