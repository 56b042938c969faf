"""Asking a time stamping authority (RFC 3161) for tokens over checkpoints, and keeping them.

A token dates the log by somebody else's clock. It is asked for daily, over the newest checkpoint, and for each
certificate, over the checkpoint that the certificate's proofs lead to. An answer counts only once it has been verified
as any stranger would.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from ledger.errors import InputError, Problem, StoreError, VerificationError, problem
from ledger.log.checkpoint import parse_checkpoint
from ledger.log.forms import format_time, parse_time
from ledger.log.timestamp import MAX_NONCE, MAX_TOKEN_BYTES, Timestamp, make_timestamp_request, verify_timestamp
from ledger.report import Check, Outcome, failed, not_checked, passed
from ledger.service.checkpoints import make_checkpoint, newest_checkpoint
from ledger.service.context import Ledger
from ledger.store import timestamp_rows
from ledger.store.checkpoint_rows import checkpoint_at
from ledger.store.database import read_transaction, write_transaction
from ledger.store.timestamp_rows import KeptTimestamp

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

TIMESTAMP_EVERY = timedelta(days=1)

MAX_CLOCK_DIFFERENCE = timedelta(minutes=10)
"""How far this computer's clock may be from the authority's before a certificate is issued; as much as its verifier
allows between the times in it."""

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
TOTAL_SECONDS = 30.0
"""For all tries together, however slowly an answer's bytes arrive."""

RETRIES = 2

ASKING_AT_ONCE = 4
"""Threads that a server can hold up."""

_PLACES = threading.BoundedSemaphore(ASKING_AT_ONCE)

MAX_FOUND_CHARS = 400
"""Of what an authority said, in an error."""

QUERY_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"

CHECK = "time-stamps"
"""Name of the check that verify_timestamps makes."""


def timestamp_due(ledger: Ledger, now: datetime) -> bool:
    """Whether the newest checkpoint should be stamped: it is not, and the last token is a day old or there is none.

    False where no authority is set, or no checkpoint was made. now: by the clock that tokens are kept with.
    """
    note = newest_checkpoint(ledger)
    if ledger.tsa_url is None or note is None:
        return False
    tree_size = parse_checkpoint(note)[0].tree_size
    with read_transaction(ledger.engine) as connection:
        if timestamp_rows.timestamp_of(connection, ledger.origin, tree_size, ledger.tsa_url) is not None:
            return False
        last = timestamp_rows.last_timestamp(connection, ledger.origin, ledger.tsa_url)
    # The clock may have been set back since: no token would be due until it is there again.
    return last is None or abs(now - parse_time(last.created, "/created")) >= TIMESTAMP_EVERY


def timestamp_newest(ledger: Ledger) -> Timestamp:
    """Have the newest checkpoint stamped and keep the token; what is kept already is not asked for again.

    Raises: StoreError if no checkpoint was made yet; else as timestamp_note.
    """
    note = newest_checkpoint(ledger)
    if note is None:
        raise StoreError(problem("/checkpoint", None, "a signed checkpoint", "Type: magnet-ledger log checkpoint"))
    return verify_timestamp(timestamp_note(ledger, note), note, ledger.tsa_roots)


def timestamp_if_due(ledger: Ledger) -> Timestamp | None:
    """Have the newest checkpoint stamped where timestamp_due says so; for a loop that publishes. None if it was not.

    Raises: as timestamp_newest. Nothing was lost then: the next round asks again.
    """
    return timestamp_newest(ledger) if timestamp_due(ledger, ledger.now()) else None


