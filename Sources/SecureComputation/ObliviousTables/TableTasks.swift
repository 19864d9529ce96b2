internal import ModularArithmetic

/// Steps that run side by side, and what of them is public.
struct TableStage: Sendable {
    let shape: any ReplicatedShape
    var step: any ReplicatedStep
}

/// What a task makes its steps with. Each step has a place of its own, from which its streams have their names, the same at all three parties.
struct TableContext: Sendable {
    let party: ComputingParty
    let keys: PairwiseKeys
    private(set) var place: Int

    init(party: ComputingParty, keys: PairwiseKeys, place: Int) {
        (self.party, self.keys, self.place) = (party, keys, place)
    }

    mutating func nextPlace() -> Int {
        place += 1
        return place
    }

    mutating func product(_ a: ReplicatedWords, _ b: ReplicatedWords) -> TableStage {
        let terms = ProductStep.terms(.elements(a.count), a, b, threads: 1)
        return TableStage(
            shape: ProductShape(count: a.count), step: ProductStep(terms: terms, keys: keys, place: nextPlace()))
    }

    mutating func shuffle(_ columns: [ReplicatedWords]) -> TableStage {
        let shape = ShuffleShape(rows: columns.first?.count ?? 0, columns: columns.count, place: nextPlace())
        return TableStage(shape: shape, step: ShuffleStep(shape, columns, party: party, keys: keys))
    }

    /// Whether numbers below 2^bits in magnitude are at least 1, as shared bits.
    mutating func isPositive(_ value: ReplicatedWords, bits: Int) -> TableStage {
        let shape = LeadShape.sign(
            LeadParts(count: value.count, place: nextPlace()), bits: bits, thresholds: [1], results: [.bit])
        return TableStage(shape: shape, step: LeadStep(shape, value, party: party, keys: keys))
    }

    mutating func openedSigns(_ value: ReplicatedWords, bits: Int) -> TableStage {
        let elements = LeadParts(count: value.count, place: nextPlace())
        let shape = OpenComparisonShape(carry: CarryShape(elements, bits: bits, trees: 1))
        return TableStage(shape: shape, step: OpenComparisonStep(shape, value, party: party, keys: keys))
    }

    func opened(_ value: ReplicatedWords) -> TableStage {
        TableStage(shape: OpenShape(count: value.count), step: OpenStep(value))
    }

    /// Adds a number that all know to each element: to the component that the first and the third party hold.
    func adding(_ number: (Int) -> UInt64, to value: ReplicatedWords) -> ReplicatedWords {
        var value = value
        if party == .first { for i in value.own.indices { value.own[i] &+= number(i) } }
        if party == .third { for i in value.next.indices { value.next[i] &+= number(i) } }
        return value
    }
}

/// An operation on tables as stages, one after the other.
protocol TableTask: Sendable {
    /// The next stage, from what the last one gave; none where the task is over.
    mutating func advance(_ finished: [TableStage], _ context: inout TableContext) -> [TableStage]
    /// Behind the last stage: the columns.
    var columns: [ReplicatedWords] { get }
}

extension ReplicatedWords {
    func gathered(_ places: [Int32]) -> ReplicatedWords {
        ReplicatedWords(own: places.map { own[Int($0)] }, next: places.map { next[Int($0)] })
    }

    /// Both components, each for itself.
    func mapped(_ change: ([UInt64]) -> [UInt64]) -> ReplicatedWords {
        ReplicatedWords(own: change(own), next: change(next))
    }

    static func - (a: ReplicatedWords, b: ReplicatedWords) -> ReplicatedWords {
        ReplicatedWords(own: zip(a.own, b.own).map { $0 &- $1 }, next: zip(a.next, b.next).map { $0 &- $1 })
    }

    static func + (a: ReplicatedWords, b: ReplicatedWords) -> ReplicatedWords {
        ReplicatedWords(own: zip(a.own, b.own).map { $0 &+ $1 }, next: zip(a.next, b.next).map { $0 &+ $1 })
    }

    /// Others behind these.
    func followed(by other: ReplicatedWords) -> ReplicatedWords {
        ReplicatedWords(own: own + other.own, next: next + other.next)
    }
}

/// A shuffle alone.
struct ShuffleTask: TableTask {
    private(set) var columns: [ReplicatedWords]
    private var hasBegun = false

    init(_ columns: [ReplicatedWords]) { self.columns = columns }

    mutating func advance(_ finished: [TableStage], _ context: inout TableContext) -> [TableStage] {
        guard hasBegun else {
            hasBegun = true
            return [context.shuffle(columns)]
        }
        if let step = finished.first?.step as? ShuffleStep { columns = step.columns }
        return []
    }
}

