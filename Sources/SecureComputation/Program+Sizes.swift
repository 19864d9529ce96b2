internal import ModularArithmetic

extension Program {
    /// The steps that have correlations, in the order in which a run takes them.
    public var correlatedSteps: [Int] {
        rounds.joined().filter { place in
            ComputingParty.two.contains { correlationWords(place, of: $0) > 0 }
        }
    }

    /// How many bytes the dealer gives a party for a step, as ``Dealer/encodedStep(_:for:)`` has them.
    public func correlationBytes(step: Int, of party: ComputingParty) -> Int {
        steps.indices.contains(step) ? 8 * correlationWords(step, of: party) : 0
    }

    /// Whose each input is, in their order; nil for what is shared already.
    public var inputOwners: [ComputingParty?] {
        inputs.map { if case .input(let party) = operation($0.place) { party } else { nil } }
    }

    /// What is shared already, in order.
    var sharedInputs: [Value] { inputs.filter { operation($0.place) == .shared } }

    /// How many rounds a run has.
    public var roundCount: Int { rounds.count }

    /// The most words that a party sends in a round.
    public func mostOpenedWords(by party: ComputingParty) -> Int {
        rounds.indices.map { openedWords(round: $0, by: party) }.max() ?? 0
    }

    /// How many elements all values have together.
    public var elements: Int { steps.reduce(0) { $0 + $1.value.count } }

    /// How many weights there are.
    public var weightCount: Int { weights.reduce(0) { $0 + $1.count } }

    /// How many multiply-adds a party's products take, about: of each product three.
    public var multiplications: Double {
        steps.reduce(0) { sum, step in
            switch step.operation {
            case .product(let map, _, _), .weighted(let map, _, _): sum + 3 * Double(map.multiplications)
            case .publicProduct(let map, _, _): sum + Double(map.multiplications)
            default: sum
            }
        }
    }
}
