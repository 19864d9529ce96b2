internal import ContentAddressing
internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Files that are there as a whole or not at all: written under another name, made durable, renamed. Whoever writes makes their folders
/// durable once, at the end.
enum BlockFiles {
    static let partial = ".partial"

    /// All of a regular file; nil where there is none. A link is none.
    static func read(_ path: String, most: Int) throws(ContentError) -> [UInt8]? {
        // Nobody waits for what is no file, a pipe say.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            if errno == ELOOP { throw .storage(path, reason: "expected a file, and no link") }
            throw failure("\(path) cannot be opened")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .storage(path, reason: "expected a file")
        }
        guard status.st_size <= most else { throw .tooLarge("bytes of \(path)", most: UInt64(most)) }
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
            count = fill(buffer, from: descriptor)
        }
        guard bytes.count == Int(status.st_size) else { throw failure("\(path) cannot be read") }
        return bytes
    }

    /// Reads until the buffer is full or the file ends; how many bytes there were.
    private static func fill(_ buffer: UnsafeMutableBufferPointer<UInt8>, from descriptor: Int32) -> Int {
        var done = 0
        while done < buffer.count, let base = buffer.baseAddress {
            #if canImport(Glibc)
                let count = Glibc.read(descriptor, base + done, buffer.count - done)
            #elseif canImport(Musl)
                let count = Musl.read(descriptor, base + done, buffer.count - done)
            #else
                let count = Darwin.read(descriptor, base + done, buffer.count - done)
            #endif
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            done += count
        }
        return done
    }

    /// How long a regular file is; nil where there is none.
    static func byteCount(_ path: String) throws(ContentError) -> Int? {
        guard let status = try status(path) else { return nil }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .storage(path, reason: "expected a file") }
        return Int(status.st_size)
    }

    /// Of what has this name, be it a link; nil where nothing has.
    private static func status(_ path: String) throws(ContentError) -> stat? {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw failure("\(path) cannot be read")
        }
        return status
    }

    static func isFile(_ path: String) throws(ContentError) -> Bool {
        try status(path).map { $0.st_mode & S_IFMT == S_IFREG } ?? false
    }

    /// Puts a file in its place. Its name is durable once its folder is.
    static func place(_ bytes: [UInt8], at path: String) throws(ContentError) {
        let file = try PartialFile(path)
        try file.write(bytes)
        try file.place()
    }

    /// Whether the folder was made now.
    ///
    /// - Parameter followsLink: Whether a link to a folder is one.
    /// - Throws: ``ContentError`` also where something else has its name.
    static func makeFolder(_ path: String, followsLink: Bool = false) throws(ContentError) -> Bool {
        if mkdir(path, 0o700) == 0 { return true }
        guard errno == EEXIST else { throw failure("\(path) cannot be made") }
        // Behind a slash there is what a link leads to.
        guard let mode = try status(followsLink ? path + "/" : path)?.st_mode, mode & S_IFMT == S_IFDIR else {
            throw .storage(path, reason: "expected a folder, and no link to one")
        }
        return false
    }

    static func names(in folder: String) throws(ContentError) -> [String] {
        do { return try FileManager.default.contentsOfDirectory(atPath: folder).sorted() } catch {
            throw .storage(folder, reason: "it cannot be listed")
        }
    }

    static func remove(_ path: String) throws(ContentError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw failure("\(path) cannot be removed") }
    }

    /// Folders, many at once.
    static func synchronize(folders: some Collection<String>) throws(ContentError) {
        let folders = Array(folders)
        try AtOnce.run(folders.count) { index throws(ContentError) in try synchronize(folder: folders[index]) }
    }

    static func synchronize(folder: String) throws(ContentError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("\(folder) cannot be opened") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("\(folder) cannot be made durable") }
    }

    static func failure(_ what: String) -> ContentError { .storage(what, reason: String(cString: strerror(errno))) }

    /// Of one process at a time: the system frees it with the process.
    final class Lock: Sendable {
        private let descriptor: Int32

        init(_ path: String) throws(ContentError) {
            descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard descriptor >= 0 else { throw BlockFiles.failure("\(path) cannot be opened") }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                throw .storage(path, reason: "the folder is open in another process")
            }
        }

        deinit { if descriptor >= 0 { close(descriptor) } }
    }

    /// The pieces of a regular file.
    struct Pieces: ~Copyable {
        private let path: String
        private let descriptor: Int32

        init(_ path: String) throws(ContentError) {
            self.path = path
            descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            guard descriptor >= 0 else { throw BlockFiles.failure("\(path) cannot be opened") }
            var status = stat()
            guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                throw .storage(path, reason: "expected a file")
            }
        }

        deinit { if descriptor >= 0 { close(descriptor) } }

        /// A MiB at the most; nil at the end.
        func next() throws(ContentError) -> [UInt8]? {
            errno = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 20) { buffer, count in
                count = BlockFiles.fill(buffer, from: descriptor)
            }
            guard bytes.count == 1 << 20 || errno == 0 else { throw BlockFiles.failure("\(path) cannot be read") }
            return bytes.isEmpty ? nil : bytes
        }
    }

    /// A file that has its name once it is whole; what is not placed is removed.
    final class PartialFile {
        private let path: String
        private let descriptor: Int32
        private var isPlaced = false

        init(_ path: String) throws(ContentError) {
            self.path = path
            unlink(path + BlockFiles.partial)
            descriptor = open(path + BlockFiles.partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw BlockFiles.failure("\(path) cannot be written") }
        }

        deinit {
            guard descriptor >= 0 else { return }
            close(descriptor)
            if !isPlaced { unlink(path + BlockFiles.partial) }
        }

        func write(_ bytes: [UInt8]) throws(ContentError) {
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
            guard isWritten else { throw BlockFiles.failure("\(path) cannot be written") }
        }

        func place() throws(ContentError) { try Self.place([self]) }

        /// Puts files in their places once all of them are durable.
        static func place(_ files: [PartialFile]) throws(ContentError) {
            let written = files.map { ($0.descriptor, $0.path) }
            try AtOnce.run(files.count) { index throws(ContentError) in
                let (descriptor, path) = written[index]
                #if canImport(Darwin)
                    let isDurable = fcntl(descriptor, F_FULLFSYNC) == 0
                #else
                    let isDurable = fdatasync(descriptor) == 0
                #endif
                guard isDurable else { throw BlockFiles.failure("\(path) cannot be made durable") }
            }
            for file in files { try file.take() }
        }

        private func take() throws(ContentError) {
            guard rename(path + BlockFiles.partial, path) == 0 else {
                throw BlockFiles.failure("\(path) cannot be put in its place")
            }
            isPlaced = true
        }
    }
}
