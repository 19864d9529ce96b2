/// Keccak-256 as Ethereum uses it: the sponge of the Keccak submission with rate 136 and the padding 0x01 (Bertoni et al., "The Keccak reference", 2011), not SHA3-256 of FIPS 202, whose
/// padding differs.
public enum Keccak256 {
    private static let rate = 136

    /// The 32 bytes of the digest.
    public static func hash(_ bytes: [UInt8]) -> Digest256 {
        var state = [UInt64](repeating: 0, count: 25)
        var block = [UInt8](repeating: 0, count: rate)
        for start in stride(from: 0, through: bytes.count, by: rate) {
            let part = bytes[start..<min(start + rate, bytes.count)]
            for index in block.indices { block[index] = 0 }
            block.replaceSubrange(0..<part.count, with: part)
            if part.count < rate {
                block[part.count] ^= 1
                block[rate - 1] ^= 0x80
            }
            for lane in 0..<rate / 8 {
                state[lane] ^= (0..<8).reduce(UInt64(0)) { $0 | UInt64(block[8 * lane + $1]) << UInt64(8 * $1) }
            }
            permute(&state)
        }
        let output = state.prefix(4).flatMap { lane in (0..<8).map { UInt8(truncatingIfNeeded: lane >> (8 * $0)) } }
        guard let digest = Digest256(output) else { preconditionFailure("32 bytes") }
        return digest
    }

    /// Keccak-f[1600]: 24 rounds (FIPS 202, section 3.3).
    private static func permute(_ state: inout [UInt64]) {
        for constant in roundConstants {
            var parity = [UInt64](repeating: 0, count: 5)
            for x in 0..<5 { parity[x] = state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20] }
            for x in 0..<5 {
                let change = parity[(x + 4) % 5] ^ rotated(parity[(x + 1) % 5], 1)
                for y in 0..<5 { state[x + 5 * y] ^= change }
            }
            // Rho and pi along the one cycle of 24 lanes.
            var moved = state[1]
            var (x, y) = (1, 0)
            for step in 0..<24 {
                (x, y) = (y, (2 * x + 3 * y) % 5)
                let place = x + 5 * y
                let next = state[place]
                state[place] = rotated(moved, (step + 1) * (step + 2) / 2 % 64)
                moved = next
            }
            for y in 0..<5 {
                let row = Array(state[5 * y..<5 * y + 5])
                for x in 0..<5 { state[5 * y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]) }
            }
            state[0] ^= constant
        }
    }

    private static func rotated(_ lane: UInt64, _ count: Int) -> UInt64 {
        count == 0 ? lane : lane << UInt64(count) | lane >> UInt64(64 - count)
    }

    /// Iota's constants, from the linear feedback shift register x^8 + x^6 + x^5 + x^4 + 1 (FIPS 202, algorithm 5).
    private static let roundConstants: [UInt64] = {
        var register: UInt8 = 1
        return (0..<24).map { _ in
            var constant: UInt64 = 0
            for bit in 0..<7 {
                if register & 1 == 1 { constant |= 1 << UInt64((1 << bit) - 1) }
                register = register << 1 ^ (register >> 7 == 1 ? 0x71 : 0)
            }
            return constant
        }
    }()
}
