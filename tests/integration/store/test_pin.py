"""The pin moves by compare-and-swap: whoever starts from an older pin is told, in this process or in another."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ledger.errors import ConflictError, StoreError
from ledger.store import pin
from ledger.store.pin import read_pin, swap_pin, write_file, write_pin

ROOT = Path(__file__).parents[3]


def test_a_pin_is_swapped_only_for_the_one_that_was_expected(tmp_path: Path) -> None:
    path = tmp_path / "pins" / "site-1.checkpoint"
    swap_pin(path, None, "first\n")
    swap_pin(path, "first\n", "second\n")
    for expected in (None, "first\n", "", "second"):
        with pytest.raises(ConflictError) as caught:
            swap_pin(path, expected, "third\n")
        assert "second" in str(caught.value), "what is pinned is named"
    assert read_pin(path) == "second\n"


def test_where_a_pin_was_expected_none_is_no_match(tmp_path: Path) -> None:
    with pytest.raises(ConflictError):
        swap_pin(tmp_path / "pin", "first\n", "second\n")
    assert read_pin(tmp_path / "pin") is None


def test_line_ends_of_a_pin_are_not_repaired(tmp_path: Path) -> None:
    write_pin(tmp_path / "pin", "a\r\nb\n")
    assert read_pin(tmp_path / "pin") == "a\r\nb\n"
    with pytest.raises(ConflictError):
        swap_pin(tmp_path / "pin", "a\nb\n", "c\n")


def test_of_threads_that_start_from_the_same_pin_one_moves_it(tmp_path: Path) -> None:
    path = tmp_path / "pin"
    moved: list[int] = []
    told: list[int] = []
    start = threading.Barrier(8)

    def swap(number: int) -> None:
        start.wait()
        try:
            swap_pin(path, None, f"{number}\n")
            moved.append(number)
        except ConflictError:
            told.append(number)

    threads = [threading.Thread(target=swap, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(moved) == 1
    assert len(told) == 7
    assert read_pin(path) == f"{moved[0]}\n"


SWAPPER = """
import sys
from pathlib import Path
from ledger.errors import ConflictError
from ledger.store.pin import read_pin, swap_pin
path, swaps = Path(sys.argv[1]), 0
while swaps < 25:
    held = read_pin(path)
    try:
        swap_pin(path, held, str(int(held or 0) + 1))
        swaps += 1
    except ConflictError:
        pass
"""


def test_no_swap_of_several_processes_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "pin"
    command = [sys.executable, "-c", SWAPPER, str(path)]
    children = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    # Each of 3 processes added 1 to what it had read, 25 times: a swap over somebody else's would lose a count.
    assert read_pin(path) == "75"


def test_a_lock_that_is_held_too_long_is_an_error_and_moves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pin"
    swap_pin(path, None, "first\n")
    monkeypatch.setattr(pin, "LOCK_SECONDS", 0.02)
    holder = os.open(path.with_name("pin.lock"), os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(StoreError, match=r"pin\.lock"):
        swap_pin(path, "first\n", "second\n")
    assert read_pin(path) == "first\n"
    os.close(holder)
    swap_pin(path, "first\n", "second\n")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_swap_that_cannot_be_made_durable_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "pin"
    swap_pin(path, None, "first\n")

    def fail(*_arguments: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as broken:
        broken.setattr(*(os, "fsync") if call == "fsync" else (Path, "replace"), fail)
        with pytest.raises(StoreError, match="no room"):
            swap_pin(path, "first\n", "second\n")
    assert read_pin(path) == "first\n"
    swap_pin(path, "first\n", "second\n")
    assert read_pin(path) == "second\n"


def test_a_link_in_the_way_of_a_file_to_be_written_is_not_followed(tmp_path: Path) -> None:
    """Who may write in the published folder must not reach what the publisher may write, such as its keys."""
    key = tmp_path / "log.key"
    key.write_text("secret")
    (tmp_path / "checkpoint.new").symlink_to(key)
    with pytest.raises(OSError, match="symbolic link"):
        write_file(tmp_path / "checkpoint", b"note")
    assert key.read_text() == "secret"
