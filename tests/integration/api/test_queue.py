"""The application where entries go by the queue: answered at once when they have their place soon, else by a number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api.app import create_app
from ledger.service.accounts import create_account
from ledger.service.queued import queue_sequencer
from ledger.store.elected import Round
from tests.web_plant import PASSWORD, RECEIPT, Plant, hidden, new_id

STEP: dict[str, Any] = {
    "step_id": "ST-1",
    "process": "mill",
    "performed_on": "2026-11-21",
    "inputs": [{"batch_id": "IN-1", "mass_kg": "600"}],
    "outputs": [{"batch_id": "MI-1", "product": "milled magnets", "mass_kg": "598.5"}],
    "residues": [{"description": "coating", "mass_kg": "1.2"}],
}


def by_queue(plant: Plant, wait_seconds: int) -> Plant:
    """The same plant with an application that uses the queue and waits so long."""
    services = plant.app.state.services
    app = create_app(
        services.settings.model_copy(update={"append_path": "queue", "append_wait_seconds": wait_seconds}),
        ledger=plant.ledger,
        actor=plant.actor,
        trust=services.trust,
        now=plant.clock,
    )
    return replace(plant, app=app)


@pytest.fixture
def waiting_plant(any_plant: Plant) -> Plant:
    """A plant that waits for nothing, and where nobody sequences as long as its application does not run."""
    return by_queue(any_plant, wait_seconds=0)


def sequence(plant: Plant) -> Round | None:
    """What an elected sequencer does."""
    return queue_sequencer(plant.ledger).take_office().round()


def key(text: str = "") -> dict[str, str]:
    return {"Idempotency-Key": text or new_id()}


def test_while_the_queue_is_quick_answers_are_as_without_it(any_plant: Plant) -> None:
    plant = by_queue(any_plant, wait_seconds=30)
    headers = key()
    for _start in range(2):  # the application ends and starts again
        with plant.program() as program:
            answer = program.post("/api/v1/receipts", json=RECEIPT, headers=headers)
            assert answer.json()["seq"] == 5  # after the key, two parties, the site and the factors
            assert answer.headers["location"] == "/api/v1/batches/IN-1"
    assert answer.status_code == 200
    with plant.program() as program:
        step = program.post("/api/v1/steps", json=STEP, headers=key())
        assert step.status_code == 201
        assert step.json()["seq"] == 6
        conflict = program.post("/api/v1/receipts", json=RECEIPT | {"batch_id": "IN-2"}, headers=headers)
        assert conflict.status_code == 409
        assert conflict.json()["errors"][0]["header"] == "Idempotency-Key"
        again = program.post("/api/v1/receipts", json=RECEIPT, headers=key())
        assert (again.status_code, again.json()["type"]) == (409, "/problems#duplicate-id")
    counters = plant.app.state.services.appends.counters()
    assert (counters.by_queue, counters.refused, counters.pending) == (3, 2, 0)


def test_an_entry_without_a_place_yet_is_accepted_and_can_be_asked_for(waiting_plant: Plant) -> None:
    program = waiting_plant.program()
    headers = key()
    answer = program.post("/api/v1/receipts", json=RECEIPT, headers=headers)
    assert answer.status_code == 202
    number = answer.json()["number"]
    assert answer.json() == {"number": number, "state": "waiting"}
    assert answer.headers["location"] == f"/api/v1/submissions/{number}"
    assert answer.headers["retry-after"] == "1"
    # Sent again, it is the same one.
    again = program.post("/api/v1/receipts", json=RECEIPT, headers=headers)
    assert (again.status_code, again.json()["number"]) == (202, number)

    asked = program.get(answer.headers["location"])
    assert (asked.status_code, asked.headers["retry-after"]) == (200, "1")
    assert asked.json() == {"number": number, "state": "waiting", "entry": None, "refusal": None}
    sequence(waiting_plant)
    told = program.get(answer.headers["location"]).json()
    assert (told["state"], told["refusal"]) == ("sequenced", None)
    assert (told["entry"]["seq"], told["entry"]["entry_type"], told["entry"]["repeated"]) == (5, "receipt", False)
    again = program.post("/api/v1/receipts", json=RECEIPT, headers=headers)
    assert again.status_code == 200
    assert again.json()["leaf_hash"] == told["entry"]["leaf_hash"]


def test_an_accepted_entry_that_is_against_a_rule_is_refused_with_all_that_a_direct_answer_says(
    waiting_plant: Plant,
) -> None:
    program = waiting_plant.program()
    headers = key("ticket-4711")
    program.post("/api/v1/receipts", json=RECEIPT, headers=key())
    second = program.post("/api/v1/receipts", json=RECEIPT, headers=headers)
    assert sequence(waiting_plant) == Round(epoch=1, sequenced=1, refused=1)
    told = program.get(second.headers["location"]).json()
    assert (told["state"], told["entry"]) == ("refused", None)
    refusal = told["refusal"]
    assert (refusal["type"], refusal["status"]) == ("/problems#duplicate-id", 409)
    assert refusal["errors"][0]["pointer"] == "/batch_id"
    assert waiting_plant.app.state.services.appends.counters().pending == 2
    # What was refused has taken nothing: corrected, it goes under the same key.
    corrected = program.post("/api/v1/receipts", json=RECEIPT | {"batch_id": "IN-2"}, headers=headers)
    assert corrected.status_code == 202
    sequence(waiting_plant)
    assert program.get(corrected.headers["location"]).json()["entry"]["seq"] == 6
    assert program.get(second.headers["location"]).json()["state"] == "refused"


def test_what_is_not_of_its_form_is_refused_before_it_is_accepted(waiting_plant: Plant) -> None:
    answer = waiting_plant.program().post("/api/v1/receipts", json=RECEIPT | {"dry_mass_kg": "-1"}, headers=key())
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/dry_mass_kg"


def test_nobody_asks_for_the_submissions_of_others(waiting_plant: Plant) -> None:
    create_account(waiting_plant.ledger, "second", PASSWORD, "operator", waiting_plant.actor.actor)
    where = waiting_plant.program().post("/api/v1/receipts", json=RECEIPT, headers=key()).headers["location"]
    assert waiting_plant.program(username="second").get(where).status_code == 404
    assert waiting_plant.client().get(where).status_code == 401
    program = waiting_plant.program()
    assert program.get(where).status_code == 200
    assert program.get("/api/v1/submissions/999999").status_code == 404
    assert program.get("/api/v1/submissions/0").status_code == 422
    assert program.get("/api/v1/submissions/x").status_code == 422


def test_a_form_leads_to_a_page_that_waits_and_then_to_the_entry(waiting_plant: Plant) -> None:
    browser = waiting_plant.browser()
    page = browser.get("/receipts/new").text
    form = {name: hidden(page, name) for name in ("csrf_token", "statement_id")} | RECEIPT
    sent = browser.post("/receipts/new", data=form)
    assert sent.status_code == 303, sent.text
    where = sent.headers["location"]
    page = browser.get(where).text
    assert "It is on disk, and waits for its place in the log" in page
    assert f'href="{where}"' in page
    sequence(waiting_plant)
    led = browser.get(where)
    assert (led.status_code, led.headers["location"]) == (303, "/entries/5?logged")


def test_a_form_that_is_refused_later_says_why(waiting_plant: Plant) -> None:
    browser = waiting_plant.browser()
    where = []
    for _ in range(2):
        page = browser.get("/receipts/new").text
        form = {name: hidden(page, name) for name in ("csrf_token", "statement_id")} | RECEIPT
        where.append(browser.post("/receipts/new", data=form).headers["location"])
    sequence(waiting_plant)
    page = browser.get(where[1]).text
    assert "Not logged" in page
    assert "IN-1" in page
    assert waiting_plant.client().get(where[1]).headers["location"].startswith("/login")
