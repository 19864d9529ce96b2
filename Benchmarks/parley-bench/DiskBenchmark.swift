import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How long the disk takes to make 4 KiB durable: what every reservation waits for at least once.
func benchmarkDisk(_ workplace: Workplace) throws {
    report("disk_sync", [("median_ms", try syncMilliseconds(workplace))])
}

func syncMilliseconds(_ workplace: Workplace) throws -> Double {
    let path = workplace.path("sync")
    let file = open(path, O_RDWR | O_CREAT, 0o600)
    guard file >= 0 else { throw BenchmarkError(reason: "cannot write \(path)") }
    defer {
        close(file)
        unlink(path)
    }
    let block = [UInt8](repeating: 7, count: 4096)
    return median(
        (0..<200).map { place in
            let start = wallSeconds()
            _ = pwrite(file, block, block.count, off_t(place * block.count))
            #if canImport(Darwin)
                _ = fsync(file)
            #else
                _ = fdatasync(file)
            #endif
            return (wallSeconds() - start) * 1000
        })
}
