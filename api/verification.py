"""Verifying an uploaded certificate: the same for the page and the JSON interface.

The file is held in memory until the answer is sent, and kept nowhere. Two are verified at a time; each address has its
limit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from api.auth import too_many
from api.bodies import pdf_body
from api.services import Services, address_of
from certificates.asked_log import AskedLog
from certificates.verify import Verification, verify_certificate


@dataclass(frozen=True)
class UploadReport:
    """What verifying an uploaded file came to. sha256, size_bytes: of the file as received."""

    sha256: str
    size_bytes: int
    verification: Verification

    def to_value(self) -> dict[str, Any]:
        """The report as JSON data."""
        return {
            "file": {"sha256": self.sha256, "size_bytes": self.size_bytes},
            "verdict": self.verification.verdict,
            "ok": self.verification.ok,
            "checks": [check.to_value() for check in self.verification.checks],
            "content": self.verification.content,
        }


async def verify_upload(request: Request, services: Services) -> UploadReport:
    """The report on the certificate in the request's body.

    Raises: RefusedError 413, 415, 422 (see `pdf_body`), 429 above the limit of the caller's address.
    """
    wait_seconds = services.verifications.take(address_of(request))
    if wait_seconds:
        raise too_many(wait_seconds, "Too many verifications from your address")
    pdf = await pdf_body(request)
    # Hashing, signatures and redrawing the page take a second of processor time, so they leave the event loop.
    async with services.verifying:
        return await run_in_threadpool(_report, services, pdf)


def _report(services: Services, pdf: bytes) -> UploadReport:
    verification = verify_certificate(
        pdf,
        services.trust,
        now=services.now(),
        render=services.render,
        log=AskedLog(services.ledger),
    )
    return UploadReport(hashlib.sha256(pdf).hexdigest(), len(pdf), verification)
