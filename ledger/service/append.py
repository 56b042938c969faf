"""Appending entries: parse, check against the plant's rules, sign, place, store, acknowledge after the commit.

All of a submission in one transaction, all or nothing. Under the key (tenant, client id) sending again is safe: with
the same content it gives the entry that it gave before, with another content it is refused. A statement id enters a log
once. The same content under a new key is taken, and flagged.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import BadSignatureError, DuplicateIdError, InputError, Problem, problem
from ledger.log.signed import CheckedStatement, SignedStatement, check_form, verify_signature
from ledger.log.statement import Statement
from ledger.service.admission import ServiceAdmission, open_admission, sent_field
from ledger.service.context import Actor, Ledger, State
from ledger.service.read import state_of
from ledger.service.submissions import Appended, Draft, ForeignStatement, Progress, Submission
from ledger.store.group_commit import GroupCommit
from ledger.store.sequencer import Sequencer, open_sequencer

__all__ = [
    "Appended",
    "Draft",
    "GroupedAppend",
    "Progress",
    "actor_key_body",
    "append_entries",
    "append_in",
    "append_signed",
    "create_log",
    "register_actor",
]


ItemT = TypeVar("ItemT")
CheckedT = TypeVar("CheckedT")


def append_entries(
    ledger: Ledger,
    drafts: Sequence[Draft],
    actor: Actor,
    *,
    tenant: str = "",
    dry_run: bool = False,
    listed: bool | None = None,
    progress: Progress | None = None,
    expected_tree_size: int | None = None,
) -> list[Appended]:
    """Append the drafts in order, signed by the actor. Returns after the commit: what is returned is durable.

    tenant: who sends them; their client ids are told apart by it.
    dry_run: check everything, write nothing; the sequence numbers are those that the entries would get.
    listed: whether the fields of problems are JSON pointers into the list ("/3/body/mass_kg") or, for a single draft,
    into its body ("/mass_kg"); None: into the list if there are several.
    progress: called with the number of drafts checked and of all.
    expected_tree_size: append only if the log has just this many entries, for drafts that rest on its state;
    ConflictError if it has others.
    Raises: InputError, RuleError (or a kind of it) or ConflictError with the problems of all bad drafts.
    StoreError if the database cannot do it; BrokenLinkError if the log's end is damaged. Nothing is written then.
    """
    return _append(ledger, _submission(drafts, actor, tenant, listed, expected_tree_size, progress), dry_run=dry_run)


def append_signed(
    ledger: Ledger,
    signed: Sequence[SignedStatement],
    *,
    tenant: str = "",
    dry_run: bool = False,
    listed: bool | None = None,
    progress: Progress | None = None,
) -> list[Appended]:
    """Append statements that their actors have signed elsewhere, in order, under the same rules as drafts.

    Their signatures are verified before the transaction begins, with the keys that the log registers, or an actor_key
    statement before them does. Arguments and errors: as `append_entries`.
    Raises also: BadSignatureError if a signature is not by the key that its statement names.
    """
    return _append(ledger, _foreign_submission(ledger, signed, tenant, listed, progress), dry_run=dry_run)


def append_in(
    ledger: Ledger, sequencer: Sequencer, drafts: Sequence[Draft], actor: Actor
) -> tuple[list[Appended], State]:
    """Append in a transaction of the caller's, for an entry that must stand or fall with other changes.

    Returns what `append_entries` does, and the state to put into ledger.state once the transaction is committed.
    Raises: as `append_entries`.
    """
    submission = Submission(drafts, actor)
    admission = ServiceAdmission(ledger, sequencer, [submission])
    appended = admission.admit(submission)
    admission.write()
    return appended, admission.state


class GroupedAppend:
    """Appends of many threads in common transactions, by a thread of its own between `start` and `stop`.

    Before `start` each call has a transaction of its own, as with the functions above. epoch: of an office taken.
    """

    def __init__(self, ledger: Ledger, *, epoch: int | None = None) -> None:
        self._ledger = ledger
        self._commit: GroupCommit[Submission, list[Appended]] = GroupCommit(
            ledger.engine, ledger.origin, open_admission(ledger), vault=ledger.vault, epoch=epoch
        )

    def start(self) -> None:
        """Let a thread do the work from now on."""
        self._commit.start()

    def stop(self) -> None:
        """Finish what was handed in, refuse what comes after, and end the thread."""
        self._commit.stop()

    def append(
        self,
        drafts: Sequence[Draft],
        actor: Actor,
        *,
        tenant: str = "",
        listed: bool | None = None,
        expected_tree_size: int | None = None,
    ) -> list[Appended]:
        """As `append_entries`. Raises also: StoreError once the thread has stopped or the disk has failed."""
        submission = _submission(drafts, actor, tenant, listed, expected_tree_size, None)
        return self._commit.submit(submission).result()

    def append_signed(
        self, signed: Sequence[SignedStatement], *, tenant: str = "", listed: bool | None = None
    ) -> list[Appended]:
        """As the function of that name. Raises also: StoreError once the thread has stopped or the disk has failed."""
        submission = _foreign_submission(self._ledger, signed, tenant, listed, None)
        return self._commit.submit(submission).result()


def create_log(ledger: Ledger, actor: Actor, role: str = "operator") -> Appended:
    """Make the log. Its first entry is the actor's own key.

    Raises: DuplicateIdError if the log has entries already.
    """
    with open_sequencer(ledger.engine, ledger.origin, ledger.now(), ledger.vault) as sequencer:
        if sequencer.tree_size:
            raise DuplicateIdError(
                problem("/origin", ledger.origin, "a log that does not exist yet", "Use the log that is there.")
            )
        (first,), state = append_in(ledger, sequencer, [Draft("actor_key", actor_key_body(actor, role))], actor)
    ledger.state = state
    return first


def register_actor(ledger: Ledger, new: Actor, by: Actor, role: str = "operator") -> Appended:
    """Let the key of `new` sign statements from now on; `by` states it."""
    return append_entries(ledger, [Draft("actor_key", actor_key_body(new, role))], by)[0]


def actor_key_body(actor: Actor, role: str) -> dict[str, Any]:
    """The body of the entry that registers the actor's key."""
    public_key = base64.b64encode(actor.private_key.public_key().public_bytes_raw()).decode("ascii")
    return {"kid": actor.kid, "public_key": public_key, "actor": actor.actor, "role": role}


