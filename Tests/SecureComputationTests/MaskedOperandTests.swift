import ModularArithmetic
import Testing

@testable import SecureComputation

@Suite("An operand that is masked once")
struct MaskedOperandTests {
    /// Ten products of a matrix with vectors, each of what the last one gave.
    private func program(_ isMaskedOnce: Bool) throws -> Program {
        var builder = ProgramBuilder()
        let matrix = try builder.input(from: .first, shape: [8, 8], bound: 2)
        var vector = try builder.input(from: .second, shape: [8, 1], bound: 1)
        let operand = isMaskedOnce ? try builder.maskedOnce(matrix) : matrix
        let turned = try builder.gathered(operand, places: (0..<64).map { $0 % 8 * 8 + $0 / 8 }, shape: [8, 8])
        for step in 0..<10 { vector = try builder.matrixProduct(step % 2 == 0 ? operand : turned, vector) }
        _ = try builder.reveal(vector, to: .second)
        return builder.program()
    }

    @Test("Ten products with a matrix open it once, give the same, and are kept as long as what was gathered from it")
    func products() throws {
        var numbers = Tensors(5)
        let inputs = [try numbers([8, 8], within: 2), try numbers([8, 1], within: 1)]
        let (once, each) = (try program(true), try program(false))
        #expect(once.digest != each.digest)
        let runs = try [once, each].map { try Pair($0, inputs, seed: 6).run() }
        #expect(runs[0].outputs == runs[1].outputs)
        for (run, program) in zip(runs, [once, each]) {
            #expect(run.cost.bytes == program.cost.bytes && run.cost.rounds == program.cost.rounds)
        }
        #expect(runs[0].cost.rounds == runs[1].cost.rounds + 1)
        // Nine openings of 64 words fewer, and a message more, of each party.
        #expect(runs[1].cost.bytesFromFirst - runs[0].cost.bytesFromFirst == 9 * 64 * 8 - 40)
        let three = try Trio(once, inputs, seed: 7).run()
        #expect(three.outputs[1] == runs[0].outputs[1])
        #expect(once.threePartyCost == each.threePartyCost && three.cost == once.threePartyCost)
    }

    @Test("Its words under the mask are sent in one round alone: no other round has as many, whatever follows")
    func opensOnce() throws {
        let once = try program(true)
        let sent = (0..<once.rounds.count).map { once.openedWords(round: $0, by: .first) }
        #expect(sent.filter { $0 >= 64 }.count == 1)
        #expect(sent.dropFirst().dropLast().allSatisfy { $0 == 8 })
    }
}
