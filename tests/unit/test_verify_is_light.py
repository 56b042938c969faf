"""A buyer verifies offline: `certificates.verify` loads neither database, web nor PDF-drawing libraries."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {"sqlmodel", "sqlalchemy", "alembic", "psycopg", "fastapi", "starlette", "reportlab"}


def loaded_by(statement: str) -> set[str]:
    """Names of all modules in a fresh interpreter that has run `statement`."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_verification_loads_no_database_no_web_and_no_drawing() -> None:
    loaded = loaded_by("import certificates.verify")
    assert "certificates.verify" in loaded
    assert not {name for name in loaded if name.split(".")[0] in HEAVY}
    assert not {name for name in loaded if name.startswith(("ledger.store", "ledger.service", "api"))}


def test_the_check_sees_a_heavy_import() -> None:
    loaded = loaded_by("import sqlmodel, ledger.store")
    assert {"sqlmodel", "sqlalchemy", "ledger.store"} <= loaded
