import ArgumentParser
import Datasite
import DatasiteProtocol
import Dispatch
import Synchronization

/// The names of datasets, where a shell asks what could stand there: from the site that the command would act on. Nobody waits a
/// second for it, and where there is no answer there are no names.
enum DatasetNames {
    static let completion: CompletionKind = .custom { (words: [String], _: Int, prefix: String) -> [String] in
        let found = Found()
        Task.detached { found.set((try? await names(words)) ?? []) }
        // The work is left where it is then: the process ends.
        return found.wait(.milliseconds(700)).filter { $0.hasPrefix(prefix) }
    }

    private static func names(_ words: [String]) async throws -> [String] {
        var arguments: [String] = []
        for option in ["--site", "--url", "--token-file", "--ca"] {
            guard let place = words.lastIndex(of: option), words.indices.contains(place + 1) else { continue }
            // Standard input is the shell's.
            if words[place + 1] != "-" { arguments += [option, words[place + 1]] }
        }
        // These act on a server alone, whatever folder is here.
        let isRemote = words.contains("ask") || words.contains("shell")
        let place: Place =
            isRemote
            ? .server(try ConnectionOptions.parse(arguments.withoutSite).connect())
            : try PlaceOptions.parse(arguments).place(announces: false)
        return try await place.datasets().map(\.name)
    }

    private final class Found: Sendable {
        private let names = Mutex<[String]>([])
        private let isFound = DispatchSemaphore(value: 0)

        func set(_ found: [String]) {
            names.withLock { $0 = found }
            isFound.signal()
        }

        func wait(_ time: DispatchTimeInterval) -> [String] {
            _ = isFound.wait(timeout: .now() + time)
            return names.withLock { $0 }
        }
    }
}

extension [String] {
    /// Of options in pairs, those of a connection.
    fileprivate var withoutSite: [String] {
        guard let place = firstIndex(of: "--site") else { return self }
        return Array(self[..<place] + self[(place + 2)...])
    }
}
