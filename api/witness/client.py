"""Asking witnesses for their cosignatures (C2SP tlog-witness, add-checkpoint).

All are asked at once. One that is down, slow, hostile or of another opinion costs its own cosignature and nothing else:
time, size of answers, tries and threads are bounded, and what it sends is verified before it is kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, Timeout

from ledger.errors import InputError, LedgerError, VerificationError, problem
from ledger.log.add_checkpoint import (
    COSIGNED,
    INCONSISTENT,
    MAX_PROOF_LINES,
    NO_TRUSTED_SIGNATURE,
    OTHER_SIZE_SEEN,
    UNKNOWN_LOG,
    AddCheckpoint,
    format_request,
)
from ledger.log.checkpoint import parse_checkpoint
from ledger.log.cosignature import (
    CHECK,
    MAX_SKEW,
    WitnessKey,
    WitnessPolicy,
    add_signature_lines,
    check_policy,
    cosignatures_of,
)
from ledger.log.forms import parse_count
from ledger.report import Check, Outcome, failed, not_checked

MAX_ANSWER_BYTES = 16_384
"""Longest answer read. A line is below 400 bytes; there may be others' lines beside it."""

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
DEADLINE_SECONDS = 20.0
"""For one round of requests, whatever a witness does: it could send a byte at a time."""

RETRY = Retry(
    total=2,
    connect=2,
    read=1,
    status=0,  # the next round asks again
    redirect=0,
    other=0,
    allowed_methods={"POST"},  # asking twice is safe: the same checkpoint is cosigned again
    backoff_factor=0.2,
)

PathFrom = Callable[[int], list[bytes]]
"""Old size -> consistency path from there to the checkpoint that is to be cosigned."""

_REFUSALS: Mapping[int, str] = {
    NO_TRUSTED_SIGNATURE: "it does not trust the key that signed the checkpoint",
    UNKNOWN_LOG: "it does not know this log: its operator must add the log's verifier key",
    INCONSISTENT: "it has seen another history of this log, or the proof was wrong",
}


@dataclass(frozen=True)
class _Reply:
    """A witness's answer, or why there is none: then status is 0."""

    status: int
    text: str


