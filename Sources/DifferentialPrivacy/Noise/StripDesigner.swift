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
    /// Of a Poisson law about its mode, which is nearly the square law of that variance; nil for the symmetric laws.
    var mean: Double?

    struct Design {
        var strips: [(first: UInt64, width: UInt64, slots: Int)]
        var tail: (first: UInt64, width: UInt64)
    }

    /// Room for the rounding of this type's own arithmetic, so that the verification hardly ever fails.
    private static let margin = 1 + 1e-9
    /// A strip whose envelope wastes less than this is good enough.
    private static let goodWaste = 0.02
    private static let leastSlots = 8.0

    init(scale: Double, power: EnvelopeSampler.Power) {
        self.scale = scale
        self.power = power
    }

    init(mean: Double) {
        self.init(scale: mean.squareRoot(), power: .square)
        self.mean = mean
    }

    /// A weight of a slot at which the strips fit, close to the least.
    func leastWeight() -> Double {
        let total = max(0.5, power == .square ? scale * (Double.pi / 2).squareRoot() : scale)
        let least = total / Double(EnvelopeSampler.slotCount)
        var fits = 1.1
        while strips(weight: least * fits) == nil { fits *= 1.5 }
        var tooSmall = 1.0
        for _ in 0..<4 {
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
            if first > 0 && 2 * height <= weight {
                let block = tailWidth(first)
                if 2 * block * height <= weight {
                    design.tail = (UInt64(first), UInt64(block))
                    return design
                }
            }
            let (width, slots) =
                first == 0 ? (1, (height / 2 / weight).rounded(.up)) : shape(first, height: height / weight)
            guard Int(slots) <= free else { return nil }
            free -= Int(slots)
            design.strips.append((UInt64(first), UInt64(width), Int(slots)))
            first += width
        }
    }

    /// A width and a number of slots for the strip that begins at `first`, such that its envelope covers f there and
    /// wastes little. Strips of fewer than `leastSlots` slots are avoided: many small strips take long to lay.
    private func shape(_ first: Double, height: Double) -> (width: Double, slots: Double) {
        var best = (width: 1.0, slots: height.rounded(.up))
        var leastWaste = Double.infinity
        for candidate in 1...16 {
            let width: Double
            let slots: Double
            if height >= Self.leastSlots {
                width = Double(candidate)
                slots = (width * height).rounded(.up)
            } else {
                slots = Self.leastSlots - 1 + Double(candidate)
                width = min((slots / height).rounded(.down), EnvelopeSampler.largestWidth)
            }
            let waste = slots / (width * height * (1 + f(first + width - 1) / f(first)) / 2) - 1
            if waste < leastWaste { (best, leastWaste) = ((width, slots), waste) }
            // Where widths are large, rounding them wastes nothing, and more slots only make the strip uneven.
            if leastWaste < Self.goodWaste || width > 64 { break }
        }
        return best
    }

    private func f(_ x: Double) -> Double {
        if let mean { return max(Self.poisson(mean, above: x), Self.poisson(mean, above: -x)) }
        return power == .square ? exp(-(x / scale) * (x / scale) / 2) : exp(-x / scale)
    }

    /// The Poisson law's weight `distance` above its mode, over the mode's, by Stirling's formula.
    private static func poisson(_ mean: Double, above distance: Double) -> Double {
        let mode = mean.rounded(.down)
        let u = distance / mode
        guard u > -1 else { return 0 }
        let logarithm = log1p(u)
        let exponent =
            mode * Expansion.entropy(u, logarithm: logarithm) + logarithm / 2
            - distance * log1p((mean - mode) / mode) - u / (1 + u) / mode / 12
        return exp(-exponent)
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
        if mean != nil {
            var width = exact
            while 2 * f(first + width) * Self.margin > f(first) { width *= 1.01 }
            return max(1, width.rounded(.up))
        }
        return max(1, (exact * Self.margin).rounded(.up))
    }
}
