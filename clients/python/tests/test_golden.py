"""The same bytes as the Swift client's: requests, digests, receipts and answers."""

import base64
import dataclasses
import json

import pytest
from conftest import GOLDEN_KEY

import parley
from parley import Epsilon, Error, InvalidReceipt, Question, Receipt, Rho
from parley.answer import Answer
from parley.receipts import canonical, decode_header

FILES = ["receipt.json", "receipt-2.json"]


def test_a_question_is_sent_in_the_golden_bytes(golden, golden_question):
    assert golden_question.body() == golden("request.json")


@pytest.mark.parametrize("file", FILES)
def test_a_receipt_of_another_implementation_verifies_with_its_answer_and_its_question(golden, golden_question, file):
    receipt = Receipt.of(golden(file), golden("answer.json"), golden_question)
    receipt.verify(GOLDEN_KEY)
    assert golden_question.digest("7QJ3vY0kq1s") == receipt.body["requestDigest"]
    assert receipt.datasets[0] == "randhie" and receipt.engine == "questions"


@pytest.mark.parametrize("file", FILES)
def test_a_receipt_is_written_in_the_bytes_of_the_other_implementation(golden, file):
    receipt = Receipt.of(golden(file))
    assert canonical({"body": receipt.body, "signature": receipt.signature}) == golden(file)


def _leaves(value, path=()):
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in _leaves(inner, (*path, key))]
    if isinstance(value, list):
        return [leaf for place, inner in enumerate(value) for leaf in _leaves(inner, (*path, place))]
    return [path]


@pytest.mark.parametrize(("file", "count"), [(FILES[0], 18), (FILES[1], 22)])
def test_any_changed_field_makes_the_signature_wrong(golden, file, count):
    document = json.loads(golden(file))
    paths = [path for path in _leaves(document["body"]) if path not in (("publicKey",), ("version",))]
    assert len(paths) == count
    for path in paths:
        changed = json.loads(golden(file))
        inner = changed["body"]
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = inner[path[-1]] + (1 if isinstance(inner[path[-1]], int) else "x")
        with pytest.raises(InvalidReceipt, match="signature does not belong"):
            Receipt.of(json.dumps(changed).encode()).verify(GOLDEN_KEY)


def _changed(golden, **members):
    document = json.loads(golden("receipt-2.json"))
    document["body"] |= members
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda golden: b"[]", "an object is expected"),
        (lambda golden: b"{", "cannot be read"),
        (lambda golden: b"[" * 100_000, "cannot be read"),
        (lambda golden: golden("receipt.json").replace(b'"body":{', b'"body":{"note":"unsigned",'), "unknown"),
        (lambda golden: golden("receipt.json").replace(b'"version":1', b'"version":1,"version":1'), "occurs twice"),
        (lambda golden: golden("receipt.json").replace(b'"version":1', b'"version":1.0'), "integers"),
        (lambda golden: golden("receipt.json").replace(b'"version":1', b'"version":true'), "not of the type"),
        (lambda golden: _changed(golden, journalIndex=1 << 63), "out of range"),
        (lambda golden: _changed(golden, charge={"kind": "pure", "amount": 1}), "delta"),
        (lambda golden: _changed(golden, assets=["randhie"]), "object"),
    ],
)
def test_what_is_no_receipt_is_refused_with_the_reason(golden, make, words):
    with pytest.raises(InvalidReceipt, match=words):
        Receipt.of(make(golden))


def test_another_answer_question_version_key_or_a_cut_signature_is_named(golden, golden_question):
    receipt = Receipt.of(golden("receipt.json"))
    with pytest.raises(InvalidReceipt, match="answer is not the one"):
        receipt.verify(GOLDEN_KEY, golden("answer.json") + b"\n")
    other = dataclasses.replace(golden_question, budget=Epsilon(0.5000000000000001))
    with pytest.raises(InvalidReceipt, match="another question"):
        receipt.verify(GOLDEN_KEY, question=other)
    with pytest.raises(InvalidReceipt, match="version 3"):
        Receipt.of(_changed(golden, version=3)).verify(GOLDEN_KEY)
    with pytest.raises(InvalidReceipt, match="pinned as A6E"):
        receipt.verify("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")
    with pytest.raises(InvalidReceipt, match="not an Ed25519"):
        receipt.verify("AAAA")
    with pytest.raises(InvalidReceipt, match="64 bytes"):
        dataclasses.replace(receipt, signature=receipt.signature[:-4]).verify(GOLDEN_KEY)


