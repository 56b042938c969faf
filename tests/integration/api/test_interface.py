"""The JSON interface: what it logs, what it reads, and the one shape of everything that it refuses."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from ledger.errors import StoreError, problem
from ledger.service.accounts import create_account
from tests.web_plant import PASSWORD, Plant, new_id

RECEIPT: dict[str, Any] = {
    "batch_id": "IN-1",
    "site_id": "BEL",
    "supplier_id": "SUP",
    "description": "hard-disk magnets",
    "form": "magnets",
    "consumer_class": "post-consumer",
    "received_on": "2026-11-20",
    "gross_kg": "648.20",
    "tare_kg": "24.00",
    "moisture_percent": "0.3",
}

STEP: dict[str, Any] = {
    "step_id": "ST-1",
    "process": "mill",
    "performed_on": "2026-11-21",
    "inputs": [{"batch_id": "IN-1", "mass_kg": "600"}],
    "outputs": [{"batch_id": "MI-1", "product": "milled magnets", "mass_kg": "598.5"}],
    "residues": [{"description": "coating", "mass_kg": "1.2"}],
    "activity": [{"activity": "electricity", "amount": "120", "unit": "kWh"}],
}


def key() -> dict[str, str]:
    return {"Idempotency-Key": new_id()}


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in names}


def test_a_receipt_is_logged_and_can_be_read_back(any_plant: Plant) -> None:
    program = any_plant.program()
    answer = program.post("/api/v1/receipts", json=RECEIPT, headers=key())
    assert answer.status_code == 201
    logged = answer.json()
    assert logged["seq"] == 5  # after the key, two parties, the site and the factors
    assert logged["repeated"] is False
    assert len(logged["leaf_hash"]) == 64
    assert answer.headers["location"] == "/api/v1/batches/IN-1"

    view = program.get(answer.headers["location"]).json()
    assert view["batch"]["product"] == "hard-disk magnets"
    # (648.20 - 24.00) x (1 - 0.3 / 100) = 624.20 x 0.997 = 622.3274
    assert view["batch"]["mass_kg"] == "622.3274"
    assert view["receipt"]["gross_kg"] == "648.20"
    assert view["entries"] == [5]


def test_a_step_is_logged_with_its_balance_and_leaves_the_rest_in_stock(plant: Plant) -> None:
    program = plant.program()
    receipt = without(RECEIPT, "gross_kg", "tare_kg", "moisture_percent") | {"dry_mass_kg": "1000"}
    program.post("/api/v1/receipts", json=receipt, headers=key())
    plant.log("assay", {
        "assay_id": "A-1", "batch_id": "IN-1", "party": "plant", "method": "ICP-OES", "reported_on": "2026-11-20",
        "components": [{"species": "Nd", "wt_percent": "22.8"}, {"species": "Fe", "wt_percent": "70.0"}],
    })  # fmt: skip
    answer = program.post("/api/v1/steps", json=STEP, headers=key())
    assert answer.status_code == 201
    (neodymium,) = [line for line in answer.json()["balance"] if line["element"] == "Nd"]
    # 600 kg x 22.8 % = 136.8 kg
    assert neodymium["in_kg"] == "136.8000"
    batches = {batch["batch_id"]: batch for batch in program.get("/api/v1/batches").json()["batches"]}
    assert (batches["IN-1"]["remaining"], batches["IN-1"]["status"]) == ("400", "part drawn")
    assert batches["MI-1"]["mass_kg"] == "598.5"
    trace = program.get("/api/v1/batches/MI-1/trace?direction=up").json()
    assert trace == {
        "batch_id": "MI-1",
        "up": [{"batch_id": "IN-1", "product": "hard-disk magnets", "depth": 1, "via": "ST-1"}],
    }


def test_a_repeated_request_logs_once_and_says_so(any_plant: Plant) -> None:
    program, headers = any_plant.program(), key()
    first = program.post("/api/v1/receipts", json=RECEIPT, headers=headers)
    again = program.post("/api/v1/receipts", json=RECEIPT, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["repeated"] is True
    assert again.json()["seq"] == first.json()["seq"]
    assert again.json()["leaf_hash"] == first.json()["leaf_hash"]
    assert len(program.get("/api/v1/batches").json()["batches"]) == 1


def test_the_same_key_with_another_content_is_refused(plant: Plant) -> None:
    program, headers = plant.program(), key()
    program.post("/api/v1/receipts", json=RECEIPT, headers=headers)
    answer = program.post("/api/v1/receipts", json=RECEIPT | {"batch_id": "IN-2"}, headers=headers)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems#conflict"
    assert program.get("/api/v1/batches/IN-2").status_code == 404


@pytest.mark.parametrize("given", [None, "", '""', "two words", '"two words"', "x" * 129, "Schl\xfcssel"])
def test_a_write_needs_an_idempotency_key_of_visible_ascii(plant: Plant, given: str | None) -> None:
    headers = [] if given is None else [(b"Idempotency-Key", given.encode("latin-1"))]
    answer = plant.program().post("/api/v1/receipts", json=RECEIPT, headers=headers)
    assert answer.status_code == 422
    (item,) = answer.json()["errors"]
    assert item["header"] == "Idempotency-Key"
    # The refusal hands out one that would do.
    suggested = item["next_step"].split()[-1].rstrip(".")
    assert uuid.UUID(suggested).version == 7


@pytest.mark.parametrize("given", ["7", "9b68107f-8bf5-4c57-bd0b-da36b1a7ae3b", "scale-4/2026-11-20/17", "x" * 128])
def test_any_key_of_the_senders_own_makes_a_repetition_safe(any_plant: Plant, given: str) -> None:
    program = any_plant.program()
    first = program.post("/api/v1/receipts", json=RECEIPT, headers={"Idempotency-Key": given})
    # The draft of the header asks for a quoted string; many programs send it bare.
    again = program.post("/api/v1/receipts", json=RECEIPT, headers={"Idempotency-Key": f'"{given}"'})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"repeated": True, "warnings": []}
    assert uuid.UUID(first.json()["statement_id"]).version == 7


def test_a_key_that_is_a_uuid_of_version_7_becomes_the_statements_id(plant: Plant) -> None:
    program, headers = plant.program(), key()
    first = program.post("/api/v1/receipts", json=RECEIPT, headers=headers)
    upper = program.post(
        "/api/v1/receipts", json=RECEIPT, headers={"Idempotency-Key": headers["Idempotency-Key"].upper()}
    )
    assert first.json()["statement_id"] == headers["Idempotency-Key"]
    assert upper.json()["repeated"] is True


def test_a_key_used_for_another_content_is_named_as_the_header_that_it_came_in(plant: Plant) -> None:
    program, headers = plant.program(), {"Idempotency-Key": "ticket-17"}
    program.post("/api/v1/receipts", json=RECEIPT, headers=headers)
    answer = program.post("/api/v1/receipts", json=RECEIPT | {"batch_id": "IN-2"}, headers=headers)
    assert answer.status_code == 409
    (item,) = answer.json()["errors"]
    assert item["header"] == "Idempotency-Key"
    assert "ticket-17" in item["value"]
    assert "entry" in item["expected"]


def test_two_accounts_may_use_the_same_key(plant: Plant) -> None:
    create_account(plant.ledger, "second", PASSWORD, "operator", plant.actor.actor)
    headers = {"Idempotency-Key": "1"}
    first = plant.program().post("/api/v1/receipts", json=RECEIPT, headers=headers)
    second = plant.program(username="second").post(
        "/api/v1/receipts", json=RECEIPT | {"batch_id": "IN-2"}, headers=headers
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json()["seq"] == first.json()["seq"] + 1


def test_while_the_application_runs_one_thread_appends_for_all_requests(any_plant: Plant) -> None:
    """And it ends with it, and a next start has one again."""
    program = any_plant.program()

    def sequencers() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("sequencer")]

    assert sequencers() == []
    for batch_id in ("IN-1", "IN-2"):
        with program:
            assert len(sequencers()) == 1
            headers = {"Idempotency-Key": f"ticket {batch_id}".replace(" ", "-")}
            answer = program.post("/api/v1/receipts", json=RECEIPT | {"batch_id": batch_id}, headers=headers)
            assert answer.status_code == 201
        assert sequencers() == []


def refusals(answer: Any, status: int, slug: str) -> dict[str, dict[str, str]]:
    """The findings of a refusal by pointer, after checking its shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    value = answer.json()
    assert set(value) == {"type", "title", "status", "detail", "instance", "request_id", "errors"}
    assert value["type"] == f"/problems#{slug}"
    assert value["status"] == status
    assert value["request_id"] == answer.headers["x-request-id"]
    return {item["pointer"]: item for item in value["errors"] if "pointer" in item}


