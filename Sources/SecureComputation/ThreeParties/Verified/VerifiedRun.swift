internal import ModularArithmetic

/// What a party keeps of conjunctions and products until they are verified: of each its two components of both operands and of the result.
struct VerifiedRecords: Sendable {
    /// Of two operands and the result.
    struct Terms: Sendable {
        var x = ReplicatedWords(own: [], next: [])
        var y = ReplicatedWords(own: [], next: [])
        var z = ReplicatedWords(own: [], next: [])

        mutating func append(_ other: Terms) {
            x.append(other.x)
            y.append(other.y)
            z.append(other.z)
        }
    }

    /// Words of 64 conjunctions each.
    var gates = Terms()
    /// Of what each party claims of its own bits: the same, of two components.
    var claims = [Terms](repeating: Terms(), count: 3)
    /// Products of elements.
    var elements = Terms()
    /// Of what each party claims of its own numbers: the same, of two components.
    var productClaims = [Terms](repeating: Terms(), count: 3)
    /// Products of matrices and convolutions, each with its step.
    var products: [(map: BilinearMap, step: Int, terms: Terms)] = []
    /// The steps that the gates are of, with how many words each.
    var gateSteps: [(step: Int, count: Int)] = []
    /// The steps that the products of elements are of.
    var elementSteps: [(step: Int, count: Int)] = []
}

extension ReplicatedWords {
    mutating func append(_ other: ReplicatedWords) {
        own += other.own
        next += other.next
    }
}

/// A party's run of the steps of a program with abort, up to what is to be verified.
///
/// **Privacy.** Every word that a party receives here is under a share of zero or a mask from the key that it lacks, whatever it did before, so that nobody learns anything by deviating before something is
/// opened (Araki, Furukawa, Lindell, Nof and Ohara 2016, section 2.4).
struct VerifiedRun: Sendable, CustomStringConvertible, CustomReflectable {
    let verified: VerifiedProgram
    let party: ComputingParty
    let keys: PairwiseKeys
    let weights: [SharedWeights]
    let threads: Int
    private(set) var values: [ReplicatedWords?]
    private(set) var records = VerifiedRecords()
    private var pending: [Int: VerifiedRecords.Terms] = [:]

    /// - Parameter inputs: By the program's place.
    init(
        _ verified: VerifiedProgram, party: ComputingParty, keys: PairwiseKeys, inputs: [Int: ReplicatedWords],
        weights: [SharedWeights], threads: Int
    ) {
        (self.verified, self.party, self.keys, self.weights) = (verified, party, keys, weights)
        self.threads = threads
        values = [ReplicatedWords?](repeating: nil, count: verified.steps.count)
        for (place, value) in inputs { if let step = verified.numbers[place] { values[step] = value } }
        takeLocals(0)
    }

    /// The proof has them.
    mutating func dropRecords() { records = VerifiedRecords() }

    mutating func send(_ round: Int) -> Outgoing {
        var outgoing = Outgoing()
        for step in verified.rounds[round] { send(step: step, to: &outgoing) }
        return outgoing
    }

    mutating func receive(_ round: Int, _ incoming: Incoming) {
        var incoming = incoming
        for step in verified.rounds[round] {
            let count = verified.traffic(step)
            switch verified.steps[step] {
            case .gates, .product: take(step, incoming.taken(next: count, previous: 0).next)
            case .carries(_, let owner, _), .joint(_, let owner), .positives(_, let owner):
                takeOwned(step, owner, incoming.taken(next: 0, previous: owner == party.previous ? count : 0).previous)
            default: break
            }
        }
        takeLocals(round + 1)
        for step in values.indices where verified.lastUse[step] <= round + 1 { values[step] = nil }
    }

