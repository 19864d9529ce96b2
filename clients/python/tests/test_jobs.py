"""Requests that wait for an owner, and work that takes a while."""

import asyncio
import threading
import time

import pytest

import parley

VOTES = "SELECT ward, COUNT(*) AS n FROM votes GROUP BY ward"
PLAN = """
version: 1
name: kinds
data: {dataset: clinic, features: [minutes], label: ward}
model: {name: mlp, hidden: [4]}
loss: cross-entropy
optimizer: {kind: sgd, rate: 0.5}
batch: 100
epochs: 3
privacy: {unit: person, clip: 1, noise: 8}
"""


def ask(site, **options):
    with pytest.raises(parley.PendingApproval, match="waits for 1 owner to approve it; its cost is held") as pending:
        site["votes"].ask(VOTES, epsilon=0.5, **options)
    return pending.value


def later(action):
    """Does something a moment later, as an owner would."""

    def act():
        time.sleep(0.3)
        action()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_a_question_that_waits_says_so_and_its_answer_comes_when_the_owner_approves(datasite, site):
    pending = ask(site)
    assert pending.request.state == "pending" and "wait()" in pending.hint
    # The same question is the same request, and not a second one.
    assert ask(site).request.id == pending.request.id and len(site.history()) == 1
    with pytest.raises(parley.StillWaiting, match="still goes on"):
        pending.wait(timeout=0.3)
    with pytest.raises(parley.StillWaiting):
        pending.job.result()
    deciding = later(lambda: datasite.owner("approve", pending.request.id))
    states = []
    answer = pending.job.wait(60, progress=lambda event: states.append(event.state))
    deciding.join()
    assert isinstance(answer, parley.Answer) and answer.names == ["ward", "n"]
    assert states[0] == "pending" and states[-1] == "released"
    assert site["votes"].ask(VOTES, epsilon=0.5).document == answer.document
    assert site.job(pending.request.id).result().document == answer.document


def test_a_question_can_wait_by_itself(datasite, site):
    done = []

    def approve():
        for _ in range(200):
            if waiting := site.history(state="pending"):
                done.append(datasite.owner("approve", waiting[0].id))
                return
            time.sleep(0.05)

    deciding = threading.Thread(target=approve)
    deciding.start()
    answer = site["votes"].ask(VOTES, epsilon=0.5, wait=60)
    deciding.join()
    assert done and len(answer) == 3


def test_a_denial_tells_its_reason_and_costs_nothing(datasite, site, spent):
    pending = ask(site)
    datasite.owner("deny", pending.request.id, "--reason", "not this year")
    with pytest.raises(parley.Denied, match="denied by an owner: not this year; nothing was charged") as denied:
        pending.wait(60)
    assert denied.value.request.state == "denied" and sum(spent().values()) == 0
    # The owner is not asked again by the way.
    with pytest.raises(parley.NotAllowed, match="denied: not this year; nothing was charged; to ask anew: fresh=True"):
        site["votes"].ask(VOTES, epsilon=0.5)
    assert ask(site, idempotency_key="once-more").request.id != pending.request.id


def test_what_waits_can_be_withdrawn(site):
    pending = ask(site)
    assert site.jobs()[0].id == pending.request.id and "pending" in repr(site.jobs())
    assert pending.job.cancel().state == "cancelled"
    with pytest.raises(parley.Denied, match="withdrawn"):
        pending.wait(60)
    assert not site.jobs() and site.jobs(ended=True)[0].state == "cancelled"
    assert repr(pending.job) == f"<Job {pending.request.id}: cancelled>"


def test_training_is_previewed_submitted_once_followed_and_fetched(datasite, site, capsys):
    preview = site.preview("training", {"plan": PLAN})
    assert preview.decision.startswith("would be answered") and preview.charge.kind == "renyi"
    job = site.submit("training", {"plan": PLAN})
    assert site.submit("training", {"plan": PLAN}).id == job.id and len(site.history()) == 1
    released = job.wait(120, progress=True)
    assert isinstance(released, parley.Released) and job.request.state == "released"
    model = released.json()
    assert model["dataset"] == "clinic" and model["weights"] and len(model["curve"]) == 30
    released.receipt.verify(datasite.key)
    assert released.receipt.engine == "training"
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith("released") and any("of" in line for line in told)
    assert site.submit("training", {"plan": PLAN}).wait(60).document == released.document


def test_a_question_that_is_submitted_as_work_is_answered_at_once(site):
    request = {"dataset": "randhie", "sql": "SELECT COUNT(*) AS n FROM randhie", "epsilon": 0.1}
    job = site.submit("questions", request, purpose="a test")
    assert job.request.state == "released" and job.result().names == ["n"]
    # Both ways are one request.
    asked = site["randhie"].ask(request["sql"], epsilon=0.1, purpose="a test")
    assert asked.document == job.result().document and len(site.history()) == 1
    with pytest.raises(parley.InvalidRequest, match="questions"):
        site.submit("nothing", {})
    with pytest.raises(parley.InvalidArgument, match="JSON"):
        site.submit("questions", {"x": {1, 2}})


def test_an_awaited_client_waits_for_owners_too(datasite, token, connect):
    async def ask_and_wait():
        async with await parley.connect_async(datasite.url, token) as site:
            with pytest.raises(parley.PendingApproval) as pending:
                await site["votes"].ask(VOTES, epsilon=0.7)
            job = pending.value.job
            with pytest.raises(parley.StillWaiting):
                await job.wait(0.3)
            events = []
            waiting = asyncio.create_task(job.wait(60, progress=events.append))
            await asyncio.to_thread(datasite.owner, "approve", job.id)
            answer = await waiting
            same = await site["votes"].ask(VOTES, epsilon=0.7)
            return answer, same, events, await site.jobs()

    answer, same, events, jobs = asyncio.run(ask_and_wait())
    assert answer.document == same.document and events[-1].state == "released" and not jobs
