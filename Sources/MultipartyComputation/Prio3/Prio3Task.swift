/// What all parties of one task agree on, apart from the circuit.
struct Prio3Task: Sendable {
    /// Which variant of Prio3, for the domain separation of everything that is derived.
    let algorithm: UInt32
    /// Proofs that a report carries.
    let proofs: Int
    /// Aggregators.
    let shares: Int
    /// The application's context string.
    let context: [UInt8]
    /// Of all of this and the circuit's parameters.
    let digest: [UInt8]

    /// What derived randomness is for (VDAF draft, section 7.2, table 13).
    enum Usage: UInt8 {
        case measurementShare = 1
        case proofShare = 2
        case jointRandomness = 3
        case proveRandomness = 4
        case queryRandomness = 5
        case jointRandomnessSeed = 6
        case jointRandomnessPart = 7
    }

    /// The version of the draft's domain separation: 18 for the drafts 18 to 20, which agree in every byte.
    private static let version: UInt8 = 18
    /// The bytes of a tag before the context.
    private static let tagPrefixLength = 8
    /// The most bytes that a context can have, since a tag's length is encoded in two.
    static let longestContext = 0xffff - tagPrefixLength

    init(algorithm: UInt32, proofs: Int, shares: Int, context: [UInt8], parameters: [UInt64]) {
        self.algorithm = algorithm
        self.proofs = proofs
        self.shares = shares
        self.context = context
        var sponge = TurboSHAKE128(domain: 2)
        sponge.absorb(Array("parley Prio3 task".utf8))
        let numbers = [UInt64(Self.version), UInt64(algorithm), UInt64(proofs), UInt64(shares)] + parameters
        for number in numbers + [UInt64(context.count)] {
            sponge.absorb((0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) })
        }
        sponge.absorb(context)
        digest = sponge.squeeze(XofTurboShake128.seedSize)
    }

    /// The domain separation tag (VDAF draft, section 6.2.3): version, class (0 for a VDAF), algorithm, usage, context.
    func tag(_ usage: Usage) -> [UInt8] {
        var tag: [UInt8] = [Self.version, 0]
        for shift in stride(from: UInt32(24), through: 0, by: -8) {
            tag.append(UInt8(truncatingIfNeeded: algorithm >> shift))
        }
        tag += [0, usage.rawValue]
        return tag + context
    }

    /// Expands a seed into elements.
    func expand<Element: NTTField>(
        _ seed: some Collection<UInt8>, _ usage: Usage, binder: [UInt8], count: Int
    ) -> [Element] {
        var xof = XofTurboShake128(seed: seed, tag: tag(usage), binder: binder)
        return xof.vector(count)
    }
}
