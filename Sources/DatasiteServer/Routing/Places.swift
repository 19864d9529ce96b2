import DatasiteProtocol
import Synchronization

/// What is open for long, event streams and downloads: so many in all, and of each user.
final class Places: Sendable {
    private let all: Int
    private let each: Int
    private let refusal: Problem
    private let taken = Mutex<[String: Int]>([:])

    /// - Parameter refusal: What is thrown where no place is left.
    init(all: Int, each: Int, refusal: Problem) {
        self.all = all
        self.each = each
        self.refusal = refusal
    }

    /// A place among them, for as long as it is held.
    final class Place: Sendable {
        private let places: Places
        private let user: String

        fileprivate init(_ places: Places, _ user: String) {
            self.places = places
            self.user = user
        }

        deinit {
            places.taken.withLock { taken in
                let left = taken[user, default: 1] - 1
                taken[user] = left > 0 ? left : nil
            }
        }
    }

    func enter(_ user: String) throws(Problem) -> Place {
        let isAdmitted = taken.withLock { taken in
            guard taken[user, default: 0] < each, taken.values.reduce(0, +) < all else { return false }
            taken[user, default: 0] += 1
            return true
        }
        guard isAdmitted else { throw refusal }
        return Place(self, user)
    }
}
