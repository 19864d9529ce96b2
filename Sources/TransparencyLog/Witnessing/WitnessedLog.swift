/// What a witness keeps of a log: who signs it, and the latest checkpoint that it cosigned. Stored by its owner, durably.
public struct WitnessedLog: Sendable, Hashable, Codable {
    /// The origin and the keys that the witness was configured with.
    public let log: LogIdentity
    /// The latest checkpoint that was cosigned, with the log's signatures and the cosignature, as it is to be served to
    /// monitors; nil for none.
    public let latest: SignedCheckpoint?

    /// A log that was never cosigned. The first checkpoint of it that comes is believed.
    public init(_ log: LogIdentity) {
        self.init(log: log, latest: nil)
    }

    init(log: LogIdentity, latest: SignedCheckpoint?) {
        self.log = log
        self.latest = latest
    }

    /// The size of the latest checkpoint that was cosigned; 0 for none.
    public var size: UInt64 { latest?.head.size ?? 0 }

    private enum CodingKeys: String, CodingKey { case log, latest }

    /// Throws `DecodingError` for a checkpoint of another log.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        log = try container.decode(LogIdentity.self, forKey: .log)
        latest = try container.decodeIfPresent(SignedCheckpoint.self, forKey: .latest)
        guard latest == nil || latest?.checkpoint.origin == log.origin else {
            throw DecodingError.dataCorruptedError(
                forKey: .latest, in: container, debugDescription: "The checkpoint is of another log.")
        }
    }
}
