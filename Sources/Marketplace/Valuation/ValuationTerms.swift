/// What sponsor, owners and dealer agree on before a valuation, as part of a task's frozen rules.
public struct ValuationTerms: Sendable, Hashable, Codable {
    /// Limits, in one place.
    public enum Limit {
        /// The most parameters, parts of the validation rows, and rounds.
        public static let dimension = 1 << 30, folds = 64, rounds = 4_096
        /// What a total may be at the most: 40 of 64 bits are its fraction.
        public static let total = Double(1 << 22)
    }

    /// Fraction bits of a vector's entry; an inner product has twice as many.
    static let fractionBits = 20

    /// Names the valuation: nothing of another one is taken.
    public let session: Digest256
    /// How many parameters the model has.
    public let dimension: Int
    /// Into how many parts the sponsor's rows are divided: scores have their error bars from the differences between parts.
    public let folds: Int
    /// How many rounds there are at the most.
    public let rounds: Int
    /// The public norm to which updates are clipped.
    public let updateNorm: Double
    /// The public norm to which the sponsor's vectors are clipped, each owner's weight included.
    public let gradientNorm: Double

    /// The terms.
    ///
    /// - Throws: ``ValuationError/terms(_:expected:)``.
    public init(
        session: Digest256, dimension: Int, folds: Int, rounds: Int, updateNorm: Double, gradientNorm: Double
    ) throws(ValuationError) {
        func check(_ field: String, _ expected: String, _ isRight: Bool) throws(ValuationError) {
            if !isRight { throw .terms(field, expected: expected) }
        }
        try check("dimension", "1 to \(Limit.dimension)", (1...Limit.dimension).contains(dimension))
        try check("folds", "2 to \(Limit.folds)", (2...Limit.folds).contains(folds))
        try check("rounds", "1 to \(Limit.rounds)", (1...Limit.rounds).contains(rounds))
        for norm in [updateNorm, gradientNorm] {
            try check("norms", "above 0 and finite", norm > 0 && norm.isFinite)
        }
        try check(
            "norms", "rounds times their product at most \(Limit.total)",
            Double(rounds) * updateNorm * gradientNorm <= Limit.total)
        self.session = session
        self.dimension = dimension
        self.folds = folds
        self.rounds = rounds
        self.updateNorm = updateNorm
        self.gradientNorm = gradientNorm
    }

    /// A digest of all of it: messages name it.
    public var digest: Digest256 {
        var bytes = CanonicalBytes("valuation-terms")
        bytes.append(session)
        for number in [dimension, folds, rounds] { bytes.append(number) }
        for norm in [updateNorm, gradientNorm] { bytes.append(Int64(bitPattern: norm.bitPattern)) }
        return bytes.digest
    }

    /// The entries in fixed point: whole multiples of 2^-20 modulo 2^64, of the vector clipped to the norm.
    func encoded(_ vector: [Float], norm: Double) throws(ValuationError) -> [UInt64] {
        guard vector.count == dimension else { throw .length(vector.count, expected: dimension) }
        let scale = Double(1 << Self.fractionBits)
        return DataValue.clipped(vector, to: norm).map {
            UInt64(bitPattern: Int64((Double($0) * scale).rounded(.toNearestOrEven)))
        }
    }

    /// A total's number.
    static func decoded(_ total: UInt64) -> Double {
        Double(Int64(bitPattern: total)) / Double(1 << (2 * fractionBits))
    }

    /// By how much one round's inner product can differ from that of the vectors themselves: half a unit in each entry of either.
    public var roundingError: Double {
        let unit = 0.5 / Double(1 << Self.fractionBits)
        let root = Double(dimension).squareRoot()
        // Clipping is done in single precision.
        return unit * root * (updateNorm + gradientNorm) + unit * unit * Double(dimension)
            + 1e-6 * updateNorm * gradientNorm
    }
}

/// Why a valuation does not go on: what, and what would be right. Never an entry of a vector or a share.
public enum ValuationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A field of the terms.
    case terms(String, expected: String)
    /// A vector or message has another length.
    case length(Int, expected: Int)
    /// A message is of another valuation, or another owner's.
    case otherSession
    /// A round is over, begun before, not begun, or beyond the last.
    case round(Int, expected: String)
    /// Both count different rounds: a total of one has no meaning with the other's.
    case differentRounds
    /// What was opened is beyond what clipped vectors can have.
    case outOfBounds(PartyName)
    /// The totals do not sum to what the steps of the model did: somebody gave another update here than to the aggregation.
    case sum(fold: Int)
    /// No owners, one twice, or another number of parts.
    case totals(expected: String)

    /// What, and what would be right.
    public var description: String {
        switch self {
        case .terms(let field, let expected): "\(field) of a valuation: expected \(expected)"
        case .length(let count, let expected): "a vector of \(count) entries: expected \(expected)"
        case .otherSession: "a message of another valuation or owner: expected this one's"
        case .round(let round, let expected): "round \(round): expected \(expected)"
        case .differentRounds: "sponsor and owner counted different rounds: expected the same"
        case .outOfBounds(let owner):
            "what \(owner) opened is beyond what clipped vectors can have: expected the share of the rounds"
        case .sum(let fold):
            "the totals of part \(fold) do not sum to what the model's steps did: expected every owner to give the aggregated update"
        case .totals(let expected): "totals of a valuation: expected \(expected)"
        }
    }
}
