import Datasite
import DatasiteServer
import Logging

/// A server in this process, for the demonstration.
struct RunningServer {
    let url: String
    private let task: Task<Void, any Error>

    static func start(_ site: Datasite) async throws -> RunningServer {
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let task = Task {
            defer { continuation.finish() }
            let configuration = DatasiteServerConfiguration(
                port: 0, handlesSignals: false,
                logger: Logger(label: "demo") { _ in SwiftLogNoOpLogHandler() })
            try await serve(configuration, datasite: site, onListening: { continuation.yield($0) })
        }
        if let port = await ports.first(where: { _ in true }) {
            return RunningServer(url: "http://127.0.0.1:\(port)", task: task)
        }
        try await task.value
        throw Failure("The server ended before it listened.")
    }

    func stop() async {
        task.cancel()
        _ = try? await task.value
    }
}