def timestamp_note(ledger: Ledger, note: str) -> bytes:
    """A verified token over this checkpoint: the one kept, or else a new one, which is kept.

    note: a checkpoint of this log, as it was signed.
    Raises: StoreError if no authority is set, it cannot be reached, or its answer does not hold; InputError if no root
    of an authority is trusted; MalformedProofError if the note is none.
    """
    tsa_url = _tsa_url(ledger)
    tree_size = parse_checkpoint(note)[0].tree_size
    with read_transaction(ledger.engine) as connection:
        kept = timestamp_rows.timestamp_of(connection, ledger.origin, tree_size, tsa_url)
    if kept is not None and _check_token(kept, note, ledger.tsa_roots).outcome is Outcome.PASSED:
        return kept.token
    token, _ = _ask(ledger, note)
    return token


def check_authority(ledger: Ledger) -> None:
    """That the authority answers and its clock agrees with this computer's: before anything is logged that needs it.

    Asks for a token over the newest checkpoint, signing one if there is none yet.
    Raises: StoreError if the clocks differ by more than MAX_CLOCK_DIFFERENCE; else as timestamp_note, make_checkpoint.
    """
    _tsa_url(ledger)
    _, timestamp = _ask(ledger, newest_checkpoint(ledger) or make_checkpoint(ledger))
    now = ledger.now()
    if abs(now - timestamp.gen_time) > MAX_CLOCK_DIFFERENCE:
        raise StoreError(
            problem(
                "/now",
                f"{now:%Y-%m-%d %H:%M} UTC",
                f"{timestamp.gen_time:%Y-%m-%d %H:%M} UTC, as {timestamp.tsa} says, give or take ten minutes",
                "Set this computer's clock right.",
            )
        )


def verify_timestamps(ledger: Ledger) -> list[Check]:
    """Every kept token against its checkpoint, by rising tree size; one check that was not made if there are none."""
    with read_transaction(ledger.engine) as connection:
        kept = timestamp_rows.timestamps(connection, ledger.origin)
        notes = {one.tree_size: checkpoint_at(connection, ledger.origin, one.tree_size) for one in kept}
    if not kept:
        return [not_checked(CHECK, "no checkpoint of this log was time stamped", required=False)]
    return [_check_token(one, notes[one.tree_size], ledger.tsa_roots) for one in kept]


def _check_token(kept: KeptTimestamp, note: str | None, roots: Sequence[bytes]) -> Check:
    what = f"the token over the checkpoint of {kept.tree_size} entries by {kept.tsa}"
    if note is None:
        return failed(CHECK, f"{what}: there is no such checkpoint")
    try:
        timestamp = verify_timestamp(kept.token, note, roots)
    except VerificationError as error:
        return failed(CHECK, f"{what} does not hold: {error}")
    except (InputError, StoreError) as error:  # no roots, or no library: nothing was found wrong
        return not_checked(CHECK, f"{what} was not checked: {error}", required=False)
    return passed(CHECK, f"{what}: it existed at {timestamp.gen_time:%Y-%m-%d %H:%M:%S} UTC, says {timestamp.tsa}")


def _tsa_url(ledger: Ledger) -> str:
    if ledger.tsa_url is None:
        raise StoreError(
            problem("/tsa_url", None, "the address of a time stamping authority", "Put tsa_url into the settings.")
        )
    if not ledger.tsa_roots:  # seen before anybody is asked: its answer could not be verified
        raise InputError(
            problem(
                "/tsa_roots",
                "none",
                "the root certificate of the authority at tsa_url",
                "Put it into the trust folder as NAME.tsa.pem.",
            )
        )
    return ledger.tsa_url


def _ask(ledger: Ledger, note: str) -> tuple[bytes, Timestamp]:
    """A new token over the note and what it says; verified, and kept."""
    tsa_url = _tsa_url(ledger)
    nonce = 1 + int.from_bytes(ledger.new_salt()[:8]) % MAX_NONCE
    token = ask_authority(tsa_url, make_timestamp_request(note, nonce))
    try:
        timestamp = verify_timestamp(token, note, ledger.tsa_roots, nonce=nonce)
    except VerificationError as error:
        raise _unusable(tsa_url, f"an answer that does not hold: {error}", "a token over this checkpoint") from error
    kept = KeptTimestamp(parse_checkpoint(note)[0].tree_size, tsa_url, token, format_time(ledger.now()))
    with write_transaction(ledger.engine) as connection:
        timestamp_rows.keep_timestamp(connection, ledger.origin, kept)
    return token, timestamp


