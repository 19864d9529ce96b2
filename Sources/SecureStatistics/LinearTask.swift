public import SecureComputation

/// Linear regression of two or three owners' rows from their moments: what all who compute agree on before they begin, and compare by ``digest``.
///
/// With x a row's features from -1 to 1 and a one, and y its response from -1 to 1, the weights solve (sum of x x' / rows + ridge) w = sum of x y / rows, where rows is the table's capacity.
public struct LinearTask: Sendable, Hashable {
    /// Whose rows.
    public let table: JointTable
    /// Above 0, at most 1.
    public let ridge: Double
    /// With noise in the moments, which are opened, or none: then weights alone are opened.
    public let privacy: JointPrivacy?
    /// Who computes.
    public let setting: JointSetting
    /// Who gets the result.
    public let recipients: [ComputingParty]

    /// A task.
    ///
    /// - Throws: ``SecureStatisticsError/task(_:expected:)``.
    public init(
        table: JointTable, ridge: Double, privacy: JointPrivacy? = nil, setting: JointSetting,
        recipients: [ComputingParty]
    ) throws(SecureStatisticsError) {
        guard ridge > 0, ridge <= 1 else { throw .task("a ridge of \(ridge)", expected: "above 0, at most 1") }
        try setting.check(table.owners, recipients: recipients)
        (self.table, self.ridge, self.privacy, self.setting) = (table, ridge, privacy, setting)
        self.recipients = recipients
    }

    /// All of it, unambiguously.
    var canonicalBytes: [UInt8] {
        var bytes = CanonicalBytes("parley/joint-linear/1")
        table.append(to: &bytes)
        bytes.append(ridge)
        bytes.append(privacy == nil ? 0 : 1)
        privacy?.append(to: &bytes)
        bytes.append(setting.rawValue)
        bytes.append(recipients)
        return bytes.bytes
    }

    /// SHA-256 of all of it.
    public var digest: [UInt8] { CanonicalBytes.digest(canonicalBytes) }
}
