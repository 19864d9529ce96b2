import DatasiteProtocol
import Foundation
import Tables

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The folder that a training run leaves: each file in it is whole or not there.
struct TrainingFolder: Sendable {
    let path: String

    enum File: String, CaseIterable {
        case plan = "plan.yaml"
        case checkpoint = "checkpoint.safetensors"
        case weights = "weights.safetensors"
        case best = "best.safetensors"
        case architecture = "architecture.json"
        case curves = "curves.jsonl"
        case plot = "curves.svg"
        case card = "card.md"
        /// Of a search.
        case trials = "trials.jsonl"
        /// As a datasite sent it.
        case release = "release.json"
        case receipt = "receipt.json"
        /// At a datasite, of a run that is audited.
        case canaries = "canaries.safetensors"
        /// At a datasite, of its part in rounds.
        case participant = "participant.json"
        /// At a datasite, for its owners: what came of an intersection.
        case intersection = "intersection.json"

        /// Those of a run on one's own files.
        static let ofRuns = allCases.filter {
            ![.release, .receipt, .canaries, .participant, .intersection, .trials].contains($0)
        }
        /// Those that tell of the model that came out.
        static let ofResults = ofRuns.filter { ![.plan, .checkpoint].contains($0) }
    }

    func path(_ file: File) -> String { path + "/" + file.rawValue }

    /// Makes the folder, for its owner alone.
    ///
    /// - Throws: That something is there already.
    func create() throws {
        if mkdir(path, 0o700) == 0 { return }
        guard errno == EEXIST else { throw Problem.unavailable("\(path) cannot be made: \(systemError())") }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? ["?"]
        guard names.isEmpty else {
            throw Problem.conflict(
                "\(path) is there already, and not empty",
                hint: "--resume goes on with a run that was stopped; --output names another folder")
        }
    }

    /// Held by the run that writes into the folder: two would write over each other's checkpoints.
    final class Lock: Sendable {
        private let descriptor: Int32
        init(_ descriptor: Int32) { self.descriptor = descriptor }
        deinit { close(descriptor) }
    }

    /// - Throws: That another process writes into the folder.
    func lock() throws -> Lock {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Problem.absent(
                "\(path) cannot be opened: \(systemError())", hint: "--resume goes on with a run that was begun there")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw Problem.conflict("another run writes into \(path)", hint: "--output names another folder")
        }
        return Lock(descriptor)
    }

    func has(_ file: File) -> Bool { FileManager.default.fileExists(atPath: path(file)) }

    /// Takes a file away, and what is left of an attempt to write it; nothing where there is none.
    func remove(_ file: File) {
        for name in [path(file), path(file) + ".partial"] { unlink(name) }
    }

    func write(_ bytes: [UInt8], to file: File) throws {
        try Self.replace(
            path(file), with: bytes, in: path,
            hint:
                "nothing that was written before is lost; when there is room, --resume goes on from the last checkpoint"
        )
    }

    /// Replaces a file in one step: after a crash, or on a disk that is full, it is the old one or the new one.
    static func replace(_ file: String, with bytes: [UInt8], in folder: String, hint: String? = nil) throws {
        try place(file, with: bytes, hint: hint)
        try synchronize(folder)
    }

    /// The same, where the caller synchronises the folder: until then it may be the old one after a crash.
    static func place(_ file: String, with bytes: [UInt8], hint: String? = nil) throws {
        func failure() -> Problem { .unavailable("\(file) cannot be written: \(systemError())", hint: hint) }
        let partial = file + ".partial"
        let descriptor = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        try bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = systemWrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw failure() }
                done += count
            }
        }
        guard fsync(descriptor) == 0, rename(partial, file) == 0 else { throw failure() }
    }

    func write(_ text: String, to file: File) throws { try write(Array(text.utf8), to: file) }

    /// - Throws: That there is no such file, or it cannot be read.
    func read(_ file: File) throws -> [UInt8] {
        do {
            let reader = try FileHandleReader(path: path(file))
            return try reader.bytes(0..<reader.size).withBytes { Array($0) }
        } catch let error as IngestError {
            throw Problem.absent("\(error)", hint: "--resume goes on with a run that was begun there")
        }
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
