"""What became of entries that were accepted and had no place in the log yet."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.auth import Reader
from api.errors import item_of, openapi_problem_responses, refusal_of
from api.schemas import Refusal, SequencedEntry, SubmissionView
from api.services import ServicesNow
from ledger.log.canonical import MAX_SAFE_INTEGER
from ledger.service.append import Appended
from ledger.service.queued import Pending, Refused, read_outcome

router = APIRouter(prefix="/api/v1/submissions", tags=["entries"])

PATH = "/api/v1/submissions/{number}"

Number = Annotated[int, Path(ge=1, le=MAX_SAFE_INTEGER, description="Of the answer 202")]


@router.get(
    "/{number}",
    operation_id="getSubmission",
    summary="Ask what became of an accepted entry",
    responses=openapi_problem_responses(401, 403, 404, 422, 503),
)
def get_submission(caller: Reader, number: Number, response: Response, services: ServicesNow) -> SubmissionView:
    """Waiting, sequenced with its entry, or refused with the reasons. The sender's own submissions alone.

    What is accepted is not lost: it waits until it has its place, or is found to be against a rule.
    """
    outcome = read_outcome(services.ledger, number, caller.account.user_id)
    if isinstance(outcome, Pending):
        response.headers["Retry-After"] = "1"
        return SubmissionView(number=number, state="waiting")
    if isinstance(outcome, Refused):
        return SubmissionView(number=number, state="refused", refusal=Refusal(**refusal_of(outcome.error)))
    return SubmissionView(number=number, state="sequenced", entry=SequencedEntry.model_validate(entry_value(outcome)))


def entry_value(appended: Appended) -> dict[str, object]:
    """An entry as answers show it."""
    return {
        "seq": appended.seq,
        "leaf_hash": appended.leaf_hash,
        "statement_id": appended.statement_id,
        "entry_type": appended.entry_type,
        "repeated": appended.repeated,
        "warnings": [item_of(warning) for warning in appended.warnings],
    }
