internal import ModularArithmetic

extension VerifiedProgram {
    /// Planes of exclusive ors.
    private mutating func addSums(_ sums: [[Plane]], count: Int, complemented: Bool = false) -> [Plane] {
        let step = add(.exclusiveOr(sums, complemented: complemented), count: count, planes: sums.count)
        return sums.indices.map { Plane(step: step, number: $0) }
    }

    private mutating func addGates(_ gates: [(x: Plane, y: Plane)], count: Int) -> [Plane] {
        guard !gates.isEmpty else { return [] }
        let step = add(.gates(gates), count: count, planes: gates.count)
        return gates.indices.map { Plane(step: step, number: $0) }
    }

    /// Some bits of one component and an offset.
    private mutating func addPlanes(
        of step: Int, component: Int, offset: UInt64, places: Range<Int>, count: Int
    ) -> [Plane] {
        let planes = add(
            .planes(of: step, component: component, offset: offset, places: places), count: count,
            planes: places.count)
        return (0..<places.count).map { Plane(step: planes, number: $0) }
    }

    /// Three components as two numbers: at each place of some, the exclusive or, and what the place carries into the next one, but for the highest where that is not wanted.
    private mutating func addHalves(
        _ value: Int, offset: UInt64, places: Range<Int>, count: Int, carriesAll: Bool = true
    ) -> (sums: [Plane], carries: [Plane]) {
        let parts = (0..<3).map { component in
            addPlanes(
                of: value, component: component, offset: component == 0 ? offset : 0, places: places, count: count)
        }
        let bits = places.indices.map { place in parts.map { $0[place - places.lowerBound] } }
        let size = places.count
        let carried = bits.prefix(carriesAll ? size : size - 1)
        let sums = addSums(
            bits + carried.map { [$0[0], $0[2]] } + carried.map { [$0[1], $0[2]] }, count: count)
        // The majority of a, b and c is c, but where both others differ from it.
        let gates = addGates(
            carried.indices.map { (sums[size + $0], sums[size + carried.count + $0]) }, count: count)
        let carries = addSums(carried.indices.map { [gates[$0], bits[$0][2]] }, count: count)
        return (Array(sums.prefix(size)), carries)
    }

    /// The carry out of a sum of two numbers, lowest bits first; nil of none.
    private mutating func addCarry(_ bits: [(Plane, Plane)], count: Int) -> Plane? {
        guard !bits.isEmpty else { return nil }
        var generated = addGates(bits.map { ($0.0, $0.1) }, count: count)
        // The lowest one's is not wanted: nothing is carried into it.
        var passed = bits.count > 1 ? addSums(bits.dropFirst().map { [$0.0, $0.1] }, count: count) : []
        while generated.count > 1 {
            let pairs = generated.count / 2
            // p of block number j stands at j - 1.
            let products = addGates(
                (0..<pairs).map { (passed[2 * $0], generated[2 * $0]) }
                    + (1..<pairs).map { (passed[2 * $0], passed[2 * $0 - 1]) }, count: count)
            var next = addSums((0..<pairs).map { [generated[2 * $0 + 1], products[$0]] }, count: count)
            var nextPassed = Array(products.dropFirst(pairs))
            if generated.count % 2 == 1 {
                next.append(generated[generated.count - 1])
                nextPassed.append(passed[generated.count - 2])
            }
            (generated, passed) = (next, nextPassed)
        }
        return generated[0]
    }

    /// Whether each element of a value and an offset, below 2^bits in magnitude together, is not negative: its bit number `bits` is its sign.
    mutating func addNotNegative(_ value: Int, offset: UInt64, bits: Int, count: Int) -> Plane {
        let (sums, carries) = addHalves(
            value, offset: offset, places: 0..<bits + 1, count: count, carriesAll: false)
        let carry = addCarry((1..<max(bits, 1)).map { (sums[$0], carries[$0 - 1]) }, count: count)
        return addSums(
            [[sums[bits], carries[bits - 1]] + (carry.map { [$0] } ?? [])], count: count, complemented: true)[0]
    }

