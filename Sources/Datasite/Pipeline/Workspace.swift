import DatasiteProtocol
import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A folder of a request's own, for its owner alone: private files, from which a run goes on after a crash. It is made
/// when it is first written to.
final class Workspace: Sendable {
    private let parent: String
    let folder: TrainingFolder
    private let told = Mutex<String?>(nil)

    init(parent: String, name: String) {
        self.parent = parent
        folder = TrainingFolder(path: parent + "/" + name)
    }

    /// Why the machine failed, in public words: from the system's own error alone, never from a row.
    var fault: String? { told.withLock { $0 } }

    func note(_ fault: String) { told.withLock { $0 = fault } }

    /// Held by the one process that goes on from what is here: of two each would draw its own noise under the same masks.
    ///
    /// - Returns: nil: another process holds it, or it cannot be made; ``fault`` says which.
    func lock() -> TrainingFolder.Lock? {
        guard make() else { return nil }
        guard let lock = try? folder.lock() else {
            note("another process computes it")
            return nil
        }
        return lock
    }

    private func make() -> Bool {
        for path in [parent, folder.path] where mkdir(path, 0o700) != 0 && errno != EEXIST {
            note("its checkpoint cannot be written: \(systemError())")
            return false
        }
        return true
    }

    /// Replaces the checkpoint in one step, durably.
    ///
    /// - Returns: Whether it is there; where not, ``fault`` says why.
    func save(_ bytes: [UInt8], to file: TrainingFolder.File = .checkpoint) -> Bool {
        do {
            guard make() else { return false }
            try folder.write(bytes, to: file)
            return true
        } catch {
            note("its checkpoint cannot be written: \(systemError())")
            return false
        }
    }

    /// What was saved last; nil: nothing, or it cannot be read.
    func saved(_ file: TrainingFolder.File = .checkpoint) -> [UInt8]? { try? folder.read(file) }

    func remove() { try? FileManager.default.removeItem(atPath: folder.path) }
}
