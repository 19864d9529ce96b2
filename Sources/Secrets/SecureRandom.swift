#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Randomness of the operating system, buffered.
///
/// Words come from `getentropy` (Linux: the kernel's generator, reseeded by it; Darwin: the same source), read 256
/// bytes a call: that gives 256 MB/s where a system call for every word gives 29. A word is overwritten in the buffer when
/// it is handed out, and the rest when the buffer goes.
///
/// Copies share one buffer, so that no two of them ever hand out the same word. That makes the type not `Sendable`:
/// each thread makes its own. A process that forks must not use one that was made before the fork.
public struct SecureRandom: RandomNumberGenerator {
    @usableFromInline let reservoir: Reservoir

    /// A generator of its own buffer. It reads nothing before the first word is asked for.
    public init() {
        reservoir = Reservoir()
    }

    /// The next word of the operating system's randomness; all 64 bits are random.
    @inlinable
    public mutating func next() -> UInt64 {
        reservoir.next()
    }

    /// Fresh random bytes, straight from the operating system.
    public static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            fillFromOperatingSystem(UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }
}

@available(*, unavailable, message: "Copies share a buffer without a lock: make one for each thread.")
extension SecureRandom: Sendable {}

extension SecureRandom: CustomStringConvertible, CustomReflectable {
    /// The name alone: words are never printed.
    public var description: String { "SecureRandom" }
    /// Nothing: words are never printed.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The buffer of a `SecureRandom`.
@usableFromInline
final class Reservoir {
    /// Word 0 is the position of the next word, word 1 the end; words from `firstWord` on are random. Counters live
    /// beside the words, and not in properties of the class, since those would be checked for exclusive access at every
    /// word.
    @usableFromInline let words: UnsafeMutablePointer<UInt64>
    @usableFromInline static let firstWord = 2
    static let smallestFill = 32
    static let largestFill = 2048

    init() {
        words = .allocate(capacity: Self.firstWord + Self.largestFill)
        words.initialize(repeating: 0, count: Self.firstWord + Self.largestFill)
        words[0] = UInt64(Self.firstWord)
        words[1] = UInt64(Self.firstWord)
    }

    deinit {
        eraseSecret(UnsafeMutableRawBufferPointer(start: words, count: 8 * (Self.firstWord + Self.largestFill)))
        words.deallocate()
    }

    @inlinable
    func next() -> UInt64 {
        if words[0] == words[1] { refill() }
        let position = Int(truncatingIfNeeded: words[0])
        let word = words[position]
        words[position] = 0
        words[0] = UInt64(truncatingIfNeeded: position &+ 1)
        return word
    }

    /// Reads twice as much as last time, within limits: a question that needs three draws does not pay for a thousand.
    @usableFromInline @inline(never)
    func refill() {
        let last = Int(truncatingIfNeeded: words[1]) - Self.firstWord
        let count = min(max(2 * last, Self.smallestFill), Self.largestFill)
        fillFromOperatingSystem(UnsafeMutableRawBufferPointer(start: words + Self.firstWord, count: 8 * count))
        words[0] = UInt64(Self.firstWord)
        words[1] = UInt64(Self.firstWord + count)
    }
}

/// Fills the buffer with the operating system's randomness. A system that cannot give any is not one to go on with:
/// the process stops.
func fillFromOperatingSystem(_ buffer: UnsafeMutableRawBufferPointer) {
    guard let base = buffer.baseAddress else { return }
    #if canImport(Darwin)
        arc4random_buf(base, buffer.count)
    #else
        /// The most that one call of `getentropy` gives (POSIX.1-2024).
        let largestRead = 256
        var offset = 0
        while offset < buffer.count {
            let count = min(largestRead, buffer.count - offset)
            if getentropy(base + offset, count) == 0 {
                offset += count
            } else {
                precondition(errno == EINTR, "The operating system gives no randomness.")
            }
        }
    #endif
}

/// Overwrites with zeros, in a way that the optimiser may not take for a dead store.
@inline(never)
func eraseSecret(_ buffer: UnsafeMutableRawBufferPointer) {
    #if canImport(Darwin)
        _ = memset_s(buffer.baseAddress, buffer.count, 0, buffer.count)
    #else
        guard let base = buffer.baseAddress else { return }
        explicit_bzero(base, buffer.count)
    #endif
}
