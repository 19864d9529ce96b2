internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What a log needs of a disk: one file that grows at its end. Tests put one in its place that fails and forgets as disks do.
public protocol Disk: AnyObject {
    /// All that is there.
    ///
    /// - Throws: ``DiskError``.
    func read() throws(DiskError) -> [UInt8]
    /// Adds the bytes at the end, not yet durably.
    ///
    /// - Throws: ``DiskError``; some of the bytes may be there then.
    func write(_ bytes: [UInt8]) throws(DiskError)
    /// Makes what was written durable.
    ///
    /// - Throws: ``DiskError``; what is durable is not known then.
    func synchronize() throws(DiskError)
    /// Cuts the file to so many bytes.
    ///
    /// - Throws: ``DiskError``.
    func cut(to count: Int) throws(DiskError)
}

/// What a disk could not do, and the system's reason.
public struct DiskError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was tried.
    public let action: String
    /// What the system said.
    public let reason: String
    /// Whether another process has the file open.
    public let isInUse: Bool

    /// What was tried of which file, and why it failed.
    public init(action: String, reason: String, isInUse: Bool = false) {
        self.action = action
        self.reason = reason
        self.isInUse = isInUse
    }

    /// Both.
    public var description: String { "\(action): \(reason)" }
}

/// A file that one process at a time has open: it takes an advisory lock (`flock`), which the system frees with the process.
public final class LogFile: Disk {
    private let path: String
    private let descriptor: Int32

    /// Opens the file, or makes one that its owner alone can read. A new file's name is durable when this returns.
    ///
    /// - Throws: ``DiskError``, also where another process has it open.
    public convenience init(path: String) throws(DiskError) { try self.init(path: path, makingNameDurable: true) }

    init(path: String, makingNameDurable: Bool) throws(DiskError) {
        self.path = path
        let isNew = access(path, F_OK) != 0
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0o600)
        guard descriptor >= 0 else { throw Self.failure("\(path) cannot be opened") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let isInUse = errno == EWOULDBLOCK
            throw DiskError(
                action: "\(path) is open in another process", reason: String(cString: strerror(errno)),
                isInUse: isInUse)
        }
        guard isNew, makingNameDurable else { return }
        let parent = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
        let folder = open(parent, O_RDONLY | O_CLOEXEC)
        let isDurable = folder >= 0 && fsync(folder) == 0
        let error = Self.failure("the name of \(path) cannot be made durable")
        if folder >= 0 { close(folder) }
        guard isDurable else { throw error }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    private static func failure(_ action: String) -> DiskError {
        DiskError(action: action, reason: String(cString: strerror(errno)))
    }

    /// All that is there.
    public func read() throws(DiskError) -> [UInt8] {
        let size = lseek(descriptor, 0, SEEK_END)
        guard size >= 0 else { throw Self.failure("\(path) cannot be read") }
        var done = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            while done < buffer.count, let base = buffer.baseAddress {
                let read = pread(descriptor, base + done, buffer.count - done, off_t(done))
                if read < 0, errno == EINTR { continue }
                guard read > 0 else { break }
                done += read
            }
            count = done
        }
        guard done == Int(size) else { throw Self.failure("\(path) cannot be read") }
        return bytes
    }

    /// Adds the bytes at the end.
    public func write(_ bytes: [UInt8]) throws(DiskError) {
        let isWritten = bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count, let base = bytes.baseAddress {
                #if canImport(Glibc)
                    let count = Glibc.write(descriptor, base + done, bytes.count - done)
                #elseif canImport(Musl)
                    let count = Musl.write(descriptor, base + done, bytes.count - done)
                #else
                    let count = Darwin.write(descriptor, base + done, bytes.count - done)
                #endif
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
        guard isWritten else { throw Self.failure("\(path) cannot be written") }
    }

    /// `fdatasync`, which also makes the file's new length durable (POSIX.1-2024); Darwin's `fsync` leaves it in the drive's cache, so that there it is `F_FULLFSYNC`.
    public func synchronize() throws(DiskError) {
        #if canImport(Darwin)
            let isDurable = fcntl(descriptor, F_FULLFSYNC) == 0
        #else
            let isDurable = fdatasync(descriptor) == 0
        #endif
        guard isDurable else { throw Self.failure("\(path) cannot be made durable") }
    }

    /// `ftruncate`.
    public func cut(to count: Int) throws(DiskError) {
        guard ftruncate(descriptor, off_t(count)) == 0 else { throw Self.failure("\(path) cannot be cut") }
    }
}
