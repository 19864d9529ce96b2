import NIOCore
import Synchronization

/// Bodies that follow from one version of the catalogue. Only what exists is kept, so a peer cannot make it grow.
final class ResponseCache: Sendable {
    private struct State {
        var version = Int64.min
        var bodies: [String: ByteBuffer] = [:]
    }

    private let state = Mutex(State())

    /// The body for `key`, from the cache if it was made at `version`.
    func body(_ key: String, version: Int64, make: () throws -> [UInt8]) throws -> ByteBuffer {
        if let body = state.withLock({ $0.version == version ? $0.bodies[key] : nil }) { return body }
        let body = ByteBuffer(bytes: try make())
        state.withLock { state in
            if state.version != version { state = State(version: version) }
            state.bodies[key] = body
        }
        return body
    }
}
