"""What a client believes: only what the pinned key signed, whole, in time and of a plausible size."""

import asyncio
import base64
import contextlib
import json
import re
import time

import pytest
from conftest import GOLDEN_KEY
from impostors import impostor, response, saying

import parley
from parley import Options, Site

OTHER_KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
HTML = b"<html><body>502 Bad Gateway</body></html>"


def header(receipt: bytes) -> str:
    return base64.urlsafe_b64encode(receipt).decode().rstrip("=")


def ask(url, question, *, key=GOLDEN_KEY, **options):
    """Asks, by both clients, which must say the same; gives the answer."""
    waiting = outcome(lambda: _ask(url, question, Options(key, **options)))
    awaited = outcome(lambda: asyncio.run(_ask_async(url, question, Options(key, **options))))
    # Each has a random key of its own.
    said = [re.sub(r"[0-9a-f-]{36}", "KEY", str(outcome)) for outcome in (waiting, awaited)]
    assert type(waiting) is type(awaited) and said[0] == said[1]
    if isinstance(waiting, Exception):
        raise waiting
    return waiting


def outcome(action):
    try:
        return action()
    except parley.ParleyError as error:
        return error


def _ask(url, question, options):
    with Site(url, "parley_t", options) as site:
        return site._connection.run(site._conversation.ask(question, fresh=True, key=None))


async def _ask_async(url, question, options):
    async with parley.AsyncSite(url, "parley_t", options) as site:
        return await site._connection.run(site._conversation.ask(question, fresh=True, key=None))


def test_a_true_answer_is_returned_with_its_receipt(golden, golden_question):
    with impostor(saying(golden("answer.json"), Parley_Receipt=header(golden("receipt.json")))) as url:
        answer = ask(url, golden_question)
    assert len(answer) == 2 and answer.document == golden("answer.json")
    answer.receipt.verify(GOLDEN_KEY)


@pytest.mark.parametrize(
    ("answer", "receipt", "words"),
    [
        (lambda answer: answer + b" ", lambda receipt: header(receipt), "answer is not the one"),
        (lambda answer: answer, lambda receipt: header(receipt.replace(b'"journalIndex":4', b'"journalIndex":5')), "signature"),
        (lambda answer: answer, lambda receipt: header(receipt.replace(b'"body":{', b'"body":{"note":"x",')), "unknown"),
        (lambda answer: answer, lambda receipt: "!", "without a receipt"),
    ],
)
def test_a_changed_answer_or_receipt_is_refused(golden, golden_question, answer, receipt, words):
    said = saying(answer(golden("answer.json")), Parley_Receipt=receipt(golden("receipt.json")))
    with impostor(said) as url, pytest.raises(parley.InvalidReceipt, match=words):
        ask(url, golden_question)


def test_a_missing_receipt_another_question_and_another_key_are_refused(golden, golden_question):
    with impostor(saying(golden("answer.json"))) as url, pytest.raises(parley.InvalidReceipt, match="without a receipt"):
        ask(url, golden_question)
    with impostor(saying(golden("answer.json"), Parley_Receipt=header(golden("receipt.json")))) as url:
        other = parley.Question("randhie", "SELECT COUNT(*) FROM randhie", parley.Epsilon(0.5))
        with pytest.raises(parley.InvalidReceipt, match="another question"):
            ask(url, other)
        with pytest.raises(parley.InvalidReceipt, match="pinned as"):
            ask(url, golden_question, key=OTHER_KEY)


def test_work_of_another_engine_is_refused(golden):
    said = saying(golden("answer.json"), Parley_Receipt=header(golden("receipt.json")))
    with impostor(said) as url, Site(url, "parley_t", Options(GOLDEN_KEY)) as site:
        flow = site._conversation.submit("echo", {"a": 1}, purpose=None, fresh=True, key=None)
        with pytest.raises(parley.InvalidReceipt, match="another question"):
            site._connection.run(flow)


def test_a_site_with_another_key_than_the_pinned_one_is_refused_and_the_first_key_is_kept():
    keys = [OTHER_KEY, GOLDEN_KEY]

    def answer(connection, request):
        site = {"name": "x", "publicKey": keys.pop(0), "protocolVersion": 1}
        connection.sendall(response(json.dumps(site).encode()))

    with impostor(answer) as url, Site(url, None) as site:
        assert site.description().public_key == OTHER_KEY and site.key == OTHER_KEY
        with pytest.raises(parley.InvalidReceipt, match="pinned as"):
            site.description()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (saying(HTML, "502 Bad Gateway", content_type="text/html"), "status 502 and no problem document"),
        (saying(HTML, content_type="text/html"), "not the list of DatasetSummary"),
        (saying(b"{}", "302 Found", Location="http://127.0.0.1:1/"), "status 302"),
        (saying(b"{}", "403 Forbidden", content_type="application/problem+json"), "status 403 and no problem"),
        (saying(b"[" * 200_000), "not the list"),
        (saying(b'[{"name": 1}]'), "not the list"),
        (saying(b"[NaN]"), "not the list"),
        (saying(b"\xff\xfe"), "not the list"),
    ],
)
def test_what_is_no_datasite_is_said_to_be_none(said, words):
    with impostor(said) as url, Site(url, "parley_t") as site, pytest.raises(parley.NotADatasite, match=words):
        _ = site.datasets