def test_every_bad_field_of_a_receipt_is_named(plant: Plant) -> None:
    bad = RECEIPT | {"gross_kg": "-1", "received_on": "2026-02-30", "form": "dust", "colour": "blue"}
    found = refusals(plant.program().post("/api/v1/receipts", json=bad, headers=key()), 422, "bad-input")
    assert {"/gross_kg", "/received_on", "/form", "/colour"} <= set(found)
    assert found["/gross_kg"]["value"] == "'-1'"
    assert all(item["expected"] and item["next_step"] for item in found.values())
    assert "IN-1" not in plant.ledger.state.plant.batches


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('{"batch_id": "IN-1", "batch_id": "IN-2"}', "/batch_id"),
        ('{"dry_mass_kg": 12.5}', "/dry_mass_kg"),
        ('{"activity": [{"amount": 1e3}]}', "/activity/0/amount"),
        ('{"dry_mass_kg": NaN}', "/dry_mass_kg"),
        ('{"Batch": 1}', "/Batch"),
        ("{", ""),
        ("", ""),
        ("[]", ""),
        ('"text"', ""),
        ("[" * 100 + "]" * 100, None),
    ],
)
def test_json_that_a_lenient_reader_would_swallow_is_refused_at_the_door(
    plant: Plant, text: str, pointer: str | None
) -> None:
    headers = key() | {"Content-Type": "application/json"}
    found = refusals(plant.program().post("/api/v1/receipts", content=text, headers=headers), 422, "bad-input")
    assert found
    if pointer is not None:
        assert pointer in found


