import Crypto
import DatasiteProtocol
public import Federation
import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The vectors of a run that are too large for memory: a file each in its folder, written once and read chunk by chunk.
///
/// A file is durable before anything names it. It goes when nobody holds it and nothing that is stored names it (``keep(_:andNoOthers:)``); what a process that was killed left over goes with
/// the next one (``removeStrangers()``).
public final class VectorFolder: Sendable {
    private struct State {
        var next = 0
        /// Those that were there when this process began, and nothing has named yet.
        var strangers: Set<Int> = []
        /// Those that something stored names, and how many bytes they have.
        var kept: [Int: Int] = [:]
        var failure: Problem?
    }

    let path: String
    private let state = Mutex(State())

    /// - Parameter path: Of a folder that is there.
    public init(path: String) {
        self.path = path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        let numbers = names.compactMap { $0.wholeMatch(of: #/vector-([0-9]{1,9})\.bin/#).flatMap { Int($0.1) } }
        state.withLock { ($0.next, $0.strangers) = ((numbers.max() ?? 0) + 1, Set(numbers)) }
    }

    private func file(_ number: Int) -> String { "\(path)/vector-\(number).bin" }

    /// Where a coordinator puts vectors of more bytes than these.
    public func place(largestInMemory: Int) -> VectorPlace {
        VectorPlace(largestInMemory: largestInMemory) { [self] fill in
            let file = try newFile()
            try fill { try file.append($0) }
            return try file.finish()
        }
    }

    /// A file that is empty yet.
    ///
    /// - Throws: A `Problem`.
    func newFile() throws -> VectorFile {
        let number = state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
        return try VectorFile(number, at: file(number), in: self, flags: O_RDWR | O_CREAT | O_EXCL)
    }

    /// The vector that something stored names, as it was written.
    ///
    /// - Throws: A `Problem`: it is missing, or damaged.
    func vector(_ name: VectorName) throws -> StoredVector {
        state.withLock {
            $0.strangers.remove(name.number)
            $0.kept[name.number] = name.bytes
        }
        return try VectorFile(name.number, at: file(name.number), in: self, flags: O_RDONLY).read(as: name)
    }

    /// Gives what something stored names.
    var reading: VectorReading { VectorReading { [self] in .stored(try vector($0)) } }

    // MARK: which stay

    /// Something stored names these now.
    ///
    /// - Parameter andNoOthers: And nothing names any other.
    func keep(_ named: [VectorBytes], andNoOthers: Bool = false) {
        let vectors = named.compactMap { vector -> (Int, Int)? in
            guard case .stored(let vector) = vector else { return nil }
            return (vector.number, vector.count)
        }
        let dropped = state.withLock { state -> [Int] in
            let before = state.kept
            if andNoOthers { state.kept = [:] }
            for (number, count) in vectors { state.kept[number] = count }
            return before.keys.filter { state.kept[$0] == nil }
        }
        // Whoever still reads one has it open.
        for number in dropped { unlink(file(number)) }
    }

    /// How many bytes stay.
    var keptBytes: Int { state.withLock { $0.kept.values.reduce(0, +) } }

    /// Removes what a process before this one left, and nothing names.
    func removeStrangers() {
        let strangers = state.withLock { state in
            defer { state.strangers = [] }
            return state.strangers
        }
        for number in strangers { unlink(file(number)) }
    }

    fileprivate func isKept(_ number: Int) -> Bool { state.withLock { $0.kept[number] != nil } }

    // MARK: failures

    /// What went wrong on the disk since this was asked last: what followed from it does not count.
    func takeFailure() -> Problem? {
        state.withLock { state in
            defer { state.failure = nil }
            return state.failure
        }
    }

    fileprivate func failed(_ number: Int, _ what: String) -> Problem {
        let problem = Problem.unavailable(
            "\(file(number)) cannot be \(what): \(SiteFolder.reason())", hint: "messages are taken when there is room")
        return failed(problem)
    }

    fileprivate func failed(_ problem: Problem) -> Problem {
        state.withLock { $0.failure = problem }
        return problem
    }
}

/// One of these files.
final class VectorFile: Sendable {
    private let number: Int
    private let descriptor: Int32
    private let path: String
    private let folder: VectorFolder
    private let written = Mutex((hash: SHA256(), count: 0))

    fileprivate init(_ number: Int, at path: String, in folder: VectorFolder, flags: Int32) throws {
        (self.number, self.path, self.folder) = (number, path, folder)
        descriptor = open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw folder.failed(number, "opened") }
    }

    deinit {
        close(descriptor)
        if !folder.isKept(number) { unlink(path) }
    }

    /// - Throws: A `Problem`: no room, say.
    func append(_ bytes: UnsafeRawBufferPointer) throws {
        try written.withLock { written in
            var done = 0
            while done < bytes.count {
                let count = pwrite(
                    descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(written.count + done))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw folder.failed(number, "written") }
                done += count
            }
            written.hash.update(bufferPointer: bytes)
            written.count += done
        }
    }

    /// Makes it durable: it is not changed any more.
    ///
    /// - Throws: A `Problem`.
    func finish() throws -> StoredVector {
        guard fsync(descriptor) == 0, (try? synchronize(folder.path)) != nil else {
            throw folder.failed(number, "written")
        }
        let (digest, count) = written.withLock { (Data($0.hash.finalize()), $0.count) }
        return vector(count, digest)
    }

    fileprivate func read(as name: VectorName) throws -> StoredVector {
        var status = stat()
        guard fstat(descriptor, &status) == 0, Int(status.st_size) == name.bytes else { throw damaged }
        let vector = vector(name.bytes, name.sha256)
        var hash = SHA256()
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        var start = 0
        while start < name.bytes {
            let length = min(chunk.count, name.bytes - start)
            try chunk.withUnsafeMutableBytes { bytes in
                let part = UnsafeMutableRawBufferPointer(rebasing: bytes[..<length])
                try vector.read(at: start, into: part)
                hash.update(bufferPointer: UnsafeRawBufferPointer(part))
            }
            start += length
        }
        guard Data(hash.finalize()) == name.sha256 else { throw damaged }
        return vector
    }

    private var damaged: Problem { .unavailable("\(path) is damaged: it is not what was written there") }

    private func vector(_ count: Int, _ digest: Data) -> StoredVector {
        StoredVector(number: number, count: count, digest: digest) { [self] offset, target in
            var done = 0
            while done < target.count {
                let count = pread(
                    descriptor, target.baseAddress.map { $0 + done }, target.count - done, off_t(offset + done))
                if count < 0, errno == EINTR { continue }
                guard count != 0 else { throw folder.failed(damaged) }
                guard count > 0 else { throw folder.failed(number, "read") }
                done += count
            }
        }
    }
}
