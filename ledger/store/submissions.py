"""The queue: signed statements that were accepted, durably, and wait to be given their place in the log.

Two answers for the sender. "Accepted": the row is committed; it is not lost, whatever happens. "Sequenced": it is entry
`seq`, for good; or "refused", with the reasons. Both are in the row, which is never deleted. Who takes rows out of the
queue is `ledger.store.elected`; it settles them in the transaction that appends their entries.

The key is (tenant, client id), as for entries. What was refused has taken nothing: its key may be used again, in a new
row. Private values do not pass through here: see docs/adr/0017.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from ledger.errors import ConflictError, InputError, MalformedProofError, StoreError, UnknownIdError, problem
from ledger.log.canonical import canonical_bytes, parse_canonical
from ledger.log.signed import CheckedStatement, SignedStatement
from ledger.store.database import read_transaction, single_read, single_write
from ledger.store.many import listed
from ledger.store.repository import StoredEntry, entries_by_client
from ledger.store.tables import SubmissionRow

WAITING, SEQUENCED, REFUSED = "waiting", "sequenced", "refused"

BATCH_ROWS = 1000
"""Rows that are taken out of the queue in one transaction."""

CHANNEL = "magnet_ledger_settled"
"""Where PostgreSQL notifies, with the log's name, once rows were settled."""

_FIRST_POLL_S, _LAST_POLL_S = 0.001, 0.05

# One statement, one round trip: that the key is in the log already is looked up where the row is written.
_ACCEPT = text(
    "INSERT INTO submission (origin, tenant, client_id, payload_sha256, payload, received, state)"
    " SELECT :origin, :tenant, :client_id, :payload_sha256, :payload, :received, 'waiting'"
    " WHERE NOT EXISTS (SELECT 1 FROM entry"
    " WHERE origin = :origin AND tenant = :tenant AND client_id = :client_id)"
    " ON CONFLICT (origin, tenant, client_id) WHERE state <> 'refused' DO NOTHING"
    " RETURNING number"
)

# Written so that rows are found by their numbers alone: the index of those that wait is full of entries of rows that
# were settled before, until the next vacuum.
_SETTLE_POSTGRESQL = text(
    "UPDATE submission SET state = settled.state, seq = settled.seq, outcome = settled.outcome,"
    " payload = CASE WHEN settled.seq IS NULL THEN payload ELSE ''::bytea END"
    " FROM json_to_recordset(CAST(:settled AS json)) AS settled (number bigint, state text, seq bigint, outcome text)"
    " WHERE submission.number = settled.number"
    " AND submission.origin || '' = :origin AND submission.state || '' = 'waiting'"
)
_SETTLE_SQLITE = (
    "UPDATE submission SET state = ?, seq = ?, outcome = ?, payload = CASE WHEN ? IS NULL THEN payload ELSE x'' END"
    " WHERE number = ? AND origin = ? AND state = 'waiting'"
)
_OF_NUMBERS = {
    "sqlite": "number IN (SELECT value FROM json_each(:wanted))",
    "postgresql": "number = ANY(CAST(:wanted AS bigint[]))",
}


@dataclass(frozen=True)
class StoredSubmission:
    """A row of the queue.

    number: order of acceptance. payload: see `format_payload`; empty once sequenced. payload_sha256: content hash of
    the statement (ledger.log.signed.content_sha256), by which a repetition is known. received: RFC 3339.
    state: WAITING, SEQUENCED or REFUSED. seq: entry, once sequenced. outcome: JSON for the sender, once settled.
    """

    number: int
    tenant: str
    client_id: str
    payload_sha256: str
    payload: bytes = field(repr=False)
    received: str
    state: str
    seq: int | None
    outcome: dict[str, Any] | None


@dataclass(frozen=True)
class Settled:
    """What becomes of a row. seq: its entry, None if it was refused. outcome: JSON object for the sender."""

    number: int
    seq: int | None
    outcome: Mapping[str, object]


@dataclass(frozen=True)
class Accepted:
    """What a key stands for: a row of the queue, or the entry, if that came without the queue. repeated: it was so
    before."""

    found: StoredSubmission | StoredEntry
    repeated: bool