MALFORMED = [
    (b'"rows":[[{"value":"free"}', b'"rows":[[{"value":["free"]}'),
    (b'"value":4.52', b'"value":"4.52"'),
    (b'"value":4.52', b'"value":true'),
    (b'{"value":"free"},', b""),
    (b'"notes":["', b'"notes":[7,"'),
    (b'"mock":false', b'"mock":false,"x":NaN'),
    (b'"lower":4.47', b'"lower":"minus"'),
]


@pytest.mark.parametrize(("was", "is_now"), MALFORMED)
def test_an_answer_that_is_not_of_its_form_is_refused(golden, was, is_now):
    changed = golden("answer.json").replace(was, is_now)
    assert changed != golden("answer.json")
    with impostor(saying(changed)) as url, Site(url, "parley_t") as site, pytest.raises(parley.NotADatasite, match="Answer"):
        site["randhie"].mock("SELECT COUNT(*) FROM randhie")


def cut(connection, request):
    connection.sendall(response(b"x" * 1000)[:600])
    connection.close()


def closed(connection, request):
    connection.close()


def garbage(connection, request):
    connection.sendall(b"SSH-2.0-OpenSSH_9\r\n\r\n")
    connection.close()


@pytest.mark.parametrize("said", [cut, closed, garbage])
def test_a_connection_that_breaks_is_tried_again_and_then_said_to_be_broken(golden_question, said):
    requests = []

    def answer(connection, request):
        requests.append(request)
        said(connection, request)

    with impostor(answer) as url, pytest.raises(parley.Interrupted, match="broke") as error:
        ask(url, golden_question, retries=1)
    named = re.search("again with idempotency_key='([0-9a-f-]{36})': it is not charged twice", str(error.value)).group(1)
    assert len(requests) == 4
    keys = [line for request in requests for line in request.split(b"\r\n") if line.lower().startswith(b"idempotency-key")]
    # Two clients, and each tried twice under one key.
    assert len(keys) == 4 and keys[0] == keys[1] != keys[2] == keys[3] and named.encode() in keys[0]


def test_a_busy_site_is_asked_again_after_the_time_that_it_says(golden, golden_question):
    problem = {"type": "urn:parley:problem:busy", "title": "Busy", "status": 503, "detail": "all engines are in use"}
    busy = response(json.dumps(problem).encode(), "503 Busy", content_type="application/problem+json", Retry_After="0")
    released = response(golden("answer.json"), Parley_Receipt=header(golden("receipt.json")))
    replies = [busy, released] * 2

    with impostor(lambda connection, request: connection.sendall(replies.pop(0))) as url:
        assert len(ask(url, golden_question)) == 2
    with impostor(lambda connection, request: connection.sendall(busy)) as url, pytest.raises(parley.Busy, match="in use"):
        ask(url, golden_question, retries=1)


def endless(connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"100000\r\n" + b"[" * (1 << 20) + b"\r\n")


def test_a_body_without_an_end_is_not_read_to_its_end(golden_question):
    with impostor(endless) as url, pytest.raises(parley.NotADatasite, match="more than the 64 MiB"):
        ask(url, golden_question)


def silent(connection, request):
    time.sleep(10)


def trickling_head(connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    with contextlib.suppress(OSError):
        # Ends by itself, so that a client that waits for it fails the test and does not hang it.
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)


def trickling_body(connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    with contextlib.suppress(OSError):
        # Ends by itself, so that a client that waits for it fails the test and does not hang it.
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)


@pytest.mark.parametrize("said", [silent, trickling_head, trickling_body])
def test_an_answer_that_trickles_has_an_end_too(golden_question, said):
    with impostor(said) as url, pytest.raises(parley.TimedOut, match="not charged twice"):
        ask(url, golden_question, question_timeout=0.5)


def test_nobody_there_is_said_as_that():
    with impostor(closed) as url:
        pass
    with Site(url, "parley_t") as site, pytest.raises(parley.Unreachable, match="cannot connect"):
        site.budget()


