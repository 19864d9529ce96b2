import Foundation
import Tables

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Rows that did not fit into memory, by partition, in a file without a name: it vanishes with this process.
final class SpillFile {
    /// Where some records of one worker and layout are.
    private struct Piece: Sendable {
        var worker: Int
        var layout: Int
        var offset: Int
        var count: Int
    }

    private let file: OwnedDescriptor
    private let path: String
    private var pieces: [[Piece]]
    private var end = 0

    init(directory: String) throws {
        path = directory + "/spill"
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw IngestError.unwritable(path: path, reason: systemError()) }
        file = OwnedDescriptor(descriptor)
        unlink(path)
        pieces = Array(repeating: [], count: TableAssembler.partitionCount)
    }

    var isEmpty: Bool { end == 0 }

    /// Moves the rows that the workers hold to the disk, a partition after the other.
    func take(from workers: [IngestWorker]) throws {
        let held = workers.map { $0.takeRows() }
        for partition in pieces.indices {
            for (worker, rows) in held.enumerated() {
                for span in rows[partition] { try write(span, worker, partition) }
            }
        }
    }

    private func write(_ span: RecordSpan, _ worker: Int, _ partition: Int) throws {
        try span.bytes.withBytes { bytes in
            var done = 0
            while done < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                let count = pwrite(file.descriptor, rest.baseAddress, rest.count, off_t(end + done))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw IngestError.unwritable(path: path, reason: systemError()) }
                done += count
            }
        }
        let count = span.bytes.count
        if let last = pieces[partition].last, last.worker == worker, last.layout == span.layout,
            last.offset + last.count == end
        {
            pieces[partition][pieces[partition].count - 1].count += count
        } else {
            pieces[partition].append(Piece(worker: worker, layout: span.layout, offset: end, count: count))
        }
        end += count
    }

    /// What reads a partition's rows back, of each worker, from any thread.
    func reader(workers: Int) -> @Sendable (Int) throws -> [[RecordSpan]] {
        let (file, pieces, path) = (file, pieces, path)
        return { partition in
            var rows = [[RecordSpan]](repeating: [], count: workers)
            for piece in pieces[partition] {
                let bytes = try Self.read(file.descriptor, piece, path)
                rows[piece.worker].append(RecordSpan(layout: piece.layout, bytes: bytes))
            }
            return rows
        }
    }

    private static func read(_ descriptor: Int32, _ piece: Piece, _ path: String) throws -> ColumnBytes {
        let buffer = BlockBuffer()
        var done = 0
        while done < piece.count {
            let got = try buffer.append(piece.count - done) { target in
                let count = pread(descriptor, target.baseAddress, target.count, off_t(piece.offset + done))
                if count < 0, errno == EINTR { return 0 }
                guard count > 0 else { throw IngestError.unreadable(path: path, reason: systemError()) }
                return count
            }
            done += got
        }
        return buffer.exactBytes
    }
}