def accept(engine: Engine, origin: str, checked: CheckedStatement, received: str, tenant: str = "") -> Accepted:
    """Put a signed statement into the queue, durably; or find what its key stands for already.

    The same content under the same key gives what it gave the first time, settled or not.
    checked: its signature was verified. received: RFC 3339.
    Raises: ConflictError naming both content hashes if the key was used for another content; InputError for private
    values; StoreError.
    """
    if checked.private:
        raise InputError(
            problem("/private", sorted(checked.private), "no private values", "Append it directly, not by the queue.")
        )
    key, content, payload = checked.key, checked.content_sha256, format_payload(checked)
    values = {
        "origin": origin,
        "tenant": tenant,
        "client_id": key,
        "payload_sha256": content,
        "payload": payload,
        "received": received,
    }
    while True:
        try:
            with single_write(engine) as connection:
                number: int | None = connection.execute(_ACCEPT, values).scalar_one_or_none()
        except IntegrityError as error:  # of the one constraint that is not provided for: a row belongs to a log
            raise StoreError(
                problem(
                    "/origin", origin, "a log of this database", "Make the log first, or correct the setting origin."
                )
            ) from error
        if number is not None:
            row = StoredSubmission(number, tenant, key, content, payload, received, WAITING, None, None)
            return Accepted(row, repeated=False)
        found = find(engine, origin, tenant, checked.key)
        if found is not None:
            require_same(found, checked)
            return Accepted(found, repeated=True)
        # It was refused between the two: the key is free again.


def find(engine: Engine, origin: str, tenant: str, client_id: str) -> StoredSubmission | StoredEntry | None:
    """What a key stands for: the row that waits or was sequenced, else the entry; None if the key is free."""
    with read_transaction(engine) as connection:
        query = _rows(origin).where(
            col(SubmissionRow.tenant) == tenant,
            col(SubmissionRow.client_id) == client_id,
            col(SubmissionRow.state) != REFUSED,
        )
        row = connection.execute(query).one_or_none()
        if row is not None:
            return _stored(row)
        return entries_by_client(connection, origin, tenant, [client_id]).get(client_id)


def find_waiting(engine: Engine, origin: str, tenant: str, client_id: str) -> StoredSubmission | None:
    """The row that waits under a key, None if there is none."""
    query = _rows(origin).where(
        col(SubmissionRow.tenant) == tenant, col(SubmissionRow.client_id) == client_id, text("state = 'waiting'")
    )
    with single_read(engine) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else _stored(row)


def read(connection: Connection, origin: str, numbers: Collection[int]) -> dict[int, StoredSubmission]:
    """The rows with these numbers, as far as the log has them."""
    if not numbers:
        return {}
    query = _rows(origin).where(text(_OF_NUMBERS[connection.dialect.name]))
    rows = connection.execute(query, {"wanted": listed(connection, sorted(numbers))})
    return {row[0]: _stored(row) for row in rows}


def read_one(engine: Engine, origin: str, number: int) -> StoredSubmission:
    """One row. Raises: UnknownIdError if the log has no submission with this number."""
    with single_read(engine) as connection:
        found = read(connection, origin, [number]).get(number)
    if found is None:
        raise UnknownIdError(problem("/number", number, "the number of a submission", "Check the number."))
    return found


def waiting(
    connection: Connection, origin: str, limit: int = BATCH_ROWS, without: Collection[int] = ()
) -> list[StoredSubmission]:
    """The rows that wait, in order of acceptance. without: numbers to pass over.

    Rows of accepts that are under way have lower numbers, perhaps, and come in a later batch; a sender who waits for an
    answer before sending the next one finds them in the order sent.
    """
    if connection.dialect.name == "postgresql":
        # A bitmap scan would visit every row that was settled since the last vacuum; an index scan does so once.
        connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
    query = _rows(origin).where(text("state = 'waiting'"))  # as in the index, not as a variable
    if without:
        query = query.where(text(f"NOT {_OF_NUMBERS[connection.dialect.name]}"))
    rows = connection.execute(
        query.order_by(col(SubmissionRow.number)).limit(limit), {"wanted": listed(connection, sorted(without))}
    )
    return [_stored(row) for row in rows]


def count_waiting(connection: Connection, origin: str) -> int:
    """How many rows wait."""
    count: int = connection.execute(
        text("SELECT count(*) FROM submission WHERE origin = :origin AND state = 'waiting'"), {"origin": origin}
    ).scalar_one()
    return count


def settle(connection: Connection, origin: str, settled: Sequence[Settled]) -> None:
    """Write what became of rows, and wake those who wait for it when the transaction commits.

    A sequenced row gives up its payload: the entry has it now.
    Raises: ConflictError if one of them does not wait any more: somebody else has settled it.
    """
    if not settled:
        return
    rows = [
        (
            one.number,
            REFUSED if one.seq is None else SEQUENCED,
            one.seq,
            canonical_bytes(dict(one.outcome)).decode("utf-8"),
        )
        for one in settled
    ]
    if connection.dialect.name == "sqlite":
        changed = connection.exec_driver_sql(
            _SETTLE_SQLITE, [(state, seq, outcome, seq, number, origin) for number, state, seq, outcome in rows]
        ).rowcount
    else:
        named = [dict(zip(("number", "state", "seq", "outcome"), row, strict=True)) for row in rows]
        values = {"origin": origin, "settled": orjson.dumps(named).decode("utf-8")}
        changed = connection.execute(_SETTLE_POSTGRESQL, values).rowcount
        connection.execute(text("SELECT pg_notify(:channel, :origin)"), {"channel": CHANNEL, "origin": origin})
    if changed != len(settled):
        raise ConflictError(
            problem("/submissions", f"{changed} rows that wait", f"{len(settled)}", "Another has settled them: stop.")
        )


