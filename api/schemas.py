"""Shapes of the JSON interface's answers, for its description (OpenAPI) and as a check on ourselves."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.publishing import PublisherState

Decimals = str
"""An exact decimal number as text, such as "12.500"."""


class Answer(BaseModel):
    """Base: an answer has the fields that are described and no others."""

    model_config = ConfigDict(extra="forbid")


class ProblemItem(BaseModel):
    """One finding. Exactly one of pointer (JSON pointer into the body), parameter (query), header, path says where."""

    model_config = ConfigDict(extra="allow")

    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None
    path: str | None = None
    value: str
    expected: str
    next_step: str


class ProblemDetails(BaseModel):
    """A refusal (RFC 9457)."""

    type: str = Field(examples=["/problems#overdrawn"])
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[ProblemItem]


class Health(Answer):
    """The process is alive."""

    status: Literal["ok"]


class Ready(Answer):
    """The database answers and its schema is the one of this version.

    publisher: whether the last round of signing and publishing came through; idle where there was none, as where the
    settings want none. What failed is in the server's log. Appending does not depend on it.
    """

    status: Literal["ready"]
    tree_size: int
    publisher: PublisherState


class EntryWarning(Answer):
    """Why an entry that was accepted deserves a second look."""

    pointer: str
    value: str
    expected: str
    next_step: str


class BalanceLine(Answer):
    """One element of a balance: in = product + residue + unaccounted, in kg; uncertainty expanded (k=2)."""

    element: str
    in_kg: Decimals
    product_kg: Decimals
    residue_kg: Decimals
    unaccounted_kg: Decimals
    unaccounted_percent: Decimals | None
    uncertainty_kg: Decimals
    verdict: str


class SequencedEntry(Answer):
    """An entry that is in the log, durably. repeated: it had been logged before with this very id and content."""

    seq: int
    leaf_hash: str
    statement_id: str
    entry_type: str
    repeated: bool
    warnings: list[EntryWarning]


class Logged(SequencedEntry):
    """A receipt or step that is in the log. balance: of the step, per element."""

    balance: list[BalanceLine]


class Accepted(Answer):
    """An entry that is accepted, durably, and waits for its place in the log. number: its submission; ask by it."""

    number: int
    state: Literal["waiting"]


class Refusal(Answer):
    """Why a submission was refused, as in problem details (RFC 9457). status: what a direct answer would have had."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemItem]


class SubmissionView(Answer):
    """What became of a submission. entry: once it is sequenced. refusal: once it is refused."""

    number: int
    state: Literal["waiting", "sequenced", "refused"]
    entry: SequencedEntry | None = None
    refusal: Refusal | None = None


class BatchSummary(Answer):
    """A batch in short.

    made_by: id of the step that made it, or "receipt". Its size is mass_kg or volume_l, or neither for a stream that
    is not measured. size, left: the same as words, with unit.
    """

    batch_id: str
    seq: int
    product: str
    made_on: str
    made_by: str
    role: str
    status: str
    campaign: str | None
    mass_kg: Decimals | None
    volume_l: Decimals | None
    remaining: Decimals | None
    size: str
    left: str


class BatchPage(Answer):
    """One page of batches, oldest first. next_cursor: pass it as cursor for the next page; null on the last."""

    batches: list[BatchSummary]
    next_cursor: str | None


class FamilyLink(Answer):
    """A relative of a batch. depth: 1 is next to it. via: id of the step between."""

    batch_id: str
    product: str
    depth: int
    via: str


class Trace(Answer):
    """Genealogy, nearest first. up: what the batch was made of; down: what was made of it; absent if not asked for."""

    batch_id: str
    up: list[FamilyLink] | None = None
    down: list[FamilyLink] | None = None


class ElementContent(Answer):
    """How much of an element a batch holds, with expanded uncertainty (k=2)."""

    element: str
    mass_kg: Decimals
    uncertainty_kg: Decimals


class CertificateLine(Answer):
    """A certificate of a batch."""

    certificate_id: str
    kind: str
    seq: int
    status: str


class BatchView(Answer):
    """Everything about a batch.

    receipt, assays: bodies of entries as logged (an assay with its "seq"). components: the assay that counts, or null.
    disputed: supplier and plant differ and nothing settles it. balance: of the step that made it. entries: numbers of
    the entries about it.
    """

    batch: BatchSummary
    receipt: dict[str, Any] | None
    assays: list[dict[str, Any]]
    components: list[dict[str, Any]] | None
    disputed: bool
    contents: list[ElementContent]
    balance: list[BalanceLine]
    ancestors: list[FamilyLink]
    descendants: list[FamilyLink]
    used_by: list[str]
    entries: list[int]
    certificates: list[CertificateLine]
    warnings: list[str]


class FileFacts(Answer):
    """The file as received; it was not stored."""

    sha256: str
    size_bytes: int


class CheckResult(BaseModel):
    """One check and what it came to."""

    check: str
    outcome: Literal["passed", "failed", "not checked"]
    detail: str
    seq: int | None = None


class VerificationReport(Answer):
    """The report on a certificate. ok: every required check passed. content: what the file says, to be relied on only
    if ok."""

    file: FileFacts
    verdict: str
    ok: bool
    checks: list[CheckResult]
    content: dict[str, Any] | None