def ask_authority(tsa_url: str, request: bytes) -> bytes:
    """What the authority answers to a TimeStampReq, unverified (RFC 3161, section 3.4: over HTTP).

    Tries again where that can help, and gives up after TOTAL_SECONDS, even on a server that sends a byte now and then:
    the asking goes on in a thread of its own, which then is waited for no longer.
    Raises: InputError if the address is none; StoreError if it cannot be reached, answers with an error, with something
    else than a time stamp, with more than MAX_TOKEN_BYTES, or not in time.
    """
    if not tsa_url.startswith(("http://", "https://")):
        raise InputError(problem("/tsa_url", tsa_url, "an address with http:// or https://", "Correct the setting."))
    answers: SimpleQueue[bytes | StoreError] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_request(tsa_url, request))
        except StoreError as error:
            answers.put(error)
        finally:
            _PLACES.release()

    if not _PLACES.acquire(timeout=TOTAL_SECONDS):
        raise _unusable(tsa_url, f"no end of {ASKING_AT_ONCE} earlier requests", "their answers")
    threading.Thread(target=ask, name="time-stamp", daemon=True).start()
    try:
        answer = answers.get(timeout=TOTAL_SECONDS)
    except Empty:
        raise _unusable(tsa_url, f"no whole answer in {TOTAL_SECONDS:g} seconds", "a time stamp") from None
    if isinstance(answer, StoreError):
        raise answer
    return answer


def _request(tsa_url: str, request: bytes) -> bytes:
    from urllib3 import PoolManager, Retry, Timeout
    from urllib3.exceptions import HTTPError

    # A request changes nothing there, so it may be sent twice. A redirect is an address that nobody has set here.
    retries = Retry(
        total=RETRIES, backoff_factor=0.2, allowed_methods=None, status_forcelist=(502, 503, 504), redirect=False,
        raise_on_status=False,
    )  # fmt: skip
    http = PoolManager(timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS), retries=retries)
    headers = {"Content-Type": QUERY_TYPE, "Accept": REPLY_TYPE}
    try:
        with (
            http,
            http.request("POST", tsa_url, body=request, headers=headers, preload_content=False) as response,
        ):
            content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if (response.status, content_type) != (200, REPLY_TYPE):
                raise _unusable(tsa_url, f"HTTP {response.status}, {content_type!r}", f"HTTP 200, {REPLY_TYPE!r}")
            return _read(response, tsa_url)
    except (HTTPError, OSError) as error:
        raise _unusable(tsa_url, str(error), "an answer") from error


def _read(response: BaseHTTPResponse, tsa_url: str) -> bytes:
    """The body. A server that sends byte after byte, each in time, is given up on as well."""
    body = b""
    give_up = time.monotonic() + TOTAL_SECONDS
    while chunk := response.read1(MAX_TOKEN_BYTES, decode_content=False):
        body += chunk
        if len(body) > MAX_TOKEN_BYTES:
            raise _unusable(tsa_url, f"more than {MAX_TOKEN_BYTES} bytes", "a time stamp")
        if time.monotonic() > give_up:
            raise _unusable(tsa_url, f"{len(body)} bytes in {TOTAL_SECONDS:.0f} seconds", "a whole answer")
    return body


def _unusable(tsa_url: str, found: str, expected: str) -> StoreError:
    return StoreError(
        Problem(
            "/tsa_url",
            f"{tsa_url}: {found}"[:MAX_FOUND_CHARS],
            expected,
            "Try again later, or set another authority, with its root in the trust folder as NAME.tsa.pem.",
        )
    )