    private mutating func send(step: Int, to outgoing: inout Outgoing) {
        let stream = MaskStream(step, .gates)
        switch verified.steps[step] {
        case .gates(let gates):
            var terms = VerifiedRecords.Terms()
            for gate in gates {
                append(gate.x, to: &terms.x)
                append(gate.y, to: &terms.y)
            }
            terms.z.own = keys.zeroBits(terms.x.count, stream)
            Self.addConjunctions(&terms)
            outgoing.previous += terms.z.own
            pending[step] = terms
        case .product(let map, let left, let right):
            var terms = VerifiedRecords.Terms(x: value(left), y: value(right))
            terms.z.own = keys.zeros(map.resultCount, MaskStream(step, .product))
            let cross = ProductStep.terms(map, terms.x, terms.y, threads: threads)
            for i in cross.indices { terms.z.own[i] &+= cross[i] }
            outgoing.previous += terms.z.own
            pending[step] = terms
        case .carries(let operand, party, let offset):
            let x = value(operand)
            let carries = zip(x.own, x.next).map { own, next in
                let first = own &+ offset
                return (first &+ next) ^ first ^ next
            }
            var claimed = Array(BitPlanes.planes(64, of: carries).dropFirst(verified.words(step)))
            let mask = keys.own.words(claimed.count, MaskStream(step, .owned))
            for i in mask.indices { claimed[i] ^= mask[i] }
            outgoing.next += claimed
            values[step] = ReplicatedWords(own: mask, next: claimed)
        case .joint(let planes, party):
            let mask = keys.own.words(verified.counts[step], MaskStream(step, .owned))
            let both = zip(bits(planes, isOwn: true), bits(planes, isOwn: false)).map { $0 & $1 }
            let rest = zip(both, mask).map { $0 &- $1 }
            outgoing.next += rest
            values[step] = ReplicatedWords(own: mask, next: rest)
        case .positives(let operand, party):
            let x = value(operand)
            let mask = keys.own.words(x.count, MaskStream(step, .owned))
            let rest = x.own.indices.map { i in
                UInt64(max(Int64(bitPattern: x.own[i] &+ x.next[i]), 0)) &- mask[i]
            }
            outgoing.next += rest
            values[step] = ReplicatedWords(own: mask, next: rest)
        default: break
        }
    }

    private func value(_ step: Int) -> ReplicatedWords {
        values[step] ?? ReplicatedWords(zeros: verified.counts[step])
    }

    private func append(_ plane: Plane, to words: inout ReplicatedWords) {
        guard let source = values[plane.step] else { return }
        let count = verified.words(plane.step)
        words.own += source.own[plane.number * count..<(plane.number + 1) * count]
        words.next += source.next[plane.number * count..<(plane.number + 1) * count]
    }

    private static func addConjunctions(_ terms: inout VerifiedRecords.Terms) {
        let (x, y) = (terms.x, terms.y)
        terms.z.own.withUnsafeMutableBufferPointer { z in
            for i in z.indices { z[i] ^= (x.own[i] & (y.own[i] ^ y.next[i])) ^ (x.next[i] & y.own[i]) }
        }
    }

    /// Takes what the party behind sent of a conjunction or product, and keeps it for the proof.
    private mutating func take(_ step: Int, _ received: ArraySlice<UInt64>) {
        guard var terms = pending.removeValue(forKey: step) else { return }
        terms.z.next = Array(received)
        values[step] = terms.z
        switch verified.steps[step] {
        case .gates:
            records.gates.append(terms)
            records.gateSteps.append((step, terms.z.count))
        case .product(.elements, _, _):
            records.elements.append(terms)
            records.elementSteps.append((step, terms.z.count))
        case .product(let map, _, _): records.products.append((map, step, terms))
        default: break
        }
    }

    private mutating func takeOwned(_ step: Int, _ owner: ComputingParty, _ received: ArraySlice<UInt64>) {
        let count = verified.traffic(step)
        let zeros = [UInt64](repeating: 0, count: count)
        if owner == party.previous { values[step] = ReplicatedWords(own: Array(received), next: zeros) }
        if owner == party.next {
            values[step] = ReplicatedWords(own: zeros, next: keys.next.words(count, MaskStream(step, .owned)))
        }
    }

    // MARK: - Local steps

    private mutating func takeLocals(_ round: Int) {
        for step in verified.locals[round] where values[step] == nil {
            if case .productClaim(let left, let right, let result, let owner) = verified.steps[step] {
                records.productClaims[owner.rawValue].append(
                    VerifiedRecords.Terms(x: value(left), y: value(right), z: value(result)))
                continue
            }
            guard case .claims(let claims, let owner) = verified.steps[step] else {
                values[step] = local(step)
                continue
            }
            for claim in claims {
                var terms = VerifiedRecords.Terms()
                append(claim.result, to: &terms.z)
                (terms.x, terms.y) = (ReplicatedWords(zeros: terms.z.count), ReplicatedWords(zeros: terms.z.count))
                if let operands = claim.operands {
                    (terms.x, terms.y) = (ReplicatedWords(own: [], next: []), ReplicatedWords(own: [], next: []))
                    append(operands.x, to: &terms.x)
                    append(operands.y, to: &terms.y)
                }
                records.claims[owner.rawValue].append(terms)
            }
        }
    }

    /// A result whose components are each made by themselves, where the party has them.
    private func each(_ made: (_ component: Int, _ isOwn: Bool) -> [UInt64]) -> ReplicatedWords {
        ReplicatedWords(own: made(party.rawValue, true), next: made(party.next.rawValue, false))
    }

