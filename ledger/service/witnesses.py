"""Having a checkpoint co-signed: asking, keeping what was given, and refusing to go on with too few."""

from __future__ import annotations

from ledger.errors import LedgerError, MalformedProofError, Problem, StoreError, problem
from ledger.log.checkpoint import parse_checkpoint
from ledger.log.cosignature import CHECK, check_policy, holds_lines_of, without_cosignatures
from ledger.log.tiles import consistency_path
from ledger.report import Check, Outcome, failed
from ledger.service.context import AskWitnesses, Ledger
from ledger.service.read import plant_of
from ledger.store.checkpoint_rows import keep_checkpoint
from ledger.store.database import read_transaction, write_transaction
from ledger.store.tile_rows import StoredTiles


def cosigned(ledger: Ledger, note: str, ask_witnesses: AskWitnesses | None = None) -> tuple[str, list[Check]]:
    """The kept checkpoint `note` with the lines of those who co-signed it, kept too; and what failed.

    ask_witnesses: the ledger's own if None; without either nobody is asked.
    No failure of a witness is an error. Raises: StoreError if the database cannot be read or written.
    """
    with_lines, findings = _ask(ledger, note, ledger.ask_witnesses if ask_witnesses is None else ask_witnesses)
    if with_lines != note:
        tree_size = parse_checkpoint(note)[0].tree_size
        with write_transaction(ledger.engine) as connection:
            with_lines = keep_checkpoint(connection, ledger.origin, tree_size, with_lines)
    return with_lines, findings


def require_witnesses(ledger: Ledger, note: str, what: str, next_step: str) -> str:
    """The kept checkpoint `note`, co-signed by as many witnesses as the ledger's policy demands; it asks them.

    what: what is to rest on it, for the error.
    Raises: StoreError if there are too few, naming who did not co-sign and why. Where none is demanded, it asks those
    that there are and goes on without them.
    """
    note, findings = cosigned(ledger, note)
    if ledger.witnesses.needed > 0:
        _require(ledger, note, findings, what, next_step)
    return note


def check_witnesses_answer(ledger: Ledger, note: str) -> None:
    """Raises: StoreError unless as many witnesses as demanded co-sign the checkpoint when asked now.

    Whatever lines it has already: what is asked for next is another checkpoint.
    """
    if ledger.witnesses.needed > 0:
        bare, findings = _ask(ledger, without_cosignatures(note, ledger.witnesses.witnesses), ledger.ask_witnesses)
        _require(ledger, bare, findings, "the log as it stands", "Nothing was logged. Try again when they answer.")


def _ask(ledger: Ledger, note: str, ask: AskWitnesses | None) -> tuple[str, list[Check]]:
    if ask is None:
        return note, []
    tree_size = parse_checkpoint(note)[0].tree_size

    def path_from(old_size: int) -> list[bytes]:
        with read_transaction(ledger.engine) as connection:
            return consistency_path(StoredTiles(connection, ledger.origin), old_size, tree_size)

    try:
        with_lines, findings = ask(note, path_from)
        if not holds_lines_of(with_lines, note):
            expected = "the same checkpoint with more lines"
            raise MalformedProofError(problem("/witnesses", with_lines, expected, "Look at the witness's answer."))
    except StoreError:
        raise
    except LedgerError as error:
        return note, [failed(CHECK, str(error))]
    return with_lines, findings


def _require(ledger: Ledger, note: str, findings: list[Check], what: str, next_step: str) -> None:
    keys, witnesses = plant_of(ledger).keys, ledger.witnesses.witnesses
    counting = without_cosignatures(note, keys.revoked_witnesses(witnesses, parse_checkpoint(note)[0].tree_size))
    check = check_policy(counting, ledger.witnesses, ledger.now())
    if check.outcome is not Outcome.PASSED:
        needed = f"{ledger.witnesses.needed} witnesses under the checkpoint of {what}"
        reasons = [Problem("/witnesses", finding.detail, "a cosignature", next_step) for finding in findings]
        raise StoreError(Problem("/witnesses_needed", check.detail, needed, next_step), *reasons)
