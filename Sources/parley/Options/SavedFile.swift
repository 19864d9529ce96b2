import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that the user named for a result. A plain file is replaced in one step; a link is followed; a device or a
/// pipe is written to, never replaced.
enum SavedFile {
    /// Throws where `write` could not succeed: a folder by that name, no folder to put it in, no permission.
    static func check(_ path: String) throws(Failure) {
        let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        if let type = type(path) {
            guard type != S_IFDIR else { throw failure(path, "it is a folder") }
            guard type == S_IFREG else {
                guard access(path, W_OK) == 0 else { throw failure(path, String(cString: strerror(errno))) }
                return
            }
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard access(folder, W_OK | X_OK) == 0 else {
            throw failure(path, "\(folder): \(String(cString: strerror(errno)))")
        }
    }

    static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        do {
            if let type = type(path), type != S_IFREG {
                let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
                try handle.write(contentsOf: Data(bytes))
                try handle.close()
            } else {
                try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
            }
        } catch {
            throw failure(path, error.localizedDescription)
        }
    }

    private static func type(_ path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
    }

    private static func failure(_ path: String, _ why: String) -> Failure {
        Failure("Cannot write \(path): \(why).")
    }
}
