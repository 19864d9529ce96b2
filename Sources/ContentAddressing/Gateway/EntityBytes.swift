/// `entity-bytes=from:to` of IPIP-402: both ends are included; below zero they count from the end; `*` is the end.
struct EntityBytes: Sendable, Hashable {
    let from: Int64
    /// Nil: to the end.
    let to: Int64?

    /// Nil where it is none.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let from = Self.integer(parts[0]) else { return nil }
        self.from = from
        if parts[1] == "*" {
            to = nil
        } else {
            guard let end = Self.integer(parts[1]) else { return nil }
            to = end
        }
    }

    /// Digits, behind a minus or not, and nothing else that Swift would take.
    private static func integer(_ text: Substring) -> Int64? {
        let digits = text.hasPrefix("-") ? text.dropFirst() : text
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return Int64(text)
    }

    enum Resolved: Hashable {
        /// These bytes, all of which the file has.
        case range(ClosedRange<UInt64>)
        /// No byte at all: the root alone tells why.
        case nothing
        /// Nothing that the file has.
        case outside
    }

    /// Which bytes of a file of so many.
    func resolved(_ size: UInt64) -> Resolved {
        guard size > 0 else { return .nothing }
        let last = Int64(clamping: size - 1)
        // At most 2^63 - 1 and at least -2^63: the sums cannot overflow where one has a sign.
        let begin = from < 0 ? from + last + 1 : from
        let end = to.map { $0 < 0 ? $0 + last + 1 : $0 } ?? last
        guard to == nil || begin <= end else { return .nothing }
        guard begin <= last, end >= 0 else { return .outside }
        return .range(UInt64(max(begin, 0))...UInt64(min(end, last)))
    }
}

/// A `Range` of one range of bytes (RFC 9110, section 14.1.2).
enum ByteRange: Hashable {
    /// These bytes.
    case part(Range<Int>)
    /// None that there is.
    case unsatisfiable

    /// Nil where the header asks for something else, and is left alone.
    init?(_ header: String, of size: Int) {
        guard header.lowercased().hasPrefix("bytes=") else { return nil }
        let parts = header.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2,
            parts.allSatisfy({ $0.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) })
        else { return nil }
        switch (Int(parts[0]), Int(parts[1])) {
        case (let first?, let last?):
            guard first <= last else { return nil }
            self = first < size ? .part(first..<min(last, size - 1) + 1) : .unsatisfiable
        case (let first?, nil) where parts[1].isEmpty: self = first < size ? .part(first..<size) : .unsatisfiable
        case (nil, let count?) where parts[0].isEmpty:
            self = count > 0 && size > 0 ? .part(size - min(count, size)..<size) : .unsatisfiable
        default: return nil
        }
    }
}
