import ModularArithmetic
import Testing

@testable import SecureComputation

@Suite("What the front page's table says of three parties' costs")
struct ThreePartyCostTests {
    typealias Add = (inout ProgramBuilder, Value, Value, Weights) throws -> Void

    @Test("Rounds and bytes of each operation, for 192 elements, in equal parts")
    func table() throws {
        let n = 192
        // Rounds and eighths of a byte of all parties, beside headers, keys and inputs. T(11) is 50 bits, T(9) 37, T(16) 86.
        let rows: [(String, Add, rounds: Int, bits: Int)] = [
            ("sum", { b, x, y, _ in _ = try b.sum(x, y) }, 0, 0),
            ("product", { b, x, y, _ in _ = try b.product(x, y) }, 1, 24 * 8),
            (
                "matrix product",
                { b, x, y, _ in
                    _ = try b.matrixProduct(try b.reshaped(x, to: [24, 8]), try b.reshaped(y, to: [8, 24]))
                }, 1, 24 * 8 * 3
            ),
            ("weights", { b, x, _, w in _ = try b.matrixProduct(try b.reshaped(x, to: [24, 8]), w) }, 1, 24 * 3),
            ("truncation", { b, x, _, _ in _ = try b.truncated(x, by: 9, exactly: false) }, 2, 32 * 8),
            ("exact truncation", { b, x, _, _ in _ = try b.truncated(x, by: 9, exactly: true) }, 6, 40 * 8 + 37),
            ("comparison", { b, x, y, _ in _ = try b.isAtLeast(x, y) }, 6, 24 * 8 + 50),
            ("relu", { b, x, y, _ in _ = try b.relu(try b.sum(x, y)) }, 6, 32 * 8 + 50),
            ("maximum", { b, x, y, _ in _ = try b.maximum(x, y) }, 6, 32 * 8 + 50),
            // A second tree of four blocks: 7 bits shared by two, 3 + 1 gates of three.
            ("interval", { b, x, y, _ in _ = try b.isWithin(try b.sum(x, y), -5...7) }, 6, 48 * 8 + 50 + 14 + 12),
            ("truncated relu", { b, x, y, _ in _ = try b.relu(try b.sum(x, y), truncatedBy: 5) }, 6, 56 * 8 + 50),
            (
                "two rounds",
                { b, x, y, _ in
                    b.comparisons = .twoRounds
                    _ = try b.relu(try b.sum(x, y))
                }, 6, 32 * 8 + 50
            ),
            (
                "16 bits",
                { b, x, y, _ in _ = try b.isAtLeast(try b.combined([(x, 30), (y, 30)])) }, 6, 24 * 8 + 86
            ),
            ("opening", { b, x, _, _ in _ = try b.reveal(x, to: .second) }, 1, 8 * 8),
        ]
        for (name, add, rounds, bits) in rows {
            var builder = ProgramBuilder()
            let x = try builder.input(from: .first, shape: [n], bound: 1000)
            let y = try builder.input(from: .second, shape: [n], bound: 1000)
            let weights = try builder.weights("w", of: .third, shape: [8, 3], bound: 9, sumBound: 72)
            try add(&builder, x, y, weights)
            let cost = builder.program().threePartyCost
            #expect(cost.rounds == rounds + 1, "\(name)")
            let beside = 6 * ThreePartyMessage.headerBytes * cost.rounds + 3 * 16 + 2 * 8 * n
            #expect(8 * (cost.bytes - beside) == bits * n, "\(name)")
            if name != "opening" {
                let sent = zip(cost.bytesFrom, [8 * n, 8 * n, 0]).map { $0 - $1 }
                #expect(Set(sent).count == 1, "\(name)")
            }
        }
    }

