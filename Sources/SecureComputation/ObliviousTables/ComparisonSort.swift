/// A sort that asks for comparisons, many at a time, and learns of them as bits: which elements it compares follows from earlier answers alone.
///
/// Of a long segment a sample is sorted by comparing all pairs, each other element finds its place in the sample by halving, and so on in what lies between two of the sample; short segments are
/// sorted by comparing all pairs, and longer ones where few are left. For n elements in random order: about log2 n + 4 comparisons an element (16.5 for 10^4, 21 for 10^5), in about log2 n + 5 batches (18; 22).
struct ComparisonSort: Sendable {
    /// Segments up to this length are sorted by all pairs.
    static let shortest = 24

    private enum Segment: Sendable {
        case sorted([Int32])
        case unsorted([Int32])
        /// Of a sorted sample: the other elements, of each how many of the sample lie below it for certain, and the width in which its place is sought.
        case searching(sample: [Int32], rest: [Int32], below: [Int32], width: Int32)
    }

    private var segments: [Segment]
    private let count: Int
    /// Whether so little is unsorted that all pairs of it are few.
    private var isFinishing = false

    init(count: Int) {
        self.count = count
        segments = [Self.segment(Array(0..<Int32(count)))]
    }

    private static func segment(_ elements: [Int32]) -> Segment {
        elements.count < 2 ? .sorted(elements) : .unsorted(elements)
    }

    /// As many of a segment's first elements as 2^k - 1 whose pairs are not more than the segment's elements; all where it is short.
    private func sampleCount(_ count: Int) -> Int {
        guard count > Self.shortest, !isFinishing else { return count }
        var sample = 3
        while (2 * sample + 1) * (2 * sample) / 2 <= count { sample = 2 * sample + 1 }
        return sample
    }

    /// The next comparisons, as pairs; none when it is over.
    func pairs() -> (left: [Int32], right: [Int32]) {
        var (left, right): ([Int32], [Int32]) = ([], [])
        for segment in segments {
            switch segment {
            case .sorted: break
            case .unsorted(let elements):
                let count = sampleCount(elements.count)
                for i in 0..<count {
                    for j in 0..<i {
                        left.append(elements[i])
                        right.append(elements[j])
                    }
                }
            case .searching(let sample, let rest, let below, let width):
                left += rest
                for place in below { right.append(sample[Int(place + width) - 1]) }
            }
        }
        return (left, right)
    }

    /// Answers in the order of the questions.
    private struct Answers {
        let bits: [UInt64]
        var place = 0

        mutating func next() -> Int32 {
            defer { place += 1 }
            return Int32(truncatingIfNeeded: bits[place >> 6] >> UInt64(place & 63) & 1)
        }
    }

    /// Takes the answers: bit i says whether the left element of pair i is the larger one.
    mutating func take(_ bits: [UInt64]) {
        var answers = Answers(bits: bits)
        var after: [Segment] = []
        for segment in segments {
            switch segment {
            case .sorted: after.append(segment)
            case .unsorted(let elements): after.append(sampled(elements, &answers))
            case .searching(let sample, let rest, let below, let width):
                let found = below.map { $0 + width * answers.next() }
                if width > 1 {
                    after.append(.searching(sample: sample, rest: rest, below: found, width: width / 2))
                } else {
                    after += Self.divided(sample, rest, found)
                }
            }
        }
        segments = after
        let left = after.reduce(0) { sum, segment in
            guard case .unsorted(let elements) = segment else { return sum }
            return sum + elements.count * (elements.count - 1) / 2
        }
        isFinishing = left <= 2 * count
    }

    /// A segment whose sample is sorted by how many of it each is larger than.
    private func sampled(_ elements: [Int32], _ answers: inout Answers) -> Segment {
        let count = sampleCount(elements.count)
        var ranks = [Int](repeating: 0, count: count)
        for i in 0..<count {
            for j in 0..<i { ranks[answers.next() == 1 ? i : j] += 1 }
        }
        var sample = [Int32](repeating: 0, count: count)
        for (element, rank) in zip(elements, ranks) { sample[rank] = element }
        let rest = Array(elements.dropFirst(count))
        guard !rest.isEmpty else { return .sorted(sample) }
        return .searching(sample: sample, rest: rest, below: rest.map { _ in 0 }, width: Int32((count + 1) / 2))
    }

    /// What lies between two of a sample, by how many of it lie below.
    private static func divided(_ sample: [Int32], _ rest: [Int32], _ found: [Int32]) -> [Segment] {
        var parts = [[Int32]](repeating: [], count: sample.count + 1)
        for (element, place) in zip(rest, found) { parts[Int(place)].append(element) }
        return parts.enumerated().flatMap { number, part in
            [segment(part)] + (number < sample.count ? [.sorted([sample[number]])] : [])
        }
    }

    /// The elements in ascending order; nil before the end.
    var order: [Int32]? {
        var order: [Int32] = []
        for segment in segments {
            guard case .sorted(let elements) = segment else { return nil }
            order += elements
        }
        return order
    }
}
