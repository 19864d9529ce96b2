public import SecureComputation

/// Logistic regression of two or three owners' rows, by full-batch gradient steps on shares: what all who compute agree on before they begin, and compare by ``digest``.
///
/// With x a row's features from -1 to 1 and a one, y its label and w the weights, nought at first, a step is w - rate (sum of (curve(x w) - y) x / rows + ridge w), where rows is the table's capacity.
public struct LogisticTask: Sendable, Hashable {
    /// Whose rows; the response is the label, from 0 to 1.
    public let table: JointTable
    /// How many steps, 1 to 1,000.
    public let epochs: Int
    /// 2^-20 to 256.
    public let rate: Double
    /// At least 0; the rate times it is at most 1/2.
    public let ridge: Double
    /// With noise in each step and rows held to a norm of 1, or none.
    public let privacy: JointPrivacy?
    /// Who computes.
    public let setting: JointSetting
    /// Who gets the weights.
    public let recipients: [ComputingParty]
    /// For the logistic function.
    public let curve: LogisticCurve
    /// How a dealer's keys are traded for rounds: in two rounds an epoch takes half of the keys, and one round more. Without a dealer it makes no difference.
    public let comparisons: ComparisonForm

    /// A task.
    ///
    /// - Parameter curve: ``LogisticCurve/fine`` with a dealer and ``LogisticCurve/coarse`` without one, unless it is said.
    /// - Throws: ``SecureStatisticsError/task(_:expected:)``.
    public init(
        table: JointTable, epochs: Int, rate: Double, ridge: Double = 0, privacy: JointPrivacy? = nil,
        setting: JointSetting, recipients: [ComputingParty], curve: LogisticCurve? = nil,
        comparisons: ComparisonForm = .twoRounds
    ) throws(SecureStatisticsError) {
        guard (1...1000).contains(epochs), epochs * table.rows <= 1 << 22 else {
            throw .task("\(epochs) epochs of \(table.rows) rows", expected: "1 to 1,000, of 2^22 rows altogether")
        }
        guard rate >= 0x1p-20, rate <= 256, ridge >= 0, rate * ridge <= 0.5 else {
            throw .task(
                "a rate of \(rate) with a ridge of \(ridge)", expected: "2^-20 to 256, times the ridge at most 1/2")
        }
        guard table.response.lower == 0, table.response.upper == 1 else {
            throw .task("a label \(table.response.name)", expected: "from 0 to 1")
        }
        try setting.check(table.owners, recipients: recipients)
        (self.table, self.epochs, self.rate, self.ridge, self.privacy) = (table, epochs, rate, ridge, privacy)
        (self.setting, self.recipients) = (setting, recipients)
        self.comparisons = comparisons
        self.curve = curve ?? (setting == .dealer ? .fine : .coarse)
    }

    /// All of it, unambiguously.
    var canonicalBytes: [UInt8] {
        var bytes = CanonicalBytes("parley/joint-logistic/1")
        table.append(to: &bytes)
        bytes.append(epochs)
        bytes.append(rate)
        bytes.append(ridge)
        bytes.append(privacy == nil ? 0 : 1)
        privacy?.append(to: &bytes)
        bytes.append(setting.rawValue)
        bytes.append(recipients)
        bytes.append(curve.rawValue)
        bytes.append(comparisons == .twoRounds ? 1 : 0)
        return bytes.bytes
    }

    /// SHA-256 of all of it.
    public var digest: [UInt8] { CanonicalBytes.digest(canonicalBytes) }
}

extension JointSetting {
    /// Whether those who give and get are among those who compute.
    func check(_ owners: [ComputingParty], recipients: [ComputingParty]) throws(SecureStatisticsError) {
        guard owners.allSatisfy(parties.contains) else {
            throw .task("owners \(owners)", expected: "some of \(parties)")
        }
        guard !recipients.isEmpty, Set(recipients).count == recipients.count, recipients.allSatisfy(parties.contains)
        else { throw .task("recipients \(recipients)", expected: "some of \(parties), each once") }
    }
}
