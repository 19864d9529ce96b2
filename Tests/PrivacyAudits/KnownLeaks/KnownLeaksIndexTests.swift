import Foundation
import Testing

/// Every leak that is known of libraries for differential privacy, and the test that would find it here.
@Suite("Known leaks: the index")
struct KnownLeaksIndexTests {
    private static let here = "PrivacyAudits/KnownLeaks/KnownLeakTests.swift"

    /// The leak; the file under Tests; the words of the test.
    static let index: [(leak: String, file: String, test: String)] = [
        (
            "NaN or infinity poisons a sum", "QueryTests/MeasurementTests.swift",
            "NaN, infinity, division by zero and failed casts poison nothing"
        ),
        (
            "NaN or infinity changes more than the sensitivity", "PrivacyAudits/NeighbourTests.swift",
            "What one unit changes is within each event's claim"
        ),
        (
            "a sum overflows", "QueryTests/SensitivityTests.swift",
            "Sums over the whole declared capacity stay within 64 bits"
        ),
        (
            "a sum wraps around", "TablesTests/BoundedAggregationTests.swift",
            "A sum that could leave 64 bits saturates; nothing traps or wraps"
        ),
        ("the order of summation changes a floating-point sum", here, "Order of summation"),
        (
            "the order of a file's rows chooses which rows count", "TablesTests/ClusteringTests.swift",
            "The order of the file's rows does not matter"
        ),
        ("integer division or rounding changes more than the sensitivity", here, "Integer division and rounding"),
        (
            "rounding to the grid differs between code paths", "TablesTests/BoundedAggregationTests.swift",
            "The fast rounding is the grid's own, to the bit"
        ),
        ("groups without rows are missing", here, "Empty groups"),
        (
            "a group that is not selected leaves a trace", "QueryTests/MeasurementTests.swift",
            "Unselected groups leave no trace"
        ),
        (
            "a key that one unit has is shown", "PrivacyAudits/EndToEndTests.swift",
            "Keys that only one unit has are shown with a probability of delta at most"
        ),
        ("keys of text are as long as the data likes", here, "Text keys without a bound"),
        ("division by zero or a failed cast is an error", here, "Errors that depend on data"),
        ("a refusal's words depend on data", "DatasiteTests/AskingTests.swift", "Refusals tell nothing of the rows"),
        ("noise has a seed", here, "Seeded noise"),
        (
            "a seeded generator reaches a release", "ArchitectureTests/ArchitectureTests.swift",
            "Randomness has one source, and the seeded one is where no release is made"
        ),
        (
            "a rejection loop's time depends on what noise is added to",
            "DifferentialPrivacyTests/EnvelopeSamplerTests.swift",
            "Noise and the words drawn for it do not depend on what it is added to"
        ),
        (
            "a rejection loop's length depends on the scale", "DifferentialPrivacyTests/EnvelopeSamplerTests.swift",
            "A draw takes at most 1.2 words on average, whatever the scale"
        ),
        (
            "an answer's time depends on the number of rows", "DatasiteTests/TimeSlotTests.swift",
            "Two datasets of one manifest answer after the same wait"
        ),
        (
            "floating-point noise gives its input away", "PrivacyAudits/Mechanisms/NoiseAudits.swift",
            "Floating-point noise gives its input away in the last digits; on a grid nothing is left in them"
        ),
        ("outputs have bits finer than the grid", here, "Floating-point noise"),
        (
            "a filter is charged less when its answer is small", "DatasiteTests/AskingTests.swift",
            "Charges, plans and previews are identical on any two datasets of one manifest"
        ),
        (
            "an aggregate in HAVING or ORDER BY is free", "QueryTests/ChargeTests.swift",
            "Equal aggregates are measured once, wherever they stand; those in HAVING and ORDER BY are charged"
        ),
        ("scaling after aggregation gives precision for free", here, "Scaling after aggregation"),
        ("the cost depends on the order of questions", here, "Cost by order"),
        ("bounds are taken from the data", here, "Bounds taken from the data"),
        (
            "a limit of k groups keeps k - 1", "TablesTests/BoundedAggregationTests.swift",
            "Exactly k groups and m rows are kept of a unit that has more"
        ),
        (
            "the choice of a unit's rows depends on other units", "TablesTests/ClusteringTests.swift",
            "Adding or removing a unit leaves every other unit's kept rows identical"
        ),
        ("a batch size or denominator shows the number of rows", here, "Sizes that show the number of rows"),
        (
            "noise is drawn again each time a lazy result is collected", "DatasiteTests/AskingTests.swift",
            "A repeated key gives the stored bytes again and charges nothing"
        ),
        (
            "noise is drawn again after a crash, and both answers leave", "DatasiteTests/CrashTests.swift",
            "Two processes that complete one reservation draw noise twice and let one answer out"
        ),
        ("noise is drawn twice within one question", here, "Noise drawn twice for one result"),
        (
            "a quantile's sensitivity ignores a unit's other rows", "PrivacyAudits/Mechanisms/SelectionAudits.swift",
            "Quantiles hold their epsilon; a sensitivity of one row where a unit has four is caught"
        ),
    ]

    @Test("Each leak has its test", arguments: index.indices)
    func exists(_ place: Int) throws {
        let entry = Self.index[place]
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: tests.appending(path: entry.file), encoding: .utf8)
        #expect(text.contains("\"" + entry.test), "no test '\(entry.test)' is in \(entry.file): \(entry.leak)")
    }
}
