import CZlib
import Learning

extension Inflation {
    /// With the system's zlib. No file may inflate to more than so many bytes.
    static func system(largest: Int) -> Inflation {
        Inflation(largest: largest, inflate: inflateWhole, checksum: checksum)
    }
}

/// Fills the target from deflated bytes; false unless they are just that.
@Sendable private func inflateWhole(
    _ wrapper: Inflation.Wrapper, _ bytes: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer
) -> Bool {
    var stream = z_stream()
    // 15: the largest window; below zero: no wrapper.
    let window: Int32 =
        switch wrapper {
        case .none: -15
        case .zlib: 15
        }
    guard inflateInit2_(&stream, window, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return false }
    defer { inflateEnd(&stream) }
    guard bytes.count <= Int(UInt32.max), target.count <= Int(UInt32.max) else { return false }
    // zlib does not write to its input.
    stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.avail_in = UInt32(bytes.count)
    stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.avail_out = UInt32(target.count)
    return CZlib.inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0 && stream.avail_in == 0
}
