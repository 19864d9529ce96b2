/// The texts that a running question meets, each by a number: first the dictionaries of the source's text columns, one
/// after the other, then literals and lookup tables' texts, interned while the question is compiled, then texts that
/// are computed from rows.
///
/// Computed texts live in scratch that each chunk uses again, so that memory does not grow with how many there are.
/// Their numbers never come again: what was remembered of one is not mistaken for another.
///
/// Two numbers may stand for equal texts (of two columns' dictionaries, or computed twice): compare with `compare`, or
/// make them canonical.
final class TextPool {
    private struct Segment {
        var first: Int
        var dictionary: TextDictionary
    }

    private var segments: [Segment] = []
    private(set) var internedStart = 0
    private var interned: [UInt8] = []
    private var internedEnds: [Int] = []
    private var numbers: [String: Int] = [:]
    /// The chunk's computed texts, one behind the other, and where each ends.
    private let scratch = GrowingBytes()
    private var scratchEnds: [Int] = []
    private var scratchStart = 0

    deinit { scratch.deallocate() }

    /// How many numbers are of dictionaries, literals and lookup tables: theirs are the smallest, and stay.
    var stableCount: Int { internedStart + internedEnds.count }

    var internedCount: Int { internedEnds.count }

    /// Adds a stored dictionary; only before the first interned text. Returns its first number.
    func add(_ dictionary: TextDictionary) -> Int {
        let first = internedStart
        segments.append(Segment(first: first, dictionary: dictionary))
        internedStart += dictionary.count
        return first
    }

    /// The number of a text of the question or a lookup table; only before the first chunk.
    func intern(_ text: String) -> Int64 {
        if let known = numbers[text] { return Int64(internedStart + known) }
        numbers[text] = internedEnds.count
        interned.append(contentsOf: text.utf8)
        internedEnds.append(interned.count)
        return Int64(stableCount - 1)
    }

    /// Bytes held for texts that are not stored.
    var heldBytes: Double {
        // An interned text is kept twice: as bytes, and as the key of its number.
        Double(interned.capacity + numbers.capacity * 48 + internedEnds.capacity * 8 + interned.count)
            + Double(scratch.capacity + scratchEnds.capacity * 8)
    }

    // MARK: - Computed texts

    /// Forgets the texts computed for the last chunk.
    func beginChunk() {
        scratchStart = Swift.max(scratchStart + scratchEnds.count, stableCount)
        scratchEnds.removeAll(keepingCapacity: true)
        scratch.count = 0
    }

    /// Whether a text's number is still valid: those of computed texts are, until the next chunk.
    @inline(__always)
    func isKept(_ number: Int64) -> Bool { number >= scratchStart || number < stableCount }

    /// The number of a new text that is ASCII, such as a number or a date.
    func compute(_ text: String) -> Int64 {
        scratch.append(text.utf8)
        return finish()
    }

    /// The number of the text that the function makes of another; adds to `bytes` how many bytes that took.
    func compute(_ function: TextFunction, of number: Int64, bytes: inout Int) -> Int64 {
        let (count, isASCII) = withBytes(number) { text in (text.count, text.allSatisfy { $0 < 0x80 }) }
        bytes += count
        // Blanks at the ends and places are told by bytes, whatever else there is; a change of case is not.
        guard isASCII || !function.changesCase else {
            scratch.append(function.changedCase(of: text(number)).utf8)
            return finish()
        }
        // Room is made first: the text itself may lie in the scratch, which moves when it grows.
        scratch.reserve(count)
        withBytes(number) { text in
            switch function {
            case .lower: for byte in text { scratch.append(byte &- 0x41 < 26 ? byte | 0x20 : byte) }
            case .upper: for byte in text { scratch.append(byte &- 0x61 < 26 ? byte & 0xdf : byte) }
            case .trim:
                var (start, end) = (0, text.count)
                while start < end, text[start] == 0x20 { start += 1 }
                while end > start, text[end - 1] == 0x20 { end -= 1 }
                for place in start..<end { scratch.append(text[place]) }
            case .substring(let from, let length):
                let end = length.map { from.addingReportingOverflow($0) }
                let last = end.map { $0.overflow ? .max : $0.partialValue } ?? .max
                var place: Int64 = 0
                for byte in text {
                    if byte & 0xc0 != 0x80 { place += 1 }
                    if place >= last { break }
                    if place >= from { scratch.append(byte) }
                }
            }
        }
        return finish()
    }