@pytest.mark.parametrize(
    ("change", "status", "slug", "pointer"),
    [
        ({"inputs": [{"batch_id": "IN-9", "mass_kg": "1"}]}, 422, "unknown-id", "/inputs/0/batch_id"),
        ({"inputs": [{"batch_id": "IN-1", "mass_kg": "622.3275"}]}, 422, "overdrawn", "/inputs/0/mass_kg"),
        ({"outputs": [{"batch_id": "IN-0", "product": "x"}]}, 409, "duplicate-id", "/outputs/0/batch_id"),
    ],
)
def test_a_step_against_a_rule_is_refused_and_nothing_is_written(
    plant: Plant, change: dict[str, Any], status: int, slug: str, pointer: str
) -> None:
    program = plant.program()
    for batch_id in ("IN-0", "IN-1"):
        program.post("/api/v1/receipts", json=RECEIPT | {"batch_id": batch_id}, headers=key())
    found = refusals(program.post("/api/v1/steps", json=STEP | change, headers=key()), status, slug)
    assert pointer in found
    assert [batch["batch_id"] for batch in program.get("/api/v1/batches").json()["batches"]] == ["IN-0", "IN-1"]


def test_an_assay_warning_of_the_plant_reaches_the_caller(plant: Plant) -> None:
    """A receipt brings none; the shape of a step's warnings is that of refusals."""
    answer = plant.program().post("/api/v1/receipts", json=RECEIPT, headers=key())
    assert answer.json()["warnings"] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/api/v1/nowhere", 404, "not-found"),
        ("DELETE", "/api/v1/batches", 405, "method-not-allowed"),
        ("GET", "/api/v1/batches/IN-9", 404, "unknown-id"),
        ("GET", "/api/v1/batches/IN-9/trace", 404, "unknown-id"),
        ("GET", "/api/v1/batches/IN-9/footprint", 404, "unknown-id"),
        ("GET", "/api/v1/batches?limit=0", 422, "bad-input"),
        ("GET", "/api/v1/batches?limit=x", 422, "bad-input"),
        ("GET", "/api/v1/batches?cursor=x", 422, "bad-input"),
        ("GET", "/api/v1/batches/IN-9/footprint?allocation=luck", 422, "bad-input"),
    ],
)
def test_every_refusal_has_the_one_shape(plant: Plant, method: str, path: str, status: int, slug: str) -> None:
    answer = plant.program().request(method, path)
    refusals(answer, status, slug)
    if "limit" in path:
        assert answer.json()["errors"][0]["parameter"] == "limit"
    if status == 405:
        assert "GET" in answer.headers["allow"]


def test_a_body_in_another_media_type_is_refused(plant: Plant) -> None:
    headers = key() | {"Content-Type": "text/plain"}
    refusals(plant.program().post("/api/v1/receipts", content="{}", headers=headers), 415, "unsupported-media-type")


def test_a_body_that_is_too_large_is_refused_announced_or_not(plant: Plant) -> None:
    program, text = plant.program(), b" " * (256 * 1024 + 1)
    headers = key() | {"Content-Type": "application/json"}
    refusals(program.post("/api/v1/receipts", content=text, headers=headers), 413, "too-large")
    chunks = (text[i : i + 65536] for i in range(0, len(text), 65536))  # sent chunked, without a length
    refusals(program.post("/api/v1/receipts", content=chunks, headers=headers), 413, "too-large")


