import DatasiteProtocol
import Federation
import Foundation

/// A frame on its way here, piece by piece: a large one is never whole in memory.
public struct ArrivingFrame {
    private var here: [UInt8] = []
    private let next: () async throws -> [UInt8]?
    let abandon: @Sendable () -> Void

    /// - Parameters:
    ///   - abandon: Ends the sending: nothing more of it is wanted.
    ///   - next: Gives the next piece; nil: there is no more. Throws where the sender breaks off.
    public init(abandon: @escaping @Sendable () -> Void = {}, _ next: @escaping () async throws -> [UInt8]?) {
        (self.abandon, self.next) = (abandon, next)
    }

    /// One that is here.
    public init(whole: [UInt8]) {
        self.init { nil }
        here = whole
    }

    /// Waits until the first so many bytes are here, and gives them; fewer where there are no more.
    mutating func first(_ count: Int) async throws -> Data {
        while here.count < count, let piece = try await next() { here += piece }
        return Data(here.prefix(count))
    }

    /// All of it.
    ///
    /// - Throws: `frame` where that is more than so many bytes.
    public func whole(atMost largest: Int) async throws -> [UInt8] {
        var frame = self
        return try await frame.rest(atMost: largest)
    }

    /// All that is left.
    ///
    /// - Throws: `frame` where that is more than so many bytes.
    mutating func rest(atMost largest: Int) async throws -> [UInt8] {
        while here.count <= largest, let piece = try await next() { here += piece }
        guard here.count <= largest else {
            throw FrameError.frame(expected: "at most \(largest) bytes that are no vector's")
        }
        defer { here = [] }
        return here
    }

    /// The next bytes, at most so many; nil: there are no more.
    mutating func piece(atMost largest: Int) async throws -> [UInt8]? {
        while here.count < largest, let piece = try await next() { here += piece }
        guard here.count > largest else {
            let last = here
            here = []
            return last.isEmpty ? nil : last
        }
        let part = Array(here.prefix(largest))
        here.removeFirst(largest)
        return part
    }

    /// Reads all that is left, and throws it away, without a copy of it.
    ///
    /// - Parameter look: Called at each piece; what it throws ends the reading.
    mutating func discard(_ look: () throws -> Void) async throws {
        here = []
        while try await next() != nil { try look() }
    }

    /// Leaves so many bytes out.
    mutating func skip(_ count: Int) { here.removeFirst(count) }
}

/// A frame that goes out: its bytes, and the vectors behind them, which may lie in files.
public struct LeavingFrame: Sendable {
    private let head: [UInt8]
    private let vectors: [VectorBytes]
    private let threads: EngineThreads?

    /// One that is here.
    public init(whole: [UInt8]) { self.init(Data(whole)) }

    init(_ head: Data, _ vectors: [VectorBytes] = [], threads: EngineThreads? = nil) {
        (self.head, self.vectors, self.threads) = (Array(head), vectors, threads)
    }

    /// How many bytes it has.
    public var count: Int { vectors.reduce(head.count) { $0 + $1.count } }

    /// It, piece by piece.
    public var pieces: Pieces { Pieces(frame: self) }

    /// The pieces of a frame, of which the next is read when it is asked for.
    public struct Pieces {
        private let frame: LeavingFrame
        private var isBegun = false
        /// Of the vector that comes next, and where its next piece begins.
        private var (vector, start) = (0, 0)
        private static let length = 1 << 18

        fileprivate init(frame: LeavingFrame) { self.frame = frame }

        /// The next; nil: there are no more.
        ///
        /// - Throws: A `Problem` where a file cannot be read.
        public mutating func next() async throws -> [UInt8]? {
            guard isBegun else {
                isBegun = true
                return frame.head
            }
            while vector < frame.vectors.count, start >= frame.vectors[vector].count {
                (vector, start) = (vector + 1, 0)
            }
            guard vector < frame.vectors.count else { return nil }
            let range = start..<min(start + Self.length, frame.vectors[vector].count)
            start = range.upperBound
            switch frame.vectors[vector] {
            case .memory(let bytes): return Array(bytes.dropFirst(range.lowerBound).prefix(range.count))
            case .stored(let vector):
                let read: @Sendable () throws -> [UInt8] = {
                    var bytes = [UInt8](repeating: 0, count: range.count)
                    try bytes.withUnsafeMutableBytes { try vector.read(at: range.lowerBound, into: $0) }
                    return bytes
                }
                // On a thread of its own: it waits for a disk.
                return try await frame.threads?.run(read) ?? read()
            }
        }
    }
}
