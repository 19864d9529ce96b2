"""Whatever bytes come, the client gives a value or an error of its own; from a seed, the same in each run."""

import contextlib
import json
import random

import pytest

import parley
from parley import messages
from parley.answer import Answer
from parley.wire import EventReader, parsed

TRIES = 1_500


def mutated(generator, data):
    """The bytes with a few changes: bytes changed, cut, repeated, or put in the place of others."""
    data = bytearray(data)
    for _ in range(generator.randint(1, 4)):
        place = generator.randrange(len(data) or 1)
        match generator.randrange(4):
            case 0:
                data[place : place + 1] = bytes([generator.randrange(256)])
            case 1:
                del data[place : place + generator.randint(1, 30)]
            case 2:
                data[place:place] = data[place : place + generator.randint(1, 30)]
            case _:
                data[place : place + generator.randint(0, 6)] = generator.choice(
                    [b"null", b"[]", b"{}", b"1e999", b"-1", b'"x"', b"true", b"9" * 30, b"NaN", b"\\ud800", b"0.5", b'"Infinity"']
                )
    return bytes(data)


def test_answers(golden):
    generator, read = random.Random(1), 0
    for _ in range(TRIES):
        try:
            answer = Answer.of(mutated(generator, golden("answer.json")), None)
        except parley.NotADatasite:
            continue
        read += 1
        assert repr(answer) and answer._repr_html_()
        for name in answer.names:
            answer[name]
        answer.flat()
    assert 50 < read < TRIES


def test_answers_that_are_read_become_tables(golden):
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    generator, read = random.Random(2), 0
    for _ in range(300):
        try:
            answer = Answer.of(mutated(generator, golden("answer.json")), None)
        except parley.NotADatasite:
            continue
        read += 1
        assert len({answer.to_pandas().shape, answer.to_polars().shape, answer.to_arrow().shape}) == 1
    assert read > 10


def test_receipts(golden):
    generator, refused = random.Random(3), 0
    for _ in range(TRIES):
        data = mutated(generator, golden("receipt-2.json"))
        try:
            parley.Receipt.of(data).verify("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
        except parley.InvalidReceipt:
            refused += 1
            continue
        # What verifies says the same, however it is written.
        assert json.loads(data)["body"] == json.loads(golden("receipt-2.json"))["body"]
    assert refused > 0.9 * TRIES


def test_messages_and_events():
    generator = random.Random(4)
    detail = json.dumps(
        {
            "summary": {"name": "d", "title": "t", "version": "v", "columns": 1, "unit": "row", "population": "p", "kind": "private"},
            "description": "x", "rowsPerUnit": 5, "groupsPerUnit": 5, "capacityRows": 10, "capacityUnits": 5, "windows": ["window 7d"],
            "columns": [{"name": "c", "type": "date", "description": "", "nullable": True, "earliest": "2020-01-01"}],
            "allowedAggregates": ["avg"], "approval": "owner", "mockRows": [["2020-01-01"]], "total": {"kind": "pure", "epsilon": 3},
        }
    ).encode()  # fmt: skip
    event = b'data: {"request":"q","number":1,"state":"running","step":1,"steps":3,"words":"w","time":"t"}\n\n'
    for _ in range(TRIES):
        with contextlib.suppress(parley.NotADatasite):
            message = parsed(mutated(generator, detail), lambda value: messages.read(messages.DatasetDetail, value), "DatasetDetail")
            assert repr(message) and message._repr_html_()
        with contextlib.suppress(parley.NotADatasite):
            EventReader().take(mutated(generator, event))


def test_problems():
    from parley.wire import Reply, refusal

    infinite = b'{"type":"t","title":"t","status":1e999,"detail":"d"}'
    assert isinstance(refusal(Reply(403, {"content-type": "application/problem+json"}, infinite), "http://x"), parley.NotADatasite)
    generator = random.Random(5)
    problem = b'{"type":"urn:parley:problem:over-budget","title":"t","status":403,"detail":"d","hint":"h","position":7,"left":{"alike":1,"unit":"epsilon","largest":0.2}}'  # noqa: E501
    for _ in range(TRIES):
        reply = Reply(403, {"content-type": "application/problem+json"}, mutated(generator, problem))
        assert str(refusal(reply, "http://x", "SELECT\nx"))
