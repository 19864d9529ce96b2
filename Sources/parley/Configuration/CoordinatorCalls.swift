import Datasite
import DatasiteClient
import DatasiteProtocol
import Dispatch
import Synchronization

/// How a datasite that this process serves reaches coordinators: it dials out, and waits on a thread of its own.
final class CoordinatorCalls: CoordinatorConnection {
    private let options: ClientOptions
    /// One client a coordinator, whose connections stay open.
    private let clients = Mutex<[String: RoundsClient]>([:])

    /// - Parameter certificateAuthority: A PEM file of the only authorities to trust; nil: the system's.
    init(certificateAuthority: String?) { options = ClientOptions(certificateAuthority: certificateAuthority) }

    func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8] {
        let client = try client(coordinator)
        let answer = Answer()
        Task {
            // A large model takes its time on a slow line: 1 MB a second.
            let timeout = Duration.seconds(60 + (message.count + largestReply) >> 20)
            do {
                answer.give(.success(try await client.exchange(message, largest: largestReply, timeout: timeout)))
            } catch let error as TransportError where error.kind == .untrusted {
                answer.give(
                    .failure(
                        UnusableCoordinator(
                            "its coordinator's certificate is not trusted here (its owner says whom to trust: parley serve --coordinator-ca FILE)"
                        )))
            } catch { answer.give(.failure(error)) }
        }
        return try answer.wait()
    }

    private func client(_ coordinator: String) throws -> RoundsClient {
        if let known = clients.withLock({ $0[coordinator] }) { return known }
        let client = try RoundsClient(url: coordinator, options: options)
        clients.withLock { $0[coordinator] = client }
        return client
    }

    /// What a task gives, and a thread waits for.
    private final class Answer: Sendable {
        private let result = Mutex<Result<[UInt8], any Error>?>(nil)
        private let isThere = DispatchSemaphore(value: 0)

        func give(_ given: Result<[UInt8], any Error>) {
            result.withLock { $0 = given }
            isThere.signal()
        }

        func wait() throws -> [UInt8] {
            isThere.wait()
            return try result.withLock { $0 }?.get() ?? []
        }
    }
}