    @Test("With abort: rounds and bytes of each operation's steps, for 192 elements")
    func tableWithAbort() throws {
        let n = 192
        // In bits: V(1) is 3, V(5) 39, V(9) 84, V(11) 105, V(16) 165; a division has three conjunctions more; a product is 192 bits, what one party claims 64.
        let operations: [Add] = [
            { b, x, y, _ in _ = try b.sum(x, y) },
            { b, x, y, _ in _ = try b.product(x, y) },
            { b, x, _, w in _ = try b.matrixProduct(try b.reshaped(x, to: [24, 8]), w) },
            { b, x, _, _ in _ = try b.truncated(x, by: 9, exactly: false) },
            { b, x, _, _ in _ = try b.truncated(x, by: 1, exactly: true) },
            { b, x, y, _ in _ = try b.isAtLeast(x, y) },
            { b, x, y, _ in _ = try b.relu(try b.sum(x, y)) },
            { b, x, y, _ in _ = try b.isWithin(try b.sum(x, y), -5...7) },
            { b, x, y, _ in _ = try b.relu(try b.sum(x, y), truncatedBy: 5) },
            { b, x, y, _ in _ = try b.isAtLeast(try b.combined([(x, 30), (y, 30)])) },
        ]
        let names = [
            "sum", "product", "weights", "division", "division by two", "comparison", "relu", "interval",
            "truncated relu", "16 bits",
        ]
        let rounds = [0, 1, 1, 7, 4, 8, 9, 8, 15, 8]
        let bits = [0, 192, 72, 1117, 780, 361, 553, 722, 1625, 421]
        for (number, name) in names.enumerated() {
            func plan(_ add: Add) throws -> (rounds: Int, bytes: Int) {
                var builder = ProgramBuilder()
                let x = try builder.input(from: .first, shape: [n], bound: 1000)
                let y = try builder.input(from: .second, shape: [n], bound: 1000)
                let weights = try builder.weights("w", of: .third, shape: [8, 3], bound: 9, sumBound: 72)
                try add(&builder, x, y, weights)
                let plan = try VerifiedPlan(builder.program())
                let steps = plan.verified.rounds.indices
                let words = steps.flatMap { round in
                    ComputingParty.three.map { plan.traffic(round, of: $0).next + plan.traffic(round, of: $0).previous }
                }
                return (steps.count, 8 * words.reduce(0, +))
            }
            let (bare, found) = (try plan { _, _, _, _ in }, try plan(operations[number]))
            // The proofs of bounds take one round, beside the first of the operation.
            #expect(bare.rounds == 1 && found.rounds == max(rounds[number], 1), "\(name) \(found.rounds)")
            let more = 8 * (found.bytes - bare.bytes)
            #expect(more == bits[number] * n, "\(name) \(more / n)")
            // Two proofs of bounds of each input, 63 bits an element each, and those of 24 weights, which take a word each.
            let words = 2 * 63 * (2 * 3 + 1)
            #expect(bare.bytes == 8 * words)
        }
    }

    @Test("Rounds of functions of numbers, and bytes to one in a hundred")
    func functions() throws {
        let expected = [(39, 1980), (40, 2490), (41, 2530), (32, 2600), (31, 2680), (105, 3100)]
        for ((name, bound, add), (rounds, bytes)) in zip(CostTests.numbers, expected) {
            let n = 1920
            var builder = ProgramBuilder()
            let x = try builder.input(from: .first, shape: [n], bound: bound << 16)
            try add(&builder, x)
            let cost = builder.program().threePartyCost
            #expect(cost.rounds == rounds + 1, "\(name)")
            let beside = 6 * ThreePartyMessage.headerBytes * cost.rounds + 3 * 16 + 8 * n
            let found = Double(cost.bytes - beside) / Double(n)
            #expect(abs(found / Double(bytes) - 1) < 0.01, "\(name) \(found) \(cost.rounds - 1)")
        }
    }

    @Test("A network costs with three parties less than a tenth of the dealer's correlations")
    func network() throws {
        var builder = ProgramBuilder()
        let images = try builder.input(from: .third, shape: [1, 1, 28, 28], bound: 1 << 12)
        let weights = try builder.weights("w", of: .first, shape: [8, 1, 5, 5], bound: 1 << 12, sumBound: 12 << 12)
        _ = try builder.maximumPool(try builder.relu(try builder.convolution(images, weights)), window: 2, stride: 2)
        let program = builder.program()
        #expect(10 * program.threePartyCost.bytes < program.cost.correlationBytesToFirst)
    }

    @Test("Blocks of a carry: all bits, none of more than four, and layers as few as those allow")
    func blocks() {
        for bits in 1...63 {
            let blocks = CarryBlocks(bits: bits)
            #expect(blocks.widths.reduce(0, +) == bits)
            #expect(blocks.widths.allSatisfy { (1...4).contains($0) })
            #expect(
                1 << blocks.layers >= (bits + 3) / 4
                    && (blocks.layers == 0 || 1 << (blocks.layers - 1) < (bits + 3) / 4))
        }
        let rounds = [8, 16, 24, 32, 48, 62].map { CarryBlocks(bits: $0).layers + 2 }
        #expect(rounds == [3, 4, 5, 5, 6, 6])
    }
}
