import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

@Suite struct Prio3TurboSHAKETests {
    struct Answer: Sendable {
        let message: [UInt8]
        var domain: UInt8 = 0x1f
        var skipped = 0
        let output: String
    }

    /// RFC 9861, section 5: 00, 01 to FA, over and over.
    static func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8($0 % 251) } }

    static let published = [
        Answer(message: [], output: "1E415F1C5983AFF2169217277D17BB538CD945A397DDEC541F1CE41AF2C1B74C"),
        Answer(
            message: [], skipped: 10_000, output: "A3B9B0385900CE761F22AED548E754DA10A5242D62E8C658E3F3A923A7555607"),
        Answer(message: pattern(1), output: "55CEDD6F60AF7BB29A4042AE832EF3F58DB7299F893EBB9247247D856958DAA9"),
        Answer(message: pattern(17), output: "9C97D036A3BAC819DB70EDE0CA554EC6E4C2A1A4FFBFD9EC269CA6A111161233"),
        Answer(message: pattern(289), output: "96C77C279E0126F7FC07C9B07F5CDAE1E0BE60BDBE10620040E75D7223A624D2"),
        Answer(message: pattern(4913), output: "D4976EB56BCF118520582B709F73E1D6853E001FDAF80E1B13E0D0599D5FB372"),
        Answer(
            message: [0xff, 0xff, 0xff], domain: 1,
            output: "BF323F940494E88EE1C540FE660BE8A0C93F43D15EC006998462FA994EED5DAB"),
        Answer(
            message: [0xff], domain: 6, output: "8EC9C66465ED0D4A6C35D13506718D687A25CB05C74CCA1E42501ABD83874A67"),
        Answer(
            message: [0xff, 0xff, 0xff], domain: 7,
            output: "B658576001CAD9B1E5F399A9F77723BBA05458042D68206F7252682DBA3663ED"),
    ]

    @Test("Answers of RFC 9861, section 5", arguments: published)
    func answers(_ answer: Answer) throws {
        var sponge = TurboSHAKE128(domain: answer.domain)
        sponge.absorb(answer.message)
        _ = sponge.squeeze(answer.skipped)
        #expect(sponge.squeeze(32) == (try hexadecimal(answer.output)))
    }

    @Test("It does not matter in which pieces a message comes or an output is taken")
    func pieces() {
        var generator = SeededGenerator(seed: 1)
        let message = Self.pattern(2000)
        var whole = TurboSHAKE128(domain: 1)
        whole.absorb(message)
        let output = whole.squeeze(2000)
        for _ in 0..<20 {
            var sponge = TurboSHAKE128(domain: 1)
            var rest = message[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int(generator.next() % 400))
                sponge.absorb(Array(piece))
                rest = rest.dropFirst(piece.count)
            }
            var taken: [UInt8] = []
            while taken.count < 2000 {
                taken += sponge.squeeze(min(Int(generator.next() % 400), 2000 - taken.count))
            }
            #expect(taken == output)
        }
    }

    @Test("The draft's answers of XofTurboShake128", .enabled(if: VDAFVectors.areAvailable, VDAFVectors.comment))
    func xof() throws {
        struct Vector: Decodable {
            var binder, dst, seed: String
            var length: Int
            var derived_seed, expanded_vec_field128: String
        }
        let data = try Data(contentsOf: VDAFVectors.folder.appendingPathComponent("XofTurboShake128.json"))
        let vector = try JSONDecoder().decode(Vector.self, from: data)
        let (seed, tag) = (try hexadecimal(vector.seed), try hexadecimal(vector.dst))
        let binder = try hexadecimal(vector.binder)
        var xof = XofTurboShake128(seed: seed, tag: tag, binder: binder)
        #expect(xof.seed() == (try hexadecimal(vector.derived_seed)))
        var expanding = XofTurboShake128(seed: seed, tag: tag, binder: Array(binder.prefix(5)))
        expanding.bind(Array(binder.dropFirst(5)))
        let elements = expanding.vector(vector.length, of: Field128.self)
        #expect(elements.encoded == (try hexadecimal(vector.expanded_vec_field128)))
    }
}
