"""The publisher: signs only what extends the pin, survives a crash between any two steps, publishes checkpoint last."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import (
    BadSignatureError,
    BrokenLinkError,
    ConflictError,
    RootMismatchError,
    StoreError,
    VerificationError,
)
from ledger.log.checkpoint import Checkpoint, parse_checkpoint, parse_vkey, sign_checkpoint, verify_checkpoint
from ledger.log.cosignature import WitnessPolicy, add_signature_lines, cosign, make_witness_key
from ledger.log.envelope import parse_envelope
from ledger.log.forms import parse_time
from ledger.log.keyring import single_key
from ledger.log.merkle import leaf_hash, root_hash, verify_consistency
from ledger.log.tiles import Bundle, Tile, path_of
from ledger.report import Check, Outcome, failed
from ledger.service import checkpoints, publisher
from ledger.service.append import append_entries
from ledger.service.checkpoints import make_checkpoint, newest_checkpoint
from ledger.service.context import Ledger, State
from ledger.service.publisher import Round, check_published, publish, publish_tiles, run_publisher
from ledger.service.read import entry_bytes, head
from ledger.service.static_proof import prove_from
from ledger.store.pin import read_pin, write_pin
from ledger.store.static_log import open_static_log
from ledger.store.tile_folder import TileFolder
from tests.store_samples import (
    ACTOR,
    LOG_KEY,
    ORIGIN,
    VKEY,
    append_receipts,
    drop_guards,
    execute,
    make_ids,
    make_ledger,
    receipt,
    rows,
    start_log,
)

KEY = parse_vkey(VKEY)
LATENESS = (timedelta(seconds=30), timedelta(days=1))
"""Before the minute that an entry may wait, and well after it and the few that the sample's clock runs."""
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(96, 128)))
WITNESS = make_witness_key("witness.example/w1", WITNESS_KEY.public_key())


class Crash(BaseException):
    """What a killed process does not come back from; no handler for errors may catch it."""


def notes_of(ledger: Ledger) -> dict[int, str]:
    return dict(rows(ledger.engine, "SELECT tree_size, note FROM checkpoint"))


def leaves_of(ledger: Ledger) -> list[bytes]:
    return [leaf_hash(data) for data in entry_bytes(ledger, range(head(ledger).tree_size))]


def evidence_of(ledger: Ledger) -> list[dict[str, Any]]:
    folder = ledger.pin_path.parent / "evidence"
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {".lock"}


def check_folder(ledger: Ledger, folder: Path) -> None:
    """Every entry is proved from the files alone, under a checkpoint of the log's present size."""
    source = open_static_log(str(folder))
    for seq, data in enumerate(entry_bytes(ledger, range(head(ledger).tree_size))):
        found = prove_from(source, seq, single_key(KEY))
        assert (found.entry, found.checkpoint.tree_size) == (data, head(ledger).tree_size)


# --- rounds -----------------------------------------------------------------------------------------------------------


