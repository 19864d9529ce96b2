#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Read-only bytes that live as long as this object: a copy in memory, or another's memory (a mapped file) with its
/// owner's release. The one place in this module where memory outside Swift's ownership is held.
public final class ColumnBytes: Sendable {
    nonisolated(unsafe) private let address: UnsafeRawPointer
    /// How many bytes there are.
    public let count: Int
    private let release: @Sendable () -> Void

    /// Bytes at `address` that stay valid and unchanged until `release` is called, once, when this object dies.
    public init(address: UnsafeRawPointer, count: Int, release: @escaping @Sendable () -> Void) {
        self.address = address
        self.count = count
        self.release = release
    }

    /// A copy, aligned to a cache line.
    public convenience init(copying bytes: UnsafeRawBufferPointer) {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Swift.max(bytes.count, 1), alignment: 64)
        if let base = bytes.baseAddress { memory.copyMemory(from: base, byteCount: bytes.count) }
        self.init(owning: memory, count: bytes.count)
    }

    /// A copy of an array's bytes.
    public convenience init(_ bytes: [UInt8]) {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Swift.max(bytes.count, 1), alignment: 64)
        bytes.withUnsafeBytes { if let base = $0.baseAddress { memory.copyMemory(from: base, byteCount: $0.count) } }
        self.init(owning: memory, count: bytes.count)
    }

    /// Takes over memory that was allocated, and deallocates it at the end.
    public convenience init(owning memory: UnsafeMutableRawPointer, count: Int) {
        let place = UInt(bitPattern: memory)
        self.init(address: memory, count: count) { UnsafeMutableRawPointer(bitPattern: place)?.deallocate() }
    }

    /// Fresh memory of zeros in pages of its own, which go back to the system at the end; allocated as any other memory
    /// where the system has none to map.
    public convenience init(pages count: Int) {
        let pages = mmap(nil, Swift.max(count, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
        guard let pages, pages != MAP_FAILED else {
            let memory = UnsafeMutableRawPointer.allocate(byteCount: Swift.max(count, 1), alignment: 64)
            memory.initializeMemory(as: UInt8.self, repeating: 0, count: count)
            self.init(owning: memory, count: count)
            return
        }
        let place = UInt(bitPattern: pages)
        self.init(address: pages, count: count) {
            if let pages = UnsafeMutableRawPointer(bitPattern: place) { munmap(pages, Swift.max(count, 1)) }
        }
    }

    deinit {
        release()
    }

    /// The bytes, valid only during the call.
    @inline(__always)
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: address, count: count))
    }

    /// For this module's hot loops, whose caller keeps this object alive.
    @inline(__always)
    var start: UnsafeRawPointer { address }
}
