import DatasiteProtocol
import Federation
import Foundation
import Testing

@testable import Datasite

/// A device's number from its own rows.
@Suite("Columns of tallies")
struct TallyColumnTests {
    private let files: OwnFiles

    init() throws {
        files = try OwnFiles()
        try files.write(
            """
            day,minutes,mood
            1,30, good
            2,,bad
            3,12.5,
            4, -2 ,fair

            """, to: "own.csv")
    }

    private func value(
        _ statistic: TallyColumn.Statistic, of column: String = "minutes", for measure: TallyPlan.Measure
    ) throws -> TallyValue {
        try TallyColumn(column, file: files.path("own.csv")).value(statistic, for: measure)
    }

    @Test(
        "Each statistic is of the cells that are not empty",
        arguments: [
            (TallyColumn.Statistic.sum, 40.5), (.mean, 13.5), (.min, -2), (.max, 30), (.last, -2), (.rows, 3),
        ])
    func statistics(_ statistic: TallyColumn.Statistic, expected: Double) throws {
        #expect(try value(statistic, for: .sum(maximum: 100)) == .number(expected))
        #expect(try value(statistic, for: .histogram(buckets: .bounds([0, 10]))) == .number(expected))
        // A count asks whether it is above 0.
        #expect(try value(statistic, for: .count) == .flag(expected > 0))
    }

    @Test("Of words the last is reported, and of a column of words how many rows there are")
    func words() throws {
        let measure = TallyPlan.Measure.histogram(buckets: .words(["good", "fair", "bad"]))
        #expect(try value(.last, of: "mood", for: measure) == .word("fair"))
        #expect(try value(.rows, of: "mood", for: .sum(maximum: 9)) == .number(3))
        #expect(throws: Problem.self) { try value(.mean, of: "mood", for: measure) }
    }

    @Test("What is no number is said without the cell, and a device without a number does not report")
    func refusals() throws {
        let sum = TallyPlan.Measure.sum(maximum: 9)
        for statistic in [TallyColumn.Statistic.sum, .mean, .min, .max, .last] {
            let problem = #expect(throws: Problem.self) { try value(statistic, of: "mood", for: sum) }
            #expect(problem?.detail == "the column mood has a cell that is no number")
        }
        try files.write("minutes\n\n  \n", to: "own.csv")
        for statistic in [TallyColumn.Statistic.mean, .min, .max, .last] {
            #expect(try #require(throws: Problem.self) { try value(statistic, for: sum) }.detail.contains("no number"))
        }
        #expect(try value(.sum, for: sum) == .number(0))
        #expect(try value(.rows, for: sum) == .number(0))
        for cell in ["nan", "inf", "1e999", "0x10"] {
            try files.write("minutes\n\(cell)\n", to: "own.csv")
            let problem = try #require(throws: Problem.self) { try value(.last, for: sum) }
            #expect(!"\(problem)".contains(cell))
        }
        let absent = try #require(throws: Problem.self) { try value(.sum, of: "steps", for: sum) }
        #expect(absent.detail.contains("steps"))
        #expect(throws: Problem.self) { try value(.sum, for: .vector(length: 2, maximum: 9)) }
    }
}