    private func local(_ step: Int) -> ReplicatedWords {
        let count = verified.counts[step]
        func words(_ step: Int, _ isOwn: Bool) -> [UInt64] {
            (isOwn ? values[step]?.own : values[step]?.next)
                ?? [UInt64](repeating: 0, count: verified.counts[step])
        }
        switch verified.steps[step] {
        case .local(let place): return local(place: place)
        case .weights(let owner, let number): return weights(owner, number)
        case .combination(let terms, let constant):
            return each { component, isOwn in
                var sum = [UInt64](repeating: component == 0 ? constant : 0, count: count)
                for term in terms {
                    let source = words(term.step, isOwn)
                    for i in 0..<count { sum[i] &+= term.factor &* source[term.offset + i] }
                }
                return sum
            }
        case .sums(let operand, let inColumns):
            return each { _, isOwn in
                let source = words(operand, isOwn)
                let terms = source.count / max(count, 1)
                var sum = [UInt64](repeating: 0, count: count)
                for i in source.indices { sum[inColumns ? i % count : i / terms] &+= source[i] }
                return sum
            }
        case .concatenation(let steps): return each { _, isOwn in steps.flatMap { words($0, isOwn) } }
        case .quotient(let operand, let bits, let offset):
            return each { component, isOwn in
                words(operand, isOwn).map { ($0 &+ (component == 0 ? offset : 0)) >> UInt64(bits) }
            }
        case .numbers(let planes, let wanted):
            return each { component, isOwn in
                component == wanted ? bits(planes, isOwn: isOwn) : [UInt64](repeating: 0, count: count)
            }
        case .planes(let operand, let wanted, let offset, let places):
            return each { component, isOwn in
                guard component == wanted else {
                    return [UInt64](repeating: 0, count: places.count * verified.words(step))
                }
                let numbers = words(operand, isOwn).map { ($0 &+ offset) >> UInt64(places.lowerBound) }
                return BitPlanes.planes(places.count, of: numbers)
            }
        case .exclusiveOr(let sums, let complemented):
            return each { component, isOwn in
                exclusiveOr(sums, isOwn, ones: complemented && component == 0 ? ~0 : 0)
            }
        case .claims, .productClaim, .gates, .product, .carries, .joint, .positives:
            preconditionFailure("A claim, or a step with a round, gives no value by itself.")
        }
    }

    private func exclusiveOr(_ sums: [[Plane]], _ isOwn: Bool, ones: UInt64) -> [UInt64] {
        guard let size = sums.first?.first.map({ verified.words($0.step) }) else { return [] }
        var result = [UInt64](repeating: ones, count: sums.count * size)
        result.withUnsafeMutableBufferPointer { result in
            for (number, sum) in sums.enumerated() {
                for plane in sum {
                    guard let source = isOwn ? values[plane.step]?.own : values[plane.step]?.next else { continue }
                    source.withUnsafeBufferPointer { source in
                        for i in 0..<size { result[number * size + i] ^= source[plane.number * size + i] }
                    }
                }
            }
        }
        return result
    }

    /// The bits of one component of planes, a word each.
    private func bits(_ planes: [Plane], isOwn: Bool) -> [UInt64] {
        planes.flatMap { plane in
            let value = values[plane.step]
            let source = (isOwn ? value?.own : value?.next) ?? []
            let first = plane.number * verified.words(plane.step)
            return (0..<verified.counts[plane.step]).map { source[first + $0 >> 6] >> UInt64($0 & 63) & 1 }
        }
    }

    private func local(place: Int) -> ReplicatedWords {
        let program = verified.program
        // Constants are the first component.
        return each { component, isOwn in
            var operands = [[UInt64]?](repeating: nil, count: program.steps.count)
            for operand in program.operation(place).operands {
                let value = verified.numbers[operand.place].flatMap { values[$0] }
                operands[operand.place] = isOwn ? value?.own : value?.next
            }
            return program.local(
                place, party: component == 0 ? .first : .second, inputs: [], values: operands, threads: threads)
        }
    }

    private func weights(_ owner: ComputingParty, _ number: Int) -> ReplicatedWords {
        let part = weights.first { $0.owner == owner }
        let words = part?.words[number] ?? []
        let zeros = [UInt64](repeating: 0, count: words.count)
        switch owner {
        case party:
            let component = part?.component(number) ?? zeros
            return ReplicatedWords(own: component, next: zip(words, component).map { $0 &- $1 })
        case party.next: return ReplicatedWords(own: zeros, next: words)
        default: return ReplicatedWords(own: words, next: zeros)
        }
    }

    var description: String { "VerifiedRun" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
