import Crypto
import DatasiteProtocol
import Foundation
import Testing

/// The golden files were made by `Fixtures/make-fixtures.py` with Python's json and OpenSSL, apart from this code.
@Suite("Receipts can be verified by anyone, and changed by no one")
struct ReceiptTests {
    static let key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

    let verifier: ReceiptVerifier
    let receipt: Receipt
    let answer: [UInt8]
    let request: AskRequest

    init() throws {
        verifier = try ReceiptVerifier(publicKey: Self.key)
        receipt = try Receipt(decoding: Fixture.bytes("receipt.json"))
        answer = try Fixture.bytes("answer.json")
        request = try AskRequest(decoding: Fixture.bytes("request.json"))
    }

    static let files = ["receipt.json", "receipt-2.json"]

    @Test("A receipt made by another implementation verifies, with its answer and its request", arguments: files)
    func goldenVerifies(_ file: String) throws {
        let receipt = try Receipt(decoding: Fixture.bytes(file))
        try verifier.verify(receipt, answer: answer, request: request)
        #expect(request.digest(datasetVersion: "7QJ3vY0kq1s") == receipt.body.requestDigest)
        #expect(receipt.body.dataset == "randhie" && receipt.body.engine == "questions")
        #expect(receipt.body.charge.kind == "zcdp" && receipt.body.charge.amounts == [7_400_000_000])
    }

    @Test(
        "A receipt is written in the same bytes as the other implementation's, whatever its version", arguments: files)
    func goldenBytes(_ file: String) throws {
        #expect(try Receipt(decoding: Fixture.bytes(file)).encoded == (try Fixture.bytes(file)))
    }

    @Test(
        "Charges of loss, of uses and of both are read as they were written", arguments: [nil, "pure", "renyi"], [0, 5])
    func charges(_ kind: String?, _ uses: Int64) throws {
        var other = try Receipt(decoding: Fixture.bytes("receipt-2.json"))
        other.body.charge = Receipt.Charge(
            kind: kind, amounts: kind == nil ? [] : kind == "pure" ? [7] : Array(1...8), delta: kind == nil ? 0 : 2,
            uses: uses)
        #expect(try Receipt(decoding: other.encoded) == other)
    }

