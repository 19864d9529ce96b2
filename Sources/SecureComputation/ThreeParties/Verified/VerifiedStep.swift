internal import ModularArithmetic

/// Bits of all elements of a step: 64 elements a word.
struct Plane: Sendable, Hashable {
    let step: Int
    let number: Int
}

/// What a program with abort is made of: few operations, so that few are to be verified. Numbers are shared modulo 2^64, bits by exclusive or, both in three components of which each party has two.
enum VerifiedStep: Sendable {
    // Local, of numbers.

    /// A local step of the program.
    case local(place: Int)
    /// Weights: the owner's component and the one behind it, the third being zero.
    case weights(owner: ComputingParty, number: Int)
    /// Parts of steps, each times a factor, and a number that all know.
    case combination([Term], constant: UInt64)
    /// Sums of rows, or of columns, as many as the step has elements.
    case sums(of: Int, inColumns: Bool)
    /// Steps one behind the other.
    case concatenation([Int])
    /// Each component and the offset, which is added to the first one, divided by 2^bits and rounded down.
    case quotient(of: Int, bits: Int, offset: UInt64)
    /// One component's bits of planes, as numbers, plane behind plane.
    case numbers([Plane], component: Int)

    // Local, of bits.

    /// The bits at some places of one component of numbers, to which an offset is added; other components are zero.
    case planes(of: Int, component: Int, offset: UInt64, places: Range<Int>)
    /// Each plane the exclusive or of some, or what that leaves to 1.
    case exclusiveOr([[Plane]], complemented: Bool)

    /// Of bits of two components that their owner knows: z is x and y, or zero where there are no x and y. To be verified; nothing is computed.
    case claims([Claim], owner: ComputingParty)

    /// Of numbers of two components that their owner knows: the product of both numbers is the last one. To be verified.
    case productClaim(Int, Int, result: Int, owner: ComputingParty)

    // A round each.

    /// Conjunctions.
    case gates([(x: Plane, y: Plane)])
    /// Products.
    case product(BilinearMap, Int, Int)
    /// Of a sum of two components that its owner knows, and of an offset, the carries into bits 1 to 63: claimed by the owner, and to be verified.
    case carries(of: Int, owner: ComputingParty, offset: UInt64)
    /// As numbers, plane behind plane, whether both components of bits that their owner knows are 1: claimed by the owner, and to be verified.
    case joint([Plane], owner: ComputingParty)
    /// Some numbers whose owner takes x where it is not negative and else zero: claimed by the owner, and to be verified.
    case positives(of: Int, owner: ComputingParty)

    /// What bits are said to be.
    struct Claim: Sendable {
        var operands: (x: Plane, y: Plane)?
        let result: Plane
    }

    /// A part of a step, and its factor.
    struct Term: Sendable {
        let step: Int
        var offset = 0
        let factor: UInt64
    }

    /// Whether it takes a round.
    var isInteractive: Bool {
        switch self {
        case .gates, .product, .carries, .joint, .positives: true
        default: false
        }
    }

    /// Steps that it takes.
    func operands(_ program: Program, _ numbers: [Int: Int]) -> [Int] {
        switch self {
        case .local(let place): program.operation(place).operands.compactMap { numbers[$0.place] }
        case .weights: []
        case .combination(let terms, _): terms.map(\.step)
        case .concatenation(let steps): steps
        case .sums(let step, _), .quotient(let step, _, _), .planes(let step, _, _, _), .carries(let step, _, _),
            .positives(let step, _):
            [step]
        case .numbers(let planes, _), .joint(let planes, _): planes.map(\.step)
        case .exclusiveOr(let sums, _): sums.flatMap { $0.map(\.step) }
        case .claims(let claims, _):
            claims.flatMap { claim in
                [claim.result.step] + (claim.operands.map { [$0.x.step, $0.y.step] } ?? [])
            }
        case .gates(let gates): gates.flatMap { [$0.x.step, $0.y.step] }
        case .product(_, let left, let right): [left, right]
        case .productClaim(let left, let right, let result, _): [left, right, result]
        }
    }
}