    /// Bits as numbers, plane behind plane.
    mutating func addNumber(_ planes: [Plane], count: Int) -> Int {
        let size = planes.count * count
        // Each party in turn, so that all prove equally much.
        let owner = ComputingParty.three[steps.count % 3]
        let parts = [owner, owner.next, owner.previous].map {
            add(.numbers(planes, component: $0.rawValue), count: size)
        }
        let joint = add(.joint(planes, owner: owner), count: size)
        _ = add(.productClaim(parts[0], parts[1], result: joint, owner: owner), count: size)
        let two = addExclusive(parts[0], parts[1], product: joint, count: size)
        let product = add(.product(.elements(size), two, parts[2]), count: size)
        return addExclusive(two, parts[2], product: product, count: size)
    }

    /// a + b - 2 a b.
    private mutating func addExclusive(_ a: Int, _ b: Int, product: Int, count: Int) -> Int {
        let terms = [(a, 1), (b, 1), (product, 0 &- 2)] as [(Int, UInt64)]
        return add(.combination(terms.map { VerifiedStep.Term(step: $0.0, factor: $0.1) }, constant: 0), count: count)
    }

    /// Division by 2^bits, rounded to the nearest, halves up, of values below 2^62 in magnitude with half of 2^bits.
    mutating func addQuotient(_ value: Int, bits: Int, count: Int, isNonNegative: Bool = false) -> Int {
        let positive: UInt64 = isNonNegative ? 0 : 1 << 62
        let offset = positive + 1 << UInt64(bits - 1)
        let low = addHalves(value, offset: offset, places: 0..<bits, count: count)
        let high = addHalves(value, offset: offset, places: 62..<64, count: count)
        // The sum is below 2^63: bit 63 of both numbers and the carry into it are none or two, and two wrap.
        let top = (high.sums[1], high.carries[0])
        let wrap = addGates([top], count: count)[0]
        let either = addSums([[top.0, top.1, wrap]], count: count)[0]
        var planes = [high.carries[1], either, low.carries[bits - 1]]
        if let carry = addCarry((1..<bits).map { (low.sums[$0], low.carries[$0 - 1]) }, count: count) {
            planes.append(carry)
        }
        let numbers = addNumber(planes, count: count)
        let wrapped: UInt64 = 0 &- 1 << UInt64(64 - bits)
        let quotient = add(.quotient(of: value, bits: bits, offset: offset), count: count)
        let terms = planes.indices.map {
            VerifiedStep.Term(step: numbers, offset: $0 * count, factor: $0 < 2 ? wrapped : 1)
        }
        return add(
            .combination(
                [VerifiedStep.Term(step: quotient, factor: 1)] + terms, constant: 0 &- (positive >> UInt64(bits))),
            count: count)
    }

    /// That a value of two components lies within -bound ... bound.
    mutating func addBounds(_ value: Int, owner: ComputingParty, bound: UInt64, count: Int) {
        let negated = add(.combination([VerifiedStep.Term(step: value, factor: ~0)], constant: 0), count: count)
        for part in [value, negated] { addRange(part, owner: owner, offset: bound, count: count, zeros: 1) }
    }

    /// That the highest bits of a sum of two components and an offset are zero. With the carries c that the owner claims, c' = majority(a, b, c) says that (a + c)(b + c) = c + c', and a + b + c are the sum's bits.
    mutating func addRange(_ value: Int, owner: ComputingParty, offset: UInt64, count: Int, zeros: Int) {
        let first = owner.rawValue
        let a = addPlanes(of: value, component: first, offset: offset, places: 0..<64, count: count)
        let b = addPlanes(of: value, component: (first + 1) % 3, offset: 0, places: 0..<64, count: count)
        let claimed = add(.carries(of: value, owner: owner, offset: offset), count: count, planes: 63)
        // Into bit j, but for the lowest.
        func carry(_ place: Int) -> [Plane] { place == 0 ? [] : [Plane(step: claimed, number: place - 1)] }
        let operands = addSums(
            (0..<63).map { [a[$0]] + carry($0) } + (0..<63).map { [b[$0]] + carry($0) }, count: count)
        let results = addSums(
            (0..<63).map { carry($0) + carry($0 + 1) } + (64 - zeros..<64).map { [a[$0], b[$0]] + carry($0) },
            count: count)
        let claims = results.enumerated().map { number, result in
            VerifiedStep.Claim(
                operands: number < 63 ? (operands[number], operands[63 + number]) : nil, result: result)
        }
        _ = add(.claims(claims, owner: owner), count: count)
    }
}
