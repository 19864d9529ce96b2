public import ModularArithmetic
internal import Secrets
public import SecureComputation

/// How a ``LinearTask`` is computed: the program, its cost and its noise. It follows from the task alone, and is the same at all parties and the dealer.
///
/// **Without privacy** the moments are solved on shares (``LinearSolver``), and the weights alone are opened: within ``error`` of the exact solution for the encoded rows, and within a unit of the clear text twin.
///
/// **With noise** moments are opened with it, and solved in the clear with the task's ridge, which is public. Each number of a row lies from -1 to 1, since inputs are held to their bounds when a run begins: of m columns, the ones and
/// the response among them, a row changes the m (m + 1) / 2 products by at most the root of that number in L2 norm. Moments are exact integers, so that nothing is added for rounding. ``JointNoise`` has the rest.
///
/// **Threat model** of the machines: semi-honest parties, with a dealer that colludes with neither, or three of whom no two collude.
public struct LinearPlan: Sendable {
    /// What is computed.
    public let task: LinearTask
    /// What the machines run.
    public let program: Program
    /// Which noise; none without privacy.
    public let noise: JointNoise?
    /// What a run costs.
    public let cost: JointCost
    let encoding: EncodedTable

    /// The largest distance of a weight from the exact solution, for the encoded rows, where it is solved on shares. A feature's encoding misses by half a unit of 2^-8 to 2^-12 besides.
    public static let error = 0x1p-20

    /// - Throws: ``SecureStatisticsError``: among others where the ridge is so small that the solution could not be said to be within ``error``.
    public init(_ task: LinearTask) throws(SecureStatisticsError) {
        self.task = task
        let rowBits = Int.bitWidth - (task.table.rows - 1).leadingZeroBitCount
        // Noisy moments need no more than to be sums.
        let featureBits = min(12, ((task.privacy == nil ? LinearSolver.momentBits : 58) - rowBits) / 2)
        guard featureBits >= 8 else { throw .task("\(task.table.rows) rows", expected: "at most 2^18") }
        let encoding = EncodedTable(table: task.table, featureBits: featureBits, responseBits: featureBits)
        self.encoding = encoding
        noise = try task.privacy.map { (privacy) throws(SecureStatisticsError) in
            try JointNoise(
                privacy,
                sensitivity: Self.sensitivity(task.table.width + 1)
                    * Double(Int64(1) << Int64(2 * featureBits)),
                dimension: Self.products(task.table.width + 1), steps: 1, owners: task.table.owners)
        }
        program = try Self.program(task, encoding, rowBits: rowBits, noise: noise)
        cost = JointCost(program, task.setting)
    }

    private static func products(_ columns: Int) -> Int { columns * (columns + 1) / 2 }

    /// In L2 norm, of a row's products of numbers from -1 to 1, each pair once; rounded up.
    private static func sensitivity(_ columns: Int) -> Double { Double(products(columns)).squareRoot().nextUp }

    private static func program(
        _ task: LinearTask, _ encoding: EncodedTable, rowBits: Int, noise: JointNoise?
    ) throws(SecureStatisticsError) -> Program {
        var solver: LinearSolver?
        if noise == nil {
            solver = try LinearSolver(
                size: task.table.width, momentBits: 2 * encoding.featureBits + rowBits,
                ridge: task.ridge * Double(task.table.rows) / Double(Int64(1) << Int64(rowBits)))
        }
        let solving = solver
        return try computing { () throws(ComputationError) in
            var builder = ProgramBuilder()
            let moments = try Self.moments(encoding, &builder)
            var opened = moments
            if let noise {
                opened = try builder.sum(moments, try noise.inputs(&builder)[0])
            } else if let solving {
                opened = try solving.solution(moments, in: &builder)
            }
            for party in task.recipients { _ = try builder.reveal(opened, to: party) }
            return builder.program()
        }
    }

