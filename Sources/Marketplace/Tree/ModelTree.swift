/// The tree of a task's models (OpenMined 2018): the root is the task, its children are descriptions of models, further nodes are trained models, the leaves
/// are the latest. A description may also stand below a trained model, to go on from it. Nodes only come, in their numbers' order.
public struct ModelTree: Sendable, Hashable, Codable {
    /// What a node is.
    public enum Kind: String, Sendable, Codable {
        /// The root.
        case task
        /// A model's description and plan of training.
        case specification
        /// A model.
        case trained
    }

    /// A node.
    public struct Node: Sendable, Hashable, Codable {
        /// What it is.
        public let kind: Kind
        /// The node that it came from; nil: the root.
        public let parent: Int?
        /// How many edges the root is away.
        public let depth: Int
        /// The sponsor of the root, the scientist of all others.
        public let author: PartyName
        /// The content's digest.
        public let content: Digest256
        /// The round that trained it.
        public let round: Int?
        /// The feedback; nil: none, or no improvement.
        public internal(set) var score: Score?
        /// The nodes that came from it, by number.
        public internal(set) var children: [Int] = []
    }

    /// By number, the root at 0.
    public private(set) var nodes: [Node]

    /// The tree of a task without models.
    public init(task: Digest256, sponsor: PartyName) {
        nodes = [
            Node(kind: .task, parent: nil, depth: 0, author: sponsor, content: task, round: nil, score: nil)
        ]
    }

    /// Adds a node below one that exists. Returns its number; nil where there is no such parent, or it is a task's.
    ///
    /// - Parameter round: Of a trained model; nil: it is a description.
    @discardableResult
    public mutating func add(below parent: Int, author: PartyName, content: Digest256, round: Int?) -> Int? {
        guard nodes.indices.contains(parent), nodes[parent].depth < TaskTerms.Limit.depth else { return nil }
        guard round == nil || nodes[parent].kind != .task else { return nil }
        nodes.append(
            Node(
                kind: round == nil ? .specification : .trained, parent: parent, depth: nodes[parent].depth + 1,
                author: author, content: content, round: round, score: nil))
        nodes[parent].children.append(nodes.count - 1)
        return nodes.count - 1
    }

    /// Notes a model's feedback.
    mutating func note(_ score: Score, of node: Int) { nodes[node].score = score }

    /// The numbers from the root to a node that exists; empty where it does not.
    public func path(to node: Int) -> [Int] {
        var path: [Int] = []
        var next: Int? = nodes.indices.contains(node) ? node : nil
        while let number = next {
            path.append(number)
            next = nodes[number].parent
        }
        return path.reversed()
    }

    /// The nodes without children, by number: the latest.
    public var leaves: [Int] { nodes.indices.filter { nodes[$0].children.isEmpty } }

    /// The nearest description at a node or above it; nil: only the task is there.
    public func specification(above node: Int) -> Int? {
        path(to: node).last { nodes[$0].kind == .specification }
    }
}
