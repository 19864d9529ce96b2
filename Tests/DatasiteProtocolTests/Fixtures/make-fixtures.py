#!/usr/bin/env python3
"""Makes the golden receipt, request and answer of these tests apart from the Swift code: canonical JSON by Python's
json module, digests by hashlib, the signature by OpenSSL, under the key of RFC 8032, section 7.1, test 1."""
import base64, hashlib, json, pathlib, struct, subprocess, tempfile

here = pathlib.Path(__file__).parent
seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def bits(number):
    return struct.pack(">d", number).hex()


request = {
    "dataset": "randhie",
    "sql": "SELECT plan, AVG(visits) AS \"visits/year\"\nFROM randhie -- Zürich \\ 1\nGROUP BY plan",
    "epsilon": 0.5,
    "groupsPerUnit": 2,
}
digested = dict(request, version="7QJ3vY0kq1s", epsilon=bits(request["epsilon"]))
digest = hashlib.sha256(b"parley request v1\n" + canonical(digested)).hexdigest()
guarantees = {
    "inputPrivacy": "the rows stayed on the datasite",
    "outputPrivacy": "zero-concentrated differential privacy, rho 0.0074",
    "inputVerification": "values were clipped; that the rows are true is not verified",
    "outputVerification": "signed by the datasite, journaled",
    "flowGovernance": "answered automatically within the owner's policy and budget",
}
answer = canonical({
    "request": "q_5mJx0cQ2", "dataset": "randhie", "version": "7QJ3vY0kq1s", "sql": request["sql"],
    "charge": {"kind": "zcdp", "rho": 0.0074, "delta": 0, "epsilonAtDelta": 0.5, "conversionDelta": 5e-7},
    "columns": [{"name": "plan", "type": "text", "isKey": True}, {"name": "visits/year", "type": "real", "isKey": False}],
    "rows": [[{"value": "free"}, {"value": 4.52, "lower": 4.47, "upper": 4.58}],
             [{"value": None}, {"value": 2, "lower": "-Infinity", "upper": "Infinity"}]],
    "notes": ["intervals hold privacy noise only"], "guarantees": guarantees, "mock": False,
    "nonce": "8a2f0c51d7e64b93a1c05e7f2d9b6c34",
})
body = {
    "version": 1, "site": "rand", "publicKey": base64.b64encode(public).decode(), "request": "q_5mJx0cQ2",
    "requestDigest": digest, "dataset": "randhie", "datasetVersion": "7QJ3vY0kq1s", "chargeKind": "zcdp",
    "chargeAmount": 7400000000, "chargeDelta": 0, "guarantees": guarantees,
    "answerDigest": hashlib.sha256(answer).hexdigest(), "journalIndex": 4,
    "previousJournalHash": hashlib.sha256(b"previous").hexdigest(),
    "journalHash": hashlib.sha256(b"journal").hexdigest(), "time": "2026-11-21T09:30:00Z",
}
second = {key: value for key, value in body.items() if not key.startswith(("charge", "dataset"))}
second.update({
    "version": 2, "engine": "questions",
    "assets": [{"dataset": "randhie", "version": "7QJ3vY0kq1s"}, {"dataset": "stays", "version": "Zx81bQ"}],
    "charge": {"kind": "zcdp", "amount": 7400000000, "delta": 0, "uses": 3},
})


def signed(body):
    with tempfile.TemporaryDirectory() as folder:
        key, message = pathlib.Path(folder, "key.der"), pathlib.Path(folder, "message")
        key.write_bytes(bytes.fromhex("302e020100300506032b657004220420") + seed)
        message.write_bytes(b"parley receipt v%d\n" % body["version"] + canonical(body))
        signature = subprocess.run(
            ["openssl", "pkeyutl", "-sign", "-inkey", key, "-keyform", "DER", "-rawin", "-in", message],
            check=True, capture_output=True).stdout
    return canonical({"body": body, "signature": base64.b64encode(signature).decode()})


(here / "request.json").write_bytes(canonical(request))
(here / "answer.json").write_bytes(answer)
(here / "receipt.json").write_bytes(signed(body))
(here / "receipt-2.json").write_bytes(signed(second))
