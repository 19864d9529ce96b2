import DifferentialPrivacy
import Tables

/// Two disjoint counts of what bounding leaves out, over all groups together.
enum BoundingPair: Sendable, Hashable {
    /// Units of which the question's bounds leave out a row that is in scope, and those of which they leave out none.
    case units
    /// Rows that they leave out, and rows that they keep.
    case rows
    /// Rows that were dropped when the tables were added, and rows that these have; whatever the question's scope is.
    case dropped
}

/// A pair with its noise, as planned.
struct BoundingChannel: Sendable, Hashable {
    var pair: BoundingPair
    var noise: NoiseLaw
    var event: PrivacyEvent
    /// Of each of the two numbers.
    var error: IntegerError
}

/// What a question measures of what bounding leaves out (docs/privacy.md, rule 38), from public knowledge alone.
struct BoundingMeasurement {
    /// One part in so many of the budget is spent on it, in equal parts for each pair. Half-widths of the answer grow by 2.6 %
    /// under Gaussian noise, by 5.3 % under Laplace noise.
    static let part: Int64 = 20

    let pairs: [BoundingPair]
    /// Whether units may be left out of groups.
    let cutsGroups: Bool
    private let kind: PrivacyLossKind
    private let rowsPerUnit: Int
    private let loaded: [Int]
    private let sharing: NoiseSharing?

    /// - Parameters:
    ///   - groups: The number of public groups; nil where keys are selected.
    ///   - kind: How the loss is planned: pure, or zCDP.
    ///   - sharing: Where several sites answer together: not all of them may know what was dropped when their table was added.
    init(
        _ question: Question, _ datasets: [DatasetDescription], _ contribution: Contribution, groups: Int?,
        kind: PrivacyLossKind, sharing: NoiseSharing? = nil
    ) {
        (self.kind, self.sharing) = (kind, sharing)
        rowsPerUnit = contribution.rowsPerUnit
        loaded = datasets.map(Contribution.rows)
        cutsGroups = contribution.groups < Swift.min(groups ?? Int.max, contribution.rowsPerUnit)
        let cutsRows = contribution.rowsPerGroup < contribution.rowsPerUnit
        // Where each row is a unit, none was dropped for its unit's sake.
        let drops = sharing == nil && datasets.contains { $0.unit.column != nil }
        pairs =
            question.boundingShares
            ? (cutsGroups || cutsRows ? [.units, .rows] : []) + (drops ? [.dropped] : []) : []
    }

    /// What the scan counts.
    var specification: BoundingSpecification {
        BoundingSpecification(
            rowsPerUnit: pairs.contains(.rows) ? rowsPerUnit : nil, loaded: pairs.contains(.dropped) ? loaded : [])
    }

    /// The largest change of the two numbers by one unit: in L1, and squared in L2.
    ///
    /// Units: the unit counts in one of them, as 1. Rows: of the unit at most `rowsPerUnit` count, of a join that many pairs;
    /// they are divided among the two, and a vector of non-negative numbers is no longer in L2 than in L1. Dropped: of
    /// each table at most the bound on its rows counts in each number, so that each changes by at most the bounds' sum.
    func sensitivity(_ pair: BoundingPair) -> (l1: Double, l2Squared: Double) {
        switch pair {
        case .units: return (1, 1)
        case .rows: return (Self.norm(rowsPerUnit), Self.squaredNorm(rowsPerUnit))
        case .dropped:
            let rows = loaded.reduce(0, +)
            return (2 * Self.norm(rows), 2 * Self.squaredNorm(rows))
        }
    }

    private static func norm(_ rows: Int) -> Double {
        Sensitivity.l1(groups: 1, rowsPerGroup: rows, rowsPerUnit: rows)
    }

    private static func squaredNorm(_ rows: Int) -> Double {
        Sensitivity.l2Squared(groups: 1, rowsPerGroup: rows, rowsPerUnit: rows)
    }

    /// The part of a budget that is spent on it, in units of `PrivacyLoss.amountUnit`.
    func amount(of total: Int64) -> Int64 { pairs.isEmpty ? 0 : total / Self.part }

    /// The least noise on each pair whose losses together are at most `amount`.
    func channels(_ amount: Int64) throws(QueryError) -> [BoundingChannel] {
        var channels: [BoundingChannel] = []
        for pair in pairs { channels.append(try channel(pair, amount / Int64(pairs.count))) }
        return channels
    }

    private func channel(_ pair: BoundingPair, _ amount: Int64) throws(QueryError) -> BoundingChannel {
        guard amount > 0 else { throw Channel.tooMuchNoise }
        let (l1, l2Squared) = sensitivity(pair)
        let loss = PrivacyLoss(kind: kind, amount: amount)
        do {
            if kind == .pure {
                let noise = try DiscreteLaplace(sensitivity: l1, loss: loss)
                return BoundingChannel(
                    pair: pair, noise: .laplace(scale: noise.scale), event: noise.event(sensitivity: l1),
                    error: IntegerError(noise, confidence: 0.95))
            }
            if let sharing {
                let noise = try sharing.noise(sensitivitySquared: l2Squared, dimension: 2, loss: loss)
                return BoundingChannel(
                    pair: pair, noise: .share(sigma: noise.share.sigma, parties: sharing.parties), event: noise.event,
                    error: IntegerError(try noise.sum(shares: sharing.parties), confidence: 0.95))
            }
            let noise = try DiscreteGaussian(sensitivitySquared: l2Squared, loss: loss)
            return BoundingChannel(
                pair: pair, noise: .gaussian(sigma: noise.sigma), event: noise.event(sensitivitySquared: l2Squared),
                error: IntegerError(noise, confidence: 0.95))
        } catch {
            throw Channel.tooMuchNoise
        }
    }
}

extension Allocation {
    /// Plans with a total of `amount`, in units of 1e-12: a small part of it for what bounding leaves out.
    func allocateWithBounding(_ amount: Int64) throws(QueryError) -> Result {
        let part = bounding.amount(of: amount)
        var result = try allocate(amount - part)
        result.bounding = try bounding.channels(part)
        var spent = result.charge.amount
        for channel in result.bounding {
            do { spent += try channel.event.loss(kind: kind).amount } catch { throw Channel.tooMuchNoise }
        }
        result.charge = PrivacyLoss(kind: kind, amount: spent, delta: result.charge.delta)
        return result
    }
}

extension BoundingChannel {
    /// What is spent on it and how precise it will be, in words.
    static func notes(_ channels: [BoundingChannel]) -> [String] {
        guard !channels.isEmpty else { return [] }
        let measured = channels.map { channel in
            let half = Channel.digits(Double(channel.error.halfWidth))
            return switch channel.pair {
            case .units: "units of which rows in scope are left out, and others (± \(half) each)"
            case .rows: "rows in scope that are left out, and kept (± \(half) each)"
            case .dropped:
                "rows that were dropped when the table was added, and rows that it has, whatever WHERE says (± \(half) each)"
            }
        }
        return [
            "1/\(BoundingMeasurement.part) of the budget measures what bounding leaves out: "
                + measured.joined(separator: "; ") + "."
        ]
    }
}
