extension AskRequest {
    /// SHA-256, hex, of the label "parley request v1\n" and the canonical request: what a receipt says was asked.
    ///
    /// The request is an object with the message's own keys and `version` (the dataset's version); absent ones are
    /// left out, `simultaneous` is 1 where it is true and left out where not, and doubles are the hexadecimal digits of their bits, so that any language computes the same.
    public func digest(datasetVersion: String) -> String {
        var members: [String: CanonicalJSON] = [
            "dataset": .string(dataset), "version": .string(datasetVersion), "sql": .string(sql),
        ]
        members[budget.canonical.key] = budget.canonical.value
        members["selectionDelta"] = selectionDelta.map(CanonicalJSON.bitPattern)
        members["groupsPerUnit"] = groupsPerUnit.map { .integer(Int64($0)) }
        members["rowsPerGroup"] = rowsPerGroup.map { .integer(Int64($0)) }
        // Absent and true ask for the same.
        if boundingShares == false { members["boundingShares"] = .string("false") }
        members["purpose"] = purpose.map(CanonicalJSON.string)
        members["simultaneous"] = simultaneous ? .integer(1) : nil
        return sha256Hex(Array("parley request v1\n".utf8) + CanonicalJSON.object(members).bytes)
    }
}
