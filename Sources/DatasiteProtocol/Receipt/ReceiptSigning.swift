public import Crypto
import Foundation

extension Receipt.Body {
    /// The bytes that are signed: a label that keeps a receipt's signature from meaning anything else, then the body
    /// in canonical form.
    public var signedBytes: [UInt8] {
        Array("parley receipt v1\n".utf8) + canonical.bytes
    }

    var canonical: CanonicalJSON {
        .object([
            "version": .integer(Int64(version)),
            "site": .string(site),
            "publicKey": .string(publicKey),
            "request": .string(request),
            "requestDigest": .string(requestDigest),
            "dataset": .string(dataset),
            "datasetVersion": .string(datasetVersion),
            "chargeKind": .string(chargeKind),
            "chargeAmount": .integer(chargeAmount),
            "chargeDelta": .integer(chargeDelta),
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
        ])
    }
}

extension Receipt {
    /// Signs a body with the site's key (Ed25519, RFC 8032). The body's `publicKey` must be that key's public half:
    /// it is set here, so that it cannot differ.
    public static func signed(_ body: Body, by key: Curve25519.Signing.PrivateKey) throws -> Receipt {
        var body = body
        body.publicKey = key.publicKey.rawRepresentation.base64EncodedString()
        let signature = try key.signature(for: body.signedBytes)
        return Receipt(body: body, signature: signature.base64EncodedString())
    }

    /// The receipt as it is stored and sent: `{"body":…,"signature":…}` in canonical form.
    public var encoded: [UInt8] {
        CanonicalJSON.object(["body": body.canonical, "signature": .string(signature)]).bytes
    }
}
