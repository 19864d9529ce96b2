/// Inflates Snappy's raw format (github.com/google/snappy, format_description.txt).
enum Snappy {
    /// Fills the target; false unless the bytes are just that, whole and right.
    static func inflate(_ bytes: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Bool {
        var place = 0
        guard length(bytes, &place) == target.count else { return false }
        var done = 0
        while place < bytes.count {
            let tag = Int(bytes[place])
            place += 1
            guard tag & 3 == 0 else {
                guard copy(tag, from: bytes, at: &place, into: target, done: &done) else { return false }
                continue
            }
            // A literal: its length less one, or, from 60 on, in how many bytes that is.
            var count = tag >> 2
            if count >= 60 {
                guard let long = number(bytes, &place, bytes: count - 59) else { return false }
                count = long
            }
            count += 1
            guard count <= bytes.count - place, count <= target.count - done else { return false }
            UnsafeMutableRawBufferPointer(rebasing: target[done..<done + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[place..<place + count]))
            place += count
            done += count
        }
        return done == target.count
    }

    /// The inflated length, seven bits a byte.
    private static func length(_ bytes: UnsafeRawBufferPointer, _ place: inout Int) -> Int? {
        var value = 0
        for shift in stride(from: 0, through: 28, by: 7) {
            guard place < bytes.count else { return nil }
            let byte = Int(bytes[place])
            place += 1
            value |= (byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, _ place: inout Int, bytes count: Int) -> Int? {
        guard count <= bytes.count - place else { return nil }
        var value = 0
        for index in 0..<count { value |= Int(bytes[place + index]) << (8 * index) }
        place += count
        return value
    }

    /// Bytes that were there before, perhaps some that this copy itself makes.
    private static func copy(
        _ tag: Int, from bytes: UnsafeRawBufferPointer, at place: inout Int, into target: UnsafeMutableRawBufferPointer,
        done: inout Int
    ) -> Bool {
        let kind = tag & 3
        guard let low = number(bytes, &place, bytes: kind == 3 ? 4 : kind) else { return false }
        let offset = kind == 1 ? (tag >> 5) << 8 | low : low
        let count = kind == 1 ? (tag >> 2) & 7 + 4 : tag >> 2 + 1
        guard offset > 0, offset <= done, count <= target.count - done else { return false }
        if offset >= count {
            UnsafeMutableRawBufferPointer(rebasing: target[done..<done + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: target[done - offset..<done - offset + count]))
        } else {
            for index in done..<done + count { target[index] = target[index - offset] }
        }
        done += count
        return true
    }
}
