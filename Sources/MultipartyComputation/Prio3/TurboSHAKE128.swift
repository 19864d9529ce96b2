/// TurboSHAKE128 (RFC 9861, section 2): a sponge over Keccak-p[1600, 12] with a capacity of 256 bits. First all is
/// absorbed, then as much as wanted is squeezed out.
struct TurboSHAKE128 {
    /// Bytes that a permutation absorbs or gives.
    static let rate = 168

    private var lanes: [UInt64]
    private var block: [UInt8]
    /// Absorbing: how much of the block is filled. Squeezing: how much of it was given.
    private var position = 0
    private var isSqueezing = false
    private let domain: UInt8

    /// An empty message, with the domain separation byte D, from 0x01 to 0x7f.
    init(domain: UInt8) {
        precondition(domain >= 0x01 && domain <= 0x7f, "A domain separation byte is from 0x01 to 0x7f.")
        self.domain = domain
        lanes = [UInt64](repeating: 0, count: KeccakPermutation.laneCount)
        block = [UInt8](repeating: 0, count: Self.rate)
    }

    /// Appends to the message. Not after something was squeezed out.
    mutating func absorb(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { absorb($0) }
    }

    /// Appends to the message. Not after something was squeezed out.
    mutating func absorb(_ bytes: UnsafeRawBufferPointer) {
        precondition(!isSqueezing, "What was squeezed is of the whole message.")
        var rest = bytes[...]
        while !rest.isEmpty {
            if position == 0 && rest.count >= Self.rate {
                Self.absorbBlock(UnsafeRawBufferPointer(rebasing: rest.prefix(Self.rate)), into: &lanes)
                rest = rest.dropFirst(Self.rate)
                continue
            }
            let part = rest.prefix(Self.rate - position)
            block.withUnsafeMutableBytes { block in
                UnsafeMutableRawBufferPointer(rebasing: block[position...]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: part))
            }
            position += part.count
            rest = rest.dropFirst(part.count)
            if position == Self.rate { absorbFilledBlock() }
        }
    }

    private mutating func absorbFilledBlock() {
        block.withUnsafeBytes { Self.absorbBlock($0, into: &lanes) }
        position = 0
    }

    private static func absorbBlock(_ block: UnsafeRawBufferPointer, into lanes: inout [UInt64]) {
        lanes.withUnsafeMutableBufferPointer { lanes in
            guard let base = lanes.baseAddress else { return }
            for lane in 0..<rate / 8 {
                base[lane] ^= UInt64(littleEndian: block.loadUnaligned(fromByteOffset: 8 * lane, as: UInt64.self))
            }
            KeccakPermutation.permute(base)
        }
    }

    /// The next bytes of the output.
    mutating func squeeze(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            squeeze(into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count))
            initialized = count
        }
    }

    /// Fills the buffer with the next bytes of the output.
    mutating func squeeze(into buffer: UnsafeMutableRawBufferPointer) {
        if !isSqueezing { pad() }
        var filled = 0
        while filled < buffer.count {
            if position == Self.rate { permuteAndGive() }
            let count = min(Self.rate - position, buffer.count - filled)
            block.withUnsafeBytes { block in
                UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: block[position..<position + count]))
            }
            position += count
            filled += count
        }
    }

    /// The domain byte after the message, zeros, and the last bit of the block.
    private mutating func pad() {
        for index in position..<Self.rate {
            block[index] = 0
        }
        block[position] ^= domain
        block[Self.rate - 1] ^= 0x80
        absorbFilledBlock()
        give()
        isSqueezing = true
    }

    private mutating func permuteAndGive() {
        lanes.withUnsafeMutableBufferPointer { lanes in
            guard let base = lanes.baseAddress else { return }
            KeccakPermutation.permute(base)
        }
        give()
    }

    private mutating func give() {
        block.withUnsafeMutableBytes { block in
            for lane in 0..<Self.rate / 8 {
                block.storeBytes(of: lanes[lane].littleEndian, toByteOffset: 8 * lane, as: UInt64.self)
            }
        }
        position = 0
    }
}

extension TurboSHAKE128: CustomStringConvertible, CustomReflectable {
    /// The name alone: what was absorbed is often a secret.
    var description: String { "TurboSHAKE128" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
