"""Importing statements that were signed elsewhere, many at a time: a log moved here, a plant offline for weeks.

The forms and signatures are checked in processes of their own, while this one appends. No rule of the plant is applied:
that is for `append_signed`, whose answer is for each statement; here it is for the whole, or an error.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import BadSignatureError, InputError, problem
from ledger.log.signed import CheckedStatement, SignedStatement, check_form, verify_signature
from ledger.service.context import Ledger
from ledger.service.parallel import map_in_order
from ledger.store.bulk import Imported, append_bulk

BATCH_ENTRIES = 1000
"""Statements of one transaction."""


def import_signed(
    ledger: Ledger,
    statements: Iterable[SignedStatement],
    *,
    keys: Mapping[str, bytes] | None,
    tenant: str = "",
    jobs: int = 1,
    batch_entries: int = BATCH_ENTRIES,
    progress: Callable[[Imported], None] | None = None,
) -> Imported:
    """Append the statements in order, batch by batch, each batch durable before the next one begins.

    keys: raw Ed25519 public key by key id; a statement by another key is refused. None: signatures are taken as they
    are, and only an audit will see a false one.
    jobs: processes that check; with 1 this one does it all. Other arguments: as `append_bulk`.
    Raises: InputError, BadSignatureError or ConflictError with the number of the statement from 0, as in
    "/1500/body/mass_kg"; StoreError. What was committed before stays, and nothing of the batch with the bad statement.
    """
    return append_bulk(
        ledger.engine,
        ledger.origin,
        _checked(statements, keys, jobs, batch_entries),
        now=ledger.now,
        tenant=tenant,
        vault=ledger.vault,
        progress=progress,
    )


def _checked(
    statements: Iterable[SignedStatement], keys: Mapping[str, bytes] | None, jobs: int, batch_entries: int
) -> Iterator[list[CheckedStatement]]:
    check = _Check(None if keys is None else dict(keys))
    for (_, batch), read in map_in_order(check, _numbered(statements, batch_entries), jobs):
        yield [
            CheckedStatement(kind, identity, content, one.statement_bytes, one.signature, one.private, one.client_id)
            for one, (kind, identity, content) in zip(batch, read, strict=True)
        ]


def _numbered(
    statements: Iterable[SignedStatement], batch_entries: int
) -> Iterator[tuple[int, Sequence[SignedStatement]]]:
    """The statements in batches, each with the number of its first."""
    source = iter(statements)
    start = 0
    while batch := list(itertools.islice(source, batch_entries)):
        yield start, batch
        start += len(batch)


@dataclass(frozen=True)
class _Check:
    """Checks a batch: type, id and content hash of each statement, which is little to send between processes."""

    keys: dict[str, bytes] | None

    def __call__(self, numbered: tuple[int, Sequence[SignedStatement]]) -> list[tuple[str, str, str]]:
        start, batch = numbered
        public_keys = {kid: Ed25519PublicKey.from_public_bytes(raw) for kid, raw in (self.keys or {}).items()}
        read = []
        for number, signed in enumerate(batch, start):
            try:
                checked = check_form(signed)
                if self.keys is not None:
                    verify_signature(checked, _key_for(checked, public_keys))
            except (InputError, BadSignatureError) as error:
                raise type(error)(*(replace(one, field=f"/{number}{one.field}") for one in error.problems)) from error
            read.append((checked.type, checked.id, checked.content_sha256))
        return read


def _key_for(checked: CheckedStatement, public_keys: Mapping[str, Ed25519PublicKey]) -> Ed25519PublicKey:
    kid = checked.statement.kid
    if kid not in public_keys:
        raise BadSignatureError(
            problem("/kid", kid, "a key that was given for the import", "Give its public key, too.")
        )
    return public_keys[kid]
