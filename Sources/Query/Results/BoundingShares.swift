import DifferentialPrivacy
import Tables

/// What bounding left out, over all groups together, with noise: already private.
public struct BoundingShares: Sendable, Hashable {
    /// Two disjoint noisy counts and what part of both the first is, each with its 95 % interval.
    public struct Pair: Sendable, Hashable {
        /// What was left out.
        public var cut: AnswerCell
        /// What was not.
        public var kept: AnswerCell
        /// `cut / (cut + kept)`, from 0 to 1; null where the noisy sum is not positive.
        public var share: AnswerCell
    }

    /// Units of which a row in scope was left out, and those of which none was; nil where the question's bounds leave out
    /// nothing.
    public var units: Pair?
    /// Rows in scope that were left out, and those that were kept; of one unit at most its bound count.
    public var rows: Pair?
    /// Rows that were dropped when the table was added, and rows that it has, whatever the question's `WHERE`. Of one
    /// unit at most its bound count as dropped, so that there may be more. nil where that is not known.
    public var dropped: Pair?
    /// The tables whose rows `dropped` counts together, by name.
    public var droppedFrom: [String] = []
}

/// The pairs as they were measured: post-processing sees nothing else of what bounding leaves out.
struct NoisyBounding: Sendable {
    struct Pair: Sendable {
        var cut: Int64
        var kept: Int64
        var error: IntegerError
    }

    private(set) var pairs: [BoundingPair: Pair] = [:]
    /// Whether a table was stored before it was counted what is dropped: a fact of when it was added, not of its rows.
    private(set) var isDroppedUnknown = false

    /// nil where nothing of it is planned.
    init?<Generator: RandomNumberGenerator>(
        _ channels: [BoundingChannel], of exact: borrowing ExactAggregates, using generator: inout Generator
    ) {
        guard !channels.isEmpty else { return nil }
        for channel in channels {
            let counts: BoundedPair? =
                switch channel.pair {
                case .units: exact.leftOut?.units
                case .rows: exact.leftOut?.rows
                case .dropped: exact.dropped
                }
            guard let counts else {
                isDroppedUnknown = isDroppedUnknown || channel.pair == .dropped
                continue
            }
            var values = [counts.cut, counts.kept]
            Plan.addNoise(channel.noise, to: &values, using: &generator)
            pairs[channel.pair] = Pair(cut: values[0], kept: values[1], error: channel.error)
        }
    }

    /// Numbers that were released.
    init(_ pairs: [BoundingPair: Pair]) {
        self.pairs = pairs
    }

    var shares: BoundingShares {
        BoundingShares(
            units: pairs[.units]?.shares, rows: pairs[.rows]?.shares, dropped: pairs[.dropped]?.shares)
    }
}

extension NoisyBounding.Pair {
    fileprivate var shares: BoundingShares.Pair {
        BoundingShares.Pair(cut: cell(cut), kept: cell(kept), share: share)
    }

    private func cell(_ count: Int64) -> AnswerCell {
        let half = Double(error.halfWidth)
        return AnswerCell(value: .integer(count), lower: Double(count) - half, upper: Double(count) + half)
    }

    private var share: AnswerCell {
        let noisy: (Int) -> Int64 = { $0 == 0 ? cut : kept }
        let part = LinearForm(number: 0)
        let interval = ErrorModel([error, error])
            .ratio(part.estimate(noisy), to: (part + LinearForm(number: 1)).estimate(noisy)).within(0, 1)
        let total = Double(cut) + Double(kept)
        guard total > 0 else { return AnswerCell(value: .null, lower: 0, upper: 1) }
        let value = Swift.min(Swift.max(Double(cut) / total, 0), 1)
        return AnswerCell(
            value: .real(value), lower: Swift.min(interval.lower, value), upper: Swift.max(interval.upper, value))
    }

    /// How many are missing for each that is kept, where that any are is more than noise: the noisy number is above three
    /// quarters of its half-width, which noise alone exceeds in one of fourteen cases.
    fileprivate func missing(ifAnyOf evidence: NoisyBounding.Pair) -> Double {
        guard Double(evidence.cut) > 0.75 * Double(evidence.error.halfWidth), cut > 0 else { return 0 }
        return Double(cut) / Swift.max(Double(kept), Double(error.halfWidth), 1)
    }
}

