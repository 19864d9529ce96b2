"""Receipts: a datasite's signed statement of one release, checked without trusting anybody but its key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .errors import InvalidReceipt

if TYPE_CHECKING:
    from .questions import Question

_OTHER_KEY = "if the owner says that the key changed, connect with the new one; otherwise someone may stand in between"
_DO_NOT_RELY = "do not rely on this answer; keep both files and tell the site's owner"


def canonical(value: Any) -> bytes:
    """JSON with its keys sorted, no white space, and nothing escaped but `"`, `\\` and controls (RFC 8785 for strings and integers)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def bits(number: float) -> str:
    """The 16 hexadecimal digits of a number's IEEE 754 bits: how digests name it."""
    return struct.pack(">d", number).hex()


def public_key(text: str) -> Ed25519PublicKey:
    """The Ed25519 key of that base64 text."""
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        raise InvalidReceipt("the key is not an Ed25519 public key (32 bytes in base64)", _OTHER_KEY) from None


@dataclass(frozen=True)
class Receipt:
    """A receipt as it was sent, with the answer and the question that it came for.

    What a valid one shows: whoever holds the site's key stated that this request was answered by exactly these bytes, under this
    charge, at this place of the site's journal. It does not show that the computation was right.
    """

    raw: bytes = field(repr=False)
    body: dict[str, Any] = field(repr=False, compare=False)
    signature: str = field(repr=False, compare=False)
    answer: bytes | None = field(default=None, repr=False)
    question: Question | None = field(default=None, repr=False)

    @classmethod
    def of(cls, raw: bytes, answer: bytes | None = None, question: Question | None = None) -> Receipt:
        """Reads a receipt strictly: nothing unknown may stand beside what was signed.

        Raises:
            InvalidReceipt: It is none.
        """
        try:
            document = json.loads(raw, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_no_float)
            _shape(document, {"body": dict, "signature": str})
            _check_body(document["body"])
        except (ValueError, RecursionError) as error:
            raise InvalidReceipt(f"the receipt cannot be read: {error}", "do not rely on this answer; tell the site's owner") from None
        return cls(raw, document["body"], document["signature"], answer, question)

    @property
    def request(self) -> str:
        """The id of the request that was answered."""
        return str(self.body["request"])

    @property
    def key(self) -> str:
        """The key that it names. Verify with one that you know from elsewhere: its owner, or an earlier visit."""
        return str(self.body["publicKey"])

    @property
    def engine(self) -> str:
        """The kind of work."""
        return str(self.body.get("engine", "questions"))

    @property
    def datasets(self) -> tuple[str, ...]:
        """The private datasets that were read, the one that was asked first."""
        if self.body["version"] == 1:
            return (self.body["dataset"],)
        return tuple(asset["dataset"] for asset in self.body["assets"])

    @property
    def dataset_version(self) -> str:
        """The version of the dataset that was asked."""
        if self.body["version"] == 1:
            return str(self.body["datasetVersion"])
        return str(self.body["assets"][0]["version"]) if self.body["assets"] else ""

    @property
    def time(self) -> str:
        """When it was signed: RFC 3339, UTC."""
        return str(self.body["time"])

    def verify(self, key: str, answer: bytes | None = None, question: Question | None = None) -> None:
        """Checks version, key and signature, and that answer and question are the receipt's own; offline.

        Parameters:
            key: The site's Ed25519 key (base64), which you know from its owner or an earlier visit.
            answer: The answer's bytes as they were sent. Without it, those that the receipt came with.
            question: What was asked. Without it, the question that the receipt came for.

        Raises:
            InvalidReceipt: It does not hold, and why.
        """
        answer = self.answer if answer is None else answer
        question = self.question if question is None else question
        version = self.body["version"]
        if version not in (1, 2):
            raise InvalidReceipt(f"the receipt is of version {version}, which this package does not know", _DO_NOT_RELY)
        trusted = public_key(key)
        if self.key != key:
            raise InvalidReceipt(f"the receipt is signed with the key {self.key}, but the site's key was pinned as {key}", _OTHER_KEY)
        signature = _signature(self.signature)
        try:
            trusted.verify(signature, b"parley receipt v%d\n" % version + canonical(self.body))
        except (InvalidSignature, UnicodeEncodeError):
            raise InvalidReceipt(
                "the signature does not belong to this receipt: it was changed, or signed by another key", _DO_NOT_RELY
            ) from None
        if answer is not None and hashlib.sha256(answer).hexdigest() != self.body["answerDigest"]:
            raise InvalidReceipt("the answer is not the one that the receipt is about", _DO_NOT_RELY)
        if question is not None and question.digest(self.dataset_version) != self.body["requestDigest"]:
            raise InvalidReceipt("the receipt is about another question than the one that was asked", _DO_NOT_RELY)

    def save(self, receipt: str | os.PathLike[str], answer: str | os.PathLike[str] | None = None) -> None:
        """Writes the receipt's bytes, and the answer's, for `parley receipt verify` or for later."""
        with open(receipt, "wb") as file:
            file.write(self.raw)
        if answer is not None and self.answer is not None:
            with open(answer, "wb") as file:
                file.write(self.answer)

    def __repr__(self) -> str:
        return f"<Receipt of request {self.request} by {self.body['site']!r}, {self.time}>"