/// A stable sort: rows are shuffled, and then compared by opened comparisons of a key, of which no two are equal, since the row's number stands behind it (Hamada, Kikuchi, Ikarashi, Chida and Takahashi 2012).
///
/// **Privacy.** The keys are different, and in an order that nobody knows: the answers are those of a sort of a random order, which a simulator draws. The order in which rows stood and keys stay hidden.
struct SortTask: TableTask {
    private(set) var columns: [ReplicatedWords]
    private let key: Int
    private let bits: Int
    private var keys = ReplicatedWords(own: [], next: [])
    private var sort: ComparisonSort
    private var hasBegun = false

    /// - Parameters:
    ///   - key: The column's number.
    ///   - bound: Its bound.
    init(_ columns: [ReplicatedWords], key: Int, bound: Int64) {
        (self.columns, self.key) = (columns, key)
        let rows = columns[key].count
        sort = ComparisonSort(count: rows)
        bits = Self.keyBits(bound: bound, rows: rows)
    }

    /// So many bits that a difference of two keys is below 2^bits in magnitude.
    static func keyBits(bound: Int64, rows: Int) -> Int {
        let (doubled, overflow) = (UInt64(bound.magnitude) + 1).multipliedReportingOverflow(by: 2)
        return overflow ? 64 : 64 - doubled.leadingZeroBitCount + placeBits(rows)
    }

    private static func placeBits(_ rows: Int) -> Int { rows < 2 ? 0 : Int.bitWidth - (rows - 1).leadingZeroBitCount }

    mutating func advance(_ finished: [TableStage], _ context: inout TableContext) -> [TableStage] {
        guard hasBegun else {
            hasBegun = true
            let shift = UInt64(Self.placeBits(columns[key].count))
            let whole = columns[key].mapped { $0.map { $0 << shift } }
            let numbered = context.adding({ UInt64($0) }, to: whole)
            return [context.shuffle([numbered] + columns)]
        }
        if let step = finished.first?.step as? ShuffleStep {
            let all = step.columns
            keys = all[0]
            columns = Array(all.dropFirst())
        }
        if let step = finished.first?.step as? OpenComparisonStep { sort.take(step.opened) }
        let (left, right) = sort.pairs()
        guard left.isEmpty else {
            return [context.openedSigns(keys.gathered(left) - keys.gathered(right), bits: bits)]
        }
        if let order = sort.order { columns = columns.map { $0.gathered(order) } }
        return []
    }
}

/// Moves the rows whose flag is 1 to the front, in their order, without showing which they are or how many: each row's new place follows from the flags, and is opened once rows are shuffled.
///
/// **Privacy.** The places are a permutation that a shuffle turned into a uniformly random one.
struct CompactTask: TableTask {
    private(set) var columns: [ReplicatedWords]
    private var phase = 0
    private var base = ReplicatedWords(own: [], next: [])

    /// - Parameter columns: The flags first.
    init(_ columns: [ReplicatedWords]) { self.columns = columns }

    mutating func advance(_ finished: [TableStage], _ context: inout TableContext) -> [TableStage] {
        defer { phase += 1 }
        let rows = columns[0].count
        guard rows > 0 else { return [] }
        switch phase {
        case 0:
            // With c the flags so far, its own among them, and m all of them: c - 1 where the flag is 1, and m + i - c for row i elsewhere.
            let counts = columns[0].mapped(Self.sums)
            let all = ReplicatedWords(
                own: [UInt64](repeating: counts.own[rows - 1], count: rows),
                next: [UInt64](repeating: counts.next[rows - 1], count: rows))
            base = context.adding({ UInt64($0) }, to: all - counts)
            let doubled = counts.mapped { $0.map { 2 &* $0 } }
            let change = context.adding({ 0 &- UInt64($0) &- 1 }, to: doubled - all)
            return [context.product(columns[0], change)]
        case 1:
            guard let product = finished.first?.step.result else { return [] }
            return [context.shuffle([base + product] + columns)]
        case 2:
            guard let step = finished.first?.step as? ShuffleStep else { return [] }
            let all = step.columns
            columns = Array(all.dropFirst())
            return [context.opened(all[0])]
        default:
            guard let step = finished.first?.step as? OpenStep else { return [] }
            var order = [Int32](repeating: 0, count: rows)
            // A liar's places may be anything.
            for (row, place) in step.opened.enumerated() { order[Int(place % UInt64(rows))] = Int32(row) }
            columns = columns.map { $0.gathered(order) }
            return []
        }
    }

    static func sums(_ words: [UInt64]) -> [UInt64] {
        var sum: UInt64 = 0
        return words.map { word in
            sum &+= word
            return sum
        }
    }
}
