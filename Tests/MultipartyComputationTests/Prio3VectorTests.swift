import Foundation
import Testing

@testable import MultipartyComputation

/// The IRTF's test vectors, in a folder beside the package where there is one.
enum VDAFVectors {
    /// `shared/vectors/vdaf/test_vec` beside the package or beside a folder that the package is in.
    static let folder: URL = {
        var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            let vectors = folder.appendingPathComponent("shared/vectors/vdaf/test_vec")
            if FileManager.default.fileExists(atPath: vectors.path) { return vectors }
        }
        return folder
    }()

    static let areAvailable = folder.path != "/"
    static let comment: Comment = "shared/vectors/vdaf is not beside the package"

    /// Names of the files that begin so, without their ending.
    static func names(_ prefix: String) -> [String] {
        let files =
            (try? FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent("vdaf").path)) ?? []
        return files.filter { $0.hasPrefix(prefix + "_") && $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }
            .sorted()
    }
}

private struct Vector<Measurement: Decodable, Aggregate: Decodable>: Decodable {
    struct Operation: Decodable {
        var operation: String
        var success: Bool
        var report_index: Int?
        var aggregator_id: Int?
    }
    struct Report: Decodable {
        var measurement: Measurement?
        var nonce, public_share, rand: String
        var input_shares, out_shares, verifier_messages: [String]
        var verifier_shares: [[String]]
    }
    var agg_result: Aggregate?
    var agg_shares: [String]
    var ctx, verify_key: String
    var operations: [Operation]
    var reports: [Report]
    var shares: Int
    var length, chunk_length, max_weight: Int?
    var max_measurement: UInt64?
}

/// One file's operations, each of which must succeed with the very bytes of the file, or must be refused.
private final class VectorRun<
    Written: Decodable, Measurement: Sendable, Aggregate: Decodable & Sendable & Equatable