@dataclass
class WitnessClient:
    """Asks the witnesses of a policy that have an address.

    now: aware time. http: of the caller, to be closed by it. It remembers what each witness has seen, so that most
    checkpoints take one request each; threads may share it.
    """

    policy: WitnessPolicy
    now: Callable[[], datetime]
    http: urllib3.PoolManager = field(default_factory=urllib3.PoolManager, repr=False)
    deadline_seconds: float = DEADLINE_SECONDS
    _seen: dict[str, int] = field(default_factory=dict, repr=False)
    _busy: set[str] = field(default_factory=set, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        for url in self.policy.urls:
            check_url(url)

    def ask(self, note: str, path_from: PathFrom) -> tuple[str, list[Check]]:
        """The note with the line of each witness that co-signed it, and a check for each one asked that did not.

        Witnesses that have a line under the note already are not asked. path_from: called for sizes up to the note's.
        A check has failed where the witness refused or its answer is wrong, and is not checked where there was none.
        Raises: MalformedProofError if the note is none, and what path_from raises; nothing on a witness's account.
        """
        checkpoint, lines = parse_checkpoint(note)
        have = {(line.name, line.key_hash) for line in lines}
        asked = {
            witness.name: (witness, url)
            for witness, url in zip(self.policy.witnesses, self.policy.urls, strict=False)
            if url and (witness.name, witness.key_hash) not in have
        }
        olds = {name: min(self._seen.get(name, 0), checkpoint.tree_size) for name in asked}
        findings: dict[str, Check] = {}
        for _ in range(2):  # once more from the size that a witness says it has seen
            replies = self._post_all(note, {name: (asked[name][1], old) for name, old in olds.items()}, path_from)
            olds = {}
            for name, reply in replies.items():
                findings.pop(name, None)
                if reply.status == COSIGNED:
                    try:
                        note = add_signature_lines(note, [_line_of(note, asked[name][0], reply.text, self.now())])
                        self._seen[name] = checkpoint.tree_size
                    except VerificationError as error:
                        findings[name] = failed(CHECK, f"{name}: {_sentence(error)}")
                    continue
                findings[name] = _refusal(name, reply)
                if reply.status == OTHER_SIZE_SEEN:
                    seen = _size_of(reply.text)
                    if seen is None or seen > checkpoint.tree_size:
                        continue
                    self._seen[name] = olds[name] = seen
        return note, [findings[name] for name in asked if name in findings]

    def _post_all(self, note: str, asked: Mapping[str, tuple[str, int]], path_from: PathFrom) -> dict[str, _Reply]:
        """The reply of each, asked for (address, old size), within the deadline."""
        paths = {old: path_from(old) if old else [] for _, old in asked.values()}
        replies: dict[str, _Reply] = {}
        queue: SimpleQueue[tuple[str, _Reply]] = SimpleQueue()
        waiting = set()
        for name, (url, old) in asked.items():
            if len(paths[old]) > MAX_PROOF_LINES:
                replies[name] = _Reply(0, f"the proof from size {old} is too long to be sent")
                continue
            with self._lock:
                if name in self._busy:  # a thread that a witness holds up is waited for, not multiplied
                    replies[name] = _Reply(0, "it has not answered an earlier request yet")
                    continue
                self._busy.add(name)
            body = format_request(AddCheckpoint(old, tuple(paths[old]), note)).encode()
            threading.Thread(target=self._post, args=(queue, name, url, body), daemon=True).start()
            waiting.add(name)
        ends = time.monotonic() + self.deadline_seconds
        while waiting:
            try:
                name, reply = queue.get(timeout=max(ends - time.monotonic(), 0.0))
            except Empty:
                break
            waiting.discard(name)
            replies[name] = reply
        for name in waiting:
            replies[name] = _Reply(0, f"no answer within {self.deadline_seconds:g} seconds")
        return replies

    def _post(self, queue: SimpleQueue[tuple[str, _Reply]], name: str, url: str, body: bytes) -> None:
        try:
            reply = self._request(url, body)
        except HTTPError as error:
            reply = _Reply(0, f"it cannot be reached: {type(error).__name__}: {error}"[:300])
        except OSError as error:
            reply = _Reply(0, f"it cannot be reached: {error}"[:300])
        finally:
            with self._lock:
                self._busy.discard(name)
        queue.put((name, reply))

    def _request(self, url: str, body: bytes) -> _Reply:
        response = self.http.request(
            "POST",
            f"{url.rstrip('/')}/add-checkpoint",
            body=body,
            headers={"Content-Type": "text/plain; charset=utf-8", "Accept-Encoding": "identity"},
            timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=RETRY,
            redirect=False,
            preload_content=False,
        )
        try:
            data = b""
            ends = time.monotonic() + self.deadline_seconds
            while len(data) <= MAX_ANSWER_BYTES:
                chunk = response.read1(MAX_ANSWER_BYTES + 1 - len(data), decode_content=False)
                if not chunk:
                    response.release_conn()
                    return _Reply(response.status, data.decode("utf-8", "replace"))
                if time.monotonic() > ends:
                    return _Reply(0, "it sends its answer too slowly")
                data += chunk
            return _Reply(0, f"it sends more than {MAX_ANSWER_BYTES} bytes")
        finally:
            if response.connection is not None:  # not read to the end: not to be used again
                response.close()


def check_url(url: str) -> str:
    """`url`, if a witness can be asked there, or it is empty. Raises: InputError."""
    try:
        parsed = urllib3.util.parse_url(url)
        if url == "" or (parsed.scheme in ("http", "https") and parsed.host and not (parsed.query or parsed.fragment)):
            return url
    except HTTPError:
        pass
    raise InputError(problem("/urls", url, "an address such as https://witness.example.com/w1", "Correct it."))


def _line_of(note: str, witness: WitnessKey, text: str, now: datetime) -> str:
    """The witness's line in the answer, if it is its cosignature of the note, made now. Raises: VerificationError.

    A line that whoever verifies the note later would refuse must not get under it: it would spoil those of the others.
    """
    checkpoint, _ = parse_checkpoint(note)
    answered = f"{checkpoint.body()}\n{text}"
    check = check_policy(answered, WitnessPolicy(1, (witness,)), now)
    if check.outcome is not Outcome.PASSED:
        raise VerificationError(problem("", check.detail, "its cosignature of this checkpoint", "Ask its operator."))
    _, lines = parse_checkpoint(answered)
    mine = [
        f"{raw}\n"
        for raw, line in zip(text.removesuffix("\n").split("\n"), lines, strict=True)
        if (line.name, line.key_hash) == (witness.name, witness.key_hash)
    ]
    if len(mine) > 1:
        raise VerificationError(problem("", f"{len(mine)} lines by it", "one", "Ask its operator."))
    ((_, signed),) = cosignatures_of(answered, [witness])
    if (now - MAX_SKEW).timestamp() > signed:
        expected = f"a time within {MAX_SKEW.seconds // 60} minutes of {now:%Y-%m-%d %H:%M} UTC"
        raise VerificationError(problem("", check.detail, expected, "Ask its operator to set its clock right."))
    return mine[0]


def _size_of(text: str) -> int | None:
    try:
        return parse_count(text.removesuffix("\n"), "/size")
    except InputError:
        return None


def _refusal(name: str, reply: _Reply) -> Check:
    said = " ".join(reply.text.split())[:200]
    if reply.status == 0:
        return not_checked(CHECK, f"{name}: {said}", required=False)
    if reply.status == OTHER_SIZE_SEEN:
        return failed(CHECK, f"{name}: it has seen size {said!r} and does not co-sign this one from there")
    if reply.status in _REFUSALS:
        return failed(CHECK, f"{name}: {_REFUSALS[reply.status]} (status {reply.status}: {said!r})")
    return not_checked(CHECK, f"{name}: it answers with status {reply.status}: {said!r}", required=False)


def _sentence(error: LedgerError) -> str:
    return f"found {error.problems[0].value}; expected {error.problems[0].expected}"
