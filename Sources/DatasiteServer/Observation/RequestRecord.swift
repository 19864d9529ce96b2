import Logging

/// What the log and the metrics keep of one exchange: names, numbers and kinds; no path, query, body, SQL or token.
struct RequestRecord: Sendable {
    var method: String
    var peer: String
    var operation: Endpoint?
    var user: String?
    var status = 0
    var duration = Duration.zero
    var problem: String?
    /// The type of an unforeseen error.
    var failure: String?

    init(method: String, peer: String) {
        self.method = method
        self.peer = peer
    }

    /// Reads that succeed are for debugging; whatever asks, decides or fails is for the record.
    ///
    /// - Parameter repeated: How many more like this one there were since it was logged; nil: it is logged itself.
    func write(to logger: Logger, repeated: Int? = nil) {
        let isRead = operation?.method == "GET" && status < 400
        let level: Logger.Level = status >= 500 ? .error : isRead ? .debug : .info
        guard logger.logLevel <= level else { return }
        var metadata: Logger.Metadata = [
            "operation": .string(operation?.rawValue ?? "none"), "method": .string(String(method.prefix(16))),
            "status": .stringConvertible(status), "peer": .string(peer),
        ]
        if let repeated {
            metadata["repeated"] = .stringConvertible(repeated)
        } else {
            metadata["milliseconds"] = .stringConvertible(milliseconds)
        }
        metadata["user"] = user.map { .string($0) }
        metadata["problem"] = problem.map { .string($0) }
        metadata["failure"] = failure.map { .string($0) }
        logger.log(level: level, repeated == nil ? "request" : "more such requests", metadata: metadata)
    }

    var seconds: Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    private var milliseconds: Double { (seconds * 1e5).rounded() / 100 }
}