    /// The number of the texts joined; adds how many bytes that took, and how many of them had to be normalised: an
    /// accent at the start of one text belongs to the letter before it.
    func compute(joining numbers: [Int64], bytes: inout Int, normalized: inout Int) -> Int64 {
        var (total, isNormal) = (0, true)
        for number in numbers {
            withBytes(number) { text in
                if total > 0, let first = text.first, first >= 0x80 { isNormal = false }
                total += text.count
            }
        }
        bytes += total
        // Room is made first: the texts themselves may lie in the scratch, which moves when it grows.
        scratch.reserve(total)
        let start = scratch.count
        for number in numbers { withBytes(number) { for byte in $0 { scratch.append(byte) } } }
        if !isNormal {
            normalized += total
            let joined = UnsafeRawBufferPointer(start: scratch.start + start, count: total)
            let text = String(decoding: joined, as: UTF8.self).normalizedForKeys
            scratch.count = start
            scratch.append(text.utf8)
        }
        return finish()
    }

    /// What normalising can add where two normalised texts meet: the last letter of the first is taken apart and put
    /// together anew, after which its accents, and a letter of at most four bytes, may stand alone.
    static let seamBytes = 16.0

    private func finish() -> Int64 {
        scratchEnds.append(scratch.count)
        return Int64(scratchStart + scratchEnds.count - 1)
    }

    // MARK: - Reading

    func text(_ number: Int64) -> String {
        withBytes(number) { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of a text; none are computed while `body` runs.
    @inline(__always)
    func withBytes<Result>(_ number: Int64, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let number = Int(number)
        if number < internedStart { return withStored(number, body) }
        let place = number - internedStart
        if place < internedEnds.count {
            let start = place == 0 ? 0 : internedEnds[place - 1]
            let end = internedEnds[place]
            return interned.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
        }
        let own = number - scratchStart
        guard own >= 0, own < scratchEnds.count else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let start = own == 0 ? 0 : scratchEnds[own - 1]
        return body(UnsafeRawBufferPointer(start: scratch.start + start, count: scratchEnds[own] - start))
    }

    /// The order of two texts by Unicode scalars; adds how many bytes may have been compared.
    func compare(_ left: Int64, _ right: Int64, bytes: inout Int) -> Int {
        if left == right { return 0 }
        return withBytes(left) { left in
            withBytes(right) { right in
                bytes += Swift.min(left.count, right.count)
                return compareBytes(left, right)
            }
        }
    }

    private func withStored<Result>(_ number: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var place = segments.count - 1
        while place > 0, segments[place].first > number { place -= 1 }
        guard place >= 0, number >= segments[place].first,
            number - segments[place].first < segments[place].dictionary.count
        else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let segment = segments[place]
        return body(segment.dictionary.bytes(of: number - segment.first))
    }
}

/// Bytes that are appended, and forgotten all at once.
final class GrowingBytes {
    private(set) var start: UnsafeMutablePointer<UInt8> = .allocate(capacity: 1)
    private(set) var capacity = 1
    var count = 0

    func deallocate() { start.deallocate() }

    /// Room for so many more.
    func reserve(_ more: Int) {
        guard count + more > capacity else { return }
        let larger = Swift.max(count + more, capacity * 2)
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        moved.update(from: start, count: count)
        start.deallocate()
        (start, capacity) = (moved, larger)
    }

    /// Only into reserved room.
    @inline(__always)
    func append(_ byte: UInt8) {
        start[count] = byte
        count &+= 1
    }

    func append(_ text: String.UTF8View) {
        reserve(text.count)
        for byte in text { append(byte) }
    }

    func append(_ text: UnsafeRawBufferPointer) {
        reserve(text.count)
        guard let base = text.baseAddress, !text.isEmpty else { return }
        (start + count).update(from: base.assumingMemoryBound(to: UInt8.self), count: text.count)
        count += text.count
    }
}

extension TextFunction {
    /// The text in lower or upper case, normalised. Never more than three times as many bytes.
    fileprivate func changedCase(of text: String) -> String {
        (self == .lower ? text.lowercased() : text.uppercased()).normalizedForKeys
    }

    var changesCase: Bool { self == .lower || self == .upper }

    /// The most bytes of a result for one byte of text.
    var growth: Double { changesCase ? 3 : 1 }

    /// The kind of work that a byte of its text costs.
    var byteKind: WorkKind {
        if case .substring = self { .byte } else { .caseByte }
    }

    /// Its name in a question.
    var name: String {
        switch self {
        case .lower: "LOWER"
        case .upper: "UPPER"
        case .trim: "TRIM"
        case .substring: "SUBSTR"
        }
    }
}
