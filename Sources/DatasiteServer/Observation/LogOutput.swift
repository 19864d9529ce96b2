import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Lines on their way to a file descriptor that may be full, gone, or a pipe that nobody reads.
///
/// Whoever writes a line never waits for it, and whatever goes wrong with it ends nothing: lines wait in memory, up to a
/// bound, for a thread of their own; a line that finds no room, or cannot be written, is dropped and counted.
public final class LogOutput: Sendable {
    /// Where the datasite's log goes by default.
    public static let standardError = LogOutput(descriptor: STDERR_FILENO)

    private struct State {
        var waiting: [[UInt8]] = []
        /// Of the lines that wait or are being written.
        var bytes = 0
        var isWriting = false
    }

    private let descriptor: Int32
    private let capacity: Int
    private let state = Mutex(State())
    private let lost = Atomic<Int>(0)
    private let queue = DispatchQueue(label: "parley.log", qos: .utility)

    /// - Parameters:
    ///   - descriptor: The open file to write to; it is not closed.
    ///   - capacity: The most bytes that wait.
    public init(descriptor: Int32, capacity: Int = 1 << 20) {
        self.descriptor = descriptor
        self.capacity = capacity
    }

    /// The lines that were lost.
    public var dropped: Int { lost.load(ordering: .relaxed) }

    /// Takes a line, with its line feed.
    public func write(_ line: String) {
        let bytes = Array(line.utf8)
        let starts = state.withLock { state -> Bool in
            guard state.bytes + bytes.count <= capacity else {
                lost.add(1, ordering: .relaxed)
                return false
            }
            state.waiting.append(bytes)
            state.bytes += bytes.count
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if starts { queue.async { self.drain() } }
    }

    /// Waits until what was taken so far is written or lost, but no longer than that: the descriptor may never take it.
    func flush(milliseconds: Int) {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + .milliseconds(milliseconds))
    }

    private func drain() {
        var isCutOff = false
        while true {
            let batch = state.withLock { state in
                defer { state.waiting = [] }
                state.isWriting = !state.waiting.isEmpty
                return state.waiting
            }
            guard !batch.isEmpty else { return }
            for line in batch {
                // After half a line the next begins on one of its own.
                let written = writeAll(isCutOff ? [0x0A] + line : line)
                if written < line.count { lost.add(1, ordering: .relaxed) }
                isCutOff = written > 0 && written < line.count
                state.withLock { $0.bytes -= line.count }
            }
        }
    }

    /// How many bytes of it were written: all, unless the descriptor fails.
    private func writeAll(_ bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = systemWrite(descriptor, UnsafeRawBufferPointer(rebasing: buffer[done...]))
                if count > 0 { done += count } else if !canContinue(after: count) { return done }
            }
            return done
        }
    }

    /// Waits where the descriptor is one that does not wait by itself.
    private func canContinue(after count: Int) -> Bool {
        if count < 0, errno == EINTR { return true }
        guard count < 0, errno == EAGAIN || errno == EWOULDBLOCK else { return false }
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&waiting, 1, -1) > 0 || errno == EINTR
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}
