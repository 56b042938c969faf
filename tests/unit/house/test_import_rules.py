"""The import rules of pyproject.toml hold for a small tree that keeps them, and catch each way of breaking one.

A contract that has gone blind (a renamed module, a mistyped library) would pass for ever on the real tree, unseen.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# Every module that a contract names, each with an import that is allowed.
TREE = {
    "ledger/errors.py": "",
    "ledger/quantity.py": "import ledger.errors",
    "ledger/report.py": "import ledger.errors",
    "ledger/log/merkle.py": "import hashlib, ledger.report",
    "ledger/material/batch.py": "import decimal, ledger.log.merkle",
    "ledger/carbon/footprint.py": "import ledger.material.batch",
    "ledger/store/tables.py": "import sqlmodel, ledger.carbon.footprint",
    "ledger/service/append.py": "import ledger.store.tables",
    "certificates/content.py": "import ledger.carbon.footprint",
    "certificates/verify.py": "import certificates.content, ledger.log.merkle",
    "certificates/render.py": "import reportlab",
    "certificates/issue.py": "import certificates.render, ledger.service.append",
    "api/app.py": "import api.routes.batches, api.web.pages",
    "api/routes/batches.py": "import fastapi, ledger.service.append",
    "api/web/pages.py": "import ledger.service.append",
}

BROKEN = [
    ("layers", "ledger/log/merkle.py", "import ledger.material.batch"),
    ("layers", "ledger/log/merkle.py", "import ledger.carbon.footprint"),
    ("layers", "ledger/material/batch.py", "import ledger.carbon.footprint"),
    ("layers", "ledger/errors.py", "import ledger.quantity"),
    ("layers", "ledger/store/tables.py", "import ledger.service.append"),
    ("layers", "ledger/service/append.py", "import certificates.content"),
    ("layers", "certificates/render.py", "import api.app"),
    ("pure", "ledger/log/merkle.py", "import sqlalchemy"),
    ("pure", "ledger/material/batch.py", "import time"),
    ("pure", "ledger/carbon/footprint.py", "from pathlib import Path"),
    ("pure", "ledger/carbon/footprint.py", "import ledger.store.tables"),
    ("light-verification", "certificates/verify.py", "import ledger.store.tables"),
    ("light-verification", "certificates/verify.py", "import certificates.render"),  # draws in reportlab
    ("light-verification", "certificates/content.py", "import ledger.service.append"),
    ("one-way-in", "api/routes/batches.py", "from ledger.store.tables import Entry"),
    ("one-way-in", "api/web/pages.py", "import hashlib"),
    ("one-way-in", "api/web/pages.py", "import sqlalchemy"),
]


def make_tree(folder: Path) -> None:
    """The packages of TREE in `folder`, with this project's own contracts."""
    for name, source in TREE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source + "\n")
    for package in {path.parent for path in folder.rglob("*.py")} | {folder / "ledger", folder / "api"}:
        (package / "__init__.py").touch()
    (folder / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())


def check_imports(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """import-linter's answer about the packages in `folder`, and not about this project's."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )


def test_a_tree_that_keeps_the_rules_passes_all_of_them(tmp_path: Path) -> None:
    make_tree(tmp_path)
    done = check_imports(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(("contract", "module", "line"), BROKEN)
def test_breaking_a_rule_is_seen(tmp_path: Path, contract: str, module: str, line: str) -> None:
    make_tree(tmp_path)
    with (tmp_path / module).open("a") as source:
        source.write(line + "\n")
    done = check_imports(tmp_path, "--contract", contract)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "0 kept, 1 broken" in done.stdout
    assert module.removesuffix(".py").replace("/", ".") in done.stdout


def test_package_files_hold_a_docstring_and_nothing_else() -> None:
    packages = [path for root in ("ledger", "certificates", "api") for path in (ROOT / root).rglob("__init__.py")]
    assert len(packages) >= 8
    for path in packages:
        body = ast.parse(path.read_text()).body
        assert len(body) == 1, path
        assert isinstance(body[0], ast.Expr), path
        assert isinstance(body[0].value, ast.Constant), path


def test_the_folder_of_migrations_does_not_hide_the_library_alembic() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_migrations_import_no_module_of_the_project() -> None:
    """An old migration must run beside new code. (These files are no package, so import-linter does not see them.)"""
    migrations = sorted((ROOT / "alembic" / "versions").glob("*.py"))
    assert migrations
    for path in migrations:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] not in {"ledger", "certificates", "api"}, f"{path.name} imports {name}"
