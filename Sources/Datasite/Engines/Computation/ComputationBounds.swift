import DatasiteProtocol
import Governance
import ModularArithmetic
import SecureComputation
import SecureStatistics
import Tables

/// What a computation takes at most, whatever the rows hold: from what was declared, and what three parties take here on numbers that nobody has.
struct ComputationBounds: Sendable {
    private let rows: Double
    private let columns: Double
    private let multiplications: Double
    private let elements: Double
    private let bytes: Double
    private let rounds: Double
    /// Rows of both tables of a join, and bytes of its longest message.
    private let joined: (rows: Double, message: Double)
    /// Nanoseconds of a multiply-add, and of a byte that a party sends.
    private let times: [Double]

    init(_ task: ComputationTask, nanoseconds: [Double]) {
        (rows, columns) = (Double(task.entry.manifest.capacityRows), Double(task.plan.columnCount))
        multiplications = task.plan.program.multiplications
        elements = Double(task.plan.program.elements)
        (bytes, rounds) = (Double(task.plan.cost.bytes), Double(task.plan.cost.rounds))
        joined =
            task.plan.join == nil
            ? (0, 0) : (Double(task.request.rows.reduce(0, +)), Double(task.plan.cost.largestMessage))
        times = nanoseconds
    }

    /// Of a party: products of matrices, and a regression, or a join, whose time is divided among its bytes.
    static func measured(ofTables: Bool) -> [Double] {
        let side = 96
        let words = (0..<UInt64(side * side)).map { $0 &* 0x9E37_79B9_7F4A_7C15 }
        var result = words
        guard let product = try? BilinearMap.matrices(MatrixProduct(rows: side, inner: side, columns: side)),
            let (bytes, time) = try? ofTables ? join() : regression()
        else { return [1, 1_000] }
        let multiplying = WorkCalibration.nanoseconds { product.add(words, words, to: &result) }
        return [
            multiplying / Double(side * side * side), time / Double(max(1, bytes)),
        ]
    }

    /// A small one among three parties in this process: its bytes, and the nanoseconds of all three.
    private static func regression() throws -> (Int, Double) {
        let bounds = try (0..<4).map { try ColumnBounds("x\($0)", 0, 1) }
        let table = try JointTable(
            features: bounds, response: try ColumnBounds("y", 0, 1), rowsOf: [.first: 64, .second: 64])
        let plan = try LogisticPlan(
            LogisticTask(
                table: table, epochs: 3, rate: 1, setting: .threeParties, recipients: ComputingParty.three))
        let rows = OwnerRows(
            features: bounds.map { _ in [Double](repeating: 0.5, count: 64) },
            response: [Double](repeating: 1, count: 64))
        let inputs = try ComputingParty.three.map { party in
            try plan.inputs(of: party, party == .third ? nil : rows)
        }
        let time = WorkCalibration.nanoseconds { try? run(plan.program, inputs) }
        return (try plan.program.threePartyCostWithAbort().bytes, time)
    }

    /// Likewise, a join of two tables of 256 people.
    private static func join() throws -> (Int, Double) {
        var builder = TableProgramBuilder()
        let columns = [TableColumn("number", bound: 1 << 40, isUnique: true), TableColumn("value", bound: 1 << 14)]
        let left = try builder.input(from: .first, rows: 256, columns: columns)
        let right = try builder.input(
            from: .second, rows: 256,
            columns: [
                TableColumn("other number", bound: 1 << 40, isUnique: true), TableColumn("other", bound: 1 << 14),
            ])
        _ = try builder.joined(left, right, on: "number", "other number")
        let program = builder.program()
        let table = [(0..<256).map { Int64($0) * 1_000_003 }, [Int64](repeating: 7, count: 256)]
        var bytes = Int.max
        let time = WorkCalibration.nanoseconds { bytes = min(bytes, (try? run(program, table)) ?? bytes) }
        return (bytes, time)
    }

    private static func run(_ program: TableProgram, _ table: [[Int64]]) throws -> Int {
        let session = try ThreePartySession(program: program, parties: ["one", "two", "three"])
        var machines = try ComputingParty.three.map { party in
            try TableMachine(
                program: program, session: session, party: party, tables: party == .third ? [] : [table])
        }
        var sent: [ThreePartyMessages] = try machines.indices.map { try machines[$0].begin() }
        while !machines[0].isFinished {
            var next: [ThreePartyMessages] = []
            for place in machines.indices {
                let received = sent.compactMap { $0[ComputingParty.three[place]] }
                if let messages = try machines[place].receive(received) { next.append(messages) }
            }
            sent = next
        }
        return machines[0].cost.bytes
    }

    private static func run(_ program: Program, _ inputs: [[RingTensor]]) throws {
        let session = try ThreePartySession(
            program: program, parties: ["one", "two", "three"], security: .withAbort)
        var machines = try zip(ComputingParty.three, inputs).map { party, inputs in
            try ThreePartyMachine(
                program: program, session: session, party: party, inputs: ThreePartyInputs(inputs: inputs))
        }
        var sent = try machines.indices.map { try machines[$0].begin() }
        while !machines[0].isFinished {
            var next: [ThreePartyMessages] = []
            for place in machines.indices {
                let received = sent.compactMap { $0[ComputingParty.three[place]] }
                if let messages = try machines[place].receive(received) { next.append(messages) }
            }
            sent = next
        }
    }

    /// Opening the table, reading the rows, and making what goes in of them: noise, and a share.
    var reading: Work {
        Work([
            .scan: 50, .probe: rows * (columns + 1), .step: 20 * rows * (columns + 8) + 200 * elements, .row: rows,
        ])
    }

    /// All rounds.
    var computing: Work {
        Work([
            .measured: 2 * multiplications * times[0] + 2 * bytes * times[1], .byte: 8 * bytes, .scan: 4 * rounds,
        ])
    }

    /// What the proof of all steps is made of is kept until its end: measured at up to five times the first two. Of a join a step is kept, whose comparisons are twelve a row at most.
    var memory: Double {
        let steps =
            joined.rows > 0
            ? 64 * elements + 32 * joined.message + 12 * 200 * joined.rows : 5 * (64 * elements + 4 * bytes)
        return 64e6 + steps + 32 * rows * (columns + 1) + 200 * joined.rows * (columns + 4)
    }
}