def test_the_example_of_the_documentation_verifies_what_this_package_saves(golden, tmp_path):
    # docs/http.md, section Receipts.
    import hashlib

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    Receipt.of(golden("receipt-2.json"), golden("answer.json")).save(tmp_path / "receipt", tmp_path / "answer")
    receipt = json.loads((tmp_path / "receipt").read_bytes())
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(GOLDEN_KEY))
    signed = json.dumps(receipt["body"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    key.verify(base64.b64decode(receipt["signature"]), b"parley receipt v2\n" + signed)
    assert receipt["body"]["answerDigest"] == hashlib.sha256((tmp_path / "answer").read_bytes()).hexdigest()


def test_whatever_a_question_says_changes_its_digest_and_its_key():
    from parley.questions import attempt_key

    base = Question("a", "s", Epsilon(1.0))
    variants = [
        base,
        dataclasses.replace(base, dataset="b"),
        dataclasses.replace(base, sql="t"),
        *(dataclasses.replace(base, budget=budget) for budget in (Epsilon(2.0), Rho(1.0), Error(1.0, 2.0), Error(2.0, 1.0))),
        dataclasses.replace(base, selection_delta=1e-9),
        dataclasses.replace(base, groups_per_unit=1),
        dataclasses.replace(base, rows_per_group=1),
        dataclasses.replace(base, bounding_shares=False),
        dataclasses.replace(base, purpose="p"),
        dataclasses.replace(base, simultaneous=True),
    ]
    assert len({variant.digest("v") for variant in variants}) == len(variants)
    assert len({attempt_key(variant.members(), "a s", []) for variant in variants}) == len(variants)
    assert base.digest("v") != base.digest("w")
    # Absent and true ask for the same.
    assert dataclasses.replace(base, bounding_shares=True).digest("v") == base.digest("v")


def _summary(name, version):
    return parley.DatasetSummary(name, "", version, 1, "row", "p", "private")


def test_the_key_of_a_question_follows_the_versions_of_the_tables_that_it_names_and_of_no_others():
    from parley.questions import attempt_key

    request = {"sql": "SELECT COUNT(*) FROM visits JOIN Plans USING (plan)"}
    text = request["sql"]
    first = [_summary("visits", "1"), _summary("plans", "1"), _summary("other", "1")]
    key = attempt_key(request, text, first)
    assert key == attempt_key(request, text, [first[0], first[1], _summary("other", "2")])
    assert key != attempt_key(request, text, [first[0], _summary("plans", "2"), first[2]])
    assert key != attempt_key(request, text, [_summary("visits", "2"), *first[1:]])
    assert 1 <= len(key) <= 128 and key.isascii() and " " not in key


def test_the_golden_answer_is_a_table(golden):
    answer = Answer.of(golden("answer.json"), None)
    assert answer.names == ["plan", "visits/year"] and answer.keys == ["plan"] and len(answer) == 2
    assert answer.cell(0, "visits/year") == parley.Estimate(4.52, 4.47, 4.58)
    assert answer.upper("visits/year")[1] == float("inf") and answer.cell(1, "plan").value is None
    assert "unbounded" in repr(answer) and "(null)" in repr(answer)


def test_base64url_is_read_without_padding_and_nothing_else_is():
    vectors = {"": b"", "Zg": b"f", "Zm8": b"fo", "Zm9v": b"foo", "Zm9vYg": b"foob", "-_8": b"\xfb\xff"}
    assert all(decode_header(text) == value for text, value in vectors.items())
    for text in ("+/8", "Zg==", "Z g", "Zg\n", "A"):
        with pytest.raises(ValueError):
            decode_header(text)
