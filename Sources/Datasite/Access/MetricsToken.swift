import Foundation
import Secrets

/// The token that reads a server's metrics and nothing else: in the site's folder, which its owner alone can enter.
public struct MetricsToken: Sendable {
    /// Where it is, for whoever collects metrics.
    public let file: String
    private let bytes: [UInt8]

    init(file: String, bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
    }

    /// Whether a request brought it.
    public func matches(_ text: String) -> Bool {
        Data(base64Encoded: text).map { constantTimeEqual(Array($0), bytes) } ?? false
    }
}

extension Datasite {
    /// The token that reads metrics; made where there is none.
    ///
    /// - Throws: a `Problem` if its file is open to others or cannot be read or written.
    public func metricsToken() throws -> MetricsToken {
        try reportingProblems { MetricsToken(file: folder.metricsToken, bytes: try folder.readMetricsToken()) }
    }
}
