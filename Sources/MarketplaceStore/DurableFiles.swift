internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Files that are there as a whole or as they were, across crashes: written under another name, made durable, renamed, and their folder made durable.
enum DurableFiles {
    /// Reads a file, of so many bytes at the most.
    static func read(_ path: String, most: Int, expected: String) throws(MarketFolderError) -> [UInt8] {
        // Nobody waits for what is no file, a pipe say.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw .malformed(path, expected: expected) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= most,
            let data = try? file.read(upToCount: min(most, Int(status.st_size)) + 1) ?? Data(), data.count <= most
        else {
            throw .malformed(path, expected: "\(expected), of at most \(most) bytes")
        }
        return [UInt8](data)
    }

    static func replace(_ path: String, with bytes: [UInt8]) throws(DiskError) {
        try place(path, with: bytes)
        try synchronize(folder(of: path))
    }

    /// Writes files, and makes the folders that they need; each folder is made durable once.
    static func write(_ files: [(path: String, bytes: [UInt8])]) throws(DiskError) {
        var folders: Set<String> = []
        for (path, bytes) in files {
            var folder = folder(of: path)
            var made: [String] = []
            while !FileManager.default.fileExists(atPath: folder) {
                made.append(folder)
                folder = self.folder(of: folder)
            }
            folders.insert(folder)
            for name in made.reversed() {
                guard mkdir(name, 0o700) == 0 || errno == EEXIST else { throw failure("\(name) cannot be made") }
                folders.insert(name)
            }
            try place(path, with: bytes)
            folders.insert(self.folder(of: path))
        }
        for folder in folders.sorted() { try synchronize(folder) }
    }

    static func makeFolder(_ path: String) throws(DiskError) {
        guard mkdir(path, 0o700) == 0 else { throw failure("\(path) cannot be made") }
        try synchronize(folder(of: path))
    }

    /// Renames a folder.
    static func rename(_ path: String, to name: String) throws(DiskError) {
        #if canImport(Glibc)
            let isDone = Glibc.rename(path, name) == 0
        #elseif canImport(Musl)
            let isDone = Musl.rename(path, name) == 0
        #else
            let isDone = Darwin.rename(path, name) == 0
        #endif
        guard isDone else { throw failure("\(path) cannot be renamed to \(name)") }
        try synchronize(folder(of: name))
    }

    private static func place(_ path: String, with bytes: [UInt8]) throws(DiskError) {
        let partial = path + ".partial"
        unlink(partial)
        let file = try LogFile(path: partial, makingNameDurable: false)
        try file.write(bytes)
        try file.synchronize()
        try rename(partial, over: path)
    }

    private static func rename(_ path: String, over name: String) throws(DiskError) {
        #if canImport(Glibc)
            let isDone = Glibc.rename(path, name) == 0
        #elseif canImport(Musl)
            let isDone = Musl.rename(path, name) == 0
        #else
            let isDone = Darwin.rename(path, name) == 0
        #endif
        guard isDone else { throw failure("\(name) cannot be replaced") }
    }

    private static func folder(of path: String) -> String {
        URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
    }

    private static func synchronize(_ folder: String) throws(DiskError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("\(folder) cannot be opened") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("\(folder) cannot be made durable") }
    }

    private static func failure(_ action: String) -> DiskError {
        DiskError(action: action, reason: String(cString: strerror(errno)))
    }
}
