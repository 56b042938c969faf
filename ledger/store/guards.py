"""The triggers that refuse changes of entries, as they must stand in the database.

They stop accidents, not an administrator, who can drop them: so `log verify` looks whether they are there, unchanged
and enabled. Texts as in the migrations, which may not import anything from here; a test holds the two together.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

SQLITE = {
    "entry_no_update": (
        "CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry"
        " BEGIN SELECT RAISE(ABORT, 'entry is append-only: UPDATE refused'); END"
    ),
    "entry_no_delete": (
        "CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry"
        " BEGIN SELECT RAISE(ABORT, 'entry is append-only: DELETE refused'); END"
    ),
    "entry_no_replace": (
        "CREATE TRIGGER entry_no_replace BEFORE INSERT ON entry"
        " WHEN EXISTS (SELECT 1 FROM entry WHERE origin = NEW.origin AND seq = NEW.seq)"
        " OR EXISTS (SELECT 1 FROM entry WHERE origin = NEW.origin AND statement_id = NEW.statement_id)"
        " OR EXISTS ( SELECT 1 FROM entry"
        " WHERE origin = NEW.origin AND tenant = NEW.tenant AND client_id = NEW.client_id )"
        " BEGIN SELECT RAISE(ABORT, 'entry is append-only: it exists already'); END"
    ),
}
"""Name and text, white space aside."""

POSTGRESQL = {
    "entry_no_change": (
        "CREATE TRIGGER entry_no_change BEFORE DELETE OR UPDATE ON entry"
        " FOR EACH ROW EXECUTE FUNCTION entry_refuse_change()"
    ),
    "entry_no_truncate": (
        "CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON entry"
        " FOR EACH STATEMENT EXECUTE FUNCTION entry_refuse_change()"
    ),
}
"""Name and text, as pg_get_triggerdef gives it, without the schema's name."""

POSTGRESQL_FUNCTION = "BEGIN RAISE EXCEPTION 'entry is append-only: % refused', TG_OP; END"

_PG_TRIGGERS = """
    SELECT t.tgname, pg_get_triggerdef(t.oid), t.tgenabled::text, p.prosrc
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = to_regclass('entry') AND NOT t.tgisinternal
"""
_PG_ENABLED = ("O", "A")
"""Fires in an ordinary session."""


def missing_guards(connection: Connection) -> list[str]:
    """What is wrong with the triggers, one text each: not there, changed, or switched off. Empty if all guard."""
    return _missing_on_sqlite(connection) if connection.dialect.name == "sqlite" else _missing_on_postgresql(connection)


def _missing_on_sqlite(connection: Connection) -> list[str]:
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'entry'"
    found = {row[0]: _plain(row[1] or "") for row in connection.execute(text(query))}
    return [fault for name, expected in SQLITE.items() if (fault := _wrong(name, found.get(name), expected))]


def _missing_on_postgresql(connection: Connection) -> list[str]:
    found = {row[0]: tuple(row[1:]) for row in connection.execute(text(_PG_TRIGGERS))}
    wrong = []
    for name, expected in POSTGRESQL.items():
        definition, enabled, source = found.get(name, (None, "", ""))
        # The table's schema may be any: "ON public.entry".
        stated = None if definition is None else _plain(definition.replace(" ON public.entry", " ON entry"))
        if fault := _wrong(name, stated, expected):
            wrong.append(fault)
        elif enabled not in _PG_ENABLED:
            wrong.append(f"trigger {name} is switched off")
        elif _plain(source) != POSTGRESQL_FUNCTION:
            wrong.append(f"trigger {name} calls a function that was changed")
    return wrong


def _wrong(name: str, found: str | None, expected: str) -> str:
    if found is None:
        return f"trigger {name} is missing"
    return "" if found == expected else f"trigger {name} was changed"


def _plain(sql: str) -> str:
    return " ".join(sql.split())
