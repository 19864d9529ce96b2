/// What a provider says of a deterministic computation in steps: a digest of the state before the first step and behind each, bound by one root that the job's receipt names.
///
/// **Why it can be trusted no further than it is checked.** Kernels are deterministic, so that whoever executes a step from the state that the trace names comes to the state that it names
/// next, or the trace is wrong. An audit executes some steps, drawn when the receipt stands (``audit(_:of:receipt:checkpoint:)``): of a trace with a part f of wrong steps, k drawn ones
/// find one with probability 1 - (1 - f)^k. Who has executed all of it and came to something else disputes it, and ``WorkDispute`` finds the first step on which
/// both differ: a referee executes that one alone. Metered units follow from the computation and the number of steps, not from what the provider says.
public struct WorkTrace: Sendable, Hashable {
    /// The most steps of a job.
    public static let mostSteps = 1 << 20

    /// The states' digests: of `steps + 1` states.
    public let states: [Digest256]
    private let tree: ClaimTree
    /// What all of them are bound to.
    public var root: Digest256 { tree.root }

    /// The trace of these states; nil where there is no step, or there are more than ``mostSteps``.
    public init?(states: [Digest256]) {
        guard (2...Self.mostSteps + 1).contains(states.count),
            let tree = ClaimTree(states.enumerated().map { Self.leaf($0.offset, $0.element) })
        else { return nil }
        (self.states, self.tree) = (states, tree)
    }

    /// How many steps it is of.
    public var steps: Int { states.count - 1 }

    /// The state's digest at a place, with its path to the root; nil where there is none.
    public func opened(at place: Int) -> OpenedState? {
        tree.path(of: place).map { OpenedState(place: place, state: states[place], path: $0) }
    }

    /// What the job's receipt is: the computation, the steps, and the root.
    ///
    /// - Parameter work: A digest of what was to be computed: the program, its data and where it begins.
    public static func receipt(work: Digest256, steps: Int, root: Digest256) -> Digest256 {
        var bytes = CanonicalBytes("work-receipt")
        bytes.append(work)
        bytes.append(steps)
        bytes.append(root)
        return bytes.digest
    }

    /// Which steps an auditor executes again: `count` different ones, at most all, drawn by what nobody knew before the receipt stood, a checkpoint of the log.
    public static func audit(_ count: Int, of steps: Int, receipt: Digest256, checkpoint: Digest256) -> [Int] {
        OpenedRows.draw(exactly: count, of: steps, task: receipt, checkpoint: checkpoint)
    }

    static func leaf(_ place: Int, _ state: Digest256) -> [UInt8] {
        var bytes = CanonicalBytes("work-state")
        bytes.append(place)
        bytes.append(state)
        return bytes.digest.bytes
    }

    /// By the states.
    public static func == (a: WorkTrace, b: WorkTrace) -> Bool { a.states == b.states }

    /// Of the states.
    public func hash(into hasher: inout Hasher) { hasher.combine(states) }
}

/// A state of a trace, with its path.
public struct OpenedState: Sendable, Hashable, Codable {
    /// Behind how many steps.
    public let place: Int
    /// The state's digest.
    public let state: Digest256
    /// The siblings from the leaf up.
    public let path: [Digest256]

    /// Whether it belongs to the trace of that root.
    public func leads(to root: Digest256) -> Bool {
        place >= 0 && ClaimTree.verify(WorkTrace.leaf(place, state), path: path, root: root)
    }
}

/// Between a provider and whoever came to something else: finds by bisection the first step on which both differ, so that a referee executes one step, however many there were
/// (the refereed delegation of Canetti, Riva and Rothblum, "Practical Delegation of Computation using Multiple Servers", CCS 2011).
///
/// Both bound themselves to a trace before. The referee asks both for the state at one place after the other; who shows none that leads to its root has lost. After at most
/// log2(steps) questions they agree on a state and differ on the next: the referee takes the agreed state from either, checks it by its digest, and executes the step. With
/// an accuser who is honest a wrong trace is refuted; with a provider who is honest a right one stands: either way one honest party suffices, and the referee's own execution
/// decides. Both may be wrong: then the trace is refuted.
public struct WorkDispute: Sendable {
    /// What the referee does next.
    public enum Turn: Sendable, Hashable {
        /// Asks both for the state at a place.
        case ask(Int)
        /// Executes the step from the state of this digest, on which both agree.
        case execute(step: Int, from: Digest256)
        /// It is decided: whether the provider's trace is refuted.
        case over(isRefuted: Bool)
    }

    /// What is to be done.
    public private(set) var turn: Turn
    private let provider: Digest256
    private let accuser: Digest256
    /// The last place at which both agree, and the first known one at which they differ, with what the provider says there.
    private var agreed: (place: Int, state: Digest256)
    private var differing: (place: Int, state: Digest256)?
    /// Questions that were answered.
    public private(set) var questions = 0

    /// A dispute over so many steps.
    ///
    /// - Parameters:
    ///   - begin: The digest of the state before the first step, which the job names.
    ///   - provider: The root of the provider's trace, which its receipt names.
    ///   - accuser: The root of the accuser's.
    public init(steps: Int, begin: Digest256, provider: Digest256, accuser: Digest256) {
        (self.provider, self.accuser) = (provider, accuser)
        agreed = (0, begin)
        turn = provider == accuser || steps < 1 ? .over(isRefuted: false) : .ask(steps)
    }

    /// Takes what both show of the place that was asked for; nil: nothing came in time.
    ///
    /// What does not lead to a root, or is of another place, is as if nothing had come. Does nothing where nothing was asked.
    public mutating func take(provider shown: OpenedState?, accuser other: OpenedState?) {
        guard case .ask(let place) = turn else { return }
        questions += 1
        func isRight(_ state: OpenedState?, _ root: Digest256) -> Digest256? {
            guard let state, state.place == place, state.leads(to: root) else { return nil }
            return state.state
        }
        // Whoever shows nothing has lost; the provider first, since it is paid for showing.
        guard let own = isRight(shown, provider) else {
            turn = .over(isRefuted: true)
            return
        }
        guard let theirs = isRight(other, accuser) else {
            turn = .over(isRefuted: false)
            return
        }
        if own == theirs {
            // They agree on where it ends: there is nothing to dispute.
            guard let differing else {
                turn = .over(isRefuted: false)
                return
            }
            agreed = (place, own)
            next(differing)
        } else {
            differing = (place, own)
            next((place, own))
        }
    }

    private mutating func next(_ differing: (place: Int, state: Digest256)) {
        if differing.place == agreed.place + 1 {
            turn = .execute(step: agreed.place, from: agreed.state)
        } else {
            turn = .ask(agreed.place + (differing.place - agreed.place) / 2)
        }
    }

    /// Takes the digest to which the referee's own execution of the step came. Does nothing where none was asked for.
    public mutating func executed(_ state: Digest256) {
        guard case .execute = turn, let differing else { return }
        turn = .over(isRefuted: state != differing.state)
    }
}
