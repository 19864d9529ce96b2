extension Receipt.Body {
    /// The bytes that are signed: a label that keeps a receipt's signature from meaning anything else, then the body
    /// in canonical form.
    public var signedBytes: [UInt8] {
        Array("parley receipt v\(version)\n".utf8) + canonical.bytes
    }

    var canonical: CanonicalJSON {
        var members: [String: CanonicalJSON] = [
            "version": .integer(Int64(version)),
            "site": .string(site),
            "publicKey": .string(publicKey),
            "request": .string(request),
            "requestDigest": .string(requestDigest),
            "guarantees": .object([
                "inputPrivacy": .string(guarantees.inputPrivacy),
                "outputPrivacy": .string(guarantees.outputPrivacy),
                "inputVerification": .string(guarantees.inputVerification),
                "outputVerification": .string(guarantees.outputVerification),
                "flowGovernance": .string(guarantees.flowGovernance),
            ]),
            "answerDigest": .string(answerDigest),
            "journalIndex": .integer(journalIndex),
            "previousJournalHash": .string(previousJournalHash),
            "journalHash": .string(journalHash),
            "time": .string(time),
        ]
        if version == 1 {
            members["dataset"] = .string(dataset)
            members["datasetVersion"] = .string(datasetVersion)
            members["chargeKind"] = .string(charge.kind ?? "")
            members["chargeAmount"] = .integer(charge.amounts.first ?? 0)
            members["chargeDelta"] = .integer(charge.delta)
        } else {
            members["engine"] = .string(engine)
            members["assets"] = .array(
                assets.map { .object(["dataset": .string($0.dataset), "version": .string($0.version)]) })
            members["charge"] = charge.canonical
        }
        return .object(members)
    }
}

extension Receipt.Charge {
    fileprivate var canonical: CanonicalJSON {
        var members: [String: CanonicalJSON] = [:]
        if let kind {
            members = ["kind": .string(kind), "delta": .integer(delta)]
            members[amounts.count == 1 ? "amount" : "amounts"] =
                amounts.count == 1 ? .integer(amounts[0]) : .array(amounts.map(CanonicalJSON.integer))
        }
        if uses > 0 { members["uses"] = .integer(uses) }
        return .object(members)
    }
}

extension Receipt {
    /// The receipt as it is stored and sent: `{"body":…,"signature":…}` in canonical form.
    public var encoded: [UInt8] {
        CanonicalJSON.object(["body": body.canonical, "signature": .string(signature)]).bytes
    }
}
