"""The checks of a certificate's verification, by name, and the verdict that they add up to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from certificates.status import Status
from ledger.errors import LedgerError, VerificationError, problem
from ledger.report import Check, Outcome, all_hold, failed, not_checked, passed

SIGNED_BYTES = "signed-bytes"
CONTAINER = "signature-container"
SIGNATURE = "signature"
SIGNER = "signer-trust"
UPDATE = "signed-update"
CONTENT = "embedded-content"
ISSUANCE = "issuance"
TIMES = "times"
INCLUSION = "inclusion-proofs"
CHECKPOINT = "checkpoint-signature"
WITNESSES = "witnesses"
CHECKPOINT_TIME = "checkpoint-time"
ENTRIES = "entry-signatures"
ARITHMETIC = "arithmetic"
PAGE = "page"
STATUS = "status"
TIMESTAMP = "timestamp"

VALID = "valid"
STATUS_UNKNOWN = "valid when issued, status unknown"
FIGURES_VALID = "figures valid, page not compared"
FIGURES_STATUS_UNKNOWN = "figures valid when issued, page not compared, status unknown"
SUPERSEDED = "superseded"
REVOKED = "revoked"
NOT_VALID = "not valid"
UNDECIDED = "cannot be checked"

POSITIVE = (VALID, STATUS_UNKNOWN, FIGURES_VALID, FIGURES_STATUS_UNKNOWN)
"""Verdicts that let a reader rely on the figures; after the last two, as the verifier prints them, not the page."""

_CODE_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError, RecursionError)
"""What computing raises on values that nobody thought of. Only content that a trusted issuer signed gets that far; if
it makes the computation stumble, that is a failed check, not a crash."""


class Checklist:
    """The checks made so far. Each name gets one outcome."""

    _ORDER = (
        SIGNED_BYTES, CONTAINER, SIGNATURE, SIGNER, UPDATE, CONTENT, ISSUANCE, TIMES, INCLUSION, CHECKPOINT,
        WITNESSES, CHECKPOINT_TIME, ENTRIES, ARITHMETIC, PAGE, STATUS, TIMESTAMP,
    )  # fmt: skip
    _OPTIONAL = (WITNESSES, CHECKPOINT_TIME, PAGE, STATUS, TIMESTAMP)

    def __init__(self) -> None:
        self._by_name: dict[str, Check] = {}

    @property
    def done(self) -> list[Check]:
        """All checks in their order."""
        return [self._by_name[name] for name in self._ORDER if name in self._by_name]

    def passed(self, name: str, detail: str) -> None:
        self._by_name[name] = passed(name, detail, required=name not in self._OPTIONAL)

    def failed(self, name: str, detail: str) -> None:
        self._by_name[name] = failed(name, detail)

    def not_checked(self, name: str, why: str) -> None:
        self._by_name[name] = not_checked(name, why, required=name not in self._OPTIONAL)

    def add(self, check: Check) -> None:
        """A check that was made elsewhere; its name is one of these."""
        self._by_name[check.name] = check

    def skip_rest(self, why: str) -> None:
        """Every check without an outcome is not checked."""
        for name in self._ORDER:
            if name not in self._by_name:
                self.not_checked(name, why)

    def value(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives; or None, and the check has failed, where it raises."""
        try:
            return make()
        except LedgerError as error:
            self.failed(name, sentence_of(error))
        except _CODE_ERRORS as error:
            self.failed(name, f"could not be read: {type(error).__name__}: {str(error)[:200]}")
        return None

    def run(self, name: str, check: Callable[[], str]) -> None:
        """Makes a check that gives its detail, or raises."""
        detail = self.value(name, check)
        if detail is not None:
            self.passed(name, detail)

    def verdict(self, status: Status | None) -> str:
        """The verdict that the checks add up to."""
        broken = [check for check in self.done if check.outcome is Outcome.FAILED]
        if broken:
            only_status = all(check.name == STATUS for check in broken)
            if not only_status or status is None:
                return NOT_VALID
        others = [check for check in self.done if check.name != STATUS]
        if not all_hold(others):
            return UNDECIDED
        if broken:
            assert status is not None
            return REVOKED if status.state == "revoked" else SUPERSEDED
        status_known = self._by_name[STATUS].outcome is Outcome.PASSED
        if self._by_name[PAGE].outcome is Outcome.PASSED:
            return VALID if status_known else STATUS_UNKNOWN
        return FIGURES_VALID if status_known else FIGURES_STATUS_UNKNOWN


def sentence_of(error: LedgerError) -> str:
    """The first problem as one sentence, and how many more there are."""
    first = error.problems[0]
    more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
    where = f"{first.field}: " if first.field else ""
    return f"{where}found {first.value}; expected {first.expected}{more}"


def wrong(found: object, expected: str) -> NoReturn:
    """Raises: VerificationError with what was found and what was expected."""
    value = found if isinstance(found, str) else repr(found)
    raise VerificationError(problem("", value, expected, "Do not rely on this certificate."))
