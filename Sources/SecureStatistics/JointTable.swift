internal import ModularArithmetic
public import SecureComputation

/// A column of numbers, and the public bounds to which they are held. A number stands as how far it lies between the bounds, from -1 to 1.
public struct ColumnBounds: Sendable, Hashable {
    /// For messages and results.
    public let name: String
    /// Smaller numbers count as this.
    public let lower: Double
    /// Larger numbers count as this.
    public let upper: Double

    /// A column: finite bounds, the lower one below the upper one.
    ///
    /// - Throws: ``SecureStatisticsError/task(_:expected:)``.
    public init(_ name: String, _ lower: Double, _ upper: Double) throws(SecureStatisticsError) {
        guard lower < upper, (upper - lower).isFinite, (upper - lower) / 2 >= .leastNormalMagnitude else {
            throw .task("bounds of \(name)", expected: "finite numbers, the lower one first")
        }
        (self.name, self.lower, self.upper) = (name, lower, upper)
    }

    var middle: Double { lower + (upper - lower) / 2 }
    var radius: Double { (upper - lower) / 2 }

    /// From -1 to 1; a number that is none counts as the middle.
    func scaled(_ value: Double) -> Double {
        value.isNaN ? 0 : min(max((value - middle) / radius, -1), 1)
    }
}

/// What of a table one owner has: some rows of all columns, or all rows of some columns. Rows are public capacities: an owner that has fewer leaves the others absent, and nobody sees which.
public struct TablePart: Sendable, Hashable {
    /// Whose it is: one of those who compute.
    public let owner: ComputingParty
    /// Its rows in the table.
    public let rows: Range<Int>
    /// Its features in the table.
    public let features: Range<Int>
    /// Whether it has the response, and with it says which rows are present.
    public let hasResponse: Bool
}

/// A table that two or three owners have together: features and a response, each with public bounds. No owner sees another one's part.
public struct JointTable: Sendable, Hashable {
    /// The most rows.
    public static let rowLimit = 1 << 20
    /// The most features.
    public static let featureLimit = 127
    /// The most numbers in all rows, with a one each: programs name the place of each.
    public static let numberLimit = 1 << 23
    /// What a response is predicted from.
    public let features: [ColumnBounds]
    /// What is predicted: for labels from 0 to 1.
    public let response: ColumnBounds
    /// Of all owners together.
    public let rows: Int
    /// In the order of the parties.
    public let parts: [TablePart]

    /// Rows divided among owners, who all have all columns.
    ///
    /// - Parameter rows: Of each owner, at least 1.
    /// - Throws: ``SecureStatisticsError/task(_:expected:)``.
    public init(
        features: [ColumnBounds], response: ColumnBounds, rowsOf rows: [ComputingParty: Int]
    ) throws(SecureStatisticsError) {
        var parts: [TablePart] = []
        var place = 0
        for party in ComputingParty.three {
            guard let count = rows[party] else { continue }
            guard (1...Self.rowLimit).contains(count) else { throw .task("\(count) rows", expected: "1 to 2^20") }
            parts.append(
                TablePart(
                    owner: party, rows: place..<place + count, features: 0..<features.count, hasResponse: true))
            place += count
        }
        try self.init(features: features, response: response, rows: place, parts: parts)
    }

    /// Columns divided among owners, whose rows are of the same people in the same order. The features are those of the first party first.
    ///
    /// - Parameters:
    ///   - features: How many each owner has; none is allowed where it has the response.
    ///   - owner: Who has the response.
    /// - Throws: ``SecureStatisticsError/task(_:expected:)``.
    public init(
        features: [ColumnBounds], response: ColumnBounds, rows: Int, featuresOf counts: [ComputingParty: Int],
        responseOf owner: ComputingParty
    ) throws(SecureStatisticsError) {
        guard (1...Self.rowLimit).contains(rows) else { throw .task("\(rows) rows", expected: "1 to 2^20") }
        var parts: [TablePart] = []
        var place = 0
        for party in ComputingParty.three {
            guard let count = counts[party] else { continue }
            guard count >= (party == owner ? 0 : 1), count <= features.count - place else {
                throw .task("\(count) features of the \(party) party", expected: "as many as there are in all")
            }
            parts.append(
                TablePart(
                    owner: party, rows: 0..<rows, features: place..<place + count, hasResponse: party == owner))
            place += count
        }
        guard place == features.count, counts[owner] != nil else {
            throw .task(
                "\(place) features of owners", expected: "\(features.count), and the response's owner among them")
        }
        try self.init(features: features, response: response, rows: rows, parts: parts)
    }

    private init(
        features: [ColumnBounds], response: ColumnBounds, rows: Int, parts: [TablePart]
    ) throws(SecureStatisticsError) {
        guard (1...Self.featureLimit).contains(features.count), (1...Self.rowLimit).contains(rows) else {
            throw .task("\(rows) rows of \(features.count) features", expected: "1 to 2^20 rows of 1 to 127 features")
        }
        guard rows * (features.count + 1) <= Self.numberLimit else {
            throw .task("\(rows) rows of \(features.count) features", expected: "at most 2^23 numbers")
        }
        guard Set(features.map(\.name) + [response.name]).count == features.count + 1 else {
            throw .task("names of columns", expected: "different ones")
        }
        guard (2...3).contains(parts.count) else { throw .task("\(parts.count) owners", expected: "two or three") }
        (self.features, self.response, self.rows, self.parts) = (features, response, rows, parts)
    }

