"""What this client says is what the Swift client says, and what the description of the interface says."""

import dataclasses
import json
import subprocess
import typing

import pytest
from conftest import REPOSITORY
from impostors import impostor, response

import parley
from parley import messages

SQL = "SELECT plan, COUNT(*) FROM randhie GROUP BY plan -- “Zürich” \\ / \t'x'"
CASES = [
    (["--epsilon", "0.5"], {"epsilon": 0.5}),
    (["--epsilon", "3"], {"epsilon": 3}),
    (["--rho", "1e-3"], {"rho": 0.001}),
    (["--error", "2%", "--group-size", "1000"], {"error": "2%", "group_size": 1000}),
    (["--epsilon", "0.1", "--selection-delta", "1e-9"], {"epsilon": 0.1, "selection_delta": 1e-9}),
    (["--epsilon", "0.1", "--groups-per-unit", "2", "--rows-per-group", "1"], {"epsilon": 0.1, "groups_per_unit": 2, "rows_per_group": 1}),
    (["--epsilon", "0.1", "--no-bounding-shares", "--simultaneous"], {"epsilon": 0.1, "bounding_shares": False, "simultaneous": True}),
    (["--epsilon", "0.1", "--purpose", "a “study”"], {"epsilon": 0.1, "purpose": "a “study”"}),
    (["--epsilon", "0.1", "--idempotency-key", "k-1"], {"epsilon": 0.1, "idempotency_key": "k-1"}),
]


def parsed(request):
    head, body = request.split(b"\r\n\r\n", 1)
    line, *fields = head.decode().split("\r\n")
    return line, {field.split(": ")[0].lower(): field.split(": ", 1)[1] for field in fields}, json.loads(body) if body else None


@pytest.fixture
def recorder():
    """A server that notes what it is asked, and refuses every question."""
    asked = []

    def answer(connection, request):
        line, headers, body = parsed(request)
        if line.startswith("POST"):
            asked.append((line, headers, body))
            problem = {"type": "urn:parley:problem:not-allowed", "title": "t", "status": 403, "detail": "no"}
            connection.sendall(response(json.dumps(problem).encode(), "403 Forbidden", content_type="application/problem+json"))
        elif "/v1/site" in line:
            site = {"name": "x", "publicKey": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "protocolVersion": 1}
            connection.sendall(response(json.dumps(site).encode()))
        else:
            connection.sendall(response(b"[]"))

    with impostor(answer) as url:
        yield url, asked


@pytest.mark.parametrize(("words", "options"), CASES)
def test_a_question_is_sent_as_the_swift_client_sends_it(program, recorder, tmp_path, words, options):
    url, asked = recorder
    environment = {"PATH": "", "HOME": str(tmp_path), "PARLEY_TOKEN": "parley_token"}
    command = [program, "ask", "randhie", SQL, "--url", url, *words]
    subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    with parley.connect(url, "parley_token") as site, pytest.raises(parley.NotAllowed, match="no"):
        site["randhie"].ask(SQL, **options)
    (line, theirs, body), (our_line, ours, our_body) = asked
    assert line == our_line and body == our_body
    for name in ("authorization", "accept", "content-type"):
        assert theirs[name] == ours[name]
    if "idempotency_key" in options:
        assert theirs["idempotency-key"] == ours["idempotency-key"] == options["idempotency_key"]
    else:
        assert theirs["idempotency-key"] and ours["idempotency-key"].startswith("same-")


# The description of the interface.

SCHEMAS = {
    messages.Loss: "Loss", messages.Meaning: "BudgetMeaning", messages.BudgetLine: "BudgetLine", messages.Spending: "BudgetSpending",
    messages.Uses: "BudgetUses", messages.BudgetReport: "BudgetReport", messages.QuestionsLeft: "QuestionsLeft",
    messages.SiteDescription: "SiteDescription", messages.Identity: "Identity", messages.DatasetSummary: "DatasetSummary",
    messages.Column: "DictionaryColumn", messages.DatasetDetail: "DatasetDetail", messages.PreviewColumn: "PreviewColumn",
    messages.Preview: "Preview", messages.Guarantees: "Guarantees", messages.AnswerColumn: "AnswerColumn",
    messages.Problem: "Problem", messages.RequestSummary: "RequestSummary", messages.JobSummary: "JobSummary",
    messages.RequestEvent: "RequestEvent",
}  # fmt: skip


