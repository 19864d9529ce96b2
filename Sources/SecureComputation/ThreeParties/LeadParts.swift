/// How the elements of a comparison or truncation are divided: three parts, in each of which another party leads, so that all three send equally much where there are many elements.
///
/// In a part that party l leads, l knows s = x_l + x_(l+1), and both others know t = x_(l+2), so that x = s + t without a message. All that follows is a function of what one party knows
/// and of what the two others know.
struct LeadParts: Sendable, Hashable {
    let count: Int
    /// The step's place, from which its streams have their names.
    let place: Int
    /// Who leads the first part.
    let rotation: Int

    init(count: Int, place: Int, rotation: Int? = nil) {
        (self.count, self.place, self.rotation) = (count, place, (rotation ?? place) % 3)
    }

    /// A party's place in a part.
    enum Role: Int, Sendable {
        /// Knows s.
        case lead = 0
        /// The party behind the lead; its next component is t.
        case middle = 1
        /// The party before the lead; its own component is t.
        case last = 2
    }

    struct Part: Sendable, Hashable {
        let number: Int
        let lead: ComputingParty
        let range: Range<Int>
        /// Words of 64 bits, one an element.
        var words: Int { PackedBits.words(range.count) }

        func role(of party: ComputingParty) -> Role {
            party == lead ? .lead : party == lead.next ? .middle : .last
        }
    }

    /// Parts begin at multiples of 64 elements.
    var parts: [Part] {
        let words = PackedBits.words(count)
        return (0..<3).map { number in
            let range = min(number * words / 3 * 64, count)..<min((number + 1) * words / 3 * 64, count)
            return Part(number: number, lead: ComputingParty.three[(rotation + number) % 3], range: range)
        }
    }
}

/// A bit of each element, for each of some trees, as the exclusive or of a bit that the lead of the element's part knows and of one that both others know: packed, part by part, tree by tree.
struct LeadBits: Sendable, CustomStringConvertible, CustomReflectable {
    /// By part.
    var parts: [[UInt64]]

    var description: String { "LeadBits" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
