#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Proposes strips for an `EnvelopeSampler`, in floating point: a good guess that the sampler verifies in integers.
struct StripDesigner {
    let scale: Double
    let power: EnvelopeSampler.Power

    struct Design {
        var strips: [(first: UInt64, width: UInt64, slots: Int)]
        var tail: (first: UInt64, width: UInt64)
    }

    /// Room for the rounding of this type's own arithmetic, so that the verification hardly ever fails.
    private static let margin = 1 + 1e-9
    /// A strip whose envelope wastes less than this is good enough.
    private static let goodWaste = 0.01

    /// A weight of a slot at which the strips fit, close to the least.
    func leastWeight() -> Double {
        let total = max(0.5, power == .square ? scale * (Double.pi / 2).squareRoot() : scale)
        let least = total / Double(EnvelopeSampler.slotCount)
        var fits = 1.25
        while strips(weight: least * fits) == nil { fits *= 1.5 }
        var tooSmall = 1.0
        for _ in 0..<7 {
            let middle = (tooSmall + fits) / 2
            if strips(weight: least * middle) == nil { tooSmall = middle } else { fits = middle }
        }
        return least * fits
    }

    /// Strips from 0 on until the tail fits into one slot; nil if there are not slots enough.
    func strips(weight: Double) -> Design? {
        var free = EnvelopeSampler.slotCount - 1
        var design = Design(strips: [], tail: (0, 0))
        var first = 0.0
        while true {
            let height = f(first) * Self.margin
            let block = tailWidth(first)
            if first > 0 && 2 * block * height <= weight {
                design.tail = (UInt64(first), UInt64(block))
                return design
            }
            let (width, slots) = first == 0 ? (1, (height / 2 / weight).rounded(.up)) : shape(height / weight)
            guard Int(slots) <= free else { return nil }
            free -= Int(slots)
            design.strips.append((UInt64(first), UInt64(width), Int(slots)))
            first += width
        }
    }

    /// A width and a number of slots with `slots >= width * height`, close to equality, both small.
    private func shape(_ height: Double) -> (width: Double, slots: Double) {
        var best = (width: 1.0, slots: height.rounded(.up))
        var leastWaste = Double.infinity
        for small in 1...16 {
            let width =
                height >= 1 ? Double(small) : min((Double(small) / height).rounded(.down), EnvelopeSampler.largestWidth)
            let slots = height >= 1 ? (Double(small) * height).rounded(.up) : Double(small)
            let waste = slots / (width * height) - 1
            if waste < leastWaste { (best, leastWaste) = ((width, slots), waste) }
            if leastWaste < Self.goodWaste { break }
        }
        return best
    }

    private func f(_ x: Double) -> Double {
        power == .square ? exp(-(x / scale) * (x / scale) / 2) : exp(-x / scale)
    }

    /// A number of integers, from `first` on, over which f falls by a half.
    private func tailWidth(_ first: Double) -> Double {
        let halving = 0.6931471805599454
        let exact: Double
        switch power {
        case .linear: exact = scale * halving
        case .square:
            let twice = 2 * halving * scale * scale
            exact = twice / (first + (first * first + twice).squareRoot())
        }
        return max(1, (exact * Self.margin).rounded(.up))
    }
}
