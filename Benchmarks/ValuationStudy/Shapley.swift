/// Shapley values by training a model on every set of owners (Shapley 1953).
public enum Shapley {
    /// Which set, trained by the plan, has which utility; the empty set's model has zeros for parameters.
    ///
    /// - Returns: By owner: of minus the loss, and of the accuracy, on the sponsor's rows.
    public static func exact(_ cast: Cast, _ plan: Plan) -> (loss: [Double], accuracy: [Double]) {
        let count = cast.owners.count
        // The first round begins at the same model in every set.
        let first = cast.owners.map { plan.clipped(plan.update(Softmax(), $0)) }
        var losses: [Double] = []
        var accuracies: [Double] = []
        for members in 0..<1 << count {
            let set = (0..<count).filter { members >> $0 & 1 == 1 }
            let score = train(set, cast, plan, first).score(cast.validation)
            losses.append(-score.loss)
            accuracies.append(score.accuracy)
        }
        return (values(losses, count), values(accuracies, count))
    }

    private static func train(_ set: [Int], _ cast: Cast, _ plan: Plan, _ first: [Softmax]) -> Softmax {
        var model = Softmax()
        let rows = set.reduce(0) { $0 + cast.owners[$1].count }
        for round in 0..<plan.rounds where rows > 0 {
            var step = Softmax()
            for owner in set {
                let update = round == 0 ? first[owner] : plan.clipped(plan.update(model, cast.owners[owner]))
                step.add(update, times: Float(cast.owners[owner].count) / Float(rows))
            }
            model.add(step, times: plan.serverRate)
        }
        return model
    }

    /// The values of a game that is given by the utility of each set, whose members are the bits of its place.
    public static func values(_ utilities: [Double], _ count: Int) -> [Double] {
        var weights: [Double] = []
        var choices = 1.0
        for size in 0..<count {
            weights.append(1 / (choices * Double(count)))
            choices = choices * Double(count - 1 - size) / Double(size + 1)
        }
        return (0..<count).map { owner in
            var sum = 0.0
            for set in 0..<1 << count where set >> owner & 1 == 0 {
                sum += weights[set.nonzeroBitCount] * (utilities[set | 1 << owner] - utilities[set])
            }
            return sum
        }
    }

    /// Shares of the parts above zero.
    public static func shares(_ values: [Double]) -> [Double] {
        let positive = values.map { max(0, $0) }
        let sum = positive.reduce(0, +)
        return positive.map { sum > 0 ? $0 / sum : 0 }
    }

    /// Half the sum of the absolute differences of two lists of shares: which part of the pot goes to the wrong owners (the total variation distance).
    public static func misallocation(_ a: [Double], _ b: [Double]) -> Double {
        zip(shares(a), shares(b)).reduce(0) { $0 + abs($1.0 - $1.1) } / 2
    }
}