def wait_for(engine: Engine, origin: str, number: int, timeout_s: float) -> StoredSubmission:
    """The row once it is settled, or as it is after timeout_s. Asks again and again; see `ledger.store.outcomes` for
    many who wait at once.

    Raises: UnknownIdError if the log has no submission with this number; StoreError.
    """
    end = time.monotonic() + timeout_s
    pause = _FIRST_POLL_S
    while True:
        found = read_one(engine, origin, number)
        left = end - time.monotonic()
        if found.state != WAITING or left <= 0:
            return found
        time.sleep(min(pause, left))
        pause = min(2 * pause, _LAST_POLL_S)


def empty_refused(connection: Connection, origin: str, before: str) -> int:
    """Housekeeping: empty the payloads of submissions that were refused and came before this time (RFC 3339).

    A refused payload stays for its sender to be told what it was; a sequenced one has been emptied at once. Rows and
    outcomes stay for ever. Returns the number of payloads emptied.
    """
    return connection.execute(
        text(
            "UPDATE submission SET payload = :nothing WHERE origin = :origin AND state = 'refused'"
            " AND received < :before AND payload <> :nothing"
        ),
        {"origin": origin, "before": before, "nothing": b""},
    ).rowcount


def format_payload(checked: CheckedStatement) -> bytes:
    """A signed statement as a row holds it: canonical JSON of client_id, sig and stmt, the last two in base64.

    The statement is the text that was signed, so that nobody who can write this table alone has anything signed.
    """
    return canonical_bytes(
        {
            "client_id": checked.client_id,
            "sig": base64.b64encode(checked.signature).decode("ascii"),
            "stmt": base64.b64encode(checked.statement_bytes).decode("ascii"),
        }
    )


def parse_payload(payload: bytes) -> SignedStatement:
    """The signed statement in a row. Raises: InputError if the payload is not of its form."""
    try:
        value = orjson.loads(payload)
        if not isinstance(value, dict) or value.keys() != {"client_id", "sig", "stmt"}:
            raise ValueError("another form")
        client_id, signature, statement = value["client_id"], value["sig"], value["stmt"]
        if not (isinstance(client_id, str | None) and isinstance(signature, str) and isinstance(statement, str)):
            raise ValueError("another form")
        return SignedStatement(
            binascii.a2b_base64(statement, strict_mode=True),
            binascii.a2b_base64(signature, strict_mode=True),
            client_id=client_id,
        )
    except ValueError as error:  # binascii.Error is one
        raise InputError(
            problem("/payload", payload.decode("utf-8", "replace"), "a signed statement", "Send the statement again.")
        ) from error


def require_same(found: StoredSubmission | StoredEntry, checked: CheckedStatement) -> None:
    """Raises: ConflictError unless what the key stands for has the same content."""
    if isinstance(found, StoredEntry):
        stored, where = found.content_sha256, f"in entry {found.seq}"
    else:
        stored, where = found.payload_sha256, f"in submission {found.number}"
    if stored != checked.content_sha256:
        raise ConflictError(
            problem(
                "/id" if checked.client_id is None else "/client_id",
                f"{checked.key} with content {checked.content_sha256}",
                f"content {stored}, as {where} with the same key",
                "Send the same content to repeat it, or take another key to state something new.",
            )
        )


def _rows(origin: str) -> Any:
    row = SubmissionRow
    return select(
        col(row.number),
        col(row.tenant),
        col(row.client_id),
        col(row.payload_sha256),
        col(row.payload),
        col(row.received),
        col(row.state),
        col(row.seq),
        col(row.outcome),
    ).where(col(row.origin) == origin)


def _stored(row: Any) -> StoredSubmission:
    number, tenant, client_id, payload_sha256, payload, received, state, seq, outcome = row
    try:
        value = None if outcome is None else parse_canonical(outcome.encode("utf-8"))
    except MalformedProofError as error:
        raise StoreError(
            problem(f"/submissions/{number}", str(error), "an outcome", "The row was changed: run `log verify`.")
        ) from error
    told = value if isinstance(value, dict) else None
    return StoredSubmission(number, tenant, client_id, payload_sha256, payload, received, state, seq, told)
