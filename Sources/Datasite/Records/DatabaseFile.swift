import DatasiteProtocol
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The database's files as they were when it was opened.
///
/// SQLite goes on in a file that was unlinked or replaced: charges and answers would be written where nobody finds them
/// again, and a token that the owner has revoked in the file that is there now would keep working. So device and inode
/// are looked at before anything is read or promised. What was noticed once stays: what happened meanwhile is not known,
/// and a server that starts again compares database and generation file.
final class DatabaseFile: Sendable {
    static let problem = Problem.unavailable(
        "the datasite's database was removed or replaced while it was open: nothing is answered from what is not there",
        hint: "the owner looks at the folder and starts the server again, which tells if a restore must be accepted")

    private struct Identity: Equatable {
        var device: UInt64
        var node: UInt64

        /// nil if there is no such file.
        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = UInt64(truncatingIfNeeded: status.st_dev)
            node = UInt64(truncatingIfNeeded: status.st_ino)
        }
    }

    private let files: [(path: String, identity: Identity)]
    private let isGone = Mutex(false)

    /// Opens a database with `open`, and remembers what was opened: the database, its log and the log's index.
    init(path: String, open: () throws -> Void) throws {
        let before = Identity(path)
        try open()
        files = ["", "-wal", "-shm"].compactMap { suffix in Identity(path + suffix).map { (path + suffix, $0) } }
        guard let opened = files.first, opened.path == path, before == nil || before == opened.identity else {
            throw Self.problem
        }
    }

    /// Refuses once a file is not the one that was opened.
    func check() throws {
        let isGone = isGone.withLock { isGone in
            isGone = isGone || files.contains { Identity($0.path) != $0.identity }
            return isGone
        }
        if isGone { throw Self.problem }
    }
}
