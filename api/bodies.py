"""How a request's body is read: measured while it arrives, held in memory, never written to disk.

Nothing else in `api` reads a body, so every one has a limit, and JSON meets `ledger.log.canonical.parse_json`, which
refuses duplicate keys and floats that a plain JSON reader would swallow.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from api.errors import RefusedError
from ledger.log.canonical import Json, parse_json

MAX_JSON_BYTES = 256 * 1024
"""Four times the largest entry that the log takes."""

MAX_FORM_BYTES = 256 * 1024
MAX_FORM_FIELDS = 2000

MAX_PDF_BYTES = 10 * 1024 * 1024
_MULTIPART_ROOM_BYTES = 64 * 1024
"""Boundaries and part headers that come on top of the file."""


async def json_body(request: Request) -> Json:
    """The body as JSON within the ledger's profile.

    Raises: RefusedError (413, 415); InputError naming the JSON pointer of what is outside the profile.
    """
    _require_type(request, "application/json")
    return parse_json(await _read(request, MAX_JSON_BYTES))


async def form_body(request: Request) -> dict[str, str]:
    """The fields of a page's form, as typed; of a field sent twice the last counts."""
    _require_type(request, "application/x-www-form-urlencoded")
    data = await _read(request, MAX_FORM_BYTES)
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS)
    except ValueError as error:
        raise RefusedError(400, "bad-request", f"This is not a form that can be read ({error}).") from None
    return dict(pairs)


async def pdf_body(request: Request) -> bytes:
    """An uploaded PDF: the body itself (application/pdf), or the file in the field "file" of a multipart form.

    Raises: RefusedError 413 above MAX_PDF_BYTES, 415 for another media type, 422 if there is no file or it is empty.
    """
    kind = _media_type(request)
    if kind == "application/pdf":
        data = await _read(request, MAX_PDF_BYTES)
    elif kind == "multipart/form-data":
        data = await _uploaded_file(request)
    else:
        raise _wrong_type(kind, "application/pdf or multipart/form-data")
    if not data:
        raise _no_file()
    return data


async def _uploaded_file(request: Request) -> bytes:
    parser = MultiPartParser(
        request.headers, _measured(request, MAX_PDF_BYTES + _MULTIPART_ROOM_BYTES), max_files=1, max_fields=4
    )
    # Above this size starlette would write the file to disk; nothing of a visitor's is ever stored.
    parser.spool_max_size = MAX_PDF_BYTES + _MULTIPART_ROOM_BYTES + 1
    try:
        form = await parser.parse()
    except (MultiPartException, UnicodeError) as error:  # the latter from a charset such as "undefined"
        raise RefusedError(400, "bad-request", f"This is not an upload that can be read ({error}).") from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise _no_file()
        if (file.size or 0) > MAX_PDF_BYTES:
            raise _too_large(MAX_PDF_BYTES)
        return await file.read()
    finally:
        await form.close()


async def _read(request: Request, limit_bytes: int) -> bytes:
    return b"".join([chunk async for chunk in _measured(request, limit_bytes)])


async def _measured(request: Request, limit_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body's chunks. Raises RefusedError 413 as soon as there are more than limit_bytes, or are announced to be."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    length_bytes = 0
    async for chunk in request.stream():
        length_bytes += len(chunk)
        if length_bytes > limit_bytes:
            raise _too_large(limit_bytes)
        yield chunk


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _require_type(request: Request, expected: str) -> None:
    kind = _media_type(request)
    if kind != expected:
        raise _wrong_type(kind, expected)


def _wrong_type(kind: str, expected: str) -> RefusedError:
    item = {
        "header": "Content-Type",
        "value": kind or "nothing",
        "expected": expected,
        "next_step": f"Send {expected}.",
    }
    return RefusedError(415, "unsupported-media-type", f"Content-Type is {kind or 'missing'}; send {expected}.", [item])


def _too_large(limit_bytes: int) -> RefusedError:
    return RefusedError(413, "too-large", f"At most {limit_bytes // 1024} KiB can be sent here.")


def _no_file() -> RefusedError:
    item = {"pointer": "/file", "value": "nothing", "expected": "a PDF file", "next_step": "Choose a certificate."}
    return RefusedError(422, "bad-input", "No file was sent. Choose a certificate (a PDF file).", [item])
