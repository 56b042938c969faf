"""The witness's server: C2SP tlog-witness, `POST /add-checkpoint`, and what it has cosigned last, for monitors.

Nobody logs in: a request is as good as the signature on its checkpoint.
"""

from __future__ import annotations

import hashlib
import logging

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from api.witness.folder import Witness
from ledger.errors import MalformedProofError, RootMismatchError, StoreError
from ledger.log.add_checkpoint import (
    BAD_REQUEST,
    COSIGNED,
    INCONSISTENT,
    MAX_REQUEST_BYTES,
    OTHER_SIZE_SEEN,
    SIZE_TYPE,
    parse_request,
)
from ledger.log.cosignature import format_witness_vkey, make_witness_key

_log = logging.getLogger(__name__)

TOO_LARGE = 413
UNAVAILABLE = 503


def create_witness_app(witness: Witness) -> FastAPI:
    """The application of one witness."""
    app = FastAPI(title="Witness", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > MAX_REQUEST_BYTES:
                return _text(f"at most {MAX_REQUEST_BYTES} bytes can be sent here", TOO_LARGE)
        return await run_in_threadpool(_answer, witness, bytes(data))

    @app.get("/{origin_sha256}/checkpoint")
    def latest_checkpoint(origin_sha256: str) -> Response:
        """The last checkpoint cosigned of the log whose origin has this SHA-256, in hex."""
        try:
            all_seen = witness.store.all_seen()
        except StoreError as error:
            return _unavailable(error)
        for origin, seen in all_seen.items():
            if hashlib.sha256(origin.encode("ascii")).hexdigest() == origin_sha256:
                return _text(seen.note.removesuffix("\n"))
        return _text("no checkpoint of such a log was cosigned here", 404)

    @app.get("/")
    def verifier_key() -> Response:
        """The witness's verifier key: to be compared with the one that was handed over, not to be trusted from here."""
        return _text(format_witness_vkey(make_witness_key(witness.name, witness.key.public_key())))

    return app


def _answer(witness: Witness, data: bytes) -> Response:
    try:
        answer, line = witness.add_checkpoint(parse_request(data))
    except MalformedProofError as error:
        return _text(f"found {error.problems[0].value}; expected {error.problems[0].expected}", BAD_REQUEST)
    except RootMismatchError as error:
        return _text(error.problems[0].expected, INCONSISTENT)
    except StoreError as error:
        return _unavailable(error)
    if answer.status == COSIGNED:
        return _text(line.removesuffix("\n"))
    if answer.status == OTHER_SIZE_SEEN:
        # As a header, since a media type of text would get a charset added, and logs compare the type as a whole.
        return Response(f"{answer.seen_size}\n", OTHER_SIZE_SEEN, headers={"Content-Type": SIZE_TYPE})
    if answer.refused is not None:
        _log.warning("refused a checkpoint that a known log has signed: %s", answer.why)
    return _text(answer.why, answer.status)


def _text(line: str, status: int = 200) -> Response:
    return PlainTextResponse(f"{line}\n", status, headers={"Cache-Control": "no-store"})


def _unavailable(error: StoreError) -> Response:
    _log.error("%s", error)
    return _text("the witness cannot read or write what it has seen; try again later", UNAVAILABLE)
