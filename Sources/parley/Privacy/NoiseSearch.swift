import DifferentialPrivacy

/// The least noise that an accountant proves to be enough.
struct NoiseSearch {
    let epsilon: Double
    let delta: Double
    /// Relative; nil for 1e-5 on a grid, whose evaluations take long, and 1e-10 elsewhere.
    let tolerance: Double?
    let accounting: AccountantOptions
    let event: (Double) -> PrivacyEvent

    struct Found {
        var noise: Double
        var by: AccountantChoice
        /// What Rényi divergences prove to be enough, where that is less because the grid is too coarse.
        var lessByRenyi: Double?
    }

    /// By the accountant that was named; else the least that any of them proves.
    func least() throws -> Found {
        if let only = accounting.only {
            guard only == .pld else { return Found(noise: try least(by: only), by: only) }
            let accountant = try RenyiAccountant(neighbours: accounting.neighbours)
            let renyi = try? least(by: accountant, tolerance: 1e-3, startingAt: 1)
            let noise = try leastOnGrid(startingAt: renyi)
            return Found(noise: noise, by: .pld, lessByRenyi: renyi.flatMap { $0 < noise ? $0 : nil })
        }
        // Whoever supports the event for one size of noise supports it for all, but for pld, which is asked last.
        let supporting = try accounting.accountants(for: event(1)).map(\.choice)
        var best: Found?
        var failure: (any Error)?
        for choice in supporting where choice != .pld {
            do {
                let noise = try least(by: choice)
                if noise < best?.noise ?? .infinity { best = Found(noise: noise, by: choice) }
            } catch {
                failure = error
            }
        }
        guard let best else { throw failure ?? Failure("No accountant but pld supports that: name it.") }
        // Nothing is below what is exact.
        guard best.by != .gaussian, supporting.contains(.pld) else { return best }
        let rough = leastOnCoarseGrid(startingAt: best.noise)
        // Where a little less noise is not proved to be enough, neither is much less: no need to search.
        guard rough < best.noise || isProvedOnGrid(best.noise / (1 + toleranceOnGrid)),
            let noise = try? least(by: .pld, startingAt: min(rough, best.noise)), noise < best.noise
        else { return best }
        return Found(noise: noise, by: .pld)
    }

    private func least(by choice: AccountantChoice, startingAt start: Double = 1) throws(MechanismError) -> Double {
        let usual = choice == .pld ? toleranceOnGrid : 1e-10
        return try least(by: try accounting.make(choice), tolerance: tolerance ?? usual, startingAt: start)
    }

    private func least(
        by accountant: any Accountant, tolerance: Double, startingAt start: Double
    ) throws(MechanismError) -> Double {
        try Calibration.leastNoise(
            epsilon: epsilon, delta: delta, tolerance: tolerance, startingAt: min(max(start, 1e-6), 1e9),
            by: accountant, event: event)
    }
}

// MARK: - Privacy loss distributions

extension NoiseSearch {
    private var toleranceOnGrid: Double { tolerance ?? 1e-5 }

    /// What is proved at that noise.
    private func boundsOnGrid(_ noise: Double) throws(MechanismError) -> PrivacyBounds {
        var accountant = try accounting.make(.pld)
        try accountant.compose(event(noise), times: 1)
        return try accountant.epsilon(delta: delta)
    }

    private func isProvedOnGrid(_ noise: Double) -> Bool {
        // Too little noise for a loss distribution is refused: nothing is proved then.
        guard let bounds = try? boundsOnGrid(noise) else { return false }
        return bounds.upper <= epsilon
    }

    /// About where the search on the right grid will end, in a part of its time; infinity where that grid is too coarse.
    private func leastOnCoarseGrid(startingAt start: Double) -> Double {
        let step = min(1, 16 * (accounting.gridStep ?? 1e-4))
        guard let coarse = try? PrivacyLossAccountant(gridStep: step, neighbours: accounting.neighbours),
            let noise = try? least(by: coarse, tolerance: max(toleranceOnGrid, 1e-3), startingAt: start)
        else { return .infinity }
        return noise
    }

    /// By privacy loss distributions alone, starting at about what Rényi divergences say.
    private func leastOnGrid(startingAt renyi: Double?) throws -> Double {
        let start = min(renyi ?? .infinity, leastOnCoarseGrid(startingAt: renyi ?? 1))
        do {
            return try least(by: .pld, startingAt: start < .infinity ? start : 1)
        } catch {
            // Not the noise is to blame where the lower bound would allow for epsilon.
            guard let most = try? boundsOnGrid(1e9), most.lower <= epsilon, most.upper > epsilon else { throw error }
            throw Failure(
                "The grid of privacy losses is too coarse to prove epsilon \(NumberText.significant(epsilon)), "
                    + "whatever the noise.",
                next: "Give a finer --grid-step, down to 1e-7, or leave out --accountant: others may prove it.")
        }
    }
}
