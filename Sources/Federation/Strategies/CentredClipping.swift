/// The mean of updates of which none pulls further than a radius (Karimireddy et al. 2021).
///
/// In each iteration centre += mean of (update - centre) x min(1, radius / its L2 norm). So f malicious of n
/// participants move it by at most 2 f / n x radius an iteration against what they would do if they were honest.
struct CentredClipping {
    let radius: Double
    let iterations: Int

    /// - Parameters:
    ///   - updates: At least one, all of one length, of finite entries.
    ///   - start: The last round's; nil: zeros.
    func combine(_ updates: [[Float]], from start: [Float]?) throws(StrategyError) -> [Float] {
        let length = updates[0].count
        var centre = [Double](repeating: 0, count: length)
        if let start {
            guard start.count == length else { throw .length(of: "centre", found: start.count, expected: length) }
            if let position = start.firstNonFinite { throw .nonFinite("centre", position: position) }
            centre = start.map(Double.init)
        }
        for _ in 0..<iterations {
            var pull = [Double](repeating: 0, count: length)
            for update in updates { addPull(of: update, from: centre, to: &pull) }
            for index in centre.indices { centre[index] += pull[index] / Double(updates.count) }
        }
        return centre.map { Float($0) }
    }

    private func addPull(of update: [Float], from centre: [Double], to pull: inout [Double]) {
        var square = 0.0
        for index in centre.indices {
            let difference: Double = Double(update[index]) - centre[index]
            square += difference * difference
        }
        let norm = square.squareRoot()
        let scale = norm > radius ? radius / norm : 1
        for index in centre.indices { pull[index] += scale * (Double(update[index]) - centre[index]) }
    }
}
