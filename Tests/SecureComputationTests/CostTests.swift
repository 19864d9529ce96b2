import ModularArithmetic
import Testing

@testable import SecureComputation

@Suite("What the front page's table says of costs")
struct CostTests {
    @Test("Rounds, bytes and correlations of each operation, for 32 elements")
    func table() throws {
        let n = 32
        // Rounds, bytes of each party beside headers, correlations of each.
        let rows: [(String, (inout ProgramBuilder, Value, Value, Weights) throws -> Void, [Int])] = [
            ("sum", { _ = try $0.sum($1, $2) == $1 && $3.place == 0 }, [0, 0, 0, 0, 0]),
            ("product", { b, x, y, _ in _ = try b.product(x, y) }, [1, 16 * n, 16 * n, 0, 8 * n]),
            (
                "matrix product",
                { b, x, y, _ in
                    _ = try b.matrixProduct(try b.reshaped(x, to: [4, 8]), try b.reshaped(y, to: [8, 4]))
                }, [1, 16 * n, 16 * n, 0, 8 * 16]
            ),
            (
                "weights", { b, x, _, w in _ = try b.matrixProduct(try b.reshaped(x, to: [4, 8]), w) },
                [1, 8 * n, 0, 0, 8 * 12]
            ),
            (
                "truncation", { b, x, _, _ in _ = try b.truncated(x, by: 9, exactly: false) },
                [1, 8 * n, 8 * n, 0, 16 * n]
            ),
            (
                "exact truncation", { b, x, _, _ in _ = try b.truncated(x, by: 9, exactly: true) },
                [1, 8 * n, 8 * n, 8 * n * 28, 8 * n * 28 + 16 * n]
            ),
            ("comparison", { b, x, y, _ in _ = try b.isAtLeast(x, y) }, [1, 8 * n, 8 * n, 1520 * n, 1528 * n]),
            ("interval", { b, x, _, _ in _ = try b.isWithin(x, -5...7) }, [1, 8 * n, 8 * n, 1520 * n, 1528 * n]),
            ("equality", { b, x, y, _ in _ = try b.isEqual(x, y) }, [1, 8 * n, 8 * n, 1520 * n, 1528 * n]),
            ("relu", { b, x, _, _ in _ = try b.relu(x) }, [1, 8 * n, 8 * n, 2032 * n, 2048 * n]),
            ("clamped relu", { b, x, _, _ in _ = try b.relu(x, upTo: 9) }, [1, 8 * n, 8 * n, 2032 * n, 2048 * n]),
            (
                "pieces",
                { b, x, _, _ in _ = try b.piecewiseLinear(x, knots: [-3, 0, 9], slopes: [0, 1, 2, 0], start: 0) },
                [1, 8 * n, 8 * n, 2032 * n, 2048 * n]
            ),
            ("maximum", { b, x, y, _ in _ = try b.maximum(x, y) }, [1, 8 * n, 8 * n, 2032 * n, 2048 * n]),
            (
                "truncated relu", { b, x, _, _ in _ = try b.relu(x, truncatedBy: 5) },
                [1, 8 * n, 8 * n, 2544 * n, 2568 * n]
            ),
            (
                "clamped truncated relu", { b, x, _, _ in _ = try b.relu(x, truncatedBy: 5, upTo: 9) },
                [1, 8 * n, 8 * n, 2544 * n, 2568 * n]
            ),
            (
                "clamped truncated relu in two rounds",
                { b, x, _, _ in
                    b.comparisons = .twoRounds
                    _ = try b.relu(x, truncatedBy: 5, upTo: 9)
                }, [2, 8 * n + 8, 8 * n + 8, 912 * n, 992 * n + 8]
            ),
            (
                "two rounds",
                { b, x, _, _ in
                    b.comparisons = .twoRounds
                    _ = try b.relu(x)
                }, [2, 8 * n + 8, 8 * n + 8, 912 * n, 928 * n + 8]
            ),
            (
                "argmax", { b, x, _, _ in _ = try b.argmax(try b.reshaped(x, to: [16, 2])) },
                [1, 256, 256, 2544 * 16, 2568 * 16]
            ),
            (
                "selection",
                { b, x, y, _ in
                    _ = try b.selected(try b.narrowed(x, plus: 0, times: y, bound: 1, isNonNegative: true), x, y)
                }, [1, 16 * n, 16 * n, 0, 8 * n]
            ),
            ("opening", { b, x, _, _ in _ = try b.reveal(x, to: .second) }, [1, 8 * n, 0, 0, 0]),
        ]
        for (name, add, expected) in rows {
            var builder = ProgramBuilder()
            let x = try builder.input(from: .first, shape: [n], bound: 1000)
            let y = try builder.input(from: .second, shape: [n], bound: 1000)
            let weights = try builder.weights("w", of: .second, shape: [8, 3], bound: 9, sumBound: 72)
            try add(&builder, x, y, weights)
            let cost = builder.program().cost
            let headers = RoundMessage.headerBytes * cost.rounds
            #expect(
                [
                    cost.rounds, cost.bytesFromFirst - headers, cost.bytesFromSecond - headers,
                    cost.correlationBytesToFirst,
                    cost.correlationBytesToSecond,
                ] == expected, "\(name)")
        }
    }

    /// The table's rows of functions of numbers: 16 bits behind the point, from 1 to 1,000, exponentials from -16 to 0, softmax of rows of ten.
    static let numbers: [(name: String, bound: Int64, add: @Sendable (inout ProgramBuilder, Value) throws -> Void)] = [
        ("reciprocal", 1000, { b, x in _ = try b.reciprocal(x, fractionBits: 16, over: 1...1000) }),
        ("inverse square root", 1000, { b, x in _ = try b.inverseSquareRoot(x, fractionBits: 16, over: 1...1000) }),
        ("square root", 1000, { b, x in _ = try b.squareRoot(x, fractionBits: 16, over: 1...1000) }),
        ("logarithm", 1000, { b, x in _ = try b.logarithm(x, fractionBits: 16, over: 1...1000) }),
        ("exponential", 16, { b, x in _ = try b.exponential(x, fractionBits: 16, over: -16...0) }),
        (
            "softmax", 16,
            { b, x in _ = try b.softmax(try b.reshaped(x, to: [x.count / 10, 10]), fractionBits: 16) }
        ),
    ]

    @Test("Rounds, bytes and correlations of functions of numbers, an element of 320")
    func functions() throws {
        let expected: [[Double]] = [
            [9, 112, 112, 7408, 7528], [10, 128, 128, 7672, 7800], [10, 144, 144, 8056, 8192],
            [7, 88, 88, 6456, 6544], [6, 96, 96, 6896, 7000], [21, 140, 140, 10_528, 10_685.6],
        ]
        for ((name, bound, add), expected) in zip(Self.numbers, expected) {
            let n = 320
            var builder = ProgramBuilder()
            let x = try builder.input(from: .first, shape: [n], bound: bound << 16)
            try add(&builder, x)
            let cost = builder.program().cost
            let headers = RoundMessage.headerBytes * cost.rounds
            let sizes = [
                cost.bytesFromFirst - headers, cost.bytesFromSecond - headers, cost.correlationBytesToFirst,
                cost.correlationBytesToSecond,
            ]
            #expect([Double(cost.rounds)] + sizes.map { Double($0) / Double(n) } == expected, "\(name)")
        }
    }
}
