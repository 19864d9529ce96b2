import DatasiteProtocol
import GRDB

extension Problem {
    /// What the storage below reports, in words that name no stored value.
    static func storage(_ error: any Error) -> Problem {
        if let problem = error as? Problem { return problem }
        guard let error = error as? DatabaseError else {
            return unavailable("an internal error occurred", hint: "ask the owner to look at the datasite's log")
        }
        switch error.resultCode {
        case .SQLITE_FULL:
            return unavailable("the datasite's disk is full", hint: "the owner must make room; what was charged stays")
        case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM:
            return unavailable("the datasite's database cannot be written", hint: "the owner must make it writable")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return unavailable("another process holds the datasite's database", hint: "try again in a moment")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return unavailable("the datasite's database is damaged", hint: "the owner must run `parley verify`")
        case .SQLITE_IOERR:
            return unavailable("the datasite's disk reports an error", hint: "the owner must look at the disk")
        default:
            return unavailable("the datasite's database reports error \(error.resultCode.rawValue)")
        }
    }
}

/// Runs `body` so that nothing but a `Problem` comes out.
func reportingProblems<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch { throw Problem.storage(error) }
}
