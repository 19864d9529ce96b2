extension VerifiedTiles {
    /// The frontier of the tree of the first entries, from which this one grew. Throws `notInTree` for more than the tree has.
    public mutating func frontier(at size: UInt64) throws -> MerkleFrontier {
        try MerkleFrontier(size: size, hashes: MerkleFrontier.nodes(size: size).map { try hash(of: $0) })
    }
}