def test_that_nobody_listens_any_more_does_not_hide_that_the_question_was_sent(golden_question):
    from parley.conversation import Conversation

    flow = Conversation("http://127.0.0.1:1", "parley_t", Options(GOLDEN_KEY)).ask(golden_question, fresh=True, key=None)
    next(flow)
    flow.throw(parley.Interrupted("broken"))
    flow.send(None)
    with pytest.raises(parley.Interrupted, match="broken"):
        flow.throw(parley.Unreachable("nobody"))


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path):
    import ssl
    import threading

    from conftest import REPOSITORY

    folder = REPOSITORY / "Tests" / "DatasiteServerTests" / "Fixtures" / "tls"
    if not folder.exists():
        pytest.skip("the certificates of the Swift tests are not there")
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server-test-only.key")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(65536)
                    secure.sendall(response(json.dumps({"name": "x", "publicKey": GOLDEN_KEY, "protocolVersion": 1}).encode()))

    threading.Thread(target=serve, daemon=True).start()
    url = f"https://localhost:{listener.getsockname()[1]}"
    try:
        with Site(url, None) as site, pytest.raises(parley.Untrusted, match="certificate_authority="):
            site.description()
        with pytest.raises(parley.Untrusted, match="cannot be read"):
            Site(url, None, Options(certificate_authority=str(tmp_path / "none.pem")))
        with Site(url, None, Options(certificate_authority=str(folder / "authority.pem"))) as site:
            assert site.description().name == "x"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.org",
        "http://",
        "https://a b",
        "https://u:p@example.org",
        "https://example.org?x",
        "https://[::1",
        "http://x:99999",
    ],
)
def test_what_is_no_url_of_a_datasite_is_refused(url):
    with pytest.raises(parley.InvalidURL) as error:
        Site(url, None)
    assert "u:p" not in str(error.value)


def test_a_token_goes_over_the_network_in_the_clear_only_where_that_is_asked_for():
    with pytest.raises(parley.InvalidURL, match="in the clear"):
        Site("http://example.org", "parley_t")
    for url in ("http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://example.org/site/"):
        Site(url, "parley_t").close()
    Site("http://example.org", "parley_t", Options(allow_plain_http=True)).close()
    Site("http://example.org", None).close()
    with Site("localhost:1", "parley_t") as here, Site("Example.ORG/a/", "parley_t") as there:
        assert here.url == "http://localhost:1" and there.url == "https://example.org/a"


def test_no_token_is_shown_or_logged(caplog, golden, golden_question):
    secret = "parley_0123456789secret"
    caplog.set_level(0)
    said = saying(golden("answer.json"), Parley_Receipt=header(golden("receipt.json")))
    with impostor(said) as url, Site(url, secret, Options(GOLDEN_KEY)) as site:
        site._connection.run(site._conversation.ask(golden_question, fresh=True, key=None))
        shown = [repr(site), repr(site["randhie"]), repr(site._conversation), repr(site.__dict__), str(vars(site["randhie"]))]
    ours = [record.getMessage() for record in caplog.records if record.name == "parley"]
    assert ours and all("randhie" not in line and "SELECT" not in line for line in ours)
    assert secret not in " ".join([*shown, caplog.text])
    with pytest.raises(parley.InvalidArgument) as error:
        Site("http://127.0.0.1:1", "my pass word")
    assert "pass" not in str(error.value)
    from parley.logins import Login

    assert secret not in repr(Login("u", secret, None, None))


def test_events_are_told_once_over_as_many_connections_as_it_takes():
    def event(number, state):
        data = {"request": "q", "number": number, "state": state, "step": number, "steps": 3, "time": "t"}
        return f": comment\r\nid: {number}\r\nevent: {state}\r\ndata: {json.dumps(data)}\r\n\r\n".encode()

    streams = [event(1, "pending") + event(2, "approved"), event(2, "approved") + event(3, "running")[:-20], event(4, "released")]
    asked = []

    def answer(connection, request):
        asked.append(next(line for line in request.split(b"\r\n") if line.lower().startswith(b"last-event-id")))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + streams.pop(0))
        connection.close()

    with impostor(answer) as url, Site(url, "parley_t") as site:
        seen = [(event.number, event.state) for event in site._connection.follow("q")]
    assert seen == [(1, "pending"), (2, "approved"), (4, "released")]
    assert [line.split(b": ")[1] for line in asked] == [b"0", b"2", b"2"]


@pytest.mark.parametrize("stream", [b"data: {}\n\n", b"data: [" + b"1," * 40_000 + b"\n\n", b"x" * 70_000, b"data: \xff\n\n"])
def test_a_stream_that_is_none_of_a_datasite_is_refused(stream):
    from parley.wire import EventReader

    with pytest.raises(parley.NotADatasite, match="event stream"):
        EventReader().take(stream)