/// How what bounding leaves out moves a column's values: from the question alone.
struct BoundingEffect: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        /// What is left out is missing: counts and sums.
        case total
        /// Units are missing from groups.
        case units
        /// The mix of rows changes, since units with many rows lose more: means, quantiles, variances, ratios. What is left
        /// out is taken to differ by `spread` from what is kept; nil: by a quarter of the value.
        case mix(spread: Double?)
    }

    /// nil: not at all.
    var kind: Kind?
    /// Whether what this question's bounds leave out counts, and what was dropped when the table was added.
    var countsCut = true
    var countsDropped = true

    /// The part of a column's bounds by which the rows that are left out are taken to differ in the mean from those that are
    /// kept. Nothing that is measured says it; a fifth of a standard deviation, where that is a third of the bounds.
    private static let difference = 1.0 / 16

    /// One for each item of the output, in order.
    static func of(_ question: BoundQuestion, _ forms: [EstimateForm], groupsAreCut: Bool) -> [BoundingEffect] {
        question.columns.flatMap { column -> [BoundingEffect] in
            switch column.item {
            case .scalar(let expression): [of(expression, question, forms, groupsAreCut: groupsAreCut)]
            case .histogram(_, let edges): (1..<edges.count).map { _ in BoundingEffect(kind: .total) }
            }
        }
    }

    private static func of(
        _ expression: Expression, _ question: BoundQuestion, _ forms: [EstimateForm], groupsAreCut: Bool
    ) -> BoundingEffect {
        var aggregates: [Aggregate] = []
        expression.visit { node in
            guard case .column(let index, _) = node, index >= question.keys.count else { return }
            aggregates.append(question.aggregates[index - question.keys.count])
        }
        guard let first = aggregates.first else { return BoundingEffect(kind: nil) }
        switch CellForm(expression, keys: question.keys.count, forms).innermost {
        case .linear where aggregates.allSatisfy { $0.function == .countUnits }:
            // Without groups and a filter every unit is counted by the rows that are left.
            return BoundingEffect(
                kind: .units, countsCut: groupsAreCut,
                countsDropped: !question.keys.isEmpty || question.filter != nil)
        case .linear: return BoundingEffect(kind: .total)
        case .ratio(_, _, let lower, let upper) where lower.isFinite && upper.isFinite:
            return BoundingEffect(kind: .mix(spread: (upper - lower) * difference))
        default:
            guard case .quantile = first.function, let argument = first.argument else {
                return BoundingEffect(kind: .mix(spread: nil))
            }
            let bounds = question.scope.bounds.bounds(argument)
            return BoundingEffect(kind: .mix(spread: (bounds.upper - bounds.lower) * difference))
        }
    }
}

extension CellForm {
    /// The form to which functions that do not decrease are applied.
    fileprivate var innermost: CellForm {
        if case .monotone(_, let inner) = self { inner.innermost } else { self }
    }
}

extension NoisyBounding {
    /// The part of a cell's half-width that a bias may reach unsaid: an interval of 95 % still covers 88 % then, and those of
    /// all cells that carry no flag more than 90 % (`Benchmarks/compare/truth.py`).
    private static let bearable = 0.4
    /// The share of rows that may be left out unsaid where a cell has no interval.
    private static let bearableShare = 1.0 / 20

    /// The cell, flagged where the noisy counts suggest that its value lies further from the table's than it can bear.
    func flagged(_ cell: AnswerCell, _ effect: BoundingEffect) -> AnswerCell {
        guard let kind = effect.kind, cell.value != .null else { return cell }
        let missing = missing(effect)
        let share = missing / (1 + missing)
        let value = abs(cell.value.number ?? 0)
        let bias =
            switch kind {
            case .total, .units: value * missing
            case .mix(let spread): share * (spread ?? value / 4)
            }
        let isFar =
            if let lower = cell.lower, let upper = cell.upper {
                bias > (upper - lower) / 2 * Self.bearable
            } else {
                share > Self.bearableShare
            }
        guard isFar else { return cell }
        var flagged = cell
        flagged.flags = CellFlag.allCases.filter { $0 == .bounded || cell.flags.contains($0) }
        return flagged
    }

    /// How many are missing for each that is kept.
    private func missing(_ effect: BoundingEffect) -> Double {
        var kept = 1.0
        if effect.countsCut, let units = pairs[.units], let rows = pairs[.rows] {
            kept *= 1 + rows.missing(ifAnyOf: units)
        }
        if effect.countsDropped, let dropped = pairs[.dropped] { kept *= 1 + dropped.missing(ifAnyOf: dropped) }
        return kept - 1
    }
}