    /// Who has a part.
    public var owners: [ComputingParty] { parts.map(\.owner) }
    /// Features and the column of ones that says which rows are present.
    var width: Int { features.count + 1 }

    func append(to bytes: inout CanonicalBytes) {
        bytes.append(rows)
        bytes.append(features.count)
        for column in features + [response] {
            bytes.append(column.name)
            bytes.append(column.lower)
            bytes.append(column.upper)
        }
        bytes.append(parts.count)
        for part in parts {
            bytes.append(part.owner.rawValue)
            for end in [part.rows.lowerBound, part.rows.upperBound, part.features.lowerBound, part.features.upperBound]
            {
                bytes.append(end)
            }
            bytes.append(part.hasResponse ? 1 : 0)
        }
    }
}

/// What an owner puts in, in the clear at its own place.
public struct OwnerRows: Sendable, CustomStringConvertible, CustomReflectable {
    /// Its features in the table's order, each of all its rows.
    public var features: [[Double]]
    /// The response of its rows, where it has that.
    public var response: [Double]?

    /// What an owner puts in.
    public init(features: [[Double]], response: [Double]? = nil) {
        (self.features, self.response) = (features, response)
    }

    /// The name alone.
    public var description: String { "OwnerRows" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A joint table on shares: rows of features and the column of ones, and responses, in fixed point from -1 to 1.
struct EncodedTable {
    let table: JointTable
    /// Bits behind the point, of the features and of the response.
    let featureBits: Int
    let responseBits: Int

    /// Steps that take all owners' parts.
    ///
    /// - Returns: [rows, width], the last column of which is 1 where a row is present, and [rows].
    func inputs(
        _ builder: inout ProgramBuilder
    ) throws(ComputationError) -> (rows: Value, response: Value) {
        var parts: [Value] = []
        var responses: [Value] = []
        // Where in what is concatenated an element of the table stands.
        var places = [Int](repeating: -1, count: table.rows * table.width)
        var start = 0
        for part in table.parts {
            let columns = Array(part.features) + (part.hasResponse ? [table.width - 1] : [])
            let input = try builder.input(
                from: part.owner, shape: [part.rows.count, columns.count], bound: 1 << Int64(featureBits))
            parts.append(input)
            for (row, place) in part.rows.enumerated() {
                for (number, column) in columns.enumerated() {
                    places[place * table.width + column] = start + row * columns.count + number
                }
            }
            start += input.count
            guard part.hasResponse else { continue }
            responses.append(
                try builder.input(from: part.owner, shape: [part.rows.count], bound: 1 << Int64(responseBits)))
        }
        let rows = try builder.gathered(
            try builder.concatenated(parts), places: places, shape: [table.rows, table.width])
        return (rows, responses.count == 1 ? responses[0] : try builder.concatenated(responses))
    }

    /// An owner's tensors for ``inputs(_:)``.
    func tensors(of party: ComputingParty, _ rows: OwnerRows) throws(SecureStatisticsError) -> [RingTensor] {
        guard let part = table.parts.first(where: { $0.owner == party }) else {
            throw .rows("rows of the \(party) party", expected: "none: it owns no part")
        }
        let count = rows.response?.count ?? rows.features.first?.count ?? 0
        guard rows.features.count == part.features.count, rows.features.allSatisfy({ $0.count == count }),
            (rows.response != nil) == part.hasResponse
        else {
            throw .rows(
                "\(rows.features.count) columns of the \(party) party",
                expected: "\(part.features.count) of one length\(part.hasResponse ? ", and the response" : "")")
        }
        let isAligned = part.rows.count == table.rows && table.parts.contains { !$0.hasResponse }
        guard isAligned ? count == part.rows.count : count <= part.rows.count else {
            throw .rows(
                "\(count) rows of the \(party) party", expected: "\(isAligned ? "" : "at most ")\(part.rows.count)")
        }
        let one = Double(Int64(1) << Int64(featureBits))
        let width = part.features.count + (part.hasResponse ? 1 : 0)
        var words = [UInt64](repeating: 0, count: part.rows.count * width)
        for (number, column) in part.features.enumerated() {
            for row in 0..<count {
                let scaled = table.features[column].scaled(rows.features[number][row])
                words[row * width + number] = UInt64(bitPattern: Int64((scaled * one).rounded()))
            }
        }
        if part.hasResponse { for row in 0..<count { words[row * width + width - 1] = UInt64(one) } }
        var tensors = [try tensor([part.rows.count, width], words)]
        if let response = rows.response {
            let unit = Double(Int64(1) << Int64(responseBits))
            var words = [UInt64](repeating: 0, count: part.rows.count)
            for row in 0..<count {
                words[row] = UInt64(bitPattern: Int64((table.response.scaled(response[row]) * unit).rounded()))
            }
            tensors.append(try tensor([part.rows.count], words))
        }
        return tensors
    }
}

/// A tensor of words that are as many as its shape says.
func tensor(_ shape: [Int], _ words: [UInt64]) throws(SecureStatisticsError) -> RingTensor {
    do { return try RingTensor(shape: shape, words: words) } catch {
        throw .rows("a tensor of \(words.count) words", expected: "\(error)")
    }
}
