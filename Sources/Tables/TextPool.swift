/// The texts that a running question meets, each by a number: first the dictionaries of the source's text columns, one
/// after the other, then literals, lookup tables' texts and results of functions, interned.
///
/// Two numbers may stand for equal texts (of two columns' dictionaries): compare with `areEqual`, or make them
/// canonical.
final class TextPool {
    private struct Segment {
        var first: Int
        var dictionary: TextDictionary
    }

    private var segments: [Segment] = []
    private var dynamicStart = 0
    private var dynamic: [String] = []
    private var numbers: [String: Int] = [:]

    /// How many numbers there are; they only grow.
    var count: Int { dynamicStart + dynamic.count }

    /// Adds a stored dictionary; only before the first interned text. Returns its first number.
    func add(_ dictionary: TextDictionary) -> Int {
        let first = dynamicStart
        segments.append(Segment(first: first, dictionary: dictionary))
        dynamicStart += dictionary.count
        return first
    }

    /// The number of a text.
    func intern(_ text: String) -> Int64 {
        if let known = numbers[text] { return Int64(dynamicStart + known) }
        numbers[text] = dynamic.count
        dynamic.append(text)
        return Int64(dynamicStart + dynamic.count - 1)
    }

    func text(_ number: Int64) -> String {
        let number = Int(number)
        if number >= dynamicStart { return number < count ? dynamic[number - dynamicStart] : "" }
        return withStored(number) { String(decoding: $0, as: UTF8.self) }
    }

    func withBytes<Result>(_ number: Int64, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let number = Int(number)
        guard number >= dynamicStart else { return withStored(number, body) }
        var text = number < count ? dynamic[number - dynamicStart] : ""
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }

    /// The order of two texts by Unicode scalars.
    func compare(_ left: Int64, _ right: Int64) -> Int {
        if left == right { return 0 }
        return withBytes(left) { left in withBytes(right) { right in compareBytes(left, right) } }
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
