"""What a witness has seen, under races, crashes and hands in its file."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from api.witness.folder import Witness, make_witness, open_witness, read_vkey
from ledger.errors import StoreError, problem
from ledger.log.add_checkpoint import COSIGNED, INCONSISTENT, OTHER_SIZE_SEEN, UNKNOWN_LOG, Answer, Seen
from ledger.log.checkpoint import Checkpoint, parse_checkpoint
from ledger.log.cosignature import cosign, cosignatures_of, make_witness_key, parse_witness_vkey
from ledger.log.merkle import root_hash
from ledger.log.split_view import check_split_view
from ledger.report import Outcome
from tests.log_samples import ORIGIN
from tests.served_witness import FORKED, LEAVES, NAME, NOW, VKEY, note, request
from tests.witness_samples import KEYS, SIGNED_AT

ROOT = Path(__file__).parents[3]


def sign(checkpoint: Checkpoint) -> str:
    return cosign(checkpoint, NAME, KEYS[0], SIGNED_AT)


def sizes_seen(witness: Witness) -> int | None:
    seen = witness.store.seen(ORIGIN)
    return None if seen is None else seen.tree_size


def test_what_was_cosigned_is_seen_after_opening_the_folder_again(witness: Witness) -> None:
    answer, line = witness.add_checkpoint(request(0, 5))
    assert answer.status == COSIGNED
    again = open_witness(witness.refused_dir.parent, lambda: NOW)
    assert again.store.seen(ORIGIN) == Seen(5, root_hash(LEAVES[:5]), note(5) + line)
    assert again.add_checkpoint(request(0, 7))[0] == Answer(OTHER_SIZE_SEEN, "the last size cosigned is 5", seen_size=5)


def test_the_line_is_the_witness_s_cosignature_at_its_clock_s_time(witness: Witness) -> None:
    key = make_witness_key(witness.name, witness.key.public_key())
    _, line = witness.add_checkpoint(request(0, 5))
    assert cosignatures_of(note(5) + line, [key]) == [(key, int(NOW.timestamp()))]


def test_a_log_that_was_not_added_is_unknown(tmp_path: Path) -> None:
    make_witness(tmp_path / "w", NAME)
    stranger = open_witness(tmp_path / "w", lambda: NOW)
    assert stranger.add_checkpoint(request(0, 5))[0].status == UNKNOWN_LOG
    assert stranger.store.add_log_key(VKEY)
    assert not stranger.store.add_log_key(VKEY)
    assert stranger.add_checkpoint(request(0, 5))[0].status == COSIGNED


def test_while_one_request_is_being_signed_another_waits_for_its_outcome(witness: Witness) -> None:
    # The specification's race: A for size 5 and B for size 8, both from 3. If B were compared before A is stored, both
    # would be signed, and the later store would win.
    witness.add_checkpoint(request(0, 3))
    reached, go_on = threading.Event(), threading.Event()

    def slow(checkpoint: Checkpoint) -> str:
        reached.set()
        assert go_on.wait(10)
        return sign(checkpoint)

    with ThreadPoolExecutor(2) as pool:
        slower = pool.submit(witness.store.add_checkpoint, request(3, 5), slow)
        assert reached.wait(10)
        other = pool.submit(witness.store.add_checkpoint, request(3, 8), sign)
        assert not wait([other], timeout=0.3).done, "the second request was answered before the first was stored"
        go_on.set()
        assert slower.result(10)[0].status == COSIGNED
        assert other.result(10)[0].seen_size == 5
    assert sizes_seen(witness) == 5


def test_two_processes_wait_for_each_other_too(witness: Witness, tmp_path: Path) -> None:
    witness.add_checkpoint(request(0, 3))
    reached, go_on = tmp_path / "reached", tmp_path / "go-on"
    arguments = [str(witness.refused_dir.parent), "3", "5", str(reached), str(go_on)]
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.witness.holder", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 30
        while not reached.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(witness.store.add_checkpoint, request(3, 8), sign)
            assert not wait([other], timeout=0.3).done, "the second request was answered before the first was stored"
            go_on.touch()
            assert holder.communicate(timeout=30)[0].strip() == str(COSIGNED)
            assert other.result(10)[0].seen_size == 5
    finally:
        holder.kill()
        holder.wait()


def test_a_witness_killed_while_signing_has_seen_and_signed_nothing(witness: Witness, tmp_path: Path) -> None:
    witness.add_checkpoint(request(0, 3))
    reached = tmp_path / "reached"
    arguments = [str(witness.refused_dir.parent), "3", "5", str(reached), str(tmp_path / "never")]
    holder = subprocess.Popen([sys.executable, "-m", "tests.integration.witness.holder", *arguments], cwd=ROOT)
    deadline = time.monotonic() + 30
    while not reached.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    holder.kill()
    holder.wait()
    assert sizes_seen(witness) == 3
    assert witness.add_checkpoint(request(3, 8))[0].status == COSIGNED


def test_many_threads_at_once_never_take_the_log_back(witness: Witness) -> None:
    signed: list[int] = []  # in the order of signing, which is under the lock

    def record(checkpoint: Checkpoint) -> str:
        signed.append(checkpoint.tree_size)
        return sign(checkpoint)

    def ask(seed: int) -> None:
        drawn = random.Random(seed)
        for _ in range(12):
            new = drawn.randint(1, 40)
            answer = witness.store.add_checkpoint(request(0, new), record)[0]
            if answer.seen_size is not None and answer.seen_size <= new:
                witness.store.add_checkpoint(request(answer.seen_size, new), record)

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(ask, seed) for seed in range(6)]:
            done.result(60)
    assert signed == sorted(signed)
    assert signed[-1] == sizes_seen(witness)


def test_if_signing_fails_nothing_is_seen(witness: Witness) -> None:
    def fail(_: Checkpoint) -> str:
        raise StoreError(problem("", "no key", "a key", "Plug it in."))

    with pytest.raises(StoreError, match="no key"):
        witness.store.add_checkpoint(request(0, 5), fail)
    assert sizes_seen(witness) is None


def test_a_second_story_of_the_same_size_is_kept_as_evidence_that_convinces(witness: Witness) -> None:
    witness.add_checkpoint(request(0, 7))
    told_again = request(7, 7, FORKED)
    assert witness.add_checkpoint(told_again)[0].status == INCONSISTENT
    assert witness.add_checkpoint(told_again)[0].status == INCONSISTENT  # kept once
    (kept,) = witness.refused_dir.iterdir()
    assert kept.suffix == ".split-view"
    assert check_split_view(kept.read_text(encoding="utf-8"), [VKEY]).outcome is Outcome.PASSED
    assert sizes_seen(witness) == 7


def test_a_second_story_of_another_size_is_kept_as_the_request_that_was_refused(witness: Witness) -> None:
    witness.add_checkpoint(request(0, 7))
    assert witness.add_checkpoint(request(7, 9, FORKED))[0].status == INCONSISTENT
    (kept,) = witness.refused_dir.iterdir()
    assert kept.suffix == ".request"
    assert kept.read_text(encoding="utf-8").endswith(note(9, FORKED))


def test_a_refusal_stands_even_if_it_cannot_be_kept(witness: Witness) -> None:
    witness.add_checkpoint(request(0, 7))
    witness.refused_dir.rmdir()
    assert witness.add_checkpoint(request(7, 7, FORKED))[0].status == INCONSISTENT


def test_the_file_refuses_to_go_back_even_by_hand(witness: Witness) -> None:
    witness.add_checkpoint(request(0, 7))
    with sqlite3.connect(witness.store.path) as connection:
        connection.execute("PRAGMA recursive_triggers = ON")
        for statement in (
            "UPDATE seen SET tree_size = 6",
            "DELETE FROM seen",
            f"REPLACE INTO seen VALUES ('{ORIGIN}', 6, x'00', '')",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                connection.execute(statement)
    assert sizes_seen(witness) == 7


def test_a_file_that_has_gone_is_not_made_anew(witness: Witness) -> None:
    witness.store.path.unlink()
    with pytest.raises(StoreError, match=r"witness\.db"):
        witness.add_checkpoint(request(0, 5))
    with pytest.raises(StoreError, match=r"witness\.db"):
        open_witness(witness.refused_dir.parent, lambda: NOW)
    assert not witness.store.path.exists()


def test_a_damaged_file_is_an_error_of_the_store(witness: Witness) -> None:
    witness.store.path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError):
        witness.add_checkpoint(request(0, 5))


# The folder


def test_a_witness_is_made_once_and_its_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    vkey = make_witness(folder, NAME)
    assert parse_witness_vkey(vkey).name == NAME
    assert read_vkey(folder) == vkey
    modes = {name: (folder / name).stat().st_mode & 0o777 for name in ("witness.key", "witness.db", "witness.vkey")}
    assert modes == {"witness.key": 0o600, "witness.db": 0o600, "witness.vkey": 0o644}
    with pytest.raises(StoreError, match="no such file yet"):
        make_witness(folder, NAME)
    assert read_vkey(folder) == vkey


def test_a_key_with_a_passphrase_needs_it(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    make_witness(folder, NAME, b"magnet")
    assert b"ENCRYPTED" in (folder / "witness.key").read_bytes()
    assert open_witness(folder, lambda: NOW, b"magnet").name == NAME
    for wrong in (None, b"other"):
        with pytest.raises(StoreError):
            open_witness(folder, lambda: NOW, wrong)


def test_a_key_that_is_not_that_of_the_verifier_key_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_witness(tmp_path / name, NAME)
    (tmp_path / "a" / "witness.key").write_bytes((tmp_path / "b" / "witness.key").read_bytes())
    with pytest.raises(StoreError, match=r"the key of witness\.vkey"):
        open_witness(tmp_path / "a", lambda: NOW)


def test_a_folder_without_a_witness_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="witness init"):
        read_vkey(tmp_path)


def test_lines_that_whoever_asks_adds_are_not_kept(witness: Witness) -> None:
    asked = request(0, 5)
    stranger = cosign(note(5), "stranger.example.com", KEYS[1], SIGNED_AT)
    _, line = witness.add_checkpoint(type(asked)(0, (), asked.note + stranger))
    seen = witness.store.seen(ORIGIN)
    assert seen is not None
    assert [one.name for one in parse_checkpoint(seen.note)[1]] == [ORIGIN, NAME]
    assert seen.note.endswith(line)
