import GRDB
import Synchronization

extension Datasite {
    /// Ends what is being written and closes the files: nothing of this object works afterwards, and nothing more happens
    /// in the folder. Without it that happens some time after the last use, on whichever thread that ends.
    ///
    /// - Throws: a `Problem` if the database cannot be closed, since it is being read.
    public func close() throws {
        notifyHook.withLock { $0 }?.stopNow()
        commit.finish()
        life.withLock { $0 = nil }
        try reportingProblems {
            try cache.close()
            // The last connection takes the write-ahead log away, and only one that may write can.
            store.pool.invalidateReadOnlyConnections()
            try store.pool.close()
        }
    }
}
