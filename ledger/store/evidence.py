"""Evidence of what must not have happened, put down in a file for whoever looks into it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ledger.errors import StoreError, problem
from ledger.store.pin import write_file


def write_evidence(folder: Path, kind: str, value: Mapping[str, object]) -> Path:
    """Write `value` as JSON into a file in `folder`, made if absent; its path. kind: first word of the name.

    The same evidence found again is the same file, so that a publisher that keeps trying does not fill the disk.
    Raises: StoreError if it cannot be written.
    """
    data = (json.dumps({"kind": kind, **value}, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8")
    path = folder / f"{kind}-{hashlib.sha256(data).hexdigest()[:16]}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_file(path, data)
    except OSError as error:
        raise StoreError(
            problem("/pins_dir", f"{path}: {error}", "a file that can be written", "Make room for the evidence.")
        ) from error
    return path
