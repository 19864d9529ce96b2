/// Keccak-p[1600, 12] (RFC 9861, section 2.2; FIPS 202, section 3): the last twelve rounds of Keccak-f[1600].
///
/// The 25 lanes stand in named variables, so that they stay in registers and on the stack: a lane x, y is number
/// x + 5 y. Time depends on nothing but the number of rounds.
enum KeccakPermutation {
    /// Lanes of the state.
    static let laneCount = 25

    private static let roundConstants: [UInt64] = [
        0x0000_0000_8000_808b, 0x8000_0000_0000_008b, 0x8000_0000_0000_8089, 0x8000_0000_0000_8003,
        0x8000_0000_0000_8002, 0x8000_0000_0000_0080, 0x0000_0000_0000_800a, 0x8000_0000_8000_000a,
        0x8000_0000_8000_8081, 0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
    ]

    /// Permutes the 25 lanes in place.
    static func permute(_ lanes: UnsafeMutablePointer<UInt64>) {
        var state = State(lanes)
        roundConstants.withUnsafeBufferPointer { constants in
            for constant in constants {
                state.round(constant)
            }
        }
        state.store(lanes)
    }
}

private struct State {
    var a0: UInt64, a1: UInt64, a2: UInt64, a3: UInt64, a4: UInt64
    var a5: UInt64, a6: UInt64, a7: UInt64, a8: UInt64, a9: UInt64
    var a10: UInt64, a11: UInt64, a12: UInt64, a13: UInt64, a14: UInt64
    var a15: UInt64, a16: UInt64, a17: UInt64, a18: UInt64, a19: UInt64
    var a20: UInt64, a21: UInt64, a22: UInt64, a23: UInt64, a24: UInt64

    init(_ lanes: UnsafeMutablePointer<UInt64>) {
        (a0, a1, a2, a3, a4) = (lanes[0], lanes[1], lanes[2], lanes[3], lanes[4])
        (a5, a6, a7, a8, a9) = (lanes[5], lanes[6], lanes[7], lanes[8], lanes[9])
        (a10, a11, a12, a13, a14) = (lanes[10], lanes[11], lanes[12], lanes[13], lanes[14])
        (a15, a16, a17, a18, a19) = (lanes[15], lanes[16], lanes[17], lanes[18], lanes[19])
        (a20, a21, a22, a23, a24) = (lanes[20], lanes[21], lanes[22], lanes[23], lanes[24])
    }

    func store(_ lanes: UnsafeMutablePointer<UInt64>) {
        (lanes[0], lanes[1], lanes[2], lanes[3], lanes[4]) = (a0, a1, a2, a3, a4)
        (lanes[5], lanes[6], lanes[7], lanes[8], lanes[9]) = (a5, a6, a7, a8, a9)
        (lanes[10], lanes[11], lanes[12], lanes[13], lanes[14]) = (a10, a11, a12, a13, a14)
        (lanes[15], lanes[16], lanes[17], lanes[18], lanes[19]) = (a15, a16, a17, a18, a19)
        (lanes[20], lanes[21], lanes[22], lanes[23], lanes[24]) = (a20, a21, a22, a23, a24)
    }

    @inline(__always)
    private static func rotate(_ lane: UInt64, _ count: UInt64) -> UInt64 {
        lane &<< count | lane &>> (64 &- count)
    }

    /// The step chi on a row: each lane with the two after it.
    @inline(__always)
    private static func chi(_ lane: UInt64, _ next: UInt64, _ afterNext: UInt64) -> UInt64 {
        lane ^ (~next & afterNext)
    }

