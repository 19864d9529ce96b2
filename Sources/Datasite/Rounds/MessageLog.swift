import Crypto
import DatasiteProtocol
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Messages in the order in which they were taken, each durable before anything follows from it: from them a coordinator's state follows again.
///
/// A record is 4 bytes of its length, 8 of the time, 4 of the sender's place, the message, and the first 8 bytes of SHA-256 of all that; numbers are little-endian. What
/// a crash left half-written at the end was never answered, and is cut off. What is damaged before its end is left as it is, and refused: behind the damage are messages that were answered.
final class MessageLog {
    struct Record: Equatable {
        let time: Double
        let sender: Int
        let message: Data
    }

    /// Who is named where no message came, but a process that went on.
    static let restart = Int(UInt32.max)

    /// What times, in seconds, and senders are at most.
    private static let (longestTime, largestSender) = (1e10, 1 << 16)

    private let descriptor: Int32
    private let path: String
    private(set) var bytes = 0

    /// Opens a log, or makes one, and reads what it holds.
    ///
    /// - Throws: A `Problem`: that it cannot be opened, or is damaged before its end. The file is as it was then.
    init(path: String, take: (Record) throws -> Void) throws {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Problem.unavailable("\(path) cannot be opened: \(SiteFolder.reason())") }
        var rest = try Data(contentsOf: URL(filePath: path), options: .alwaysMapped)[...]
        while let record = Self.first(of: rest) {
            try take(record.record)
            rest = rest.dropFirst(record.count)
            bytes += record.count
        }
        guard rest.isEmpty || Self.isTorn(rest) else {
            throw Problem.unavailable(
                "\(path) is damaged at byte \(bytes), before its end: what stands behind was answered, and is not thrown away",
                hint: "put back the file; or, to go on without all that came since, cut it: truncate -s \(bytes) FILE")
        }
        guard ftruncate(descriptor, off_t(bytes)) == 0, lseek(descriptor, 0, SEEK_END) == off_t(bytes) else {
            throw Problem.unavailable("\(path) cannot be cut to what is whole: \(SiteFolder.reason())")
        }
    }

    deinit { close(descriptor) }

    /// Adds a record, durably.
    ///
    /// - Throws: A `Problem`: a full disk, say. Nothing was added then.
    func append(_ record: Record) throws { try append([record]) }

    /// Adds records that came at the same time, durably: all of them or none.
    func append(_ records: [Record]) throws {
        try append(try records.reduce(into: Data()) { $0 += try bytes($1) })
    }

    private func bytes(_ record: Record) throws -> Data {
        guard let length = UInt32(exactly: record.message.count) else {
            throw Problem.unavailable("\(path) takes no message of 4 GB")
        }
        var head = Data()
        withUnsafeBytes(of: length.littleEndian) { head.append(contentsOf: $0) }
        withUnsafeBytes(of: record.time.bitPattern.littleEndian) { head.append(contentsOf: $0) }
        withUnsafeBytes(of: UInt32(record.sender).littleEndian) { head.append(contentsOf: $0) }
        let whole = head + record.message
        return whole + Data(SHA256.hash(data: whole)).prefix(8)
    }

    private func append(_ frame: Data) throws {
        let written = frame.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
        guard written, fsync(descriptor) == 0 else {
            let reason = SiteFolder.reason()
            _ = ftruncate(descriptor, off_t(bytes))
            _ = lseek(descriptor, 0, SEEK_END)
            throw Problem.unavailable(
                "\(path) cannot be written: \(reason)", hint: "messages are taken when there is room")
        }
        bytes += frame.count
    }

    /// Takes back what was added behind so many bytes: nothing was answered from it.
    func cut(to count: Int) {
        guard count < bytes, ftruncate(descriptor, off_t(count)) == 0 else { return }
        _ = fsync(descriptor)
        _ = lseek(descriptor, 0, SEEK_END)
        bytes = count
    }

    private static func first(of bytes: Data) -> (record: Record, count: Int)? {
        guard let head = bytes.withUnsafeBytes({ head(in: $0, at: 0) }), bytes.count >= 24 + head.length else {
            return nil
        }
        let whole = bytes.prefix(16 + head.length)
        guard bytes.withUnsafeBytes({ isWhole($0, at: 0, length: head.length) }) else { return nil }
        return (
            Record(time: head.time, sender: head.sender, message: Data(whole.dropFirst(16))), 24 + head.length
        )
    }

    private static func head(
        in bytes: UnsafeRawBufferPointer, at offset: Int
    ) -> (length: Int, time: Double, sender: Int)? {
        guard bytes.count - offset >= 24 else { return nil }
        return (
            Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))),
            Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt64.self))),
            Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self)))
        )
    }

    private static func isWhole(_ bytes: UnsafeRawBufferPointer, at offset: Int, length: Int) -> Bool {
        let end = offset + 16 + length
        let digest = SHA256.hash(data: UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
        return digest.withUnsafeBytes { $0.prefix(8).elementsEqual(bytes[end..<end + 8]) }
    }

    /// Whether what is no record can be what a crash left of the last records that were added: no whole one begins in it. A record whose length is damaged says nothing of where the next one
    /// begins, so that each byte is tried.
    private static func isTorn(_ rest: Data) -> Bool {
        rest.withUnsafeBytes { bytes in
            // Of other bytes few look like a head: where many do, they were written to look so, and are not cut.
            var budget = 16 * bytes.count
            for offset in 1..<max(1, bytes.count) {
                guard let head = head(in: bytes, at: offset) else { return true }
                guard head.length <= bytes.count - offset - 24, (0...longestTime).contains(head.time),
                    head.sender == restart || head.sender <= largestSender
                else { continue }
                budget -= head.length
                if budget < 0 || isWhole(bytes, at: offset, length: head.length) { return false }
            }
            return true
        }
    }
}
