/// What is wrong with a policy file, or with a checkpoint under a policy.
public enum PolicyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A file above the limit, in bytes.
    case tooLong(Int, limit: Int)
    /// A line, counted from 1, and what is wrong in it.
    case line(Int, Problem)
    /// No quorum line.
    case noQuorum
    /// The checkpoint's signatures.
    case note(NoteError)
    /// None of the logs that are accepted signed the checkpoint under its origin.
    case notSignedByLog(LogOrigin)
    /// Too few cosignatures.
    case noQuorumOfWitnesses(QuorumShortfall)
    /// The witness has the public key of the log itself.
    case logIsWitness(PolicyName)
    /// The proof of inclusion.
    case inclusion(MerkleError)

    /// What can be wrong in a line.
    public enum Problem: Hashable, Sendable {
        /// A byte that is no text, or a carriage return or another control character.
        case forbiddenByte(UInt8)
        /// A last line without a newline.
        case unterminated
        /// A line that begins with none of log, witness, group and quorum.
        case unknownKeyword
        /// Too few or too many items: the form of the line.
        case wrongForm(String)
        /// A verifier key.
        case key(NoteError)
        /// A key of a type that does not cosign.
        case notACosigner
        /// A key that another log, or another witness, has already.
        case duplicateKey
        /// A public key that is a log's and a witness's.
        case logIsWitness(log: KeyName, witness: PolicyName)
        /// A name that is defined already, or is "none".
        case nameTaken(PolicyName)
        /// A name that no line before defines.
        case undefinedName(PolicyName)
        /// A name that is a member of a group already.
        case alreadyMember(PolicyName)
        /// A threshold that is not all, any, or a number from 1 to the number of members.
        case wrongThreshold(members: Int)
        /// A second quorum line.
        case secondQuorum
    }

    /// What was found, where, and what would be right.
    public var description: String {
        switch self {
        case .tooLong(let count, let limit): "The policy has \(count) bytes, more than the \(limit) that are read."
        case .line(let line, let problem): "Line \(line) of the policy: \(problem)."
        case .noQuorum: "The policy has no quorum line: \"quorum none\" asks for no cosignatures."
        case .note(let error): error.description
        case .notSignedByLog(let origin): "No accepted log of the origin \(origin) signed the checkpoint."
        case .noQuorumOfWitnesses(let shortfall): "\(shortfall)."
        case .logIsWitness(let name):
            "The witness \(name) of the policy has the public key of the log itself: a log is no witness of itself."
        case .inclusion(let error): error.description
        }
    }
}

extension PolicyError.Problem: CustomStringConvertible {
    /// What was found, and what would be right.
    public var description: String {
        switch self {
        case .forbiddenByte(let byte): "byte \(byte), where text, spaces and tabs are allowed"
        case .unterminated: "it does not end in a newline"
        case .unknownKeyword: "it begins with none of log, witness, group, quorum and #"
        case .wrongForm(let form): "expected \(form)"
        case .key(let error): "\(error)"
        case .notACosigner: "a witness's key is of a cosignature's type, such as 0x04, and not 0x01"
        case .duplicateKey: "the public key is that of a line before"
        case .logIsWitness(let log, let witness):
            "the witness \(witness) has the public key of the log \(log): a log is no witness of itself"
        case .nameTaken(let name): "the name \(name) is taken"
        case .undefinedName(let name): "no line before defines \(name)"
        case .alreadyMember(let name): "\(name) is a member of a group already"
        case .wrongThreshold(let members): "expected all, any, or a number from 1 to \(members)"
        case .secondQuorum: "a policy has one quorum line"
        }
    }
}
