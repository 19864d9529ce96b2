import Tables

/// Memory for one block of a file, used again and again.
final class BlockBuffer {
    /// A view of the memory; what is behind `count` is garbage. Whoever reads it is done before the next change.
    private(set) var bytes: ColumnBytes
    private(set) var count = 0
    private var memory: UnsafeMutableRawBufferPointer

    init() {
        (memory, bytes) = Self.allocate(1 << 16)
    }

    /// With some bytes behind what may be used, which a parser may read.
    private static func allocate(_ count: Int) -> (UnsafeMutableRawBufferPointer, ColumnBytes) {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: count + 64, alignment: 64)
        (memory + count).initializeMemory(as: UInt8.self, repeating: 0, count: 64)
        return (
            UnsafeMutableRawBufferPointer(start: memory, count: count), ColumnBytes(owning: memory, count: count + 64)
        )
    }

    private func reserve(_ wanted: Int) {
        guard wanted > memory.count else { return }
        let (larger, view) = Self.allocate(Swift.max(wanted, memory.count * 2))
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<count]))
        // The old memory goes with the last who still looks at it.
        (memory, bytes) = (larger, view)
    }

    func fill(with contents: [UInt8]) {
        count = 0
        reserve(contents.count)
        memory.copyBytes(from: contents)
        count = contents.count
    }

    /// Lets `body` write up to `room` bytes behind the contents; it says how many it wrote.
    func append(_ room: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Int) rethrows -> Int {
        reserve(count + room)
        let got = try body(UnsafeMutableRawBufferPointer(rebasing: memory[count..<count + room]))
        count += got
        return got
    }

    /// Ends the last line, if it is not.
    func endLine() {
        guard count > 0, memory[count - 1] != 0x0a else { return }
        reserve(count + 1)
        memory[count] = 0x0a
        count += 1
    }

    /// The contents alone, in the same memory: for a buffer that is not used again.
    var exactBytes: ColumnBytes {
        let (whole, count) = (bytes, count)
        return whole.withBytes { all in
            guard let base = all.baseAddress else { return ColumnBytes([]) }
            return ColumnBytes(address: base, count: count) { withExtendedLifetime(whole) {} }
        }
    }

    func contents(_ range: Range<Int>) -> [UInt8] { Array(memory[range]) }
}
