/// What a party binds itself to before anybody shows anything: SHA-256 over what, in which task, whose, the content's digest, its parent, and a salt.
///
/// Hiding: without the 32-byte salt the content cannot be guessed at. Binding to its author: whoever sends the same 32 bytes in another's name cannot show them, since they
/// hash another name. Whoever sees a content and commits to it later has the later commitment, and the earlier one counts.
public enum Commitment {
    /// What is committed to.
    public enum Kind: String, Sendable, Codable {
        /// A model's description, below a node of the tree.
        case proposal
        /// An owner's update, in a round.
        case update
    }

    /// The 32 bytes.
    ///
    /// - Parameters:
    ///   - place: The parent node's number of a proposal, the round's of an update.
    ///   - content: The digest of what is shown later.
    public static func of(
        _ kind: Kind, task: Digest256, author: PartyName, place: Int, content: Digest256, salt: Salt
    ) -> Digest256 {
        var bytes = CanonicalBytes("commitment")
        bytes.append(kind.rawValue)
        bytes.append(task)
        bytes.append(author.text)
        bytes.append(place)
        bytes.append(content)
        bytes.append(salt.value)
        return bytes.digest
    }
}
