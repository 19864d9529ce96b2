import DatasiteProtocol
public import Federation
import Foundation
import Learning

/// A device's own number, from a column of its own rows (CSV, plain or gzipped). The rows are read here, and stay here.
public struct TallyColumn: Sendable {
    /// What is taken of the column's cells that are not empty.
    public enum Statistic: String, Sendable, CaseIterable {
        /// Of their numbers.
        case sum, mean, min, max
        /// The cell of the last row.
        case last
        /// How many there are.
        case rows
    }

    private let cells: [String]
    private let name: String

    /// - Parameter file: Its first line names the columns.
    /// - Throws: A `Problem`, without any cell.
    public init(_ name: String, file: String) throws {
        let bytes = try WholeFile(file, named: file).bytes
        do throws(DataError) {
            let table = try SeparatedText(bytes)
            let place = try table.column(name)
            cells = table.rows.map { $0[place].trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
            self.name = name
        } catch { throw Problem.invalidData("\(file): \(error)") }
    }

    /// The device's value: for a count whether the number is above 0.
    ///
    /// - Throws: A `Problem`: there is no such number.
    public func value(_ statistic: Statistic, for measure: TallyPlan.Measure) throws -> TallyValue {
        if case .histogram(.words) = measure {
            guard statistic == .last, let last = cells.last else {
                throw Problem.invalidData("the column \(name) gives no word", hint: "of a plan with words: last")
            }
            return .word(last)
        }
        let number = try number(statistic)
        switch measure {
        case .count: return .flag(number > 0)
        case .sum, .histogram: return .number(number)
        case .vector: throw Problem.invalidRequest("a vector is not taken from one column", hint: "say it with --value")
        }
    }

    private func number(_ statistic: Statistic) throws -> Double {
        if statistic == .rows { return Double(cells.count) }
        let numbers = try (statistic == .last ? cells.suffix(1) : cells[...]).map { cell in
            guard let number = YAMLValue.double(cell) else {
                throw Problem.invalidData("the column \(name) has a cell that is no number")
            }
            return number
        }
        let sum = numbers.reduce(0, +)
        let found: Double? =
            switch statistic {
            case .sum, .rows: sum
            case .mean: numbers.isEmpty ? nil : sum / Double(numbers.count)
            case .min: numbers.min()
            case .max: numbers.max()
            case .last: numbers.last
            }
        guard let found else {
            throw Problem.invalidData("the column \(name) has no number", hint: "a device without one does not report")
        }
        return found
    }
}
