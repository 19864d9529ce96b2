import Crypto
import Datasite
import Federation
import Foundation

/// A round of a model of 1 GB among eight participants, by a coordinator with its folder: what its process holds. Participants' frames are made piece by piece, so that the peak is the
/// coordinator's.
struct LargeModelBenchmark {
    let workplace: Workplace

    private static let parameters = 250_000_000
    private static let participants = 8
    private static let piece = 1 << 20

    func run() throws {
        // Updates of eight bytes an entry, the sum, and weights before and behind the round.
        let needed = (Self.participants + 1) * 8 * Self.parameters + 3 * 4 * Self.parameters
        guard workplace.freeBytes > needed + (4 << 30) else {
            return reportSkipped("plain_8_gigabyte", "it needs \(needed >> 30) GB of disk")
        }
        let folder = workplace.path("large")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        FileHandle.standardOutput.write(Data(try workplace.child("large", folder).utf8))
        try FileManager.default.removeItem(atPath: folder)
    }

    /// An entry of a participant's update: of the grid's 2^30 steps of 1.
    private static func entry(_ index: Int, of participant: Int) -> Int64 {
        Int64((index &* 2_654_435_761 &+ participant &* 40_503) & 0x3fff_ffff) - (1 << 29)
    }

    /// An update that is made where it is read.
    private static func update(_ participant: Int) throws -> Packed<Int64> {
        let read: @Sendable (Int, UnsafeMutableRawBufferPointer) -> Void = { start, target in
            let numbers = target.bindMemory(to: Int64.self)
            for place in numbers.indices { numbers[place] = entry(start / 8 + place, of: participant) }
        }
        var hash = SHA256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 64)
        defer { buffer.deallocate() }
        for start in stride(from: 0, to: 8 * parameters, by: piece) {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(piece, 8 * parameters - start)])
            read(start, part)
            hash.update(bufferPointer: UnsafeRawBufferPointer(part))
        }
        let vector = StoredVector(
            number: participant, count: 8 * parameters, digest: Data(hash.finalize()), reading: read)
        guard let update = Packed<Int64>(stored: vector) else { throw BenchmarkError(reason: "no update") }
        return update
    }

    static func child(_ folder: String) async throws {
        let keys = (0..<participants).map { _ in Curve25519.Signing.PrivateKey() }
        let plan = FederatedPlan(
            name: "large", strategy: .fedAvg, aggregation: .plain, rounds: 1, least: participants,
            parameterCount: parameters, grid: try UpdateGrid(range: 1), work: Data(repeating: 0, count: 32),
            leastSeconds: 10_000)
        let vectors = VectorFolder(path: folder)
        let weights: Packed<Float> = try vectors.place(largestInMemory: 0).vector(parameters) {
            $1.update(repeating: 1)
        }
        let beginning = try Coordinator(
            plan: plan, roster: keys.map(\.publicKey.rawRepresentation), run: Data(repeating: 1, count: 16),
            weights: weights)
        try CoordinatorRun.store(beginning, in: vectors)
        let run = try CoordinatorRun(
            folder: folder, key: Curve25519.Signing.PrivateKey(), averaging: nil, patience: 60, longestWait: 0.01
        ) { _ in }
        for number in 1...2 {
            for (place, key) in keys.enumerated() {
                let holds = number == 1 ? nil : 0
                let frame = try SignedMessage(
                    .heartbeat(holds: holds), run: run.run, sender: place, number: UInt64(number), key: key)
                try await drain(run.answer(ArrivingFrame(whole: Array(frame.bytes))))
            }
        }
        var (seconds, closing) = (0.0, 0.0)
        for (place, key) in keys.enumerated() {
            let update = try update(place)
            let frame = try SignedMessage(
                .update(attempt: 0, integers: update), run: run.run, sender: place, number: 3, key: key)
            let start = wallSeconds()
            let reply = try await run.answer(arriving(frame, update))
            closing = wallSeconds() - start
            seconds += closing
            try await drain(reply)
        }
        guard run.progress.phase == .finished else { throw BenchmarkError(reason: "the round did not end") }
        try check(run.progress.weights)
        report(
            "plain_8_gigabyte",
            [
                ("participants", Double(participants)), ("length", Double(parameters)),
                ("model_mb", 4 * Double(parameters) / 1_048_576), ("wall_s", seconds), ("closing_s", closing),
                ("cpu_s", processorSeconds()), ("peak_mb", peakMegabytes()),
            ])
    }

    private static func arriving(_ frame: SignedMessage, _ update: Packed<Int64>) -> ArrivingFrame {
        var (start, head) = (0, Array(frame.beforeVectors))
        return ArrivingFrame {
            guard head.isEmpty else {
                defer { head = [] }
                return head
            }
            guard let vector = update.stored, start < vector.count else { return nil }
            var bytes = [UInt8](repeating: 0, count: min(piece, vector.count - start))
            try bytes.withUnsafeMutableBytes { try vector.read(at: start, into: $0) }
            start += bytes.count
            return bytes
        }
    }

    /// What a reply is to whoever takes it: gone.
    private static func drain(_ frame: LeavingFrame) async throws {
        var (count, pieces) = (0, frame.pieces)
        while let piece = try await pieces.next() { count += piece.count }
        guard count == frame.count else { throw BenchmarkError(reason: "a reply is not whole") }
    }

    /// Every weight is what its integers make of it.
    private static func check(_ weights: Packed<Float>) throws {
        var wrong = 0
        try weights.forEachChunk { first, weights in
            for place in weights.indices {
                let sum = (0..<participants).reduce(Int64(0)) { $0 + entry(first + place, of: $1) }
                let mean = Float(Double(sum) * (0x1p-30 / Double(participants)))
                wrong += weights[place] == Float(1 + Double(mean)) ? 0 : 1
            }
        }
        guard wrong == 0 else { throw BenchmarkError(reason: "\(wrong) weights are wrong") }
    }
}
