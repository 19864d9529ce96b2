/// What a party has of a settlement in a role, and which of the tree's leaves that is.
public struct ClaimLeaf: Sendable, Hashable, Codable {
    /// The settlement's name (``Settlement/id``): binds the leaf to the task, its terms, its verdict, and the rail that pays.
    public let settlement: Digest256
    /// The place among the leaves.
    public let index: Int
    /// Who is paid.
    public let party: PartyName
    /// For what; the sponsor's is what returns to her.
    public let role: Role
    /// In minor units, above zero.
    public let amount: Int64
    /// Keeps others from finding the amount by trying: it is told to the party alone.
    public let salt: Salt

    /// The leaf.
    public init(settlement: Digest256, index: Int, party: PartyName, role: Role, amount: Int64, salt: Salt) {
        self.settlement = settlement
        self.index = index
        self.party = party
        self.role = role
        self.amount = amount
        self.salt = salt
    }

    /// Seven words of 32 bytes: SHA-256 of `parley/marketplace/1/leaf`, the settlement, the index, SHA-256 of the party's name, the role's number, the amount, and the
    /// salt; numbers are big-endian. Of a fixed length, so that a contract can put it together.
    public var bytes: [UInt8] {
        func word(_ number: Int64) -> [UInt8] {
            [UInt8](repeating: 0, count: 24) + withUnsafeBytes(of: UInt64(bitPattern: number).bigEndian) { [UInt8]($0) }
        }
        let domain = Digest256.sha256(Array((CanonicalBytes.domain + "leaf").utf8))
        return domain.bytes + settlement.bytes + word(Int64(index)) + Digest256.sha256(Array(party.text.utf8)).bytes
            + word(Int64(role.number)) + word(amount) + salt.value.bytes
    }
}

/// A leaf and its path: what is shown to be paid.
public struct Claim: Sendable, Hashable, Codable {
    /// The leaf.
    public let leaf: ClaimLeaf
    /// The siblings from the leaf up.
    public let path: [Digest256]

    /// The claim; it is checked where it is applied.
    public init(leaf: ClaimLeaf, path: [Digest256]) {
        self.leaf = leaf
        self.path = path
    }

    /// Whether the path leads from the leaf to the root.
    public func leads(to root: Digest256) -> Bool { ClaimTree.verify(leaf.bytes, path: path, root: root) }

    func append(to bytes: inout CanonicalBytes) {
        bytes.append(leaf.bytes)
        bytes.append(leaf.party.text)
        bytes.append(path) { $0.append($1) }
    }
}