def test_a_round_signs_pins_keeps_and_publishes(ledger: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "tiles"
    done = publish(ledger, TileFolder(folder))
    assert (done.tree_size, done.is_new, done.published, done.findings) == (3, True, True, [])
    assert verify_checkpoint(done.note, KEY).root == root_hash(leaves_of(ledger))
    assert done.note == read_pin(ledger.pin_path) == newest_checkpoint(ledger)
    assert (folder / "checkpoint").read_text(encoding="utf-8") == done.note
    assert files_of(folder) == {"checkpoint", "tile/0/000.p/3", "tile/entries/000.p/3"}
    check_folder(ledger, folder)


def test_a_round_without_new_entries_signs_nothing(ledger: Ledger, tmp_path: Path) -> None:
    folder = TileFolder(tmp_path / "tiles")
    first = publish(ledger, folder)
    again = publish(ledger, folder)
    assert again == replace(first, is_new=False)
    assert list(notes_of(ledger)) == [3]


def test_what_is_hashed_again_is_what_came_since_the_pin(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    append_receipts(ledger, 1, 2)
    publish(ledger)
    append_receipts(ledger, 3, 2)
    hashed: list[bytes] = []
    monkeypatch.setattr(checkpoints, "leaf_hash", lambda data: hashed.append(data) or leaf_hash(data))
    publish(ledger)
    assert hashed == entry_bytes(ledger, [5, 6])
    hashed.clear()
    publish(ledger, full=True)
    assert hashed == entry_bytes(ledger, range(7))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entry SET data = (SELECT data FROM entry WHERE seq = 3) WHERE seq = 4",
        "UPDATE entry SET leaf_hash = (SELECT leaf_hash FROM entry WHERE seq = 3) WHERE seq = 4",
        "DELETE FROM entry WHERE seq = 4",
    ],
)
def test_a_new_entry_that_was_changed_is_not_signed(ledger: Ledger, damage: str) -> None:
    publish(ledger)
    pinned = read_pin(ledger.pin_path)
    append_receipts(ledger, 1, 3)
    drop_guards(ledger.engine)
    execute(ledger.engine, damage)
    with pytest.raises(BrokenLinkError):
        publish(ledger)
    assert read_pin(ledger.pin_path) == pinned
    assert list(notes_of(ledger)) == [3]


# --- rollback and fork ------------------------------------------------------------------------------------------------


def cut_to(ledger: Ledger, size: int, leaves: list[bytes]) -> None:
    """What an older backup put back looks like: fewer entries, a head row that fits them, no later checkpoint."""
    drop_guards(ledger.engine)
    frontier = checkpoints.Frontier().extend(leaves[:size])
    execute(ledger.engine, f"DELETE FROM entry WHERE seq >= {size}")
    execute(ledger.engine, f"DELETE FROM checkpoint WHERE tree_size > {size}")
    execute(
        ledger.engine,
        "UPDATE head SET tree_size = :size, last_leaf_hash = :leaf, frontier = :peaks",
        size=size,
        leaf=leaves[size - 1],
        peaks=b"".join(frontier.peaks),
    )


def test_a_rollback_is_refused_with_both_notes_as_evidence(ledger: Ledger) -> None:
    kept = publish(ledger).note
    append_receipts(ledger, 1, 3)
    pinned = publish(ledger).note
    leaves = leaves_of(ledger)
    cut_to(ledger, 4, leaves)
    for _ in range(2):  # a loop that keeps trying adds no second file
        with pytest.raises(VerificationError, match="evidence"):
            publish(ledger)
        (evidence,) = evidence_of(ledger)
    assert evidence["kind"] == "rollback"
    assert (evidence["pinned"], evidence["kept"]) == (pinned, kept)
    assert (evidence["tree_size"], evidence["root"]) == (4, root_hash(leaves[:4]).hex())
    assert read_pin(ledger.pin_path) == pinned
    assert list(notes_of(ledger)) == [3]


def test_a_fork_is_refused_whatever_its_size(ledger: Ledger) -> None:
    append_receipts(ledger, 1, 2)
    pinned = publish(ledger).note
    drop_guards(ledger.engine)
    for table in ("entry", "tile", "private_field", "checkpoint", "batch_row", "entry_batch"):
        execute(ledger.engine, f"DELETE FROM {table}")
    execute(ledger.engine, "UPDATE head SET tree_size = 0, last_leaf_hash = :n, frontier = :n", n=b"")
    forged = replace(ledger, new_id=make_ids(9), state=State())
    start_log(forged)
    append_receipts(forged, 1, 2)
    for more in (0, 1):  # as long as what was signed, and longer
        append_receipts(forged, 3, more)
        with pytest.raises(RootMismatchError, match="evidence"):
            publish(forged)
    kinds = {evidence["kind"] for evidence in evidence_of(ledger)}
    assert kinds == {"fork"}
    assert all(evidence["pinned"] == pinned for evidence in evidence_of(ledger))
    assert read_pin(ledger.pin_path) == pinned
    assert notes_of(ledger) == {}