def test_an_error_that_nobody_thought_of_says_nothing_of_the_inside(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("ledger.service.read.list_batches", broken)
    answer = plant.program(options={"raise_server_exceptions": False}).get("/api/v1/batches")
    refusals(answer, 500, "internal-error")
    assert "secret" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")


def test_a_store_that_cannot_be_reached_is_a_503(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise StoreError(problem("/database_url", "gone", "a database", "Start it."))

    monkeypatch.setattr("ledger.service.read.list_batches", gone)
    refusals(plant.program().get("/api/v1/batches"), 503, "store-unavailable")


def test_batches_come_page_by_page_and_each_once_while_others_are_added(plant: Plant) -> None:
    program = plant.program()
    names = [f"IN-{i:02}" for i in range(7)]
    for name in names[:6]:
        program.post("/api/v1/receipts", json=RECEIPT | {"batch_id": name}, headers=key())
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = program.get("/api/v1/batches", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [batch["batch_id"] for batch in page["batches"]]
        cursor = page["next_cursor"]
        if len(seen) == 2:
            program.post("/api/v1/receipts", json=RECEIPT | {"batch_id": names[6]}, headers=key())
    assert seen == names


def test_a_footprint_comes_with_its_lines_and_the_other_allocations(plant: Plant) -> None:
    program = plant.program()
    program.post("/api/v1/receipts", json=RECEIPT, headers=key())
    program.post("/api/v1/steps", json=STEP, headers=key())
    value = program.get("/api/v1/batches/MI-1/footprint?allocation=mass").json()
    # 120 kWh x (0.20707 + 0.01792 + 0.0459 + 0.00397) kg CO2e/kWh: UK 2023 generation, T&D, and both WTT.
    assert value["system_kg_co2e"] == "32.9832"
    assert value["lines"][0]["seq"] == 6
    assert set(value["results_by_allocation"]) == {"mass", "economic", "element"}


def test_an_activity_without_a_factor_is_logged_and_named_when_the_footprint_is_asked_for(plant: Plant) -> None:
    program = plant.program()
    program.post("/api/v1/receipts", json=RECEIPT, headers=key())
    step = STEP | {"activity": [{"activity": "moon-dust", "amount": "1", "unit": "kg"}]}
    assert program.post("/api/v1/steps", json=step, headers=key()).status_code == 201
    answer = program.get("/api/v1/batches/MI-1/footprint")
    refusals(answer, 409, "missing-factor")
    assert "moon-dust" in answer.text


def test_health_needs_no_account(plant: Plant) -> None:
    client = plant.client()
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "tree_size": 5, "publisher": "idle"}


def test_a_database_whose_schema_is_not_ours_is_not_ready(plant: Plant, caplog: pytest.LogCaptureFixture) -> None:
    with plant.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'older'")
    client = plant.client()
    answer = client.get("/readyz")
    refusals(answer, 503, "store-unavailable")
    assert "db upgrade" in caplog.text  # what to do is for the server's log: strangers may ask this address
    assert "schema" not in answer.text
    assert client.get("/healthz").status_code == 200


def test_a_request_id_is_echoed_if_it_is_harmless_and_made_if_not(plant: Plant) -> None:
    client = plant.client()
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = client.get("/healthz", headers={"X-Request-ID": "a b<script>"}).headers["x-request-id"]
    assert uuid.UUID(made).version == 7


@pytest.mark.parametrize(
    "path", ["/", "/login", "/verify", "/problems", "/nowhere", "/api/v1/batches", "/static/style.css"]
)
def test_every_answer_carries_the_security_headers(plant: Plant, path: str) -> None:
    headers = plant.client().get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store")


def test_the_interface_describes_itself_with_every_refusal(plant: Plant) -> None:
    client = plant.client()
    description = client.get("/api/v1/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    assert set(description["paths"]) == {
        "/healthz",
        "/readyz",
        "/api/v1/batches",
        "/api/v1/batches/{batch_id}",
        "/api/v1/batches/{batch_id}/trace",
        "/api/v1/batches/{batch_id}/footprint",
        "/api/v1/receipts",
        "/api/v1/steps",
        "/api/v1/submissions/{number}",
        "/api/v1/certificates/verify",
        "/checkpoint",
        "/tile/entries/{index}",
        "/tile/{path}",
    }
    for path, operations in description["paths"].items():
        for operation in operations.values():
            assert operation["operationId"]
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    (content,) = response["content"].values()
                    assert content["schema"] == {"$ref": "#/components/schemas/ProblemDetails"}, (path, status)
    references = {
        text.partition('"')[0] for text in client.get("/api/v1/openapi.json").text.split('"#/components/schemas/')[1:]
    }
    assert references <= set(description["components"]["schemas"])


def test_no_documentation_page_that_loads_scripts_from_elsewhere_is_served(plant: Plant) -> None:
    assert plant.client().get("/docs").status_code == 404
    assert plant.client().get("/redoc").status_code == 404
