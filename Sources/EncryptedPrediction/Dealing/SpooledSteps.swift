internal import Foundation
public import ModularArithmetic
internal import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Correlations on their way from a dealer to a run, step by step, in a file: they are as secret as inputs, and may be gigabytes. Each is taken once.
public final class SpooledSteps: Sendable {
    /// Where a step's lie in the file.
    public struct Place: Sendable, Hashable, Codable {
        /// The step.
        public var step: Int
        /// The first byte, at a page.
        public var offset: UInt64
        /// In bytes.
        public var count: Int
        /// Of what lies there, against a disk that loses bits (``SpooledSteps/checksum(_:)``): a wrong correlation is a wrong result.
        public var checksum: UInt64
    }

    /// Four chains of multiplications over the words of some bytes: any change of a few words is seen but for once in 2^64 times, and a gigabyte takes a tenth of a second. No protection from whoever may write there.
    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        let odd: (UInt64, UInt64, UInt64, UInt64) = (
            0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0xD6E8_FEB8_6659_FD93
        )
        var (a, b, c, d): (UInt64, UInt64, UInt64, UInt64) = (UInt64(bytes.count), 1, 2, 3)
        let whole = bytes.count / 32 * 32
        var place = 0
        while place < whole {
            a = Self.mixed(a ^ bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self), odd.0)
            b = Self.mixed(b ^ bytes.loadUnaligned(fromByteOffset: place + 8, as: UInt64.self), odd.1)
            c = Self.mixed(c ^ bytes.loadUnaligned(fromByteOffset: place + 16, as: UInt64.self), odd.2)
            d = Self.mixed(d ^ bytes.loadUnaligned(fromByteOffset: place + 24, as: UInt64.self), odd.3)
            place += 32
        }
        for byte in bytes[whole...] { a = Self.mixed(a ^ UInt64(byte), odd.0) }
        return Self.mixed(Self.mixed(Self.mixed(a, odd.1) ^ b, odd.2) ^ c, odd.3) ^ d
    }

    @inline(__always)
    private static func mixed(_ word: UInt64, _ odd: UInt64) -> UInt64 {
        let product = word &* odd
        return product ^ (product >> 29)
    }

    /// Whether what lies in the file is what was put there.
    func isWhole() -> Bool {
        places.allSatisfy { place in
            guard let mapped = try? mapped(place) else { return false }
            return mapped.withBytes { Self.checksum($0) } == place.checksum
        }
    }

    private struct State {
        var places: [Int: Place] = [:]
        var end: UInt64 = 0
        var count = 0
    }

    private let handle: FileHandle
    private let state: Mutex<State>
    /// Steps begin at pages, since these are mapped.
    private static let page = UInt64(sysconf(Int32(_SC_PAGESIZE)))

    /// How many bytes it was given.
    public var count: Int { state.withLock { $0.count } }
    /// What is in it, by step.
    public var places: [Place] { state.withLock { $0.places.values.sorted { $0.step < $1.step } } }

    /// A file without a name, that vanishes with this process.
    ///
    /// - Parameter directory: Where there is room; the file is for its owner alone.
    /// - Throws: That it cannot be made.
    public convenience init(in directory: String) throws {
        let path = directory + "/correlations.\(UUID().uuidString)"
        try self.init(creating: path)
        try FileManager.default.removeItem(atPath: path)
    }

    /// A new file, for its owner alone, that stays.
    ///
    /// - Throws: That it cannot be made.
    init(creating path: String) throws {
        let draft = path + ".new"
        guard FileManager.default.createFile(atPath: draft, contents: nil, attributes: [.posixPermissions: 0o600]),
            let handle = FileHandle(forUpdatingAtPath: draft)
        else { throw CocoaError(.fileWriteUnknown) }
        // Who finds it later sees whether somebody makes it still (`FileLock`): it has its name when it is held.
        guard flock(handle.fileDescriptor, LOCK_EX | LOCK_NB) == 0, rename(draft, path) == 0 else {
            throw CocoaError(.fileWriteUnknown)
        }
        self.handle = handle
        state = Mutex(State())
    }

    /// A file that ``init(creating:)`` made.
    ///
    /// - Throws: That it cannot be opened, or is shorter than what must be in it.
    init(opening path: String, places: [Place]) throws {
        guard let handle = FileHandle(forReadingAtPath: path) else { throw CocoaError(.fileNoSuchFile) }
        let end = try handle.seekToEnd()
        for place in places {
            guard place.count > 0, place.offset % Self.page == 0, place.offset <= end,
                UInt64(place.count) <= end - place.offset
            else { throw CocoaError(.fileReadCorruptFile) }
        }
        self.handle = handle
        state = Mutex(
            State(
                places: Dictionary(places.map { ($0.step, $0) }, uniquingKeysWith: { $1 }), end: end,
                count: places.reduce(0) { $0 + $1.count }))
    }

    deinit { try? handle.close() }

    /// Keeps a step's.
    public func append(_ bytes: [UInt8], step: Int) throws {
        try state.withLock { state in
            try handle.seek(toOffset: state.end)
            try bytes.withUnsafeBytes { bytes in
                guard let base = UnsafeMutableRawPointer(mutating: bytes.baseAddress) else { return }
                try handle.write(contentsOf: Data(bytesNoCopy: base, count: bytes.count, deallocator: .none))
            }
            state.places[step] = Place(
                step: step, offset: state.end, count: bytes.count,
                checksum: bytes.withUnsafeBytes { Self.checksum($0) })
            state.count += bytes.count
            state.end += (UInt64(bytes.count) + Self.page - 1) / Self.page * Self.page
        }
    }

    /// What was kept is on the disk.
    func synchronize() throws { try handle.synchronize() }

    /// Gives a step's, where they lie: nothing is copied.
    ///
    /// - Throws: That it is not here, was taken, or cannot be read.
    public func take(_ step: Int) throws -> HeldBytes {
        guard let place = state.withLock({ $0.places.removeValue(forKey: step) }), place.count > 0 else {
            throw CocoaError(.fileNoSuchFile)
        }
        return try mapped(place)
    }

    private func mapped(_ place: Place) throws -> HeldBytes {
        #if os(Linux)
            let flags = MAP_SHARED | MAP_POPULATE
        #else
            let flags = MAP_SHARED
        #endif
        guard let address = mmap(nil, place.count, PROT_READ, flags, handle.fileDescriptor, off_t(place.offset)),
            address != MAP_FAILED
        else { throw CocoaError(.fileReadUnknown) }
        let (start, count) = (UInt(bitPattern: address), place.count)
        return HeldBytes(address: UnsafeRawPointer(address), count: count) {
            if let address = UnsafeMutableRawPointer(bitPattern: start) { munmap(address, count) }
        }
    }
}
