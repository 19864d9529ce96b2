import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file system in memory of four megabytes, or as many as are asked for, unmounted at the end.
final class SmallDisk: Sendable {
    static let isPossible: Bool = {
        guard geteuid() == 0, FileManager.default.isExecutableFile(atPath: "/bin/mount") else { return false }
        return (try? SmallDisk(at: NSTemporaryDirectory() + "parley-mount-\(UUID().uuidString)")) != nil
    }()

    struct NotMounted: Error {}

    let path: String

    init(at path: String, megabytes: Int = 4) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard Self.run(["/bin/mount", "-t", "tmpfs", "-o", "size=\(megabytes)m,mode=0700", "tmpfs", path]) == 0 else {
            try? FileManager.default.removeItem(atPath: path)
            throw NotMounted()
        }
    }

    deinit {
        _ = Self.run(["/bin/umount", "-l", path])
        try? FileManager.default.removeItem(atPath: path)
    }

    func remount(_ mode: String) throws {
        guard Self.run(["/bin/mount", "-o", "remount,\(mode)", path]) == 0 else { throw NotMounted() }
    }

    /// Takes all room but so many bytes; the path of the file that does.
    func fill(leaving bytes: Int) throws -> String {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw NotMounted() }
        let free = Int(status.f_bavail) * Int(status.f_frsize)
        let filler = path + "/filler"
        try Data(count: max(0, free - bytes)).write(to: URL(fileURLWithPath: filler))
        return filler
    }

    private static func run(_ command: [String]) -> Int32 {
        let process = BegunProcess()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.standardError = FileHandle.nullDevice
        guard (try? process.begin()) != nil else { return -1 }
        process.waitUntilExit()
        return process.terminationStatus
    }
}
