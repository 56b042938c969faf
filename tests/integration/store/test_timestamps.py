"""Time stamps: asked for over HTTP from a local authority, verified before they are kept, refused in other forms."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.errors import InputError, StoreError
from ledger.log.timestamp import MAX_TOKEN_BYTES, make_timestamp_request, stamped_bytes, verify_timestamp
from ledger.report import Outcome
from ledger.service import timestamps
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Ledger
from ledger.service.timestamps import (
    ask_authority,
    check_authority,
    timestamp_due,
    timestamp_if_due,
    timestamp_newest,
    timestamp_note,
    verify_timestamps,
)
from tests.local_tsa import Answer, LocalTsa, honest, make_local_tsa, serving
from tests.log_samples import make_log, make_note
from tests.store_samples import append_receipts, execute, rows

REPLY = "application/timestamp-reply"


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> LocalTsa:
    """The authority that is trusted."""
    return make_local_tsa(tmp_path_factory.mktemp("tsa"))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks once, and waits less than half a second."""
    monkeypatch.setattr(timestamps, "RETRIES", 0)
    monkeypatch.setattr(timestamps, "READ_SECONDS", 0.2)
    monkeypatch.setattr(timestamps, "TOTAL_SECONDS", 0.3)


def asking(ledger: Ledger, url: str, tsa: LocalTsa) -> Ledger:
    """The ledger with an authority at `url`, of which the root of `tsa` is expected."""
    return replace(ledger, tsa_url=url, tsa_roots=(tsa.root,))


def kept(ledger: Ledger) -> list[tuple[int, str, bytes]]:
    """The rows of kept tokens."""
    return rows(ledger.engine, "SELECT tree_size, tsa, token FROM timestamp_token ORDER BY tree_size")


def counted(answer: Answer, queries: list[bytes]) -> Answer:
    """The same answers; adds each query to `queries`."""

    def count(query: bytes) -> tuple[int, str, bytes]:
        queries.append(query)
        return answer(query)

    return count


def test_token_is_asked_for_once_verified_and_kept_and_openssl_accepts_it(ledger: Ledger, tsa: LocalTsa) -> None:
    note = make_checkpoint(ledger)
    queries: list[bytes] = []
    with serving(counted(honest(tsa), queries)) as url:
        ours = asking(ledger, url, tsa)
        token = timestamp_note(ours, note)
        assert timestamp_note(ours, note) == token
        assert verify_timestamp(token, note, [tsa.root]) == timestamp_newest(ours)
    assert len(queries) == 1
    assert kept(ledger) == [(3, url, token)]
    assert tsa.openssl_accepts(token, stamped_bytes(note))
    assert [check.outcome for check in verify_timestamps(ours)] == [Outcome.PASSED]


def test_another_token_is_asked_for_where_the_kept_one_does_not_hold_and_the_kept_one_stays(
    ledger: Ledger, tsa: LocalTsa
) -> None:
    note = make_checkpoint(ledger)
    with serving(honest(tsa)) as url:
        ours = asking(ledger, url, tsa)
        first = timestamp_note(ours, note)
        changed = first[:-1] + bytes([first[-1] ^ 1])
        execute(ledger.engine, "UPDATE timestamp_token SET token = :token", token=changed)
        second = timestamp_note(ours, note)
    assert verify_timestamp(second, note, [tsa.root])
    assert kept(ledger) == [(3, url, changed)]
    (check,) = verify_timestamps(ours)
    assert check.outcome is Outcome.FAILED


def test_daily_token_is_due_when_there_is_something_new_and_the_last_one_is_a_day_old(
    ledger: Ledger, tsa: LocalTsa
) -> None:
    """The ledger's clock is that of tokens' ages: it shows 4 May 2026, 8 o'clock and some seconds."""
    start = datetime(2026, 5, 4, 8, 5, tzinfo=UTC)
    with serving(honest(tsa)) as url:
        ours = asking(ledger, url, tsa)
        assert not timestamp_due(ours, start)  # nothing was signed
        make_checkpoint(ledger)
        assert timestamp_due(ours, start)
        assert not timestamp_due(ledger, start)  # no authority is set
        timestamp_newest(ours)
        assert not timestamp_due(ours, start + timedelta(days=9))  # nothing new
        append_receipts(ledger, 1, 1)
        make_checkpoint(ledger)
        assert not timestamp_due(ours, start + timedelta(hours=23))
        assert timestamp_due(ours, start + timedelta(hours=24))
        assert timestamp_if_due(ours) is None  # by its own clock minutes have passed
        tomorrow = replace(ours, now=lambda: start + timedelta(hours=24))
        assert timestamp_if_due(tomorrow) is not None
        assert timestamp_if_due(tomorrow) is None
    assert [size for size, _, _ in kept(ledger)] == [3, 4]
    assert [check.outcome for check in verify_timestamps(ours)] == [Outcome.PASSED] * 2