def test_an_older_pin_put_back_does_not_make_the_log_forget_what_it_signed(ledger: Ledger) -> None:
    old = publish(ledger).note
    append_receipts(ledger, 1, 2)
    publish(ledger)
    leaves = leaves_of(ledger)
    write_pin(ledger.pin_path, old)
    notes = notes_of(ledger)
    cut_to(ledger, 4, leaves)
    execute(ledger.engine, f"INSERT INTO checkpoint VALUES ('{ORIGIN}', 5, :note)", note=notes[5])
    with pytest.raises(VerificationError, match="entries 4 to 4 are missing"):
        publish(ledger)


def test_what_is_published_must_be_extended_even_if_pin_and_database_were_both_put_back(
    ledger: Ledger, tmp_path: Path
) -> None:
    folder = TileFolder(tmp_path / "tiles")
    old = publish(ledger, folder).note
    append_receipts(ledger, 1, 3)
    published = publish(ledger, folder).note
    write_pin(ledger.pin_path, old)
    cut_to(ledger, 4, leaves_of(ledger))
    with pytest.raises(VerificationError):
        publish(ledger, folder)
    (evidence,) = evidence_of(ledger)
    assert (evidence["kind"], evidence["published"]) == ("rollback", published)
    assert read_pin(ledger.pin_path) == old


def test_two_notes_of_one_size_are_evidence(ledger: Ledger) -> None:
    """The pin is of a size that the database keeps another root for: somebody has used the log's key elsewhere."""
    append_receipts(ledger, 1, 2)
    other = sign_checkpoint(Checkpoint(ORIGIN, 3, root_hash(leaves_of(ledger)[:2])), LOG_KEY)
    execute(ledger.engine, f"INSERT INTO checkpoint VALUES ('{ORIGIN}', 3, :note)", note=other)
    with pytest.raises(RootMismatchError):
        publish(ledger)
    (evidence,) = evidence_of(ledger)
    assert (evidence["kind"], evidence["kept"]) == ("fork", other)
    assert not ledger.pin_path.exists()


def test_evidence_that_cannot_be_written_hides_nothing(ledger: Ledger) -> None:
    append_receipts(ledger, 1, 2)
    publish(ledger)
    cut_to(ledger, 4, leaves_of(ledger))
    (ledger.pin_path.parent / "evidence").write_text("in the way")
    with pytest.raises(VerificationError, match="entries 4 to 4 are missing") as caught:
        publish(ledger)
    assert "evidence" in str(caught.value)


# --- crashes ----------------------------------------------------------------------------------------------------------


def crash_in(patch: pytest.MonkeyPatch, module: Any, name: str, *, after: bool) -> None:
    """Let the process die in this function, before it does its work or just after."""
    true = getattr(module, name)

    def die(*arguments: Any, **named: Any) -> None:
        if after:
            true(*arguments, **named)
        raise Crash

    patch.setattr(module, name, die)


STEPS: list[tuple[Any, str]] = [
    (checkpoints, "sign_checkpoint"),
    (checkpoints, "swap_pin"),
    (checkpoints, "_keep"),
    (publisher, "cosigned"),
    (TileFolder, "write"),
    (publisher, "_write_tiles"),
    (publisher, "_write_bundles"),
    (TileFolder, "write_checkpoint"),
]


