"""The log over HTTP: checkpoint and hashes for everybody, entries for those who may read, nothing unsigned."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.publishing import Reporter, running_publisher
from ledger.errors import StoreError, problem
from ledger.log.checkpoint import make_verifier_key, parse_checkpoint
from ledger.log.cosignature import WitnessPolicy
from ledger.log.keyring import single_key
from ledger.report import Check, failed
from ledger.service.append import Draft, append_entries
from ledger.service.checkpoints import make_checkpoint
from ledger.service.publisher import Round, publish
from ledger.service.read import entry_bytes, head
from ledger.service.static_proof import prove_from
from ledger.store.static_log import StaticLog
from ledger.store.tile_folder import TileFolder
from tests.web_plant import RECEIPT, Plant
from tests.witness_samples import WITNESSES

PATHS = ["/checkpoint", "/tile/0/000.p/5", "/tile/entries/000.p/5"]


@pytest.fixture
def long_plant(any_plant: Plant) -> Plant:
    """A plant whose log has 258 entries: a full tile, two more leaves, and one hash above."""
    drafts = [Draft("receipt", RECEIPT | {"batch_id": f"L-{number}"}) for number in range(253)]
    append_entries(any_plant.ledger, drafts, any_plant.actor)
    return any_plant


def test_without_a_checkpoint_nothing_is_served(plant: Plant) -> None:
    program = plant.program()
    for path in PATHS:
        answer = program.get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems#not-found")


def test_checkpoint_and_hashes_need_no_account(any_plant: Plant) -> None:
    note = make_checkpoint(any_plant.ledger)
    client = any_plant.client()
    answer = client.get("/checkpoint")
    assert (answer.status_code, answer.text) == (200, note)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=1"
    answer = client.get("/tile/0/000.p/5")
    assert (answer.status_code, len(answer.content)) == (200, 5 * 32)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_entries_are_for_readers_and_for_no_cache(any_plant: Plant) -> None:
    make_checkpoint(any_plant.ledger)
    path = "/tile/entries/000.p/5"
    answer = any_plant.client().get(path)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems#not-logged-in")
    answer = any_plant.program("write").get(path)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems#not-allowed")
    for reader in (any_plant.program("read"), any_plant.browser()):
        answer = reader.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        first = entry_bytes(any_plant.ledger, [0])[0]
        assert answer.content.startswith(len(first).to_bytes(2, "big") + first)


def test_entries_are_sent_compressed_to_those_who_can_unpack_them_and_hashes_as_they_are(plant: Plant) -> None:
    make_checkpoint(plant.ledger)
    program = plant.program("read")
    lengths, contents = {}, set()
    for accepted in ("gzip", "identity"):
        answer = program.get("/tile/entries/000.p/5", headers={"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == ("gzip" if accepted == "gzip" else None)
        assert answer.headers["vary"] == "Accept-Encoding"
        lengths[accepted] = int(answer.headers["content-length"])
        contents.add(answer.content)
        hashes = program.get("/tile/0/000.p/5", headers={"Accept-Encoding": accepted})
        assert "content-encoding" not in hashes.headers
    (content,) = contents
    assert lengths["gzip"] < lengths["identity"] == len(content)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", PATHS)
def test_head_says_what_get_would(plant: Plant, path: str, method: str) -> None:
    make_checkpoint(plant.ledger)
    program = plant.program()
    whole = program.get(path)
    answer = program.request(method, path)
    assert answer.status_code == 200
    assert answer.headers["content-length"] == whole.headers["content-length"]
    assert answer.content == (whole.content if method == "GET" else b"")


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/000.p/6",  # beyond the checkpoint
        "/tile/0/000",
        "/tile/0/001.p/1",
        "/tile/1/000.p/1",
        "/tile/entries/000.p/6",
        "/tile/entries/000",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/00/000.p/5",
        "/tile/0/0.p/5",
        "/tile/7/000.p/1",
        "/tile/64/000.p/1",
        "/tile/0/x000/000.p/5",
        "/tile/0/000.p/5/",
        "/tile/entries/%2e%2e/0/000.p/5",
        "/tile/%30/000.p/05",
        "/tile/",
        "/tile/0/" + "x001/" * 300 + "000",
    ],
)
def test_what_the_checkpoint_does_not_cover_or_is_misspelt_is_not_found(plant: Plant, path: str) -> None:
    make_checkpoint(plant.ledger)
    plant.log("receipt", RECEIPT)
    assert head(plant.ledger).tree_size == 6
    answer = plant.program().get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_every_file_over_http_is_the_one_in_the_folder(long_plant: Plant, tmp_path: Path) -> None:
    folder = tmp_path / "tiles"
    publish(long_plant.ledger, TileFolder(folder))
    program = long_plant.program("read")
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    assert {str(path.relative_to(folder)) for path in files} == {
        "checkpoint",
        *("tile/0/000", "tile/0/001.p/2", "tile/1/000.p/1"),
        *("tile/entries/000", "tile/entries/001.p/2"),
    }
    for path in files:
        assert program.get(f"/{path.relative_to(folder)}").content == path.read_bytes()


def test_a_reader_proves_every_kind_of_place_from_what_is_served(long_plant: Plant) -> None:
    make_checkpoint(long_plant.ledger)
    program = long_plant.program("read")

    def get(path: str, most_bytes: int) -> bytes | None:
        answer = program.get(f"/{path}")
        return answer.content if answer.status_code == 200 else None

    key = make_verifier_key(long_plant.ledger.origin, long_plant.ledger.signing_key().public_key())
    source = StaticLog("the application", get)
    for seq in (0, 255, 256, 257):
        found = prove_from(source, seq, single_key(key))
        assert found.entry == entry_bytes(long_plant.ledger, [seq])[0]


# --- the publisher in the background ----------------------------------------------------------------------------------


def wait_until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if true():
            return
        pause.wait(0.02)
    raise AssertionError("not within 20 seconds")


@pytest.fixture
def publishing(plant: Plant, tmp_path: Path) -> Iterator[tuple[Plant, Path]]:
    folder = tmp_path / "tiles"
    services = plant.app.state.services
    settings = services.settings.model_copy(update={"tiles_dir": folder, "publish_seconds": 1})
    with running_publisher(settings, plant.ledger, services.publishing):
        yield plant, folder
    assert "publisher" not in {thread.name for thread in threading.enumerate()}, "it ends with its server"


def test_the_server_publishes_what_is_logged_hashes_alone(publishing: tuple[Plant, Path]) -> None:
    plant, folder = publishing
    published = folder / "checkpoint"
    wait_until(lambda: published.exists() and parse_checkpoint(published.read_text())[0].tree_size == 5)
    plant.log("receipt", RECEIPT)
    wait_until(lambda: parse_checkpoint(published.read_text())[0].tree_size == 6)
    assert not (folder / "tile" / "entries").exists(), "a static server knows no accounts"


def test_a_fault_of_the_program_does_not_end_the_publisher_and_is_seen_in_health_and_log(
    plant: Plant, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A witness's client that stumbles over what nobody thought of, as an example; then it is mended."""
    asked: list[str] = []

    def ask(note: str, _path_from: object) -> tuple[str, list[Check]]:
        asked.append(note)
        if len(asked) == 1:
            raise ZeroDivisionError("nobody thought of it")
        return note, []

    services = plant.app.state.services
    # One that has an address and never signs is asked in every round.
    policy = WitnessPolicy(0, WITNESSES[:1], ("http://127.0.0.1:1",))
    ledger = replace(plant.ledger, witnesses=policy, ask_witnesses=ask)
    settings = services.settings.model_copy(update={"tiles_dir": tmp_path / "tiles", "publish_seconds": 1})
    client = plant.client()
    with (
        caplog.at_level(logging.WARNING, "magnet_ledger.publisher"),
        running_publisher(settings, ledger, services.publishing),
    ):
        wait_until(lambda: client.get("/readyz").json()["publisher"] == "failing")
        wait_until(lambda: client.get("/readyz").json()["publisher"] == "publishing")
    first, last = caplog.records
    assert first.message == "nothing published: unforeseen ZeroDivisionError: nobody thought of it"
    assert first.exc_info, "whoever mends it needs to know where"
    assert last.message == "publishing again"


def test_an_application_runs_the_publisher_only_if_its_settings_say_so(plant: Plant) -> None:
    with plant.client() as client:
        assert client.get("/healthz").status_code == 200
        assert "publisher" not in {thread.name for thread in threading.enumerate()}


def test_what_stays_broken_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    report = Reporter()
    broken = StoreError(problem("/tiles_dir", "full", "room", "Make room."))
    good = Round("note", 1, is_new=True)
    with caplog.at_level(logging.WARNING, "magnet_ledger.publisher"):
        for result in (good, broken, broken, replace(good, findings=[failed("witnesses", "w1 is down")]), good, good):
            report(result)
    assert [record.message for record in caplog.records] == [
        f"nothing published: store-unavailable: {broken}",
        "witnesses: w1 is down",
        "publishing again",
    ]