def test_clock_that_ran_years_ahead_keeps_no_token_from_being_due(ledger: Ledger, tsa: LocalTsa) -> None:
    start = datetime(2026, 5, 4, 8, 5, tzinfo=UTC)
    with serving(honest(tsa)) as url:
        ours = asking(ledger, url, tsa)
        make_checkpoint(ledger)
        timestamp_newest(replace(ours, now=lambda: start + timedelta(days=3650)))
        append_receipts(ledger, 1, 1)
        make_checkpoint(ledger)
        assert timestamp_due(ours, start)
        timestamp_newest(replace(ours, now=lambda: start))
        append_receipts(ledger, 2, 2)
        make_checkpoint(ledger)
        assert not timestamp_due(ours, start), "one a day, also after the clock was mended"


def test_nothing_signed_or_no_authority_or_no_root_is_said_before_anybody_is_asked(
    ledger: Ledger, tsa: LocalTsa
) -> None:
    ours = asking(ledger, "http://127.0.0.1:9/", tsa)
    with pytest.raises(StoreError, match="log checkpoint"):
        timestamp_newest(ours)
    note = make_checkpoint(ledger)
    with pytest.raises(StoreError, match="tsa_url"):
        timestamp_note(ledger, note)
    with pytest.raises(InputError, match=r"NAME\.tsa\.pem"):
        timestamp_note(replace(ours, tsa_roots=()), note)


def test_tokens_are_not_checked_without_a_trusted_root_or_without_any(ledger: Ledger, tsa: LocalTsa) -> None:
    (none,) = verify_timestamps(ledger)
    assert (none.outcome, none.required) == (Outcome.NOT_CHECKED, False)
    make_checkpoint(ledger)
    with serving(honest(tsa)) as url:
        timestamp_newest(asking(ledger, url, tsa))
    (unknown,) = verify_timestamps(ledger)
    assert (unknown.outcome, unknown.required) == (Outcome.NOT_CHECKED, False)


def test_clock_that_is_not_the_authoritys_is_found_before_anything_is_logged(ledger: Ledger, tsa: LocalTsa) -> None:
    """The samples' clock shows May 2026; the authority's is that of the machine."""
    with serving(honest(tsa)) as url:
        ours = asking(ledger, url, tsa)
        with pytest.raises(StoreError, match="clock right"):
            check_authority(ours)
        check_authority(replace(ours, now=lambda: datetime.now(UTC)))
    assert len(kept(ledger)) == 1


def test_busy_authority_is_asked_again(tsa: LocalTsa) -> None:
    note = make_note(make_log(2))
    queries: list[bytes] = []

    def busy_once(query: bytes) -> tuple[int, str, bytes]:
        return honest(tsa)(query) if len(queries) > 1 else (503, "text/plain", b"busy")

    with serving(counted(busy_once, queries)) as url:
        token = ask_authority(url, make_timestamp_request(note, 7))
    assert len(queries) == 2
    assert verify_timestamp(token, note, [tsa.root], nonce=7)


def never(query: bytes) -> tuple[int, str, bytes]:
    time.sleep(1)
    return 200, REPLY, b""


