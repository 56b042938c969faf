"""Audit of a log, entry by entry: every finding is collected, none stops the walk.

Two ways through the entries. `check_links` is the fast one: it takes a stretch of entries as bytes, compares them by
position with the frame that a canonical entry of this log has at its place, and says that all fit together or nothing.
`ChainAudit` is the naming one: it parses each entry and says what is wrong with it; stretches that the fast way has
found whole it takes in one step, if they join. So a whole log is checked at the speed of hashing, and a broken one is
described exactly.

The chain alone sees an entry edited, removed from the middle, inserted or moved. It cannot see the tail cut off: for
that the caller compares the tree with the head row and with a checkpoint kept elsewhere.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import BadSignatureError, MalformedProofError, RuleError
from ledger.log.envelope import GENESIS_PREV, MAX_ENTRY_BYTES, Envelope, parse_envelope
from ledger.log.merkle import Frontier, leaf_hash
from ledger.log.statement import verify_statement_signature
from ledger.report import Check, failed, not_checked, passed

FORM = "entry-form"
ORIGIN = "entry-origin"
SEQUENCE = "entry-sequence"
LINK = "entry-link"
TIME = "entry-time"
SIGNATURE = "entry-signature"

HELD = {
    FORM: "every entry is in canonical form",
    ORIGIN: "every entry names this log",
    SEQUENCE: "sequence numbers run on without gap",
    LINK: "every entry names the hash of the one before it",
    TIME: "times of receipt never fall",
    SIGNATURE: "every statement is signed by the key it names",
}
"""Checks in the order of a report, and what is true where one passed."""

NO_KEYS = {SIGNATURE: not_checked(SIGNATURE, "no keys were given to check signatures with")}

# The frame of an entry in canonical bytes:
# {"log":"...","prev":"...","recv":"...","seq":N,"sig":"...","stmt":{...},"v":1}
_PREV_CHARS = 64
_RECV_CHARS = 27
_SIG_CHARS = 88
_AFTER_PREV = b'","recv":"'
_BEFORE_SIG = b'","seq":%d,"sig":"'
_BEFORE_STATEMENT = b'","stmt":'
_END = b',"v":1}'


@dataclass(frozen=True)
class Links:
    """A stretch of entries that are linked to each other, each at its place.

    start: sequence number of the first. prev: leaf hash in hex that the first names as that of the one before it.
    first_recv, last_recv: times of receipt, text as found. leaves: leaf hashes, at least one.
    """

    start: int
    prev: str
    first_recv: str
    last_recv: str
    leaves: tuple[bytes, ...]


def check_links(entries: Sequence[bytes], origin: str, start: int) -> Links | None:
    """The stretch, if its entries have the frame of entries start, start + 1, ... of the log `origin`: else None.

    entries: at least one. What is compared: log, number, link to the entry before, that times of receipt do not fall,
    the end. Not: that the rest is in canonical form, nor any signature; nor how the stretch joins the one before it.
    """
    head = _head_of_frame(origin)
    recv_at = len(head) + _PREV_CHARS + len(_AFTER_PREV)
    recv_end = recv_at + _RECV_CHARS
    first_prev = prev = entries[0][len(head) : len(head) + _PREV_CHARS]
    first_recv = last_recv = entries[0][recv_at:recv_end]
    leaves = []
    seq = start
    # Nothing is called in this loop that can be written out: its time is that of the whole check.
    for data in entries:
        recv = data[recv_at:recv_end]
        before_sig = _BEFORE_SIG % seq
        if not (
            data.startswith(head + prev + _AFTER_PREV)
            and data.startswith(before_sig, recv_end)
            and data.startswith(_BEFORE_STATEMENT, recv_end + len(before_sig) + _SIG_CHARS)
            and data.endswith(_END)
            and recv >= last_recv
            and len(data) <= MAX_ENTRY_BYTES
        ):
            return None
        leaf = sha256(b"\x00" + data).digest()
        leaves.append(leaf)
        prev = hexlify(leaf)
        last_recv = recv
        seq += 1
    try:
        first_prev_text, first_text, last_text = (text.decode("ascii") for text in (first_prev, first_recv, last_recv))
    except UnicodeDecodeError:
        return None
    return Links(start, first_prev_text, first_text, last_text, tuple(leaves))


def parts_of(data: bytes, origin: str, seq: int) -> tuple[bytes, bytes, bytes]:
    """Time of receipt, signature in base64 and statement of an entry, cut out of its bytes.

    data: an entry that check_links has found at place seq. It is in canonical form as a whole if the three parts are of
    their forms, since everything between them was compared; the statement's bytes are then those that were signed.
    """
    recv_at = len(_head_of_frame(origin)) + _PREV_CHARS + len(_AFTER_PREV)
    recv_end = recv_at + _RECV_CHARS
    sig_at = recv_end + len(_BEFORE_SIG % seq)
    sig_end = sig_at + _SIG_CHARS
    return data[recv_at:recv_end], data[sig_at:sig_end], data[sig_end + len(_BEFORE_STATEMENT) : -len(_END)]


def _head_of_frame(origin: str) -> bytes:
    return b'{"log":%b,"prev":"' % orjson.dumps(origin)  # the origin may hold a character that JSON escapes


class ChainAudit:
    """A walk along a log, entry by entry or by whole stretches. Findings go to `report` as they are made.

    origin: the log that the entries should belong to.
    seq, head, last_recv: where the walk begins: the number of the first entry, leaf hash in hex and time of receipt of
    the one before it; the beginning of the log if not given.

    An entry that cannot be read is one finding; what it would have said of place, link and signature is not checked.
    After an entry out of place the next one is compared with it, so that a gap is named once and not at every entry
    after it. A finding's seq is the place expected (entry-sequence) or the entry's own.
    """

    def __init__(
        self, origin: str, report: Callable[[Check], None], seq: int = 0, head: str = GENESIS_PREV, last_recv: str = ""
    ) -> None:
        self.origin = origin
        self.head = head
        self.count = 0
        self.unread = 0
        self.broken: set[str] = set()
        self._report = report
        self._expected_seq = seq
        self._last_recv = last_recv  # text order is time order

    def extend(self, links: Links) -> bool:
        """Take a whole stretch, if it joins what came before: then True, and nothing is wrong with it."""
        if links.start != self._expected_seq or links.prev != self.head or links.first_recv < self._last_recv:
            return False
        self._expected_seq += len(links.leaves)
        self.count += len(links.leaves)
        self.head = links.leaves[-1].hex()
        self._last_recv = links.last_recv
        return True

    def add(
        self, data: bytes, public_key_of: Callable[[Envelope], Ed25519PublicKey | None] | None = None
    ) -> Envelope | None:
        """Check one entry, given its exact bytes. Returns it, None if it cannot be read.

        public_key_of: the key that may have signed its statement; None, or a RuleError that says why, where there is
        none, and the entry then fails. If public_key_of itself is None, the signature is not checked.
        """
        envelope = self._parse(data)
        if envelope is not None:
            # An entry linked to the one before stands at its place, whatever number it states; any other was moved,
            # or something before it was, and its own number is the best name there is.
            place = self._expected_seq if envelope.prev == self.head else envelope.seq
            self._check_place(envelope)
            if public_key_of is not None:
                self._check_signature(envelope, place, public_key_of)
            self._expected_seq = place + 1
            self._last_recv = envelope.recv
        self.head = leaf_hash(data).hex()
        self.count += 1
        return envelope

    def _parse(self, data: bytes) -> Envelope | None:
        try:
            return parse_envelope(data)
        except MalformedProofError as error:
            self._fail(FORM, f"entry {self._expected_seq}: {error}", self._expected_seq)
            self.unread += 1
            self._expected_seq += 1
            return None

    def summary(self, unasked: dict[str, Check], which: str = "") -> list[Check]:
        """One check for each kind without a finding: passed, or not checked and why.

        unasked: what was not looked at, with the check that says so. which: the entries in words; their count if "".
        """
        summary = []
        for name, held in HELD.items():
            if name in self.broken:
                continue
            if name in unasked:
                summary.append(unasked[name])
            elif self.count == 0:
                summary.append(not_checked(name, "there are no entries to check", required=False))
            elif self.unread:
                words = f"{self.unread} of {self.count} entries could not be read; the rest hold"
                summary.append(not_checked(name, words))
            else:
                summary.append(passed(name, f"{held} ({which or f'{self.count} entries'})"))
        return summary

    def _check_place(self, envelope: Envelope) -> None:
        """Findings about an entry's place: log, sequence number, link, time of receipt."""
        linked = envelope.prev == self.head
        expected = self._expected_seq
        seq = expected if linked else envelope.seq
        if envelope.log != self.origin:
            self._fail(ORIGIN, f"entry {seq} belongs to log {envelope.log}, not {self.origin}", seq)
        if envelope.seq != expected:
            cause = "its number was changed" if linked else "entries were removed, inserted or moved"
            self._fail(SEQUENCE, f"entry {expected} expected, entry {envelope.seq} found: {cause}", expected)
        if not linked:
            detail = (
                f"entry {seq} names {envelope.prev[:16]}... as the hash of the entry before it, which is "
                f"{self.head[:16]}...: one of the two was changed, or is not in its place"
            )
            self._fail(LINK, detail, seq)
        if envelope.recv < self._last_recv:
            self._fail(TIME, f"entry {seq} received {envelope.recv}, before {self._last_recv}", seq)

    def _check_signature(
        self, envelope: Envelope, seq: int, public_key_of: Callable[[Envelope], Ed25519PublicKey | None]
    ) -> None:
        statement = envelope.statement
        try:
            public_key = public_key_of(envelope)
            if public_key is None:
                self._fail(SIGNATURE, f"entry {seq}: unknown key {statement.kid} of {statement.actor}", seq)
            else:
                verify_statement_signature(statement, envelope.signature, public_key)
        except (BadSignatureError, RuleError) as error:
            self._fail(SIGNATURE, f"entry {seq}: {error}", seq)

    def _fail(self, name: str, detail: str, seq: int) -> None:
        self.broken.add(name)
        self._report(failed(name, detail, seq))


