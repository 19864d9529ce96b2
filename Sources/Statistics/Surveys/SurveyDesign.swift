/// A stratum of a survey, as it is declared.
public struct Stratum: Sendable, Hashable {
    /// How many primary sampling units the sample has of it: at least 2.
    public let primaryUnits: Int
    /// Which part of its primary units the sample has, where they were drawn without replacement and taken whole; 0
    /// otherwise, which errs on the safe side.
    public let samplingFraction: Double

    /// A stratum of the sample.
    public init(primaryUnits: Int, samplingFraction: Double = 0) {
        self.primaryUnits = primaryUnits
        self.samplingFraction = samplingFraction
    }
}

/// What is estimated of a population, from a sample with weights.
public enum SurveyQuantity: Sendable, Hashable {
    /// The sum of a variable within these bounds, to which it is clipped; of an indicator, with the bounds 0 and 1, how many
    /// there are.
    case total(lower: Double, upper: Double)
    /// The mean of a variable within these bounds: the weighted sum over the sum of weights.
    case mean(lower: Double, upper: Double)
    /// The sum of a variable within `numerator`'s bounds over that of one within `denominator`'s, whose lower one is not
    /// negative.
    case ratio(numerator: ClosedRange<Double>, denominator: ClosedRange<Double>)
}

/// A row of a survey.
public struct SurveyRow: Sendable, Hashable {
    /// The stratum, by its number from 0.
    public var stratum: Int
    /// The primary sampling unit, by its number in the stratum from 0.
    public var primaryUnit: Int
    /// The weight: how many people of the population the row stands for.
    public var weight: Double
    /// The variable; of a ratio the numerator's.
    public var value: Double
    /// The denominator's variable of a ratio.
    public var denominator: Double

    /// A row. It is left out where a number that is asked for is NaN or infinite, or it is in no declared primary unit.
    public init(stratum: Int, primaryUnit: Int, weight: Double, value: Double, denominator: Double = 1) {
        self.stratum = stratum
        self.primaryUnit = primaryUnit
        self.weight = weight
        self.value = value
        self.denominator = denominator
    }
}