BAD_ANSWERS: dict[str, tuple[Answer, str]] = {
    "a server's error": (lambda query: (500, "text/html", b"<html>"), "HTTP 500"),
    "a refusal": (lambda query: (403, "text/plain", b"pay first"), "HTTP 403"),
    "a page": (lambda query: (200, "text/html", b"<html>Welcome to the hotel's network</html>"), "text/html"),
    "a redirect": (lambda query: (302, REPLY, b""), "HTTP 302"),
    "too much": (lambda query: (200, REPLY, bytes(MAX_TOKEN_BYTES + 1)), "more than"),
    "nothing in time": (never, "timed out"),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
@pytest.mark.usefixtures("impatient")
def test_what_is_no_answer_is_an_error_of_the_environment(name: str) -> None:
    answer, said = BAD_ANSWERS[name]
    with serving(answer) as url, pytest.raises(StoreError, match=said) as caught:
        ask_authority(url, b"query")
    assert "Try again later" in caught.value.problems[0].next_step


@contextmanager
def dripping() -> Iterator[str]:
    """Address of a server that promises 1,000 bytes and sends one every 50 ms."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {REPLY}\r\nContent-Length: 1000\r\n\r\n".encode())
            while not stop.wait(0.05):
                try:
                    connection.sendall(b"0")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        stop.set()
        thread.join()
        listener.close()


@pytest.mark.usefixtures("impatient")
def test_answer_that_drips_is_given_up_on() -> None:
    began = time.monotonic()
    with dripping() as url, pytest.raises(StoreError, match=r"bytes in|no whole answer"):
        ask_authority(url, b"query")
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("impatient")
def test_nobody_at_the_address_is_an_error_of_the_environment() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(StoreError, match="refused"):
        ask_authority(f"http://127.0.0.1:{port}/", b"query")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd", "tsa.example", ""])
def test_address_must_be_one_of_the_web(url: str) -> None:
    with pytest.raises(InputError, match="http"):
        ask_authority(url, b"query")


def replaying(tsa: LocalTsa) -> Answer:
    """Answers every query with one token over the same text, which was asked for with another nonce."""
    seen: list[bytes] = []

    def answer(query: bytes) -> tuple[int, str, bytes]:
        nonce = query.rindex(b"\x02\x08") + 2  # INTEGER of 8 bytes; the nonce is all but the last field
        other = query[:nonce] + bytes([query[nonce] ^ 1]) + query[nonce + 1 :]
        seen.append(other)
        return 200, REPLY, tsa.reply(seen[0])

    return answer


def rejecting(tsa: LocalTsa) -> Answer:
    """Answers every query with a rejection."""
    return lambda query: (200, REPLY, tsa.stamp(query, "-md5"))


def stamping_another_text(tsa: LocalTsa) -> Answer:
    """Answers every query with a token over something else."""
    return lambda query: (200, REPLY, tsa.stamp(b"something else"))


def with_changed_signature(tsa: LocalTsa) -> Answer:
    """Answers honestly, and then changes the last bit."""

    def answer(query: bytes) -> tuple[int, str, bytes]:
        token = tsa.reply(query)
        return 200, REPLY, token[:-1] + bytes([token[-1] ^ 1])

    return answer


def garbage(tsa: LocalTsa) -> Answer:
    """Answers with bytes that are no DER."""
    return lambda query: (200, REPLY, b"no DER")


DISHONEST: dict[str, tuple[Callable[[LocalTsa], Answer], str]] = {
    "a token with another nonce": (replaying, "/nonce"),
    "a rejection": (rejecting, "granted"),
    "a token over another text": (stamping_another_text, "/message_imprint"),
    "a token with a changed signature": (with_changed_signature, "/signature"),
    "garbage": (garbage, "TimeStampResp"),
}


@pytest.mark.parametrize("name", DISHONEST)
def test_answer_that_does_not_hold_is_not_kept(name: str, ledger: Ledger, tsa: LocalTsa) -> None:
    make, said = DISHONEST[name]
    note = make_checkpoint(ledger)
    with serving(make(tsa)) as url, pytest.raises(StoreError, match=said):
        timestamp_note(asking(ledger, url, tsa), note)
    assert kept(ledger) == []


def test_token_of_another_authority_or_of_an_expired_one_is_not_kept(
    ledger: Ledger, tsa: LocalTsa, tmp_path: Path
) -> None:
    note = make_checkpoint(ledger)
    expired = make_local_tsa(tmp_path / "expired", since=datetime.now(UTC) - timedelta(days=9), lasts=timedelta(days=2))
    stranger = make_local_tsa(tmp_path / "stranger")
    for answering, trusted in ((expired, expired), (stranger, tsa)):
        with serving(honest(answering)) as url, pytest.raises(StoreError, match="/signature"):
            timestamp_note(asking(ledger, url, trusted), note)
    assert kept(ledger) == []


@pytest.mark.usefixtures("impatient")
def test_a_server_that_sends_its_head_byte_by_byte_is_given_up_and_holds_up_a_few_threads_at_most() -> None:
    """Each byte comes in time for the limit of a read, so that only the limit of the whole ends it."""
    release = threading.Event()

    def drip(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=drip_on, args=(connection,), daemon=True).start()

    def drip_on(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not release.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        began = time.monotonic()
        for _ in range(timestamps.ASKING_AT_ONCE + 2):
            with pytest.raises(StoreError, match=r"no whole answer|no end of"):
                ask_authority(f"http://127.0.0.1:{server.getsockname()[1]}/", b"query")
        assert time.monotonic() - began < 10
        held = [thread for thread in threading.enumerate() if thread.name == "time-stamp"]
        assert len(held) <= timestamps.ASKING_AT_ONCE
        release.set()
        for thread in held:
            thread.join(timeout=10)
            assert not thread.is_alive()
