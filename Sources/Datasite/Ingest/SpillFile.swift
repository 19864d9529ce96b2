import Foundation
import Synchronization
import Tables

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Rows that did not fit into memory, by partition, in a file without a name: it vanishes with this process.
final class SpillFile: Sendable {
    /// Where some records of one worker and layout are.
    private struct Piece: Sendable {
        var worker: Int
        var layout: Int
        var offset: Int
        var count: Int
    }

    private struct State {
        var file: OwnedDescriptor?
        var pieces = [[Piece]](repeating: [], count: TableAssembler.partitionCount)
        var end = 0
    }

    private let path: String
    private let state = Mutex(State())

    /// The file is made when it is needed.
    init(directory: String) {
        path = directory + "/spill"
    }

    /// Moves rows of a worker to the disk, a partition after the other. Several workers may do so at the same time.
    func take(_ rows: [[RecordSpan]], of worker: Int) throws {
        let total = rows.joined().reduce(0) { $0 + $1.bytes.count }
        let (file, start) = try state.withLock { state throws in
            let file = try state.file ?? Self.create(path)
            state.file = file
            defer { state.end += total }
            return (file, state.end)
        }
        var offset = start
        for (partition, spans) in rows.enumerated() {
            var pieces: [Piece] = []
            for span in spans where span.bytes.count > 0 {
                try Self.write(span.bytes, to: file.descriptor, at: offset, path)
                if let last = pieces.last, last.layout == span.layout {
                    pieces[pieces.count - 1].count += span.bytes.count
                } else {
                    pieces.append(Piece(worker: worker, layout: span.layout, offset: offset, count: span.bytes.count))
                }
                offset += span.bytes.count
            }
            state.withLock { $0.pieces[partition] += pieces }
        }
    }

    private static func create(_ path: String) throws -> OwnedDescriptor {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw IngestError.unwritable(path: path, reason: systemError()) }
        unlink(path)
        return OwnedDescriptor(descriptor)
    }

    private static func write(_ bytes: ColumnBytes, to descriptor: Int32, at offset: Int, _ path: String) throws {
        try bytes.withBytes { bytes in
            var done = 0
            while done < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw IngestError.unwritable(path: path, reason: systemError()) }
                done += count
            }
        }
    }

    /// What finds a partition's rows again, from any thread.
    func reader() -> @Sendable (Int) -> [SpilledSpan] {
        let (file, pieces) = state.withLock { ($0.file, $0.pieces) }
        guard let file else { return { _ in [] } }
        let path = path
        return { partition in
            pieces[partition].map { piece in
                SpilledSpan(worker: piece.worker, layout: piece.layout, byteCount: piece.count) { range in
                    try Self.read(range.count, of: file.descriptor, at: piece.offset + range.lowerBound, path)
                }
            }
        }
    }

    private static func read(_ wanted: Int, of descriptor: Int32, at offset: Int, _ path: String) throws -> ColumnBytes
    {
        let buffer = BlockBuffer()
        var done = 0
        while done < wanted {
            let got = try buffer.append(wanted - done) { target in
                let count = pread(descriptor, target.baseAddress, target.count, off_t(offset + done))
                if count < 0, errno == EINTR { return 0 }
                guard count > 0 else { throw IngestError.unreadable(path: path, reason: systemError()) }
                return count
            }
            done += got
        }
        return buffer.exactBytes
    }
}
