/// The draft's extendable output function (VDAF draft, section 6.2.1): a seed, a domain separation tag and a binder give a
/// stream that is expanded into seeds and field elements.
struct XofTurboShake128 {
    /// Bytes of a seed.
    static let seedSize = 32

    private var sponge = TurboSHAKE128(domain: 1)

    /// The tag is of at most 65535 bytes, the seed of at most 255.
    init(seed: some Collection<UInt8>, tag: [UInt8], binder: [UInt8] = []) {
        precondition(
            tag.count <= 0xffff && seed.count <= 0xff, "A tag or a seed is too long for its length's encoding.")
        var prefix: [UInt8] = [UInt8(truncatingIfNeeded: tag.count), UInt8(truncatingIfNeeded: tag.count >> 8)]
        prefix += tag
        prefix.append(UInt8(truncatingIfNeeded: seed.count))
        prefix += seed
        prefix += binder
        sponge.absorb(prefix)
    }

    /// Goes on with the binder. Not after something was taken out.
    mutating func bind(_ bytes: [UInt8]) { sponge.absorb(bytes) }

    /// The next bytes as a seed.
    mutating func seed() -> [UInt8] { sponge.squeeze(Self.seedSize) }

    /// The next elements: those of the next encodings that are below the modulus.
    mutating func vector<Element: NTTField>(_ count: Int, of: Element.Type = Element.self) -> [Element] {
        var elements: [Element] = []
        elements.reserveCapacity(count)
        while elements.count < count {
            let bytes = sponge.squeeze((count - elements.count) * Element.encodedSize)
            bytes.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                for offset in stride(from: 0, to: bytes.count, by: Element.encodedSize) {
                    if let element = Element(encoded: base + offset) { elements.append(element) }
                }
            }
        }
        return elements
    }
}

extension XofTurboShake128: CustomStringConvertible, CustomReflectable {
    /// The name alone: seeds are secret.
    var description: String { "XofTurboShake128" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
