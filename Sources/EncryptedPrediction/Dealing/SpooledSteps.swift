internal import Foundation
public import ModularArithmetic

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Correlations on their way from a dealer to a run: step by step, in a file without a name that vanishes with this process, since they are as secret as inputs and may be gigabytes.
public final class SpooledSteps {
    private let handle: FileHandle
    private var places: [Int: (offset: UInt64, count: Int)] = [:]
    private var end: UInt64 = 0
    /// How many bytes it was given.
    public private(set) var count = 0
    /// Steps begin at pages, since these are mapped.
    private static let page = UInt64(sysconf(Int32(_SC_PAGESIZE)))

    /// - Parameter directory: Where there is room; the file is for its owner alone.
    /// - Throws: That it cannot be made.
    public init(in directory: String) throws {
        let path = directory + "/correlations.\(UUID().uuidString)"
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let handle = FileHandle(forUpdatingAtPath: path)
        else { throw CocoaError(.fileWriteUnknown) }
        try FileManager.default.removeItem(atPath: path)
        self.handle = handle
    }

    deinit { try? handle.close() }

    /// Keeps a step's.
    public func append(_ bytes: [UInt8], step: Int) throws {
        try handle.seek(toOffset: end)
        try bytes.withUnsafeBytes { bytes in
            guard let base = UnsafeMutableRawPointer(mutating: bytes.baseAddress) else { return }
            try handle.write(contentsOf: Data(bytesNoCopy: base, count: bytes.count, deallocator: .none))
        }
        places[step] = (end, bytes.count)
        count += bytes.count
        end += (UInt64(bytes.count) + Self.page - 1) / Self.page * Self.page
    }

    /// Gives a step's, where they lie: nothing is copied.
    ///
    /// - Throws: That it is not here, or cannot be read.
    public func take(_ step: Int) throws -> HeldBytes {
        guard let (offset, count) = places.removeValue(forKey: step), count > 0 else {
            throw CocoaError(.fileNoSuchFile)
        }
        #if os(Linux)
            let flags = MAP_SHARED | MAP_POPULATE
        #else
            let flags = MAP_SHARED
        #endif
        guard let address = mmap(nil, count, PROT_READ, flags, handle.fileDescriptor, off_t(offset)),
            address != MAP_FAILED
        else { throw CocoaError(.fileReadUnknown) }
        let place = UInt(bitPattern: address)
        return HeldBytes(address: UnsafeRawPointer(address), count: count) {
            if let address = UnsafeMutableRawPointer(bitPattern: place) { munmap(address, count) }
        }
    }
}
