@testable import Tables

/// Bounded aggregation one row at a time, in the words of docs/privacy.md, rules 11 and 12.
struct ReferenceAggregation {
    typealias Row = (unit: Int, row: [Value])

    let specification: AggregationSpecification
    private(set) var kept: [[Value]: [Row]] = [:]
    /// How many rows of its unit and group were kept before each kept row.
    private(set) var occurrences: [[Value]: [Int]] = [:]

    /// `rows`: adjacent by unit, in stored order.
    init(_ specification: AggregationSpecification, _ rows: [Row]) {
        self.specification = specification
        for unit in Set(rows.map(\.unit)) {
            var counts: [[Value]: Int] = [:]
            for row in rows where row.unit == unit {
                let evaluator = ReferenceEvaluator(row: row.row)
                if let filter = specification.filter, evaluator.evaluate(filter) != .boolean(true) { continue }
                let keys = specification.keys.map { evaluator.evaluate($0.expression) }
                let isOutside = zip(specification.keys, keys).contains { key, value in
                    if case .domain(let domain) = key.coding { !domain.contains(value) } else { false }
                }
                if isOutside { continue }
                guard counts[keys] != nil || counts.count < specification.bounds.groupsPerUnit else { continue }
                guard counts[keys, default: 0] < specification.bounds.rowsPerGroup else { continue }
                kept[keys, default: []].append(row)
                occurrences[keys, default: []].append(counts[keys, default: 0])
                counts[keys, default: 0] += 1
            }
        }
    }

    func units(_ keys: [Value]) -> Int64 { Int64(Set(kept[keys, default: []].map(\.unit)).count) }

    /// The rows that a measure takes.
    func rows(_ keys: [Value], _ measure: Measure) -> [[Value]] {
        zip(kept[keys, default: []], occurrences[keys, default: []])
            .filter { $0.1 < measure.rowsPerGroup ?? Int.max }.map(\.0.row)
    }

    func integers(_ keys: [Value], _ measure: Measure) -> Int64 {
        let rows = rows(keys, measure)
        switch measure.kind {
        case .rows: return Int64(rows.count)
        case .units: return units(keys)
        case .nonNull(let expression):
            return Int64(rows.filter { ReferenceEvaluator(row: $0).evaluate(expression) != .null }.count)
        case .sum(let expression, let grid): return reals(rows, expression).reduce(0) { $0 + grid.quantize($1) }
        case .sumOfSquares(let expression, let grid):
            return reals(rows, expression).reduce(0) { $0 + grid.quantize($1) * grid.quantize($1) }
        default: return 0
        }
    }

    func histogram(_ keys: [Value], _ measure: Measure, _ expression: Expression, _ edges: [Double]) -> [Int64] {
        let values = reals(rows(keys, measure), expression)
        return (0..<edges.count - 1).map { bin in
            let isLast = bin == edges.count - 2
            return Int64(
                values.filter { $0 >= edges[bin] && ($0 < edges[bin + 1] || (isLast && $0 == edges[bin + 1])) }.count)
        }
    }

    func grid(
        _ keys: [Value], _ measure: Measure, _ expression: Expression, _ lower: Double, _ step: Double, _ points: Int
    )
        -> [Int32: Int64]
    {
        reals(rows(keys, measure), expression).reduce(into: [:]) { counts, value in
            let index = min(max(((value - lower) / step).rounded(.toNearestOrEven), 0), Double(points - 1))
            counts[Int32(index), default: 0] += 1
        }
    }

    private func reals(_ rows: [[Value]], _ expression: Expression) -> [Double] {
        rows.compactMap { row in
            switch ReferenceEvaluator(row: row).evaluate(expression) {
            case .real(let value): value
            case .integer(let value): Double(value)
            default: nil
            }
        }
    }
}