    /// Sums of products of all pairs of columns, the ones behind the features and the response behind those: pair by pair, the upper triangle row by row.
    private static func moments(_ encoding: EncodedTable, _ builder: inout ProgramBuilder) throws(ComputationError)
        -> Value
    {
        let (rows, width) = (encoding.table.rows, encoding.table.width)
        let (features, response) = try encoding.inputs(&builder)
        let all = try builder.concatenated([features, response])
        let columns = width + 1
        let places = (0..<rows * columns).map { element in
            let (row, column) = (element / columns, element % columns)
            return column < width ? row * width + column : rows * width + row
        }
        let table = try builder.maskedOnce(try builder.gathered(all, places: places, shape: [rows, columns]))
        let turned = (0..<columns * rows).map { $0 % rows * columns + $0 / rows }
        let products = try builder.matrixProduct(
            try builder.gathered(table, places: turned, shape: [columns, rows]), table)
        let upper = (0..<columns).flatMap { i in (i..<columns).map { i * columns + $0 } }
        return try builder.gathered(products, places: upper, shape: [upper.count])
    }

    /// What a party puts into its machine, noise drawn anew: nothing where it owns nothing.
    ///
    /// - Throws: ``SecureStatisticsError/rows(_:expected:)``.
    public func inputs(of party: ComputingParty, _ rows: OwnerRows?) throws(SecureStatisticsError) -> [RingTensor] {
        var random = SecureRandom()
        return try inputs(of: party, rows, using: &random)
    }

    /// - Parameter isSilent: Noughts in place of noise. For tests alone: no public call gives it.
    func inputs(
        of party: ComputingParty, _ rows: OwnerRows?, isSilent: Bool = false,
        using generator: inout some RandomNumberGenerator
    ) throws(SecureStatisticsError) -> [RingTensor] {
        try encoding.inputs(of: party, rows, noise: noise, isSilent: isSilent, using: &generator)
    }

    /// The same without cryptography, of all owners' rows.
    ///
    /// - Throws: ``SecureStatisticsError``.
    public func clear(_ rows: [ComputingParty: OwnerRows]) throws(SecureStatisticsError) -> LinearModel {
        var random = SecureRandom()
        return try clear(rows, isSilent: false, using: &random)
    }

    func clear(
        _ rows: [ComputingParty: OwnerRows], isSilent: Bool, using generator: inout some RandomNumberGenerator
    ) throws(SecureStatisticsError) -> LinearModel {
        var given: [ComputingParty: [RingTensor]] = [:]
        for party in task.table.owners {
            given[party] = try inputs(of: party, rows[party], isSilent: isSilent, using: &generator)
        }
        return try model(try program.clear(given, setting: task.setting))
    }

    /// The model of what a recipient's machine gave.
    ///
    /// - Throws: ``SecureStatisticsError/rows(_:expected:)`` where it is not of this plan, or noise left moments that have no solution.
    public func model(_ outputs: [RingTensor]) throws(SecureStatisticsError) -> LinearModel {
        let width = task.table.width
        let expected = noise == nil ? width : Self.products(width + 1)
        guard let words = outputs.first?.words, words.count == expected else {
            throw .rows("\(outputs.count) outputs", expected: "one of \(expected) numbers")
        }
        let numbers = words.map { Double(Int64(bitPattern: $0)) }
        guard noise != nil else {
            let unit = 1 / Double(Int64(1) << Int64(LinearSolver.solutionBits))
            return LinearModel(
                table: task.table, weights: numbers.map { $0 * unit }, moments: nil, ridge: task.ridge,
                momentDeviation: 0)
        }
        let unit = 1 / Double(Int64(1) << Int64(2 * encoding.featureBits)) / Double(task.table.rows)
        var moments = (0...width).map { _ in [Double](repeating: 0, count: width + 1) }
        var place = 0
        for i in 0...width {
            for j in i...width {
                moments[i][j] = numbers[place] * unit
                moments[j][i] = moments[i][j]
                place += 1
            }
        }
        guard let weights = Self.solved(moments, ridge: task.ridge) else {
            throw .rows("noisy moments", expected: "moments that have a solution: a larger ridge, or less noise")
        }
        return LinearModel(
            table: task.table, weights: weights, moments: moments, ridge: task.ridge,
            momentDeviation: (noise?.deviation ?? 0) * unit)
    }

    /// Weights from moments in the clear.
    private static func solved(_ moments: [[Double]], ridge: Double) -> [Double]? {
        let width = moments.count - 1
        return LinearModel.solved(
            LinearModel.matrix(moments, ridge: ridge), [(0..<width).map { moments[$0][width] }])?.first
    }
}