@pytest.fixture(scope="module")
def interface():
    yaml = pytest.importorskip("yaml")
    path = REPOSITORY / "docs" / "openapi.yaml"
    if not path.exists():
        pytest.skip(f"the description is not there: {path}")
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("kind", SCHEMAS)
def test_each_message_has_members_of_its_schema_and_asks_for_no_more_than_it_promises(interface, kind):
    schema = interface["components"]["schemas"][SCHEMAS[kind]]
    for name, key, _, may_be_absent in messages._members(kind):
        assert key in schema["properties"], f"{SCHEMAS[kind]} has no {key}"
        assert may_be_absent or key in schema["required"], f"{name} may be absent"
    # What a message may hold without being asked for is optional here too.
    assert {key for _, key, _, absent in messages._members(kind) if not absent} <= set(schema["required"])


def examples(interface):
    """Each operation's examples of success, with the operation's name."""
    named = interface["components"]["examples"]
    for methods in interface["paths"].values():
        for method, operation in methods.items():
            if method not in ("get", "post"):
                continue
            for status in ("200", "202"):
                content = operation["responses"].get(status, {}).get("content", {}).get("application/json", {})
                if "example" in content:
                    yield operation["operationId"], content["example"]
                for example in content.get("examples", {}).values():
                    yield operation["operationId"] + status, named[example["$ref"].rsplit("/", 1)[1]]["value"]


def test_the_examples_of_the_description_are_read(interface):
    from parley.answer import Answer

    found = dict(examples(interface))
    readers = {
        "site": messages.SiteDescription, "whoami": messages.Identity, "listDatasets": messages.DatasetSummary,
        "getDataset": messages.DatasetDetail, "preview": messages.Preview, "budget": messages.BudgetReport,
        "listRequests": messages.RequestSummary, "listJobs": messages.JobSummary, "cancelJob": messages.JobSummary,
        "ask202": messages.RequestSummary, "previewWork": messages.Preview,
    }  # fmt: skip
    for name, kind in readers.items():
        for one in found[name] if isinstance(found[name], list) else [found[name]]:
            message = messages.read(kind, one)
            assert repr(message)
            keys = {key for _, key, _, _ in messages._members(kind)}
            assert keys & set(one) and dataclasses.is_dataclass(message)
    for name in ("ask200", "mock200", "getAnswer200", "getSynthetic"):
        # PyYAML reads -Infinity as text, as JSON has it.
        document = json.dumps(found[name], default=str).encode()
        answer = Answer.of(document, None)
        assert len(answer) == 2 and answer._repr_html_()


def test_every_state_and_problem_of_the_description_is_known(interface):
    import re

    from parley import errors

    text = interface["components"]["responses"]["Problem"]["description"]
    codes = set(re.findall(r"`([a-z-]+)` \(\d", text)) | set(re.findall(r"`([a-z-]+)` \(422", text))
    server_alone = {"method-not-allowed", "timeout", "too-large", "unsupported-media-type", "internal"}
    assert set(errors._KINDS) | server_alone >= codes and set(errors._KINDS) <= codes
    states = set(interface["components"]["schemas"]["JobState"]["enum"])
    stopped = {state for state in states if messages.RequestEvent("r", 1, state, 0, 1, "t").has_stopped}
    assert stopped == states - {"pending", "approved", "running"}


def test_hints_are_in_pythons_words():
    def hint(text, code="not-found"):
        return parley.Refusal.of({"type": f"urn:parley:problem:{code}", "title": "t", "status": 404, "detail": "d", "hint": text}).hint

    assert hint("did you mean loans? `parley data list` names all") == "did you mean loans? site.datasets names all"
    assert hint("`parley jobs follow ab12` says when it is done") == "site.job('ab12').wait() says when it is done"
    assert hint("the owner must run `parley verify`") == "the owner must run `parley verify`"
    assert typing.cast(str, hint("x", "of-a-later-version")) == "x"