@pytest.mark.parametrize("grown", [0, 1], ids=["at the same size", "after more entries"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS, ids=[name for _, name in STEPS])
def test_after_a_crash_at_any_step_the_next_round_carries_on(
    ledger: Ledger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: tuple[Any, str],
    after: bool,
    grown: int,
) -> None:
    folder = tmp_path / "tiles"
    ledger = replace(ledger, witnesses=WitnessPolicy(1, (WITNESS,), ("http://127.0.0.1:1",)))
    signed: dict[int, set[bytes]] = {}
    true_sign = checkpoints.sign_checkpoint

    def sign(checkpoint: Checkpoint, *signers: Any) -> str:
        signed.setdefault(checkpoint.tree_size, set()).add(checkpoint.root)
        return true_sign(checkpoint, *signers)

    monkeypatch.setattr(checkpoints, "sign_checkpoint", sign)
    publish(ledger, TileFolder(folder), witness)
    before = (folder / "checkpoint").read_bytes()
    append_receipts(ledger, 1, 2)
    with monkeypatch.context() as patch:
        crash_in(patch, *step, after=after)
        with pytest.raises(Crash):
            publish(ledger, TileFolder(folder), witness)
    if (folder / "checkpoint").read_bytes() == before:
        # What was published before the crash can still be proved.
        assert prove_from(open_static_log(str(folder)), 2, single_key(KEY)).checkpoint.tree_size == 3
    append_receipts(ledger, 3, grown)
    done = publish(ledger, TileFolder(folder), witness)
    assert done.tree_size == 5 + grown
    assert WITNESS.name in done.note
    assert {size: len(roots) for size, roots in signed.items()} == dict.fromkeys(signed, 1)
    pin = read_pin(ledger.pin_path)
    assert pin is not None
    assert parse_checkpoint(pin)[0].tree_size == 5 + grown
    notes = notes_of(ledger)
    assert notes[5 + grown] == done.note
    swapped = step[1] not in ("sign_checkpoint", "swap_pin") or (step[1] == "swap_pin" and after)
    assert (5 in notes) == (swapped or not grown), "every note that was pinned is kept"
    assert (folder / "checkpoint").read_text(encoding="utf-8") == done.note
    check_folder(ledger, folder)
    assert evidence_of(ledger) == []


def witness(note: str, path_from: Callable[[int], list[bytes]]) -> tuple[str, list[Check]]:
    """A witness that has seen three entries and co-signs what extends them."""
    checkpoint, _ = parse_checkpoint(note)
    assert len(path_from(3)) > 0 or checkpoint.tree_size == 3
    return add_signature_lines(note, [cosign(checkpoint, WITNESS.name, WITNESS_KEY, 1_780_000_000)]), []


# --- two publishers ---------------------------------------------------------------------------------------------------


def test_a_publisher_that_was_overtaken_begins_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(ledger)
    true_sign = checkpoints.sign_checkpoint
    overtaken: list[str] = []

    def sign(checkpoint: Checkpoint, *signers: Any) -> str:
        note = true_sign(checkpoint, *signers)
        if not overtaken:  # another process appends and publishes between our signature and our swap
            overtaken.append(note)
            monkeypatch.setattr(checkpoints, "sign_checkpoint", true_sign)
            append_receipts(ledger, 2, 1)
            assert publish(ledger).tree_size == 5
        return note

    append_receipts(ledger, 1, 1)
    monkeypatch.setattr(checkpoints, "sign_checkpoint", sign)
    assert publish(ledger).tree_size == 5
    assert list(notes_of(ledger)) == [3, 5], "what was signed in vain was given to nobody"
    assert read_pin(ledger.pin_path) == notes_of(ledger)[5]


def test_a_pin_that_never_rests_is_an_error_in_the_end(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def swap(*arguments: object) -> None:
        tried.append(arguments)
        raise ConflictError(checkpoints.problem("/pin", 1, "2", "3"))

    monkeypatch.setattr(checkpoints, "swap_pin", swap)
    with pytest.raises(ConflictError, match="moved by others"):
        publish(ledger)
    assert len(tried) == checkpoints.ATTEMPTS
    assert notes_of(ledger) == {}


def test_publishers_and_appenders_at_once_never_sign_two_roots_for_a_size(ledger: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "tiles"
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - a thread's error must reach the test
            errors.append(error)

    def publish_often() -> None:
        for _ in range(6):
            publish(ledger)

    threads = [threading.Thread(target=run, args=(publish_often,)) for _ in range(3)]
    threads.append(threading.Thread(target=run, args=(lambda: append_receipts(ledger, 1, 12),)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert publish(ledger, TileFolder(folder)).tree_size == 15
    leaves = leaves_of(ledger)
    for size, note in notes_of(ledger).items():
        assert verify_checkpoint(note, KEY) == Checkpoint(ORIGIN, size, root_hash(leaves[:size]))
    check_folder(ledger, folder)


# --- witnesses --------------------------------------------------------------------------------------------------------


def test_cosignatures_are_kept_and_published_and_asked_for_until_they_are_there(ledger: Ledger, tmp_path: Path) -> None:
    ledger = replace(ledger, witnesses=WitnessPolicy(1, (WITNESS,), ("http://127.0.0.1:1",)))
    folder = tmp_path / "tiles"
    asked: list[str] = []

    def absent(note: str, _path_from: object) -> tuple[str, list[Check]]:
        asked.append(note)
        return note, [failed("witnesses", "nobody answers")]

    first = publish(ledger, TileFolder(folder), absent)
    assert [finding.outcome for finding in first.findings] == [Outcome.FAILED]
    assert first.published, "a witness that is away keeps nobody from reading the log"
    second = publish(ledger, TileFolder(folder), absent)
    assert len(asked) == 2
    third = publish(ledger, TileFolder(folder), witness)
    assert not third.is_new
    assert third.note.startswith(second.note)
    assert WITNESS.name in third.note
    assert newest_checkpoint(ledger) == third.note == (folder / "checkpoint").read_text(encoding="utf-8")
    assert publish(ledger, TileFolder(folder), absent).note == third.note
    assert len(asked) == 2, "who has co-signed is not asked again"


def test_the_paths_that_witnesses_are_given_hold(ledger: Ledger) -> None:
    append_receipts(ledger, 1, 4)
    leaves = leaves_of(ledger)
    seen: list[int] = []

    def ask(note: str, path_from: Callable[[int], list[bytes]]) -> tuple[str, list[Check]]:
        checkpoint, _ = parse_checkpoint(note)
        for old_size in range(8):
            path = path_from(old_size)
            verify_consistency(old_size, root_hash(leaves[:old_size]), 7, checkpoint.root, path)
            seen.append(old_size)
        return note, []

    assert publish(ledger, None, ask).findings == []
    assert seen == list(range(8))


@pytest.mark.parametrize(
    "answer",
    [
        lambda note: note.replace("\n3\n", "\n4\n"),
        lambda note: sign_checkpoint(parse_checkpoint(note)[0], WITNESS_KEY),
        lambda note: "",
    ],
    ids=["another size", "our line gone", "nothing"],
)
def test_a_witness_that_changes_the_note_is_a_finding(ledger: Ledger, answer: Callable[[str], str]) -> None:
    done = publish(ledger, None, lambda note, _path_from: (answer(note), []))
    assert [finding.outcome for finding in done.findings] == [Outcome.FAILED]
    assert done.note == newest_checkpoint(ledger) == read_pin(ledger.pin_path)


def test_a_witness_that_fails_with_an_error_is_a_finding(ledger: Ledger) -> None:
    def ask(_note: str, _path_from: object) -> tuple[str, list[Check]]:
        raise BadSignatureError(checkpoints.problem("/witnesses", "nonsense", "an answer", "Try again."))

    assert ["nonsense" in finding.detail for finding in publish(ledger, None, ask).findings] == [True]


# --- the folder -------------------------------------------------------------------------------------------------------


@pytest.fixture
def large(ledger: Ledger) -> Ledger:
    """A ledger of 254 entries: two more fill the first tile."""
    append_entries(ledger, [receipt(f"L-{number}") for number in range(251)], ACTOR)
    return ledger


def test_partial_tiles_go_once_the_full_one_is_there(large: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "tiles"
    assert publish(large, TileFolder(folder)).tree_size == 254
    append_receipts(large, 1, 1)
    publish(large, TileFolder(folder))
    partial = {"tile/0/000.p/254", "tile/0/000.p/255", "tile/entries/000.p/254", "tile/entries/000.p/255"}
    assert files_of(folder) == {"checkpoint"} | partial
    append_receipts(large, 2, 3)
    publish(large, TileFolder(folder))
    full = {"tile/0/000", "tile/1/000.p/1", "tile/entries/000"}
    assert files_of(folder) == {"checkpoint", "tile/0/001.p/2", "tile/entries/001.p/2"} | full
    assert not (folder / "tile/0/000.p").exists()
    check_folder(large, folder)


def test_a_crash_while_partial_tiles_are_dropped_leaves_none_behind_in_the_end(
    large: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tiles"
    publish(large, TileFolder(folder))
    append_receipts(large, 1, 3)
    with monkeypatch.context() as patch:
        crash_in(patch, shutil, "rmtree", after=False)
        with pytest.raises(Crash):
            publish(large, TileFolder(folder))
    assert (folder / "tile/0/000.p/254").exists()
    publish(large, TileFolder(folder))
    assert files_of(folder) == {
        "checkpoint",
        *("tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"),
        *("tile/entries/000", "tile/entries/001.p/1"),
    }


def test_a_published_file_that_was_changed_is_named_and_left_as_it_is(large: Ledger, tmp_path: Path) -> None:
    append_receipts(large, 1, 3)
    folder = tmp_path / "tiles"
    publish(large, TileFolder(folder))
    path = folder / "tile/0/000"
    path.write_bytes(bytes(8192))
    append_receipts(large, 4, 1)
    assert publish(large, TileFolder(folder)).published, "a round writes what is new and reads nothing else"
    with pytest.raises(RootMismatchError, match="tile/0/000") as caught:
        publish(large, TileFolder(folder), full=True)
    assert "evidence" in str(caught.value)
    assert path.read_bytes() == bytes(8192)
    path.rename(tmp_path / "kept")
    publish(large, TileFolder(folder), full=True)
    check_folder(large, folder)


def test_hashes_can_be_published_without_the_entries_and_entries_later(large: Ledger, tmp_path: Path) -> None:
    append_receipts(large, 1, 3)
    folder = tmp_path / "tiles"
    publish(large, TileFolder(folder), with_entries=False)
    assert files_of(folder) == {"checkpoint", "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"}
    found = prove_from(open_static_log(str(folder)), 255, single_key(KEY))
    assert (found.entry, found.leaf_hash) == (None, leaf_hash(entry_bytes(large, [255])[0]))
    append_receipts(large, 4, 1)
    publish(large, TileFolder(folder), with_entries=True)
    assert {"tile/entries/000", "tile/entries/001.p/2"} <= files_of(folder)
    check_folder(large, folder)


def test_damaged_tiles_in_the_database_are_not_published(large: Ledger, tmp_path: Path) -> None:
    """Rows of whole tiles are derived: were one changed, its proofs would fail, so it does not leave the house."""
    append_receipts(large, 1, 3)
    note = make_checkpoint(large)
    folder = TileFolder(tmp_path / "tiles")
    true = publisher.StoredTiles.tile

    def lie(self: publisher.StoredTiles, tile: Tile, /) -> bytes:
        data = true(self, tile)
        return data[32:64] + data[:32] + data[64:] if tile == Tile(0, 0) else data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publisher.StoredTiles, "tile", lie)
        with pytest.raises(RootMismatchError, match="tile above"):
            publish_tiles(large, folder, note)
    assert files_of(folder.path) == set()


def test_two_cannot_write_the_same_folder_at_once(ledger: Ledger, tmp_path: Path) -> None:
    folder = TileFolder(tmp_path / "tiles")
    with folder.locked(), pytest.raises(StoreError, match="being written"):
        publish(ledger, TileFolder(folder.path))
    assert publish(ledger, folder).published


def test_a_larger_tree_that_is_published_already_stays(ledger: Ledger, tmp_path: Path) -> None:
    old = publish(ledger).note
    append_receipts(ledger, 1, 1)
    folder = TileFolder(tmp_path / "tiles")
    new = publish(ledger, folder).note
    publish_tiles(ledger, folder, old)
    assert folder.checkpoint() == new


def test_a_folder_of_another_log_is_left_alone(ledger: Ledger, tmp_path: Path) -> None:
    folder = TileFolder(tmp_path / "tiles")
    publish(ledger, folder)
    with pytest.raises(BadSignatureError):
        publish(replace(ledger, log_key=ACTOR.private_key, pin_path=tmp_path / "other" / "pin"), folder)


def test_a_folder_that_cannot_be_written_is_an_error_after_the_signing(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="tiles_dir"):
        publish(ledger, TileFolder(tmp_path / "file" / "tiles"))


# --- the loop ---------------------------------------------------------------------------------------------------------


def test_the_loop_goes_on_after_a_round_that_failed_and_stops_when_told(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "tiles").write_text("in the way")
    stop = threading.Event()
    results: list[Round | Exception] = []

    def report(result: Round | Exception) -> None:
        results.append(result)
        if len(results) == 1:
            (tmp_path / "tiles").unlink()
        if isinstance(result, Round) or len(results) == 5:
            stop.set()

    loop = threading.Thread(
        target=run_publisher, args=(ledger, 0.01, stop, TileFolder(tmp_path / "tiles")), kwargs={"report": report}
    )
    loop.start()
    loop.join(timeout=30)
    assert not loop.is_alive()
    assert isinstance(results[0], StoreError)
    assert isinstance(results[-1], Round)
    assert results[-1].published
    check_folder(ledger, tmp_path / "tiles")


def test_what_waits_too_long_for_its_checkpoint_or_its_publication_is_found(ledger: Ledger, tmp_path: Path) -> None:
    folder = TileFolder(tmp_path / "tiles")
    received = parse_time(parse_envelope(entry_bytes(ledger, [0])[0]).recv, "/recv")
    soon = replace(ledger, now=lambda: received + LATENESS[0])
    late = replace(ledger, now=lambda: received + LATENESS[1])
    assert check_published(soon, folder, 1).outcome is Outcome.PASSED
    assert check_published(late, folder, 1).outcome is Outcome.FAILED
    assert check_published(late, folder, 0).outcome is Outcome.NOT_CHECKED
    make_checkpoint(ledger)
    assert check_published(late, None, 1).outcome is Outcome.PASSED
    assert "entry 0 waits since" in check_published(late, folder, 1).detail
    publish(ledger, folder)
    assert check_published(late, folder, 1).outcome is Outcome.PASSED


def test_a_loop_over_a_log_without_entries_waits(database_url: str, tmp_path: Path) -> None:
    ledger = make_ledger(database_url, tmp_path)
    stop = threading.Event()
    results: list[Round | Exception] = []

    def report(result: Round | Exception) -> None:
        results.append(result)
        stop.set()

    run_publisher(ledger, 0, stop, report=report)
    assert isinstance(results[0], StoreError)
    ledger.engine.dispose()


def test_names_of_published_files_are_those_of_the_specification(large: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "tiles"
    publish(large, TileFolder(folder))
    assert (folder / path_of(Bundle(0, 254))).is_file()
    assert (folder / path_of(Tile(0, 0, 254))).read_bytes() == b"".join(leaves_of(large))
