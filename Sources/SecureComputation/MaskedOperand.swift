/// An operand that was opened under a mask in a step of its own, or elements of one.
struct MaskedOperand: Sendable {
    /// The step that masks.
    let step: Int
    /// How many elements it masks.
    let count: Int
    /// Which of them the operand is, -1 for zero; nil for all.
    let places: [Int]?

    /// Of words of all elements, the operand's.
    func gathered(_ words: [UInt64]) -> [UInt64] {
        guard let places else { return words }
        return places.map { $0 < 0 || $0 >= words.count ? 0 : words[$0] }
    }
}

extension Program {
    /// What was masked once, where the operand is that or gathered from it.
    func maskedOperand(_ value: Value) -> MaskedOperand? {
        switch operation(value.place) {
        case .masked: MaskedOperand(step: value.place, count: value.count, places: nil)
        case .gather(let source, let places):
            maskedOperand(source).map { operand in
                MaskedOperand(
                    step: operand.step, count: operand.count,
                    places: operand.places.map { earlier in places.map { $0 < 0 ? -1 : earlier[$0] } } ?? places)
            }
        default: nil
        }
    }
}