@dataclass(frozen=True)
class ChainReport:
    """What an audit found.

    checks: one failed check per thing that broke, in log order, with its sequence number; then one check for each kind
    that did not fail: passed, or not checked and why.
    frontier: the tree over the entries as read; its root is to be compared with a checkpoint.
    head: leaf hash of the last entry in hex, GENESIS_PREV for an empty log: what the next entry's prev must be.
    """

    checks: list[Check]
    frontier: Frontier
    head: str


def check_chain(
    entries: Iterable[bytes],
    origin: str,
    public_key_of: Callable[[Envelope], Ed25519PublicKey | None] | None,
    progress: Callable[[int], None] | None = None,
) -> ChainReport:
    """Checks the exact bytes of all entries, in order from the first, each by itself; see ChainAudit.

    progress: called after each entry with the number of entries done.
    If public_key_of is None, signatures are not checked, and the report says so.
    """
    checks: list[Check] = []
    audit = ChainAudit(origin, checks.append)
    leaves: list[bytes] = []
    for data in entries:
        audit.add(data, public_key_of)
        leaves.append(bytes.fromhex(audit.head))
        if progress is not None:
            progress(audit.count)
    checks += audit.summary(NO_KEYS if public_key_of is None else {})
    return ChainReport(checks, Frontier().extend(leaves), audit.head)
