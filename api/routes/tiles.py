"""The log for everybody who checks it: checkpoint and tiles (C2SP tlog-tiles), straight from the database.

Hashes and checkpoint say nothing of what was logged and are for everybody. Entry bundles hold the plant's business, so
they are for those who may read it here (docs/adr/0015). What is not under the newest kept checkpoint is not served.
"""

from __future__ import annotations

import gzip

from fastapi import APIRouter, Request, Response

from api.auth import Reader
from api.errors import RefusedError, openapi_problem_responses
from api.services import ServicesNow
from ledger.errors import InputError
from ledger.log.tiles import TileName, parse_tile_path
from ledger.service.checkpoints import newest_checkpoint
from ledger.service.context import Ledger
from ledger.service.published import published_file

router = APIRouter(tags=["log"])

IMMUTABLE = "public, max-age=31536000, immutable"
"""A tile never changes, a partial one neither: a wider one has another address."""

BRIEF = "public, max-age=1"
"""The checkpoint moves on."""

_OCTETS = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
_NOTE = {"content": {"text/plain": {"schema": {"type": "string"}}}}


@router.head("/checkpoint", include_in_schema=False)
@router.get(
    "/checkpoint",
    operation_id="checkpoint",
    summary="The newest signed checkpoint (no account)",
    response_class=Response,
    responses={200: _NOTE, **openapi_problem_responses(404, 503)},
)
def checkpoint(services: ServicesNow) -> Response:
    """C2SP checkpoint, with the cosignatures that it has."""
    note = newest_checkpoint(services.ledger)
    if note is None:
        raise RefusedError(404, "not-found", "No checkpoint was signed yet.")
    return Response(note, media_type="text/plain; charset=utf-8", headers={"Cache-Control": BRIEF})


# Stands before the hashes' route, which would take its address as well.
@router.head("/tile/entries/{index:path}", include_in_schema=False)
@router.get(
    "/tile/entries/{index:path}",
    operation_id="entryBundle",
    summary="A bundle of entries",
    response_class=Response,
    responses={200: _OCTETS, **openapi_problem_responses(401, 403, 404, 503)},
)
def entry_bundle(index: str, _caller: Reader, request: Request, services: ServicesNow) -> Response:
    """Up to 256 entries, each after its length in two bytes: `x001/x234/067`, or `.p/<width>` for a partial one."""
    response = _file(services.ledger, _name(request, f"tile/entries/{index}"))
    # C2SP tlog-tiles: bundles should be compressed, since they may be. Hashes cannot be made shorter.
    response.headers["Vary"] = "Accept-Encoding"
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response.body = gzip.compress(response.body, compresslevel=6, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))
    return response


@router.head("/tile/{path:path}", include_in_schema=False)
@router.get(
    "/tile/{path:path}",
    operation_id="tile",
    summary="A tile of the tree's hashes (no account)",
    response_class=Response,
    responses={200: _OCTETS, **openapi_problem_responses(404, 503)},
)
def tile(path: str, request: Request, services: ServicesNow) -> Response:
    """Up to 256 hashes of 32 bytes: `<level>/x001/x234/067`, or `.p/<width>` for a partial one."""
    response = _file(services.ledger, _name(request, f"tile/{path}"))
    response.headers["Cache-Control"] = IMMUTABLE
    return response


def _name(request: Request, path: str) -> TileName:
    """The tile or bundle at the address. Raises: RefusedError 404 if it is not the one spelling of one."""
    try:
        return parse_tile_path(path)
    except InputError:
        raise RefusedError(404, "not-found", f"{request.url.path} is the address of no tile.") from None


def _file(ledger: Ledger, name: TileName) -> Response:
    data = published_file(ledger, name)
    if data is None:
        raise RefusedError(404, "not-found", "The newest checkpoint does not reach so far.")
    return Response(data, media_type="application/octet-stream")
