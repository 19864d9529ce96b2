/// A pattern of SQL's `LIKE`: `%` any run, `_` one Unicode scalar, backslash makes the next character stand for itself.
struct LikePattern: Sendable, Hashable {
    private enum Element: Hashable {
        case run
        case one
        case scalar(UInt32)
    }

    private let elements: [Element]

    init(_ pattern: String) {
        var elements: [Element] = []
        var isEscaped = false
        for scalar in pattern.unicodeScalars {
            switch scalar {
            case "\\" where !isEscaped:
                isEscaped = true
                continue
            case "%" where !isEscaped: if elements.last != .run { elements.append(.run) }
            case "_" where !isEscaped: elements.append(.one)
            default: elements.append(.scalar(scalar.value))
            }
            isEscaped = false
        }
        if isEscaped { elements.append(.scalar(0x5c)) }
        self.elements = elements
    }

    /// Greedy with one point of return, the last run: linear but for pathological patterns, never exponential.
    func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        var place = 0
        var element = 0
        var runElement: Int?
        var runPlace = 0
        while place < text.count {
            let (scalar, length) = Self.scalar(text, place)
            if element < elements.count {
                switch elements[element] {
                case .run:
                    runElement = element
                    runPlace = place
                    element += 1
                    continue
                case .one:
                    element += 1
                    place += length
                    continue
                case .scalar(let wanted) where wanted == scalar:
                    element += 1
                    place += length
                    continue
                case .scalar: break
                }
            }
            guard let returnTo = runElement else { return false }
            element = returnTo + 1
            runPlace += Self.scalar(text, runPlace).length
            place = runPlace
        }
        while element < elements.count, elements[element] == .run { element += 1 }
        return element == elements.count
    }

    /// The scalar that starts at `place` of valid UTF-8.
    private static func scalar(_ text: UnsafeRawBufferPointer, _ place: Int) -> (value: UInt32, length: Int) {
        let first = text[place]
        let length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
        guard length > 1, place + length <= text.count else { return (UInt32(first), 1) }
        var value = UInt32(first) & (0x7f >> UInt32(length))
        for i in 1..<length { value = value << 6 | UInt32(text[place + i] & 0x3f) }
        return (value, length)
    }
}

extension TextFunction {
    /// The result, normalised.
    func apply(_ text: String) -> String {
        switch self {
        case .lower: text.lowercased().normalizedForKeys
        case .upper: text.uppercased().normalizedForKeys
        case .trim:
            String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
    }
}
