import DifferentialPrivacy

/// The noisy numbers of units that selected the groups, where a column shows them: their noise was looked at already.
struct SelectionChannel {
    /// The channel that holds them; nil where no column shows them.
    let channel: Int?
    private let law: SelectedCount
    /// The least noisy number of units from which a group is not rare.
    private let leastCommon: Int64

    /// A group is marked while its noisy number does not rule out, at the interval's one-sided confidence, that groups
    /// of its size are shown in fewer asks than this: of those, the others are missing from the answer.
    static let rare = 0.2

    /// nil where keys are public.
    init?(_ output: OutputPlan) {
        guard let selection = output.selection else { return nil }
        channel = output.channels.firstIndex { $0.slot == nil }
        let confidence = channel.map { output.channels[$0].error.confidence } ?? 0.95
        law = SelectedCount(sigma: selection.sigma, threshold: selection.threshold, confidence: confidence)
        let common = Double(law.units(shownWith: Self.rare))
        let marks = SelectedCount(sigma: selection.sigma, threshold: selection.threshold)
        // The interval's lower end rises with the noisy number. Twenty standard deviations above the threshold it is
        // far above it.
        var (low, high) = (selection.threshold, selection.threshold + Int64(20 * selection.sigma) + 20)
        while low < high {
            let middle = low + (high - low) / 2
            if marks.interval(middle).lower >= common { high = middle } else { low = middle + 1 }
        }
        leastCommon = high
    }

    /// The interval of a form that the selecting numbers alone make up, by the law of what was selected; nil of others.
    func factors(of form: CellForm) -> ((_ group: Int, _ noisy: NoisyGroups) -> ConfidenceInterval)? {
        guard let channel, isAlone(in: form), case .linear(let linear) = form else { return nil }
        let factor = linear.terms.reduce(0) { $0 + $1.coefficient }
        return { group, noisy in
            let units = law.interval(noisy.counts[channel][group])
            let ends = [units.lower * factor + linear.constant, units.upper * factor + linear.constant]
            return ConfidenceInterval(lower: Swift.min(ends[0], ends[1]), upper: Swift.max(ends[0], ends[1]))
        }
    }

    /// Whether a cell's interval is made of the selecting numbers alone: it holds what the selection did to them.
    func isAlone(in form: CellForm) -> Bool {
        switch form {
        case .linear(let linear): !linear.terms.isEmpty && linear.terms.allSatisfy { $0.number == channel }
        case .monotone(_, let inner): isAlone(in: inner)
        default: false
        }
    }

    /// Whether a group of that noisy number of units may be of a size that is seldom shown.
    func isRare(_ noisyUnits: Int64) -> Bool { noisyUnits < leastCommon }
}
