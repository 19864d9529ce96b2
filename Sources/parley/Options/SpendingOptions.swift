import ArgumentParser
import DatasiteProtocol

/// What a question may cost, and tighter bounds on what one person contributes to it.
struct SpendingOptions: ParsableArguments {
    @Option(parsing: .unconditional, help: "Spend at most that epsilon.")
    var epsilon: Double?

    @Option(parsing: .unconditional, help: "Spend that rho (datasets under zcdp or renyi).")
    var rho: Double?

    @Option(parsing: .unconditional, help: "Spend the least for this error, such as 2%, relative to --group-size.")
    var error: Percentage?

    @Option(parsing: .unconditional, help: "The group size (in rows) to which --error is relative.")
    var groupSize: Double?

    @Option(parsing: .unconditional, help: "The delta that selecting unknown group keys may use.")
    var selectionDelta: Double?

    @Option(
        parsing: .unconditional,
        help: "Let one person count in at most that many groups (fewer than the dataset's limit: less noise).",
        transform: WholeNumberText.parse)
    var groupsPerUnit: Int?

    @Option(
        parsing: .unconditional, help: "Let one person contribute at most that many rows to a group.",
        transform: WholeNumberText.parse)
    var rowsPerGroup: Int?

    @Flag(help: "Spend nothing on what bounding leaves out (else 1/20 of the budget, where it can leave out anything).")
    var noBoundingShares = false

    @Flag(help: "Let all intervals of the answer hold together with 95 %, not each by itself: they are wider.")
    var simultaneous = false

    func validate() throws {
        let given = [epsilon != nil, rho != nil, error != nil].count { $0 }
        if given > 1 { throw ValidationError("Give one of --epsilon, --rho and --error, not several.") }
        if (error == nil) != (groupSize == nil) {
            throw ValidationError("--error and --group-size come together: an error of 2% of how many rows?")
        }
        for (name, value) in [
            ("epsilon", epsilon), ("rho", rho), ("error", error?.fraction), ("group-size", groupSize),
            ("selection-delta", selectionDelta),
        ] {
            if let value, !(value > 0 && value.isFinite) {
                throw ValidationError("--\(name) must be a positive number.")
            }
        }
        for (name, value) in [("groups-per-unit", groupsPerUnit), ("rows-per-group", rowsPerGroup)] {
            if let value, value < 1 { throw ValidationError("--\(name) must be at least 1.") }
        }
    }

    /// The budget that was given; nil: none.
    var budget: Budget? {
        if let epsilon { return .epsilon(epsilon) }
        if let rho { return .rho(rho) }
        guard let error, let groupSize else { return nil }
        return .error(relative: error.fraction, groupSize: groupSize)
    }

    func request(dataset: String, sql: String, budget: Budget) -> AskRequest {
        AskRequest(
            dataset: dataset, sql: sql, budget: budget, selectionDelta: selectionDelta, groupsPerUnit: groupsPerUnit,
            rowsPerGroup: rowsPerGroup, boundingShares: noBoundingShares ? false : nil, simultaneous: simultaneous)
    }
}

/// A part of something: `2%` or `0.02`.
struct Percentage: ExpressibleByArgument, Hashable {
    var fraction: Double

    init?(argument: String) {
        let isPercent = argument.hasSuffix("%")
        let text = isPercent ? String(argument.dropLast()).trimmingSuffixSpaces : argument
        // A part that is none, -2 %, is read, so that what is wrong can be said.
        guard let value = Double(text), value.isFinite else { return nil }
        fraction = isPercent ? value / 100 : value
    }
}

extension String {
    fileprivate var trimmingSuffixSpaces: String { String(reversed().drop { $0 == " " }.reversed()) }
}