def decode_header(text: str) -> bytes:
    """The bytes of base64url without padding, as in the header `Parley-Receipt`.

    Raises:
        ValueError: It is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        raise ValueError("this is no base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _signature(text: str) -> bytes:
    try:
        signature = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        signature = b""
    if len(signature) != 64:
        raise InvalidReceipt("the signature is not 64 bytes in base64", _DO_NOT_RELY)
    return signature


# The strict reading of what was signed.

_GUARANTEES: dict[str, type] = dict.fromkeys(
    ("inputPrivacy", "outputPrivacy", "inputVerification", "outputVerification", "flowGovernance"), str
)
_COMMON: dict[str, type] = {
    "version": int, "site": str, "publicKey": str, "request": str, "requestDigest": str, "guarantees": dict,
    "answerDigest": str, "journalIndex": int, "previousJournalHash": str, "journalHash": str, "time": str,
}  # fmt: skip
_FIRST: dict[str, type] = {
    "dataset": str, "datasetVersion": str, "chargeKind": str, "chargeAmount": int, "chargeDelta": int,
}  # fmt: skip
_SECOND: dict[str, type] = {"engine": str, "assets": list, "charge": dict}


def _check_body(body: dict[str, Any]) -> None:
    _shape(body, _COMMON | (_FIRST if body.get("version") == 1 else _SECOND))
    _shape(body["guarantees"], _GUARANTEES)
    if body["version"] == 1:
        return
    for asset in body["assets"]:
        _shape(asset, {"dataset": str, "version": str})
    charge = body["charge"]
    members: dict[str, type] = {"uses": int} if "uses" in charge else {}
    if "kind" in charge:
        members |= {"kind": str, "delta": int, **({"amounts": list} if "amounts" in charge else {"amount": int})}
    _shape(charge, members)
    if any(type(amount) is not int for amount in charge.get("amounts", [])):
        raise ValueError("an amount is no integer")


def _shape(value: Any, members: dict[str, type]) -> None:
    """That an object has exactly those members."""
    if not isinstance(value, dict):
        raise ValueError("an object is expected")
    for key in value:
        if key not in members:
            raise ValueError(f"the key {key[:40]!r} is unknown")
    for key, kind in members.items():
        if key not in value:
            raise ValueError(f"'{key}' is missing")
        if type(value[key]) is not kind:
            raise ValueError(f"'{key}' is not of the type that is expected")
        if kind is int and not -(1 << 63) <= value[key] < 1 << 63:
            raise ValueError(f"'{key}' is out of range")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return members


def _no_float(text: str) -> float:
    raise ValueError("a receipt has no numbers but integers")


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")
