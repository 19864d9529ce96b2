import ModularArithmetic
import Testing

@testable import SecureComputation

@Suite("Programs at random, of three parties")
struct ThreePartyRandomProgramTests {
    @Test(
        "A hundred programs of up to twelve operations give, on replicated shares, what they give in the clear, to the bit, at the costs that were foretold"
    )
    func agree() throws { try agree(.semiHonest, seeds: 0..<100) }

    @Test(
        "With abort forty such programs give the same to the bit, each step verified, at the costs that were foretold")
    func agreeWithAbort() throws { try agree(.withAbort, seeds: 0..<40) }

    private func agree(_ security: ThreePartySecurity, seeds: Range<UInt64>) throws {
        var operations = [Int](repeating: 0, count: 17)
        for seed in seeds {
            var numbers = Tensors(2000 + seed)
            var builder = ProgramBuilder()
            builder.comparisons = seed % 2 == 0 ? .oneRound : .twoRounds
            var values: [Value] = []
            for party in ComputingParty.three + ComputingParty.three {
                values.append(
                    try builder.input(from: party, shape: [6], bound: [3, 1000, 1 << 20][numbers.number(0...2)]))
            }
            for _ in 0..<12 {
                let kind = numbers.number(0...16)
                var next = builder
                let (a, b) = (
                    values[numbers.number(0...values.count - 1)], values[numbers.number(0...values.count - 1)]
                )
                guard let value = try? RandomProgramTests.added(kind, a, b, to: &next) else { continue }
                operations[kind] += 1
                builder = next
                values.append(value)
            }
            for (number, value) in values.enumerated() {
                _ = try builder.reveal(value, to: ComputingParty.three[number % 3])
            }
            let program = builder.program()
            let inputs = try program.inputs.map { try numbers($0.shape, within: Int64($0.bound)) }
            let clear = try ClearText.run(program, inputs: inputs)
            let run = try Trio(program, inputs, security: security, seed: seed).run()
            for party in ComputingParty.three {
                let expected = zip(program.outputs, clear.outputs).filter { $0.0.to == party }.map { $0.1 }
                #expect(run.outputs[party.rawValue] == expected, "seed \(seed)")
            }
            let foretold = try security == .semiHonest ? program.threePartyCost : program.threePartyCostWithAbort()
            #expect(run.cost == foretold)
            #expect(program.namesThirdParty)
        }
        #expect(operations.allSatisfy { $0 > seeds.count / 10 })
    }

    @Test("A program of two parties gives on three what it gives on two")
    func both() throws {
        for seed in 0..<20 as Range<UInt64> {
            var numbers = Tensors(3000 + seed)
            var builder = ProgramBuilder()
            var values = try ComputingParty.two.map { try builder.input(from: $0, shape: [6], bound: 1000) }
            for _ in 0..<8 {
                var next = builder
                let pair = (values[numbers.number(0...values.count - 1)], values[numbers.number(0...values.count - 1)])
                guard let value = try? RandomProgramTests.added(numbers.number(0...16), pair.0, pair.1, to: &next)
                else { continue }
                builder = next
                values.append(value)
            }
            for value in values { _ = try builder.reveal(value, to: .second) }
            let program = builder.program()
            let inputs = try program.inputs.map { try numbers($0.shape, within: Int64($0.bound)) }
            let three = try Trio(program, inputs, seed: seed).run()
            let two = try Pair(program, inputs, seed: seed).run()
            #expect(three.outputs[1] == two.outputs[1])
        }
    }
}
