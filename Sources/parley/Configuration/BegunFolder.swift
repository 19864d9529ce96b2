import Datasite
import DatasiteProtocol
import Foundation

/// Where something is kept that was begun with several sites, until its end is shown: the same command goes on with it after a crash, and no site is charged again.
struct BegunFolder: Sendable {
    let path: String

    /// - Parameters:
    ///   - kind: "questions", under `$XDG_DATA_HOME/parley`.
    ///   - name: What is asked, of whom, and where.
    init(_ kind: String, name: String) {
        path = URL(filePath: KeptReceipts().folder).deletingLastPathComponent().path + "/\(kind)/\(name)"
    }

    /// Of two processes that ask the same, one: the other would take its run for one that a crash left.
    func lock() throws -> ServerLock {
        try PrivateFile.makeFolder(URL(filePath: path).deletingLastPathComponent().path)
        return try ServerLock(
            path: path + ".lock",
            busy: Problem(
                .conflict, "Another process asks the same question now.", hint: "Wait for its answer, or stop it first."
            ))
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