    @Test("What this code signs, it verifies; the key named is the key that signed")
    func signedVerifies() throws {
        let key = Curve25519.Signing.PrivateKey()
        let signed = try Receipt.signed(receipt.body, by: key)
        let own = try ReceiptVerifier(publicKey: key.publicKey.rawRepresentation.base64EncodedString())
        try own.verify(signed, answer: answer, request: request)
        #expect(throws: ReceiptError.otherKey(expected: Self.key, found: own.publicKey)) {
            try verifier.verify(signed)
        }
    }

    @Test("Any changed field makes the signature wrong", arguments: [(files[0], 18), (files[1], 22)])
    func everyFieldIsSigned(_ file: String, _ fields: Int) throws {
        let bytes = try Fixture.bytes(file)
        let receipt = try Receipt(decoding: bytes)
        let body = try #require(
            (try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])?["body"] as? [String: Any])
        var changed = 0
        for path in leaves(of: body) where path != ["publicKey"] && path != ["version"] {
            let data = try JSONSerialization.data(
                withJSONObject: ["body": tampered(body, at: path[...]), "signature": receipt.signature])
            let read = try Receipt(decoding: Array(data))
            #expect(throws: ReceiptError.wrongSignature, "\(path)") { try verifier.verify(read) }
            changed += 1
        }
        #expect(changed == fields)
    }

    @Test("Another answer, another question, another version, a cut signature: each is named")
    func mismatchesAreNamed() throws {
        #expect(throws: ReceiptError.wrongAnswer) { try verifier.verify(receipt, answer: answer + [0x0A]) }
        var other = request
        other.budget = .epsilon(0.5.nextUp)
        #expect(throws: ReceiptError.wrongRequest) { try verifier.verify(receipt, request: other) }
        var later = receipt
        later.body.version = 3
        #expect(throws: ReceiptError.unsupportedVersion(3)) { try verifier.verify(later) }
        var cut = receipt
        cut.signature = String(receipt.signature.dropLast(4))
        #expect(throws: ReceiptError.malformedSignature) { try verifier.verify(cut) }
        #expect(throws: ReceiptError.malformedKey) { try ReceiptVerifier(publicKey: "AAAA") }
    }

    @Test("Whatever a request says changes its digest")
    func digestDependsOnEverything() {
        let variants = [
            AskRequest(dataset: "a", sql: "s", budget: .epsilon(1)),
            AskRequest(dataset: "b", sql: "s", budget: .epsilon(1)),
            AskRequest(dataset: "a", sql: "t", budget: .epsilon(1)),
            AskRequest(dataset: "a", sql: "s", budget: .epsilon(2)),
            AskRequest(dataset: "a", sql: "s", budget: .rho(1)),
            AskRequest(dataset: "a", sql: "s", budget: .error(relative: 1, groupSize: 2)),
            AskRequest(dataset: "a", sql: "s", budget: .error(relative: 2, groupSize: 1)),
            AskRequest(dataset: "a", sql: "s", budget: .epsilon(1), selectionDelta: 1e-9),
            AskRequest(dataset: "a", sql: "s", budget: .epsilon(1), groupsPerUnit: 1),
            AskRequest(dataset: "a", sql: "s", budget: .epsilon(1), rowsPerGroup: 1),
            AskRequest(dataset: "a", sql: "s", budget: .epsilon(1), boundingShares: false),
            AskRequest(dataset: "a", sql: "s", budget: .epsilon(1), purpose: "p"),
        ]
        let digests = Set(variants.map { $0.digest(datasetVersion: "v") })
        #expect(digests.count == variants.count)
        #expect(!digests.contains(variants[0].digest(datasetVersion: "w")))
    }

    /// The paths of all numbers and texts, places in lists included.
    private func leaves(of value: Any) -> [[String]] {
        switch value {
        case let object as [String: Any]: object.flatMap { key, inner in leaves(of: inner).map { [key] + $0 } }
        case let list as [Any]: list.indices.flatMap { index in leaves(of: list[index]).map { ["\(index)"] + $0 } }
        default: [[]]
        }
    }

    private func tampered(_ value: Any, at path: ArraySlice<String>) -> Any {
        guard let step = path.first else { return other(value) }
        if var object = value as? [String: Any], let inner = object[step] {
            object[step] = tampered(inner, at: path.dropFirst())
            return object
        }
        if var list = value as? [Any], let index = Int(step) {
            list[index] = tampered(list[index], at: path.dropFirst())
            return list
        }
        return value
    }

    private func other(_ value: Any) -> Any {
        if let number = value as? Int { return number + 1 }
        return "\(value)x"
    }
}

@Suite("Base64url carries receipts through headers")
struct Base64URLTests {
    @Test("Vectors of RFC 4648, without padding")
    func vectors() {
        let vectors = ["": "", "f": "Zg", "fo": "Zm8", "foo": "Zm9v", "foob": "Zm9vYg", "fooba": "Zm9vYmE"]
        for (text, encoded) in vectors {
            #expect(Base64URL.encode(Array(text.utf8)) == encoded)
            #expect(Base64URL.decode(encoded) == Array(text.utf8))
        }
        #expect(Base64URL.encode([0xFB, 0xFF]) == "-_8")
        #expect(Base64URL.decode("-_8") == [0xFB, 0xFF])
    }

    @Test("Other alphabets and padding are refused", arguments: ["+/8", "Zg==", "Z g", "Zg\n", "A"])
    func refused(_ text: String) {
        #expect(Base64URL.decode(text) == nil)
    }
}
