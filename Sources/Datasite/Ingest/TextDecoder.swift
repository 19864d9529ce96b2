/// Makes UTF-8 with line feeds of what a file holds; bytes of UTF-8 go through as they are.
final class TextDecoder: ByteSource {
    private let source: any ByteSource
    private let encoding: TextEncoding
    private let breaksAtReturns: Bool
    /// What was read and is not decoded yet, from `used` on.
    private var input: [UInt8]
    private var used = 0
    private var hasStart = true
    private var isBigEndian = false
    /// What was decoded and found no room, from `given` on.
    private var output: [UInt8] = []
    private var given = 0

    /// `start`: what was read from the source before.
    init(_ source: any ByteSource, start: [UInt8], encoding: TextEncoding, breaksAtReturns: Bool) {
        self.source = source
        self.encoding = encoding
        self.breaksAtReturns = breaksAtReturns
        input = start
        if encoding == .utf16 {
            isBigEndian = start.starts(with: [0xfe, 0xff])
            if isBigEndian || start.starts(with: [0xff, 0xfe]) { used = 2 }
        }
    }

    var position: Int { source.position }

    func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        if encoding == .utf8 { return try copy(into: target) }
        while given == output.count {
            output.removeAll(keepingCapacity: true)
            given = 0
            let isAtEnd = try refill()
            try decode(isAtEnd)
            if isAtEnd, output.isEmpty { return 0 }
        }
        let count = Swift.min(target.count, output.count - given)
        target.copyBytes(from: output[given..<given + count])
        given += count
        return count
    }

    /// Bytes as they are.
    private func copy(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        var count = Swift.min(target.count, input.count - used)
        if count > 0 {
            target.copyBytes(from: input[used..<used + count])
            used += count
            if used == input.count { (input, used) = ([], 0) }
        } else {
            count = try source.read(into: target)
        }
        if breaksAtReturns { for place in 0..<count where target[place] == 0x0d { target[place] = 0x0a } }
        return count
    }

    /// Reads more behind what is left; whether there is no more.
    private func refill() throws -> Bool {
        // What was read before comes first.
        if hasStart {
            hasStart = false
            return false
        }
        input.removeFirst(used)
        used = 0
        let left = input.count
        input += [UInt8](repeating: 0, count: 1 << 16)
        let got = try input.withUnsafeMutableBytes { bytes in
            try source.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[left...]))
        }
        input.removeLast((1 << 16) - got)
        return got == 0
    }

    private func decode(_ isAtEnd: Bool) throws {
        if encoding == .utf16 { return try decodeUTF16(isAtEnd) }
        for byte in input[used...] {
            switch byte {
            case 0x0d where breaksAtReturns: output.append(0x0a)
            case ..<0x80: output.append(byte)
            case 0x80..<0xa0: append(Self.windows1252[Int(byte) - 0x80])
            default: append(UInt32(byte))
            }
        }
        used = input.count
    }

    private func decodeUTF16(_ isAtEnd: Bool) throws {
        func unit(_ place: Int) -> UInt32 {
            let (first, second) = (UInt32(input[place]), UInt32(input[place + 1]))
            return isBigEndian ? first << 8 | second : second << 8 | first
        }
        while used + 1 < input.count {
            var value = unit(used)
            var width = 2
            if (0xd800..<0xdc00).contains(value) {
                guard used + 3 < input.count else {
                    if isAtEnd { throw IngestError.damagedText(encoding: encoding.rawValue) }
                    return
                }
                let low = unit(used + 2)
                guard (0xdc00..<0xe000).contains(low) else {
                    throw IngestError.damagedText(encoding: encoding.rawValue)
                }
                value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
                width = 4
            } else if (0xdc00..<0xe000).contains(value) {
                throw IngestError.damagedText(encoding: encoding.rawValue)
            }
            used += width
            append(value == 0x0d && breaksAtReturns ? 0x0a : value)
        }
        if isAtEnd, used < input.count { throw IngestError.damagedText(encoding: encoding.rawValue) }
    }

    private func append(_ value: UInt32) {
        if value < 0x80 { return output.append(UInt8(truncatingIfNeeded: value)) }
        output.append(contentsOf: Unicode.Scalar(value).map { Array(UTF8.encode($0) ?? .init()) } ?? [])
    }

    /// The characters of 0x80 to 0x9F; the five that have none keep their number, as the Encoding Standard has it.
    private static let windows1252: [UInt32] = [
        0x20ac, 0x81, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d,
        0x017d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a,
        0x0153, 0x9d, 0x017e, 0x0178,
    ]
}
