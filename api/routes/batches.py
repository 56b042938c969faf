"""Batches: the list, one of them, its genealogy, its footprint. Private: an account is needed."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from api.auth import Reader
from api.errors import RefusedError, openapi_problem_responses
from api.schemas import BatchPage, BatchSummary, BatchView, Trace
from api.services import ServicesNow
from ledger.service import read
from ledger.service.footprints import footprint_value_of

router = APIRouter(prefix="/api/v1/batches", tags=["batches"])

MAX_PAGE = 200

_REFUSALS = openapi_problem_responses(401, 403, 404, 422, 503)


def offset_of(cursor: Annotated[str | None, Query(description="next_cursor of the page before")] = None) -> int:
    """Where the page starts. Batches are only ever added at the end, so a place in the list stays the same place."""
    if cursor is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        text = ""
    digits = text.removeprefix("batches:")
    if digits == text or not digits.isdecimal() or len(digits) > 12:
        item = {
            "parameter": "cursor",
            "value": repr(cursor)[:80],
            "expected": "next_cursor of an answer",
            "next_step": "Start again without cursor.",
        }
        raise RefusedError(422, "bad-input", "The cursor is not one that this server gave.", [item])
    return int(digits)


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(f"batches:{offset}".encode("ascii")).rstrip(b"=").decode("ascii")


@router.get("", operation_id="listBatches", summary="List batches", responses=_REFUSALS)
def list_batches(
    _caller: Reader,
    services: ServicesNow,
    offset: Annotated[int, Depends(offset_of)],
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Batches per page")] = 50,
) -> BatchPage:
    """Oldest first. Follow next_cursor until it is null."""
    batches = read.list_batches(services.ledger)
    page = batches[offset : offset + limit]
    end = offset + len(page)
    return BatchPage(
        batches=[BatchSummary.model_validate(batch) for batch in page],
        next_cursor=_cursor(end) if end < len(batches) else None,
    )


@router.get("/{batch_id}", operation_id="showBatch", summary="One batch", responses=_REFUSALS)
def show_batch(_caller: Reader, services: ServicesNow, batch_id: str) -> BatchView:
    """Sizes, assays, contents, balance, relatives, certificates, warnings."""
    return BatchView.model_validate(read.batch_view(services.ledger, batch_id))


@router.get(
    "/{batch_id}/trace",
    operation_id="traceBatch",
    summary="Genealogy of a batch",
    responses=_REFUSALS,
    response_model_exclude_none=True,
)
def trace_batch(
    _caller: Reader, services: ServicesNow, batch_id: str, direction: Literal["up", "down", "both"] = "both"
) -> Trace:
    """What it was made of (up), what was made of it (down), or both."""
    return Trace.model_validate(read.trace(services.ledger, batch_id, direction))


@router.get(
    "/{batch_id}/footprint",
    operation_id="showFootprint",
    summary="Footprint of a batch",
    responses={**_REFUSALS, **openapi_problem_responses(409)},
)
def show_footprint(
    _caller: Reader,
    services: ServicesNow,
    batch_id: str,
    allocation: Literal["mass", "economic", "element"] = "mass",
) -> dict[str, Any]:
    """The whole statement: result, lines with their entries and factors, the other allocations, method."""
    return footprint_value_of(services.ledger, batch_id, allocation)
