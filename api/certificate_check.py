"""Verification of a certificate from the command line: the page drawn anew, the status from the local log if any."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.deps import open_ledger, trust_of
from api.settings import FILE_NAME, Settings

if TYPE_CHECKING:
    from certificates.asked_log import AskedLog
    from certificates.verify import Verification


def verify_file(pdf: bytes, settings: Settings, *, trust_dir: Path | None, now: datetime) -> Verification:
    """The verification of `pdf` against the trust roots in trust_dir, or the installation's own if None."""
    from certificates.pdfa import render_base
    from certificates.verify import verify_certificate

    trust = trust_of(settings if trust_dir is None else settings.model_copy(update={"trust_dir": trust_dir}))
    return verify_certificate(pdf, trust, now=now, render=render_base, log=_local_log(settings))


def _local_log(settings: Settings) -> AskedLog | None:
    """The local log; None where there is no installation: the status then reads "not checked"."""
    from certificates.asked_log import AskedLog

    return AskedLog(open_ledger(settings)) if (settings.folder / FILE_NAME).exists() else None


def headline(verification: Verification) -> list[tuple[str, str]]:
    """The figures that the certificate's data states, for a short list; empty unless they may be relied on."""
    from api.web.verdicts import facts

    return facts(verification.content) if verification.ok else []


def verification_value(verification: Verification, file_name: str) -> dict[str, Any]:
    """The verification as JSON data."""
    content = verification.content or {}
    return {
        "file": file_name,
        "verdict": verification.verdict,
        "ok": verification.ok,
        "certificate_id": content.get("certificate_id"),
        "kind": content.get("kind"),
        "state": content.get("state"),
        "batch_id": content.get("batch", {}).get("batch_id"),
        "figures": dict(headline(verification)),
        "checks": [check.to_value() for check in verification.checks],
    }