    /// Theta, rho, pi, chi and iota.
    @inline(__always)
    mutating func round(_ constant: UInt64) {
        let c0: UInt64 = a0 ^ a5 ^ a10 ^ a15 ^ a20
        let c1: UInt64 = a1 ^ a6 ^ a11 ^ a16 ^ a21
        let c2: UInt64 = a2 ^ a7 ^ a12 ^ a17 ^ a22
        let c3: UInt64 = a3 ^ a8 ^ a13 ^ a18 ^ a23
        let c4: UInt64 = a4 ^ a9 ^ a14 ^ a19 ^ a24
        let d0: UInt64 = c4 ^ Self.rotate(c1, 1)
        let d1: UInt64 = c0 ^ Self.rotate(c2, 1)
        let d2: UInt64 = c1 ^ Self.rotate(c3, 1)
        let d3: UInt64 = c2 ^ Self.rotate(c4, 1)
        let d4: UInt64 = c3 ^ Self.rotate(c0, 1)
        let b0: UInt64 = a0 ^ d0
        let b1: UInt64 = Self.rotate(a6 ^ d1, 44)
        let b2: UInt64 = Self.rotate(a12 ^ d2, 43)
        let b3: UInt64 = Self.rotate(a18 ^ d3, 21)
        let b4: UInt64 = Self.rotate(a24 ^ d4, 14)
        let b5: UInt64 = Self.rotate(a3 ^ d3, 28)
        let b6: UInt64 = Self.rotate(a9 ^ d4, 20)
        let b7: UInt64 = Self.rotate(a10 ^ d0, 3)
        let b8: UInt64 = Self.rotate(a16 ^ d1, 45)
        let b9: UInt64 = Self.rotate(a22 ^ d2, 61)
        let b10: UInt64 = Self.rotate(a1 ^ d1, 1)
        let b11: UInt64 = Self.rotate(a7 ^ d2, 6)
        let b12: UInt64 = Self.rotate(a13 ^ d3, 25)
        let b13: UInt64 = Self.rotate(a19 ^ d4, 8)
        let b14: UInt64 = Self.rotate(a20 ^ d0, 18)
        let b15: UInt64 = Self.rotate(a4 ^ d4, 27)
        let b16: UInt64 = Self.rotate(a5 ^ d0, 36)
        let b17: UInt64 = Self.rotate(a11 ^ d1, 10)
        let b18: UInt64 = Self.rotate(a17 ^ d2, 15)
        let b19: UInt64 = Self.rotate(a23 ^ d3, 56)
        let b20: UInt64 = Self.rotate(a2 ^ d2, 62)
        let b21: UInt64 = Self.rotate(a8 ^ d3, 55)
        let b22: UInt64 = Self.rotate(a14 ^ d4, 39)
        let b23: UInt64 = Self.rotate(a15 ^ d0, 41)
        let b24: UInt64 = Self.rotate(a21 ^ d1, 2)
        a0 = Self.chi(b0, b1, b2) ^ constant
        a1 = Self.chi(b1, b2, b3)
        a2 = Self.chi(b2, b3, b4)
        a3 = Self.chi(b3, b4, b0)
        a4 = Self.chi(b4, b0, b1)
        a5 = Self.chi(b5, b6, b7)
        a6 = Self.chi(b6, b7, b8)
        a7 = Self.chi(b7, b8, b9)
        a8 = Self.chi(b8, b9, b5)
        a9 = Self.chi(b9, b5, b6)
        a10 = Self.chi(b10, b11, b12)
        a11 = Self.chi(b11, b12, b13)
        a12 = Self.chi(b12, b13, b14)
        a13 = Self.chi(b13, b14, b10)
        a14 = Self.chi(b14, b10, b11)
        a15 = Self.chi(b15, b16, b17)
        a16 = Self.chi(b16, b17, b18)
        a17 = Self.chi(b17, b18, b19)
        a18 = Self.chi(b18, b19, b15)
        a19 = Self.chi(b19, b15, b16)
        a20 = Self.chi(b20, b21, b22)
        a21 = Self.chi(b21, b22, b23)
        a22 = Self.chi(b22, b23, b24)
        a23 = Self.chi(b23, b24, b20)
        a24 = Self.chi(b24, b20, b21)
    }
}
