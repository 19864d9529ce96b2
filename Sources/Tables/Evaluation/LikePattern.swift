/// A pattern of SQL's `LIKE`: `%` any run, `_` one Unicode scalar, backslash makes the next character stand for itself.
///
/// The pattern is cut at its runs into segments, each found at its first place behind the one before. No text makes that
/// slow: a segment without `_` is searched in time linear in the text (Knuth, Morris and Pratt 1977), one with `_` in
/// text times its length / 64 (Baeza-Yates and Gonnet 1992, "shift-and").
struct LikePattern: Sendable, Hashable {
    private let segments: [LikeSegment]
    private let startsWithRun: Bool
    private let endsWithRun: Bool

    init(_ pattern: String) {
        var segments: [[LikeElement]] = [[]]
        var isEscaped = false
        for scalar in pattern.unicodeScalars {
            switch scalar {
            case "\\" where !isEscaped:
                isEscaped = true
                continue
            case "%" where !isEscaped: segments.append([])
            case "_" where !isEscaped: segments[segments.count - 1].append(.one)
            default: segments[segments.count - 1].append(.scalar(scalar))
            }
            isEscaped = false
        }
        if isEscaped { segments[segments.count - 1].append(.scalar("\\")) }
        startsWithRun = segments.count > 1 && segments[0].isEmpty
        endsWithRun = segments.count > 1 && segments[segments.count - 1].isEmpty
        self.segments =
            segments.count == 1
            ? [LikeSegment(segments[0])] : segments.filter { !$0.isEmpty }.map(LikeSegment.init)
    }

    /// The most 64-position steps that one byte of text costs in searches; 0 where no segment holds `_`.
    var steps: Int { segments.reduce(0) { Swift.max($0, $1.steps) } }

    /// Bytes that the compiled pattern holds.
    var heldBytes: Double { segments.reduce(0) { $0 + $1.heldBytes } }

    /// Whether the whole text matches.
    func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        var middle = segments[...]
        var start = 0
        var end = text.count
        if !startsWithRun, let first = middle.popFirst() {
            guard let after = first.prefix(of: text) else { return false }
            start = after
            // The only segment, and no run: it must be all of the text.
            if segments.count == 1, !endsWithRun { return start == end }
        }
        if !endsWithRun, let last = middle.popLast() {
            guard let before = last.suffix(of: text), before >= start else { return false }
            end = before
        }
        for segment in middle {
            guard let after = segment.search(text, from: start, to: end) else { return false }
            start = after
        }
        return true
    }
}

enum LikeElement: Sendable, Hashable {
    case one
    case scalar(Unicode.Scalar)
}

/// What stands between two runs of a pattern.
private struct LikeSegment: Sendable, Hashable {
    private enum Method: Hashable {
        /// UTF-8, and for each length of a matched beginning the length of the longest that also ends it.
        case bytes([UInt8], fallback: [Int32])
        /// For each scalar that occurs, the positions that it matches, `words` words each; the first entry is for all
        /// other scalars.
        case scalars(entries: [UInt32: Int], masks: [UInt64], words: Int)
    }

    private let elements: [LikeElement]
    private let method: Method

    init(_ elements: [LikeElement]) {
        self.elements = elements
        method = elements.contains(.one) ? Self.scalars(elements) : Self.bytes(elements)
    }

    private static func bytes(_ elements: [LikeElement]) -> Method {
        var text = String.UnicodeScalarView()
        for case .scalar(let scalar) in elements { text.append(scalar) }
        let bytes = Array(String(text).utf8)
        var fallback = [Int32](repeating: 0, count: bytes.count + 1)
        var length = 0
        for place in bytes.indices.dropFirst() {
            while length > 0, bytes[place] != bytes[length] { length = Int(fallback[length]) }
            if bytes[place] == bytes[length] { length += 1 }
            fallback[place + 1] = Int32(length)
        }
        return .bytes(bytes, fallback: fallback)
    }

