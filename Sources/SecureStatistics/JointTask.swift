internal import SecureComputation

/// Any task, as it travels: its canonical bytes, and back. What is read is checked as if it were made anew, so that a stranger's bytes are a task that could be made, or none.
public enum JointTask: Sendable, Hashable {
    /// A logistic regression.
    case logistic(LogisticTask)
    /// A linear regression.
    case linear(LinearTask)
    /// Statistics of who is in both of two tables.
    case statistics(JoinedStatisticsTask)

    /// The longest bytes that are read.
    public static let byteLimit = 1 << 20

    /// All of it, unambiguously.
    public var canonicalBytes: [UInt8] {
        switch self {
        case .logistic(let task): task.canonicalBytes
        case .linear(let task): task.canonicalBytes
        case .statistics(let task): task.canonicalBytes
        }
    }

    /// SHA-256 of ``canonicalBytes``.
    public var digest: [UInt8] { CanonicalBytes.digest(canonicalBytes) }

    /// Reads ``canonicalBytes``.
    ///
    /// - Throws: ``SecureStatisticsError/task(_:expected:)`` where they are not those of a task.
    public init(canonicalBytes bytes: [UInt8]) throws(SecureStatisticsError) {
        guard bytes.count <= Self.byteLimit else {
            throw .task("a task of \(bytes.count) bytes", expected: "at most 2^20")
        }
        var reader = CanonicalReader(bytes)
        switch try reader.text() {
        case "parley/joint-logistic/1": self = .logistic(try LogisticTask(&reader))
        case "parley/joint-linear/1": self = .linear(try LinearTask(&reader))
        case "parley/joined-statistics/1": self = .statistics(try JoinedStatisticsTask(&reader))
        default: throw .task("a kind of task", expected: "one of this version")
        }
        guard canonicalBytes == bytes else { throw .task("a task's bytes", expected: "the canonical ones") }
    }
}

/// Reads what ``CanonicalBytes`` wrote; nothing is allocated before there are bytes for it.
struct CanonicalReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    private mutating func word() throws(SecureStatisticsError) -> UInt64 {
        guard rest.count >= 8 else { throw .task("a task's bytes", expected: "as many as it says") }
        defer { rest = rest.dropFirst(8) }
        return rest.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func int() throws(SecureStatisticsError) -> Int { Int(truncatingIfNeeded: Int64(bitPattern: try word())) }
    mutating func double() throws(SecureStatisticsError) -> Double { Double(bitPattern: try word()) }

    /// A number of things that follow, each of at least 8 bytes.
    mutating func count() throws(SecureStatisticsError) -> Int {
        let count = try int()
        guard count >= 0, count <= rest.count / 8 else { throw .task("a task's bytes", expected: "as many as it says") }
        return count
    }

    mutating func text() throws(SecureStatisticsError) -> String {
        let count = try int()
        guard (0...rest.count).contains(count), let text = String(validating: rest.prefix(count), as: UTF8.self) else {
            throw .task("a task's text", expected: "UTF-8, of as many bytes as it says")
        }
        rest = rest.dropFirst(count)
        return text
    }

    mutating func party() throws(SecureStatisticsError) -> ComputingParty {
        guard let party = ComputingParty(rawValue: try int()) else { throw .task("a party", expected: "0, 1 or 2") }
        return party
    }

    mutating func parties() throws(SecureStatisticsError) -> [ComputingParty] {
        var parties: [ComputingParty] = []
        for _ in 0..<(try count()) { parties.append(try party()) }
        return parties
    }

    mutating func setting() throws(SecureStatisticsError) -> JointSetting {
        guard let setting = JointSetting(rawValue: try int()) else { throw .task("a setting", expected: "2 or 3") }
        return setting
    }

    mutating func column() throws(SecureStatisticsError) -> ColumnBounds {
        try ColumnBounds(try text(), try double(), try double())
    }

    mutating func columns() throws(SecureStatisticsError) -> [ColumnBounds] {
        var columns: [ColumnBounds] = []
        for _ in 0..<(try count()) { columns.append(try column()) }
        return columns
    }

    mutating func privacy() throws(SecureStatisticsError) -> JointPrivacy {
        try JointPrivacy(rho: try double(), delta: try double())
    }

    mutating func optionalPrivacy() throws(SecureStatisticsError) -> JointPrivacy? {
        try int() == 0 ? nil : try privacy()
    }
}

extension JointTable {
    /// Reads what `append(to:)` wrote, and makes it anew from what its owners have.
    init(_ reader: inout CanonicalReader) throws(SecureStatisticsError) {
        let rows = try reader.int()
        let features = try reader.columns()
        let response = try reader.column()
        var rowsOf: [ComputingParty: Int] = [:]
        var featuresOf: [ComputingParty: Int] = [:]
        var responsible: [ComputingParty] = []
        for _ in 0..<(try reader.count()) {
            let owner = try reader.party()
            let ends = [try reader.int(), try reader.int(), try reader.int(), try reader.int()]
            let (rowCount, rowOverflow) = ends[1].subtractingReportingOverflow(ends[0])
            let (featureCount, featureOverflow) = ends[3].subtractingReportingOverflow(ends[2])
            guard !rowOverflow, !featureOverflow, rowsOf[owner] == nil else {
                throw .task("an owner's part", expected: "one of each owner")
            }
            rowsOf[owner] = rowCount
            featuresOf[owner] = featureCount
            if try reader.int() == 1 { responsible.append(owner) }
        }
        if responsible.count == 1, let owner = responsible.first {
            try self.init(
                features: features, response: response, rows: rows, featuresOf: featuresOf, responseOf: owner)
        } else {
            try self.init(features: features, response: response, rowsOf: rowsOf)
        }
    }
}

extension LogisticTask {
    init(_ reader: inout CanonicalReader) throws(SecureStatisticsError) {
        let table = try JointTable(&reader)
        let (epochs, rate, ridge) = (try reader.int(), try reader.double(), try reader.double())
        let privacy = try reader.optionalPrivacy()
        let (setting, recipients) = (try reader.setting(), try reader.parties())
        guard let curve = LogisticCurve(rawValue: try reader.int()) else { throw .task("a curve", expected: "0 or 1") }
        try self.init(
            table: table, epochs: epochs, rate: rate, ridge: ridge, privacy: privacy, setting: setting,
            recipients: recipients, curve: curve, comparisons: try reader.int() == 1 ? .twoRounds : .oneRound)
    }
}

extension LinearTask {
    init(_ reader: inout CanonicalReader) throws(SecureStatisticsError) {
        let table = try JointTable(&reader)
        let (ridge, privacy) = (try reader.double(), try reader.optionalPrivacy())
        try self.init(
            table: table, ridge: ridge, privacy: privacy, setting: try reader.setting(),
            recipients: try reader.parties())
    }
}

extension JoinedStatisticsTask {
    init(_ reader: inout CanonicalReader) throws(SecureStatisticsError) {
        func table(_ reader: inout CanonicalReader) throws(SecureStatisticsError) -> PeopleTable {
            let (owner, capacity) = (try reader.party(), try reader.int())
            return try PeopleTable(owner: owner, capacity: capacity, columns: try reader.columns())
        }
        let (left, right) = (try table(&reader), try table(&reader))
        let bound = Int64(try reader.int())
        let measure: JoinedMeasure =
            try reader.int() == 0 ? .moments : .groups(of: try reader.party(), count: try reader.int())
        let privacy = try reader.privacy()
        try self.init(
            left, right, identifierBound: bound, measure: measure, privacy: privacy, recipients: try reader.parties())
    }
}