> {
    typealias File = Vector<Written, Aggregate>

    private struct Place: Hashable {
        let report: Int
        let aggregator: Int
    }

    private let file: File
    private let prio3: Prio3<Measurement, Aggregate>
    private let measurement: (Written) -> Measurement
    private var states: [Place: VerifyState] = [:]
    private var outputs: [Place: OutputShare] = [:]
    private var done: [String: Int] = [:]
    private var refused = 0

    init(
        _ name: String, _ make: (File) throws -> Prio3<Measurement, Aggregate>,
        measurement: @escaping (Written) -> Measurement
    ) throws {
        self.measurement = measurement
        let url = VDAFVectors.folder.appendingPathComponent("vdaf/\(name).json")
        file = try JSONDecoder().decode(File.self, from: Data(contentsOf: url))
        prio3 = try make(file)
    }

    /// How often each operation succeeded, and how many were refused.
    func run() throws -> (done: [String: Int], refused: Int) {
        for operation in file.operations {
            if operation.success {
                try perform(operation)
                done[operation.operation, default: 0] += 1
            } else {
                #expect(throws: Prio3Error.self) { try self.perform(operation) }
                refused += 1
            }
        }
        return (done, refused)
    }

    private func perform(_ operation: File.Operation) throws {
        switch operation.operation {
        case "shard": try shard(operation)
        case "verify_init": try verifyInit(operation)
        case "verifier_shares_to_message": try message(operation)
        case "verify_next": try verifyNext(operation)
        case "aggregate": try aggregate(operation)
        case "unshard":
            let shares = try file.agg_shares.map { try hexadecimal($0) }
            #expect(try prio3.unshard(shares, count: file.reports.count) == file.agg_result)
        default: Issue.record("unknown operation \(operation.operation)")
        }
    }

    private func report(_ operation: File.Operation) throws -> File.Report {
        file.reports[try #require(operation.report_index)]
    }

    private func place(_ operation: File.Operation) throws -> Place {
        Place(report: try #require(operation.report_index), aggregator: try #require(operation.aggregator_id))
    }

    private func shard(_ operation: File.Operation) throws {
        let report = try report(operation)
        let made = try prio3.shard(
            measurement(try #require(report.measurement)), nonce: ReportNonce(hexadecimal(report.nonce)),
            randomness: hexadecimal(report.rand))
        #expect(made.publicShare == (try hexadecimal(report.public_share)))
        #expect(made.inputShares == (try report.input_shares.map { try hexadecimal($0) }))
    }

    private func verifyInit(_ operation: File.Operation) throws {
        let (report, place) = (try report(operation), try place(operation))
        let step = try prio3.verifyInit(
            VerifyKey(hexadecimal(file.verify_key)), aggregator: place.aggregator,
            nonce: ReportNonce(hexadecimal(report.nonce)), publicShare: hexadecimal(report.public_share),
            inputShare: hexadecimal(report.input_shares[place.aggregator]))
        #expect(step.verifierShare == (try hexadecimal(report.verifier_shares[0][place.aggregator])))
        states[place] = step.state
    }

    private func message(_ operation: File.Operation) throws {
        let report = try report(operation)
        let message = try prio3.verifierSharesToMessage(try report.verifier_shares[0].map { try hexadecimal($0) })
        #expect(message == (try hexadecimal(report.verifier_messages[0])))
    }

    private func verifyNext(_ operation: File.Operation) throws {
        let (report, place) = (try report(operation), try place(operation))
        let output = try prio3.verifyNext(
            try #require(states[place]), try hexadecimal(report.verifier_messages[0]))
        #expect(output.elements.encoded == (try hexadecimal(report.out_shares[place.aggregator])))
        outputs[place] = output
    }

    private func aggregate(_ operation: File.Operation) throws {
        let aggregator = try #require(operation.aggregator_id)
        var share = try prio3.aggregateInit(aggregator: aggregator)
        for report in file.reports.indices {
            try share.update(try #require(outputs[Place(report: report, aggregator: aggregator)]))
        }
        #expect(share.encoded == (try hexadecimal(file.agg_shares[aggregator])))
    }
}

@Suite("The IRTF's vectors of Prio3", .enabled(if: VDAFVectors.areAvailable, VDAFVectors.comment))
struct Prio3VectorTests {
    /// Runs one file. A good one does every step to the end, and a bad one is refused once.
    private func check<Measurement: Decodable & Sendable, Aggregate: Decodable & Sendable & Equatable>(
        _ name: String, _ make: (Vector<Measurement, Aggregate>) throws -> Prio3<Measurement, Aggregate>
    ) throws {
        try check(name, make, measurement: { $0 })
    }

    private func check<Written: Decodable, Measurement: Sendable, Aggregate: Decodable & Sendable & Equatable>(
        _ name: String, _ make: (Vector<Written, Aggregate>) throws -> Prio3<Measurement, Aggregate>,
        measurement: @escaping (Written) -> Measurement
    ) throws {
        let result = try VectorRun(name, make, measurement: measurement).run()
        if name.contains("_bad_") {
            #expect(result.refused == 1)
            #expect(result.done["verify_init"] == (name.hasSuffix("verifier_message") ? 1 : 2))
        } else {
            #expect(result.refused == 0)
            #expect(result.done["unshard"] == 1)
            #expect(result.done["shard"] == result.done["verifier_shares_to_message"])
            #expect(result.done["verify_init"] == result.done["verify_next"])
        }
    }

    @Test("There are as many files as are known")
    func files() {
        let counts = ["Count": 7, "Sum": 3, "SumVec": 2, "Histogram": 7, "MultihotCountVec": 3, "HigherDegree": 1]
        for (name, count) in counts {
            #expect(VDAFVectors.names("Prio3" + name).count == count)
        }
        #expect(VDAFVectors.names("Prio3SumVecWithMultiproof").count == 2)
    }

    private static func context<M, A>(_ file: Vector<M, A>) throws -> [UInt8] { try hexadecimal(file.ctx) }

    @Test("Prio3Count", arguments: VDAFVectors.names("Prio3Count"))
    func count(_ name: String) throws {
        try check(
            name,
            { (file: Vector<Int, Int64>) in try Prio3Count(shares: file.shares, context: Self.context(file)) },
            measurement: { $0 == 1 })
    }

    @Test("Prio3Sum", arguments: VDAFVectors.names("Prio3Sum"))
    func sum(_ name: String) throws {
        try check(name) { (file: Vector<UInt64, Int64>) in
            try Prio3Sum(
                maximum: try #require(file.max_measurement), shares: file.shares, context: Self.context(file))
        }
    }

    @Test("Prio3SumVec", arguments: VDAFVectors.names("Prio3SumVec"))
    func sumVec(_ name: String) throws {
        try check(name) { (file: Vector<[UInt64], [Int64]>) in
            try Prio3SumVec(
                length: try #require(file.length), maximum: try #require(file.max_measurement),
                chunkLength: file.chunk_length, shares: file.shares, context: Self.context(file))
        }
    }

    @Test("Prio3SumVecWithMultiproof", arguments: VDAFVectors.names("Prio3SumVecWithMultiproof"))
    func multiproof(_ name: String) throws {
        try check(name) { (file: Vector<[UInt64], [Int64]>) in
            let circuit = SumVecField64Circuit(
                length: try #require(file.length), maximum: try #require(file.max_measurement),
                chunkLength: try #require(file.chunk_length))
            return try Prio3(
                circuit, algorithm: 0xffff_ffff, proofs: 3, among: file.shares, context: Self.context(file))
        }
    }

    @Test("Prio3Histogram", arguments: VDAFVectors.names("Prio3Histogram"))
    func histogram(_ name: String) throws {
        try check(name) { (file: Vector<Int, [Int64]>) in
            try Prio3Histogram(
                length: try #require(file.length), chunkLength: file.chunk_length, shares: file.shares,
                context: Self.context(file))
        }
    }

    @Test("Prio3MultihotCountVec", arguments: VDAFVectors.names("Prio3MultihotCountVec"))
    func multihot(_ name: String) throws {
        try check(name) { (file: Vector<[Bool], [Int64]>) in
            try Prio3MultihotCountVec(
                length: try #require(file.length), maximumWeight: try #require(file.max_weight),
                chunkLength: file.chunk_length, shares: file.shares, context: Self.context(file))
        }
    }

    @Test("A gadget of the third degree", arguments: VDAFVectors.names("Prio3HigherDegree"))
    func higherDegree(_ name: String) throws {
        try check(name) { (file: Vector<UInt64, Int64>) in
            try Prio3(
                HigherDegreeCircuit(calls: 1), algorithm: 0xffff_ffff, among: file.shares,
                context: Self.context(file))
        }
    }
}
