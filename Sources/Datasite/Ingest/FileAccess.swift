import Foundation
import Tables

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The system's words for the last error.
func systemError() -> String { String(cString: strerror(errno)) }

/// A file read from its start to its end.
struct FileHandleReader {
    let size: Int
    private(set) var position = 0
    private let file: OwnedDescriptor

    init(path: String) throws {
        guard path != "-" else {
            throw IngestError.unreadable(path: "standard input", reason: "save it to a file first")
        }
        // A pipe would wait for its writer: it is opened without waiting, and refused below.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw IngestError.unreadable(path: path, reason: systemError()) }
        file = OwnedDescriptor(descriptor)
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw IngestError.unreadable(path: path, reason: systemError())
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw IngestError.unreadable(
                path: path, reason: "it is not a file but a folder, a pipe or a device; save it to a file first")
        }
        size = Int(status.st_size)
    }

    /// Whether the file begins so.
    func startsWith(_ bytes: [UInt8]) throws -> Bool {
        var first = [UInt8](repeating: 0, count: bytes.count)
        let count = pread(file.descriptor, &first, first.count, 0)
        return count == bytes.count && first == bytes
    }

    /// Those bytes, all of which the file had when it was opened.
    func bytes(_ range: Range<Int>) throws -> ColumnBytes {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: max(range.count, 1), alignment: 64)
        let bytes = ColumnBytes(owning: memory, count: range.count)
        var done = 0
        while done < range.count {
            let got = pread(file.descriptor, memory + done, range.count - done, off_t(range.lowerBound + done))
            if got < 0, errno == EINTR { continue }
            guard got > 0 else {
                throw IngestError.unreadable(
                    path: "the file", reason: got == 0 ? "it was cut while it was read" : systemError())
            }
            done += got
        }
        return bytes
    }

    /// Fills as much as it can; returns how many bytes, 0 at the end.
    mutating func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        var got = 0
        repeat { got = systemRead(file.descriptor, target.baseAddress, target.count) } while got < 0 && errno == EINTR
        guard got >= 0 else { throw IngestError.unreadable(path: "the file", reason: systemError()) }
        position += got
        return got
    }
}

private func systemRead(_ descriptor: Int32, _ target: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, target, count)
}

/// A file descriptor that is closed with its owner.
final class OwnedDescriptor: Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }
}

/// Maps a whole file; its pages come from the system's cache and belong to no allocation of this process.
func mapFile(_ path: String) throws -> ColumnBytes {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw IngestError.unreadable(path: path, reason: systemError()) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw IngestError.unreadable(path: path, reason: systemError()) }
    let count = Int(status.st_size)
    guard count > 0 else { return ColumnBytes([]) }
    guard let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
        throw IngestError.unreadable(path: path, reason: systemError())
    }
    let place = UInt(bitPattern: address)
    return ColumnBytes(address: UnsafeRawPointer(address), count: count) {
        if let address = UnsafeMutableRawPointer(bitPattern: place) { munmap(address, count) }
    }
}

/// Makes a file's or folder's contents durable.
func synchronize(_ path: String) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw IngestError.unwritable(path: path, reason: systemError()) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw IngestError.unwritable(path: path, reason: systemError()) }
}