def _append(ledger: Ledger, submission: Submission, *, dry_run: bool) -> list[Appended]:
    """One submission in a transaction of its own."""
    with open_sequencer(ledger.engine, ledger.origin, vault=ledger.vault) as sequencer:
        admission = ServiceAdmission(ledger, sequencer, [submission])
        appended = admission.admit(submission)
        if dry_run:
            admission.flag_said_before()
        else:
            admission.write()
    if not dry_run:
        admission.committed()
    return appended


def _submission(
    drafts: Sequence[Draft],
    actor: Actor,
    tenant: str,
    listed: bool | None,
    expected_tree_size: int | None,
    progress: Progress | None,
) -> Submission:
    in_list = len(drafts) > 1 if listed is None else listed
    return Submission(drafts, actor, tenant, in_list, expected_tree_size, progress)


def _foreign_submission(
    ledger: Ledger, signed: Sequence[SignedStatement], tenant: str, listed: bool | None, progress: Progress | None
) -> Submission:
    """The statements, read, each with its signature verified where the key is known.

    Raises: InputError with the problems of all that are not of their form, BadSignatureError of all false signatures.
    """
    in_list = len(signed) > 1 if listed is None else listed
    items = _each(_each(signed, check_form, in_list), Verifier(ledger), in_list)
    return Submission(items, None, tenant, in_list, None, progress)


class Verifier:
    """Verifies signatures of statements, one after the other, with the keys that the log or an earlier one names.

    It begins with the keys of the state that was read last, and reads the log only for a key that it does not know:
    whoever sends one statement after the other does not wait for those of all others to be read.
    Raises, for such a key and by `refresh`: StoreError or VerificationError, as `state_of`.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._learn(ledger.state)

    def refresh(self) -> None:
        """Get to know the keys that were registered since."""
        self._learn(state_of(self._ledger))

    def _learn(self, state: State) -> None:
        self._keys.update((kid, key.public_key) for kid, key in state.plant.keys.actors.items())

    def __call__(self, checked: CheckedStatement) -> ForeignStatement:
        """The statement and the key it was verified with, if that is known. Raises: BadSignatureError."""
        registered = _registers(checked.statement)
        self._keys.update((kid, key) for kid, key in registered.items() if kid not in self._keys)
        if checked.statement.kid not in self._keys:
            self.refresh()
        key = self._keys.get(checked.statement.kid)
        if key is not None:
            verify_signature(checked, key)
        return ForeignStatement(checked, key)


def _registers(statement: Statement) -> Mapping[str, Ed25519PublicKey]:
    """The actor's key that the statement would register, by its id; whether it may is for the rules."""
    if statement.type not in ("actor_key", "actor_key_rotated"):
        return {}
    try:
        raw = base64.b64decode(statement.body["public_key"], validate=True)
        return {str(statement.body["kid"]): Ed25519PublicKey.from_public_bytes(raw)}
    except (KeyError, TypeError, ValueError):  # not of its form, which the rules will say
        return {}


def _each(items: Iterable[ItemT], check: Callable[[ItemT], CheckedT], listed: bool) -> list[CheckedT]:
    """`check` of each item. Raises: InputError, else BadSignatureError, with the problems of all bad ones."""
    done: list[CheckedT] = []
    bad: list[Problem] = []
    false: list[Problem] = []
    for index, item in enumerate(items):
        place, body_place = (f"/{index}", f"/{index}/body") if listed else ("", "")
        try:
            done.append(check(item))
        except (InputError, BadSignatureError) as error:
            problems = bad if isinstance(error, InputError) else false
            problems.extend(replace(one, field=sent_field(one.field, place, body_place)) for one in error.problems)
    if bad:
        raise InputError(*bad, *false)
    if false:
        raise BadSignatureError(*false)
    return done
