/// Room for values that is used again and again, so that memory is not given back and fetched anew for each block of
/// work. For trivial types: nothing is initialised or destroyed, and contents do not survive `reserve`.
final class Scratch<Element> {
    private(set) var start: UnsafeMutablePointer<Element>
    private var capacity: Int

    init() {
        capacity = 1
        start = .allocate(capacity: 1)
    }

    deinit {
        start.deallocate()
    }

    /// Room for at least that many.
    func reserve(_ count: Int) {
        guard count > capacity else { return }
        start.deallocate()
        capacity = Swift.max(count, capacity + capacity / 2)
        start = .allocate(capacity: capacity)
    }
}