    private static func scalars(_ elements: [LikeElement]) -> Method {
        let words = (elements.count + 63) / 64
        var entries: [UInt32: Int] = [:]
        for case .scalar(let scalar) in elements where entries[scalar.value] == nil {
            entries[scalar.value] = entries.count + 1
        }
        var masks = [UInt64](repeating: 0, count: (entries.count + 1) * words)
        for (position, element) in elements.enumerated() {
            let (word, bit) = (position / 64, UInt64(1) << UInt64(position % 64))
            switch element {
            case .one: for entry in 0...entries.count { masks[entry * words + word] |= bit }
            case .scalar(let scalar): masks[(entries[scalar.value] ?? 0) * words + word] |= bit
            }
        }
        return .scalars(entries: entries, masks: masks, words: words)
    }

    var steps: Int { if case .scalars(_, _, let words) = method { words } else { 0 } }

    var heldBytes: Double {
        switch method {
        case .bytes(let bytes, _): Double(bytes.count) * 5 + Double(elements.count * 8)
        case .scalars(let entries, let masks, _):
            Double(masks.count * 8) + Double(entries.count) * 48 + Double(elements.count * 8)
        }
    }

    // MARK: at an end of the text

    /// Where the segment ends that starts the text.
    func prefix(of text: UnsafeRawBufferPointer) -> Int? {
        var place = 0
        for element in elements {
            guard place < text.count else { return nil }
            let (scalar, length) = Self.scalar(text, place)
            if case .scalar(let wanted) = element, wanted.value != scalar { return nil }
            place += length
        }
        return place
    }

    /// Where the segment starts that ends the text.
    func suffix(of text: UnsafeRawBufferPointer) -> Int? {
        var place = text.count
        for element in elements.reversed() {
            guard place > 0 else { return nil }
            place -= 1
            while place > 0, text[place] & 0xc0 == 0x80 { place -= 1 }
            if case .scalar(let wanted) = element, wanted.value != Self.scalar(text, place).value { return nil }
        }
        return place
    }

    // MARK: anywhere

    /// Where the segment's first occurrence within those places ends.
    func search(_ text: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int? {
        switch method {
        case .bytes(let bytes, let fallback): return Self.search(text, from: start, to: end, bytes: bytes, fallback)
        case .scalars(let entries, let masks, let words):
            return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: words) { state in
                search(text, from: start, to: end, entries: entries, masks, state)
            }
        }
    }

    private static func search(
        _ text: UnsafeRawBufferPointer, from start: Int, to end: Int, bytes: [UInt8], _ fallback: [Int32]
    ) -> Int? {
        bytes.withUnsafeBufferPointer { bytes in
            fallback.withUnsafeBufferPointer { fallback in
                var length = 0
                var place = start
                while place < end {
                    let byte = text[place]
                    while length > 0, byte != bytes[length] { length = Int(fallback[length]) }
                    if byte == bytes[length] { length += 1 }
                    place += 1
                    if length == bytes.count { return place }
                }
                return nil
            }
        }
    }

    private func search(
        _ text: UnsafeRawBufferPointer, from start: Int, to end: Int, entries: [UInt32: Int], _ masks: [UInt64],
        _ state: UnsafeMutableBufferPointer<UInt64>
    ) -> Int? {
        state.initialize(repeating: 0)
        let last = UInt64(1) << UInt64((elements.count - 1) % 64)
        return masks.withUnsafeBufferPointer { masks in
            var place = start
            while place < end {
                let (scalar, length) = Self.scalar(text, place)
                let mask = (entries[scalar] ?? 0) * state.count
                var carry: UInt64 = 1
                for word in 0..<state.count {
                    let before = state[word]
                    state[word] = (before << 1 | carry) & masks[mask + word]
                    carry = before >> 63
                }
                place += length
                if state[state.count - 1] & last != 0 { return place }
            }
            return nil
        }
    }

    /// The scalar that starts at `place` of valid UTF-8.
    @inline(__always)
    private static func scalar(_ text: UnsafeRawBufferPointer, _ place: Int) -> (value: UInt32, length: Int) {
        let first = text[place]
        let length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
        guard length > 1, place + length <= text.count else { return (UInt32(first), 1) }
        var value = UInt32(first) & (0x7f >> UInt32(length))
        for i in 1..<length { value = value << 6 | UInt32(text[place + i] & 0x3f) }
        return (value, length)
    }
}
