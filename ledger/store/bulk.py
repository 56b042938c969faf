"""Importing many signed statements in large transactions, one after the other.

Each batch is committed by itself, so that an import that stops in the middle leaves what was committed, and is safe to
start again: statements that are in the log already are passed over. Their contents go to the table `content` sorted, a
hundred thousand at a time, since their keys fall anywhere in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine

from ledger.errors import ConflictError, InputError, Problem
from ledger.log.signed import CheckedStatement
from ledger.store import content_rows
from ledger.store.database import write_transaction
from ledger.store.repository import read_head, update_head
from ledger.store.sequencer import open_sequencer
from ledger.store.statements import Sent, StatementAdmission
from ledger.store.vault import Vault

_INDEX = re.compile(r"/([0-9]+)")


@dataclass(frozen=True)
class Imported:
    """What an import has done. appended: new entries. repeated: statements that were in the log before.

    said_before: new entries whose content an earlier entry has. tree_size: of the log after the last batch.
    """

    appended: int = 0
    repeated: int = 0
    said_before: int = 0
    tree_size: int = 0


def append_bulk(
    engine: Engine,
    origin: str,
    batches: Iterable[Sequence[CheckedStatement]],
    *,
    now: Callable[[], datetime],
    tenant: str = "",
    vault: Vault | None = None,
    epoch: int | None = None,
    progress: Callable[[Imported], None] | None = None,
) -> Imported:
    """Append statements in order, a transaction for each batch; no rule of what they may say is applied.

    batches: best of about a thousand statements, their signatures verified. now: aware.
    tenant: who sends them. vault, epoch: as for `open_sequencer`. progress: called after each commit, with what is
    durable by then.
    Raises: InputError or ConflictError with the number of the statement from 0, as in "/1500/client_id"; StoreError.
    What was committed before stays, and nothing of the batch with the bad statement.
    """
    done = Imported()
    count = 0
    late = _LateContents(engine, origin)
    late.write()
    for batch in batches:
        try:
            with open_sequencer(engine, origin, vault=vault, epoch=epoch, late_contents=late.first_of) as sequencer:
                before = sequencer.tree_size
                sent = Sent(batch, tenant)
                admission = StatementAdmission(sequencer, [sent], now())
                receipts = admission.admit(sent)
                admission.write()
        except (InputError, ConflictError) as error:
            raise type(error)(*(_from_start(one, count) for one in error.problems)) from error
        count += len(batch)
        late.add(before, sequencer.tree_size, sequencer.new_contents)
        new = sequencer.tree_size - before
        done = Imported(
            done.appended + new,
            done.repeated + len(batch) - new,
            done.said_before + sum(one.said_before is not None for one in receipts),
            sequencer.tree_size,
        )
        if progress is not None:
            progress(done)
    late.write()
    return done


class _LateContents:
    """Contents of entries that are in the log and not yet in the table `content`.

    first_of: their first entries by content hash; of all entries since the last `write`, unless others append, too.
    """

    def __init__(self, engine: Engine, origin: str) -> None:
        self._engine = engine
        self._origin = origin
        self.first_of: dict[str, int] = {}
        self._start = self._end = -1

    def add(self, start: int, end: int, first_of: Mapping[str, int]) -> None:
        """A batch was committed: entries start to end - 1."""
        if start == self._end:
            self._end = end
        self.first_of.update(first_of)
        if len(self.first_of) >= content_rows.CATCH_UP_ENTRIES:
            self.write()

    def write(self) -> None:
        """Bring the table up to the log's end."""
        with write_transaction(self._engine) as connection:
            head = read_head(connection, self._origin, lock=True)
            if (head.content_size, head.tree_size) == (self._start, self._end):
                content_rows.insert_contents(connection, self._origin, self.first_of)
            else:  # at the start, or when others have appended, too: read them from the entries
                content_rows.catch_up(connection, self._origin, head.content_size, head.tree_size)
            update_head(connection, head, replace(head, content_size=head.tree_size))
        self.first_of.clear()
        self._start = self._end = head.tree_size


def _from_start(item: Problem, count: int) -> Problem:
    """The problem, its statement counted from the start of the import and not of the batch."""
    match = _INDEX.match(item.field)
    return replace(item, field=f"/{count + int(match[1])}{item.field[match.end() :]}") if match else item
