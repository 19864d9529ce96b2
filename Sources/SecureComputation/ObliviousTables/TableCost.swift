extension ComparisonSort {
    /// No batch has more comparisons for each element: short segments are compared in all pairs, and of a long one there are no more pairs than elements, or no more of them than twice all elements.
    static let mostInBatch = 12

    /// The most batches, and the most comparisons in all of them, with which ``TableProgram/mostCost`` reckons. It is not a proof: of 376,000 sorts of 25 to 100,000 elements in random order (100,000 each of 25, 50 and 100,
    /// 50,000 of 300, 20,000 of 1,000, 5,000 of 3,000, 1,000 of 10,000 and 50 of the largest) none took more than log2 n + 6 batches, or log2 n + 6 comparisons an element. Who takes more has met odds that nobody saw, or somebody who does not follow the protocol.
    static func most(_ count: Int) -> (batches: Int, comparisons: Int) {
        guard count > shortest else { return (count < 2 ? 0 : 1, count * (count - 1) / 2) }
        let logarithm = Int.bitWidth - (count - 1).leadingZeroBitCount
        return (logarithm + 12, (logarithm + 10) * count)
    }
}

extension TableProgram {
    /// The most that a run costs, known beforehand: how far a sort goes depends on coins, and is held to what no sort was seen to take. A ``TableMachine`` stops behind it.
    public var mostCost: ThreePartyCost {
        var cost = ThreePartyCost()
        cost.add { party in
            let words = inputs(of: party).reduce(0) { $0 + $1.rows * $1.columns.count }
            return Traffic(next: words, previous: ThreePartyRounds.seedWords)
        }
        for step in steps { add(step, to: &cost) }
        return cost
    }

    private func add(_ step: Step, to cost: inout ThreePartyCost) {
        switch step.operation {
        case .input: break
        case .shuffle: cost.add(shuffle: step.table.rows, columns: step.table.columns.count)
        case .sort(let place, let key):
            let table = steps[place].table
            cost.add(sort: table.rows, columns: table.columns.count, bound: table.columns[key].bound)
        case .groupSum(let place, let key, let summed):
            let table = steps[place].table
            cost.add(sort: table.rows, columns: 1 + summed.count, bound: table.columns[key].bound)
            cost.add(rises: table.rows - 1, bound: table.columns[key].bound)
            cost.add(compact: table.rows, columns: 2 + summed.count)
            cost.add([ProductShape(count: (1 + summed.count) * table.rows)])
        case .join(let left, let right, _, _):
            let (left, right) = (steps[left].table, steps[right].table)
            let rows = left.rows + right.rows
            let others = left.columns.count + right.columns.count - 2
            cost.add(sort: rows, columns: 1 + others, bound: step.table.columns[0].bound)
            guard step.table.rows > 0 else { break }
            cost.add(rises: rows - 1, bound: step.table.columns[0].bound)
            cost.add(compact: rows - 1, columns: 2 + others)
            cost.add([ProductShape(count: (1 + others) * step.table.rows)])
        case .reveal(_, let columns, let to):
            cost.add([RevealShape(count: columns.count * step.table.rows, to: to)])
        }
    }
}

extension ThreePartyCost {
    mutating func add(_ traffic: (ComputingParty) -> Traffic) {
        for party in ComputingParty.three {
            send(traffic(party).next, from: party)
            send(traffic(party).previous, from: party)
        }
        rounds += 1
    }

    /// Whether a run of so much is within this.
    func holds(_ other: ThreePartyCost) -> Bool {
        other.rounds <= rounds && other.largestMessage <= largestMessage
            && zip(other.bytesFrom, bytesFrom).allSatisfy { $0 <= $1 }
    }

    /// A step that may have any place, whose number says who leads: of each party the most that any has in a round.
    fileprivate mutating func add(_ shapes: [any ReplicatedShape]) {
        for round in 0..<(shapes.first?.rounds ?? 0) {
            let traffic = shapes.flatMap { shape in ComputingParty.three.map { shape.traffic(round, of: $0) } }
            let most = Traffic(
                next: traffic.map(\.next).max() ?? 0, previous: traffic.map(\.previous).max() ?? 0)
            add { _ in most }
        }
    }

    fileprivate mutating func add(shuffle rows: Int, columns: Int) {
        add((0..<3).map { ShuffleShape(rows: rows, columns: columns, place: $0) })
    }

    fileprivate mutating func add(rises count: Int, bound: Int64) {
        guard count > 0 else { return }
        let bits = SortTask.keyBits(bound: bound, rows: 0) + 1
        add(
            (0..<3).map {
                LeadShape.sign(LeadParts(count: count, place: $0), bits: bits, thresholds: [1], results: [.bit])
            })
    }

    fileprivate mutating func add(compact rows: Int, columns: Int) {
        guard rows > 0 else { return }
        add([ProductShape(count: rows)])
        add(shuffle: rows, columns: 1 + columns)
        add([OpenShape(count: rows)])
    }

    fileprivate mutating func add(sort rows: Int, columns: Int, bound: Int64) {
        add(shuffle: rows, columns: 1 + columns)
        let bits = SortTask.keyBits(bound: bound, rows: rows)
        // Three parts of whole words: no fewer elements have a larger part.
        let whole = 3 * 64
        var (batches, left) = ComparisonSort.most(rows)
        while batches > 0 {
            let count = min(left, ComparisonSort.mostInBatch * rows)
            let elements = LeadParts(count: (count / whole + 1) * whole, place: 0)
            add([OpenComparisonShape(carry: CarryShape(elements, bits: bits, trees: 1))])
            (batches, left) = (batches - 1, left - count)
        }
    }
}
