import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Files that only their owner may read: tokens, history, receipts.
enum PrivateFile {
    /// Creates the folder and its parents; the last one with mode 0700.
    static func makeFolder(_ path: String) throws(Failure) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw Failure("Cannot create the folder \(path): \(error.localizedDescription)")
        }
    }

    /// Writes a file that is not there yet, as a whole; one that is there stays what it is.
    static func create(_ bytes: [UInt8], at path: String) throws(Failure) {
        let temporary = path + ".\(getpid()).first"
        try write(bytes, to: temporary)
        defer { unlink(temporary) }
        guard link(temporary, path) == 0 || errno == EEXIST else { throw failure("write", path) }
    }

    /// Replaces the file in one step, with mode 0600 from the first byte on.
    static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        let temporary = path + ".\(getpid()).new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("write", temporary) }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try handle.write(contentsOf: Data(bytes))
            try handle.synchronize()
            try handle.close()
        } catch {
            unlink(temporary)
            throw Failure("Cannot write \(path): \(error.localizedDescription)")
        }
        guard rename(temporary, path) == 0 else {
            unlink(temporary)
            throw failure("write", path)
        }
    }

    /// The file's bytes; nil where there is none. A file that others may read is refused.
    static func read(_ path: String) throws(Failure) -> [UInt8]? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw failure("read", path)
        }
        guard status.st_mode & 0o077 == 0 else {
            throw Failure("\(path) can be read by others.", next: "It holds access tokens; run: chmod 600 \(path)")
        }
        guard let data = FileManager.default.contents(atPath: path) else { throw failure("read", path) }
        return Array(data)
    }

    private static func failure(_ verb: String, _ path: String) -> Failure {
        Failure("Cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}
