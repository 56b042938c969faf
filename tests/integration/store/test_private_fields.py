"""Private values: in no file in clear, shown to whom we choose, gone once erased, and every proof still holds."""

from __future__ import annotations

import os
import secrets
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url

from ledger.errors import ConflictError, InputError, RuleError, StoreError, UnknownIdError, VerificationError
from ledger.log.checkpoint import parse_vkey
from ledger.log.disclosure import DisclosedField, check_disclosure, format_disclosure
from ledger.log.envelope import parse_envelope
from ledger.log.proof import verify_tlog_proof
from ledger.log.signed import SignedStatement, make_signed
from ledger.log.statement import Statement, commitment
from ledger.report import Check, Outcome, all_hold
from ledger.service import private_fields
from ledger.service.append import Draft, append_entries
from ledger.service.audit import verify_log
from ledger.service.checkpoints import make_checkpoint, prove
from ledger.service.context import Ledger, State
from ledger.service.private_audit import PrivateAudit
from ledger.service.private_fields import (
    disclose,
    erase_fields,
    erase_subject,
    list_private,
    resume_erasures,
    show_private,
)
from ledger.service.read import entry_bytes, head, private_values
from ledger.service.submissions import Submission
from ledger.store import repository
from ledger.store.backup import backup, restore
from ledger.store.database import make_engine, read_transaction, upgrade, write_transaction
from ledger.store.private_rows import open_row
from ledger.store.vault import PrivateField, SealedField, Vault
from tests.postgres import PostgresServer
from tests.store_samples import ACTOR, ORIGIN, VKEY, execute, make_ledger, receipt, start_log

PRICE = "14317.25"
SUPPLIER = "Újrahasznosító Műhely 7731 Kft"
STATEMENT = "01890000-0000-7000-8fff-00000000abcd"


@pytest.fixture
def lot(ledger: Ledger) -> Ledger:
    """A log with a lot (entry 3) whose price and supplier are private, and an assay of it (entry 4)."""
    append_private(ledger)
    return ledger


def append_private(ledger: Ledger) -> None:
    drafts = [
        replace(receipt("IN-1"), private={"price": PRICE, "supplier": SUPPLIER}, statement_id=STATEMENT),
        assay("A-1", "IN-1", {"analyst": "J. Doe-Halloran"}),
    ]
    append_entries(ledger, drafts, ACTOR)


def assay(assay_id: str, batch_id: str, private: dict[str, Any]) -> Draft:
    body = {
        "assay_id": assay_id,
        "batch_id": batch_id,
        "party": "plant",
        "method": "ICP-OES",
        "components": [{"species": "Nd2O3", "wt_percent": "30.0"}],
        "reported_on": "2026-05-04",
    }
    return Draft("assay", body, private=private)


def failures(ledger: Ledger) -> list[Check]:
    checks = verify_log(replace(ledger, state=State()), VKEY)
    found = [check for check in checks if check.outcome is Outcome.FAILED]
    assert all_hold(checks) == (not found)
    return found


def key_files(ledger: Ledger) -> set[str]:
    return {path.name for path in ledger.vault.files()}


def sealed_rows(ledger: Ledger) -> list[SealedField]:
    with read_transaction(ledger.engine) as connection:
        return list(repository.private_fields(connection, ORIGIN))


# In no file in clear


def spellings(value: str) -> list[bytes]:
    """How a value may stand in a file: UTF-8, JSON escapes, UTF-16, and both kinds of text in hex, as in a dump."""
    plain = [value.encode(), value.encode("ascii", "backslashreplace"), value.encode("utf-16-le")]
    escaped = "".join(one if one.isascii() else f"\\u{ord(one):04x}" for one in value).encode()
    return [spelling for one in (*plain, escaped) for spelling in (one, one.hex().encode())]


def raw_files(ledger: Ledger, tmp_path: Path, server: PostgresServer) -> dict[str, bytes]:
    """Every file that holds the database: its own, its journal, a backup or dump; after everything was written out."""
    if ledger.engine.dialect.name == "sqlite":
        target = tmp_path / f"copy-{secrets.token_hex(4)}.db"
        backup(ledger.engine.url.render_as_string(), target)
        paths = [*tmp_path.glob("*.db*")]
        return {path.name: path.read_bytes() for path in paths}
    server.execute("CHECKPOINT")
    url = make_url(ledger.engine.url)
    dump = subprocess.run(
        [server.bin / "pg_dump", "--host=127.0.0.1", f"--port={server.port}", "--username=postgres", str(url.database)],
        env={"PGPASSWORD": server.password, "PATH": os.defpath},
        check=True,
        capture_output=True,
    ).stdout
    files = {str(path): path.read_bytes() for path in server.data.rglob("*") if path.is_file()}
    return {"dump": dump, **files}


def found_in(files: dict[str, bytes], needles: list[bytes]) -> set[str]:
    return {name for name, content in files.items() for needle in needles if needle in content}


def test_value_and_salt_are_in_no_file_of_the_database_before_or_after_an_erasure(
    ledger: Ledger, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    ledger = replace(ledger, new_salt=lambda: secrets.token_bytes(32))
    secret = f"Győri Újrahasznosító {secrets.token_hex(8)} Kft"
    append_entries(ledger, [replace(receipt("IN-1"), private={"supplier": secret})], ACTOR)
    (entry,) = entry_bytes(ledger, [3])
    salt = disclose(ledger, 3, ["supplier"]).fields["supplier"].salt
    (key,) = [path.read_bytes() for path in ledger.vault.files() if path.stat().st_mtime_ns == newest(ledger)]
    needles = [*spellings(secret), salt, salt.hex().encode(), key, key.hex().encode()]
    # The search is not blind: the commitment, which is public, is found (in a dump the entry's bytes stand in hex).
    public = parse_envelope(entry).statement.commit["supplier"].encode()
    before = raw_files(ledger, tmp_path, postgres_server)
    assert found_in(before, [public, public.hex().encode()])
    assert found_in(before, needles) == set()
    erase_subject(ledger, "batch/IN-1", ACTOR, "contract ended")
    after = raw_files(ledger, tmp_path, postgres_server)
    assert found_in(after, [public, public.hex().encode()])
    assert found_in(after, needles) == set()
    assert not any(key in path.read_bytes() for path in ledger.vault.files())


def newest(ledger: Ledger) -> int:
    return max(path.stat().st_mtime_ns for path in ledger.vault.files())


def test_keys_are_files_that_only_their_owner_reads_and_whose_names_tell_nothing(lot: Ledger) -> None:
    assert stat.S_IMODE(lot.vault.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in lot.vault.files()} == {0o600}
    assert {path.stat().st_size for path in lot.vault.files()} == {32}
    # One key for the party of start_log, one for the lot and its assay.
    assert len(key_files(lot)) == 2
    assert not any("IN-1" in name or "P-1" in name or SUPPLIER in name for name in key_files(lot))


def test_a_key_is_on_disk_before_the_row_that_needs_it_is_written(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append(os.path.realpath(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)

    def statement(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if sql.startswith("INSERT INTO private_field"):
            seen.append("row")

    event.listen(ledger.engine, "before_cursor_execute", statement)
    event.listen(ledger.engine, "commit", lambda _: seen.append("commit"))
    before = key_files(ledger)
    append_private(ledger)
    (made,) = key_files(ledger) - before
    folder = ledger.vault.folder.resolve()
    assert seen[:4] == [str(folder / made), str(folder), "row", "commit"]


def test_what_a_traceback_or_a_log_shows_of_an_object_holds_no_private_value() -> None:
    draft = Draft("party", {"party_id": "P-9"}, private={"name": SUPPLIER})
    private = {"name": (bytes(32), SUPPLIER)}
    statement = Statement(
        "party",
        "01890000-0000-7000-8fff-000000000001",
        "2026-05-04T08:00:00.000000Z",
        ACTOR.actor,
        ACTOR.kid,
        {"party_id": "P-9"},
        {"name": commitment(bytes(32), SUPPLIER)},
    )
    checked = make_signed(statement, ACTOR.private_key, private)
    sent = SignedStatement(checked.statement_bytes, checked.signature, private)
    field = PrivateField(3, "name", "party/P-9", bytes(32), SUPPLIER)
    for shown in (draft, checked, sent, field, DisclosedField(bytes(32), SUPPLIER), Submission([draft], ACTOR)):
        assert SUPPLIER not in repr(shown)


def test_a_log_without_private_values_needs_no_vault(ledger: Ledger, tmp_path: Path) -> None:
    other = replace(ledger, vault_dir=tmp_path / "none")
    append_entries(other, [receipt("IN-1")], ACTOR)
    assert not other.vault.exists()


def test_without_a_place_for_the_key_nothing_is_appended(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    other = replace(ledger, vault_dir=tmp_path / "file")
    with pytest.raises(StoreError, match="/vault_dir"):
        append_private(other)
    assert head(ledger).tree_size == 3


# Reading and disclosing


def test_what_is_kept_is_shown_and_listed(lot: Ledger) -> None:
    assert show_private(lot, 3) == {"price": PRICE, "supplier": SUPPLIER}
    assert show_private(lot, 3, ["price"]) == {"price": PRICE}
    assert show_private(lot, 0) == {}
    states = [(one.seq, one.field, one.subject, one.state) for one in list_private(lot, "IN-1")]
    assert states == [
        (3, "price", "batch/IN-1", "kept"),
        (3, "supplier", "batch/IN-1", "kept"),
        (4, "analyst", "batch/IN-1", "kept"),
    ]
    assert [one.field for one in list_private(lot)] == ["name", "vat_id", "price", "supplier", "analyst"]


@pytest.mark.parametrize(("seq", "field"), [(3, "recipe"), (2, "name"), (99, "price")])
def test_what_an_entry_does_not_commit_to_cannot_be_disclosed(lot: Ledger, seq: int, field: str) -> None:
    with pytest.raises(UnknownIdError):
        disclose(lot, seq, [field])


def test_a_value_that_is_not_the_one_committed_to_is_not_disclosed(lot: Ledger) -> None:
    execute(lot.engine, "UPDATE private_field SET field = 'swap' WHERE field = 'price'")
    execute(lot.engine, "UPDATE private_field SET field = 'price' WHERE field = 'supplier'")
    with pytest.raises(VerificationError):
        disclose(lot, 3, ["price"])


# Erasing


def test_an_erasure_is_an_entry_and_leaves_every_proof_and_disclosure_as_it_was(lot: Ledger) -> None:
    proofs = {seq: prove(lot, seq) for seq in range(5)}
    data = dict(zip(range(5), entry_bytes(lot, range(5)), strict=True))
    shown = format_disclosure(disclose(lot, 3, ["price", "supplier"]))
    files = key_files(lot)
    erased = erase_subject(lot, "batch/IN-1", ACTOR, "request under article 17", "SUP-9")
    assert (erased.seq, erased.fields, erased.keys, erased.scrubbed) == (
        5, ((3, "price"), (3, "supplier"), (4, "analyst")), 1, True
    )  # fmt: skip
    entry = parse_envelope(entry_bytes(lot, [5])[0]).statement
    assert (entry.type, entry.body) == (
        "private_erased",
        {"schema": 1, "subject": "batch/IN-1", "entries": [], "reason": "request under article 17",
         "requested_by": "SUP-9"},
    )  # fmt: skip
    assert [row.field for row in sealed_rows(lot)] == ["name", "vat_id"]
    assert len(key_files(lot)) == 1
    assert key_files(lot) < files
    assert failures(lot) == []
    assert entry_bytes(lot, range(5)) == list(data.values())
    for seq, proof in proofs.items():
        verify_tlog_proof(proof, data[seq], parse_vkey(VKEY))
        verify_tlog_proof(prove(lot, seq), data[seq], parse_vkey(VKEY))
    # What was disclosed cannot be called back: it still checks out in the reader's hand.
    assert all_hold(check_disclosure(data[3], shown))
    with pytest.raises(UnknownIdError, match="erased by entry 5"):
        disclose(lot, 3, ["price"])
    assert {one.state for one in list_private(lot, "IN-1")} == {"erased"}
    assert {one.erased_by for one in list_private(lot, "IN-1")} == {5}


def test_an_entry_sent_again_after_its_value_was_erased_cannot_be_told_and_is_refused(lot: Ledger) -> None:
    erase_subject(lot, "batch/IN-1", ACTOR, "contract ended")
    size = head(lot).tree_size
    with pytest.raises(ConflictError, match="erased"):
        append_entries(
            lot,
            [replace(receipt("IN-1"), private={"price": PRICE, "supplier": SUPPLIER}, statement_id=STATEMENT)],
            ACTOR,
        )
    assert head(lot).tree_size == size


def test_one_field_is_erased_and_its_old_ciphertext_too_while_the_others_stay(lot: Ledger) -> None:
    old = {(row.seq, row.field): row for row in sealed_rows(lot)}
    files = key_files(lot)
    erased = erase_fields(lot, {3: ["price"]}, ACTOR, "no longer needed")
    assert (erased.seq, erased.fields, erased.keys) == (5, ((3, "price"),), 1)
    assert show_private(lot, 3) == {"supplier": SUPPLIER}
    assert show_private(lot, 4) == {"analyst": "J. Doe-Halloran"}
    # A copy of the old row, from a backup or the journal, opens with no key that is left.
    assert open_row(lot.vault, ORIGIN, old[3, "price"]) is None
    assert open_row(lot.vault, ORIGIN, old[3, "supplier"]) is None
    assert len(key_files(lot)) == len(files) == 2
    assert len(key_files(lot) & files) == 1
    assert failures(lot) == []
    assert parse_envelope(entry_bytes(lot, [5])[0]).statement.body["entries"] == [{"seq": 3, "fields": ["price"]}]


def test_the_last_field_of_a_subject_takes_its_key_along(lot: Ledger) -> None:
    erase_fields(lot, {3: ["price", "supplier"], 4: ["analyst"]}, ACTOR, "no longer needed")
    assert len(key_files(lot)) == 1
    assert failures(lot) == []


def test_values_that_come_after_an_erasure_are_kept_under_a_new_key(lot: Ledger) -> None:
    old = key_files(lot)
    erase_subject(lot, "batch/IN-1", ACTOR, "contract ended")
    append_entries(lot, [assay("A-2", "IN-1", {"analyst": "K. Second"})], ACTOR)
    assert show_private(lot, 6) == {"analyst": "K. Second"}
    assert len(key_files(lot) - old) == 1
    assert failures(lot) == []
    erase_subject(lot, "batch/IN-1", ACTOR, "contract ended")
    assert show_private(lot, 6) == {}
    assert failures(lot) == []


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda ledger: erase_subject(ledger, "batch/IN-9", ACTOR, "x"), UnknownIdError),
        (lambda ledger: erase_subject(ledger, "site/BEL", ACTOR, "x"), UnknownIdError),
        (lambda ledger: erase_fields(ledger, {3: ["recipe"]}, ACTOR, "x"), UnknownIdError),
        (lambda ledger: erase_fields(ledger, {99: ["price"]}, ACTOR, "x"), UnknownIdError),
        (lambda ledger: erase_fields(ledger, {}, ACTOR, "x"), InputError),
        (lambda ledger: erase_subject(ledger, "batch/IN-1", ACTOR, ""), InputError),
        (lambda ledger: erase_subject(ledger, "batch/IN-1", ACTOR, f"{SUPPLIER} asked for it"), InputError),
        (lambda ledger: erase_subject(ledger, "batch/IN-1", ACTOR, "asked by j. doe-halloran"), InputError),
        (lambda ledger: erase_subject(ledger, "batch/IN-1", ACTOR, "price was 14317.25"), InputError),
        (lambda ledger: erase_subject(ledger, "batch/IN-1", ACTOR, "x", "no id"), InputError),
    ],
)
def test_an_erasure_that_is_not_right_changes_nothing(
    lot: Ledger, act: Callable[[Ledger], object], kind: type[Exception]
) -> None:
    before, files = sealed_rows(lot), key_files(lot)
    with pytest.raises(kind) as caught:
        act(lot)
    assert SUPPLIER not in str(caught.value)
    assert (sealed_rows(lot), key_files(lot), head(lot).tree_size) == (before, files, 5)


def test_what_is_erased_is_not_erased_again(lot: Ledger) -> None:
    erase_fields(lot, {3: ["price"]}, ACTOR, "no longer needed")
    with pytest.raises(RuleError, match="erased by entry 5"):
        erase_fields(lot, {3: ["price"]}, ACTOR, "no longer needed")
    erase_subject(lot, "batch/IN-1", ACTOR, "contract ended")
    with pytest.raises(UnknownIdError):
        erase_subject(lot, "batch/IN-1", ACTOR, "contract ended")


# Cut short


@pytest.mark.parametrize(
    "erase",
    [
        lambda ledger: erase_subject(ledger, "batch/IN-1", ACTOR, "contract ended"),
        lambda ledger: erase_fields(ledger, {3: ["price"]}, ACTOR, "contract ended"),
    ],
    ids=["subject", "field"],
)
def test_an_erasure_cut_short_before_the_key_was_destroyed_is_seen_and_resumed(
    lot: Ledger, monkeypatch: pytest.MonkeyPatch, erase: Callable[[Ledger], object]
) -> None:
    old = {(row.seq, row.field): row for row in sealed_rows(lot)}
    with monkeypatch.context() as patch:
        patch.setattr(Vault, "destroy", _cut)
        with pytest.raises(RuntimeError, match="cut"):
            erase(lot)
    assert open_row(lot.vault, ORIGIN, old[3, "price"]) is not None, "the old key is still there"
    (finding,) = failures(lot)
    assert finding.name == "private-erasures"
    assert "--resume" in finding.detail
    # What is appended meanwhile does not use the key that is to be destroyed.
    append_entries(lot, [assay("A-2", "IN-1", {"analyst": "K. Second"})], ACTOR)
    assert resume_erasures(lot).keys == 1
    assert failures(lot) == []
    assert open_row(lot.vault, ORIGIN, old[3, "price"]) is None
    assert show_private(lot, 6) == {"analyst": "K. Second"}
    assert resume_erasures(lot).keys == 0


def test_an_erasure_cut_short_before_the_commit_did_not_happen(lot: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(private_fields, "delete_private", _cut)
        with pytest.raises(RuntimeError, match="cut"):
            erase_subject(lot, "batch/IN-1", ACTOR, "contract ended")
    assert head(lot).tree_size == 5
    assert show_private(lot, 3) == {"price": PRICE, "supplier": SUPPLIER}
    assert failures(lot) == []


def _cut(*_: object) -> None:
    raise RuntimeError("cut")


def test_a_value_put_back_after_its_erasure_is_seen_and_erased_again(lot: Ledger) -> None:
    kept, files = sealed_rows(lot), {path: path.read_bytes() for path in lot.vault.files()}
    erase_subject(lot, "batch/IN-1", ACTOR, "contract ended")
    with write_transaction(lot.engine) as connection:  # from copies of both database and vault
        repository.insert_private_fields(connection, ORIGIN, [row for row in kept if row.seq in (3, 4)])
    for path, content in files.items():
        path.write_bytes(content)
    found = failures(lot)
    assert {check.name for check in found} == {"private-erasures"}
    assert {check.seq for check in found} == {3, 4}
    assert (show_private(lot, 3), private_values(lot, 3)) == ({}, {}), "what was erased is shown to nobody"
    with pytest.raises(UnknownIdError, match="erased by entry 5"):
        disclose(lot, 3, ["price"])
    assert len(resume_erasures(lot).fields) == 3
    assert failures(lot) == []


@pytest.mark.parametrize(
    "erase",
    [
        lambda ledger: erase_subject(ledger, "batch/IN-1", ACTOR, "contract ended"),
        lambda ledger: erase_fields(ledger, {3: ["price", "supplier"], 4: ["analyst"]}, ACTOR, "contract ended"),
    ],
    ids=["subject", "fields"],
)
def test_a_walk_over_the_newest_entries_alone_sees_that_what_they_erased_is_still_there(
    lot: Ledger, erase: Callable[[Ledger], object]
) -> None:
    kept, files = sealed_rows(lot), {path: path.read_bytes() for path in lot.vault.files()}
    erase(lot)

    def walk() -> list[Check]:
        with read_transaction(lot.engine) as connection:
            audit = PrivateAudit(lot, connection, start=5)
            statement = parse_envelope(entry_bytes(lot, [5])[0]).statement
            audit.look(5, statement.body, statement.commit)
            return audit.finish()

    assert all_hold(walk())
    for path, content in files.items():
        path.write_bytes(content)
    (left,) = (check for check in walk() if check.outcome is Outcome.FAILED)
    assert "key" in left.detail
    with write_transaction(lot.engine) as connection:
        repository.insert_private_fields(connection, ORIGIN, [row for row in kept if row.seq in (3, 4)])
    assert sorted(check.seq or -1 for check in walk() if check.outcome is Outcome.FAILED) == [3, 3, 4]


def test_a_key_that_is_lost_is_no_erasure(lot: Ledger) -> None:
    for path in lot.vault.files():
        path.unlink()
    assert {(check.name, check.seq) for check in failures(lot)} == {
        ("private-erasures", 1), ("private-erasures", 3), ("private-erasures", 4)
    }  # fmt: skip
    assert {one.state for one in list_private(lot)} == {"no key"}
    # It can be logged as one afterwards, and then all is accounted for.
    erase_subject(lot, "batch/IN-1", ACTOR, "the key was lost")
    erase_subject(lot, "party/P-1", ACTOR, "the key was lost")
    assert failures(lot) == []


def test_a_damaged_key_is_a_finding(lot: Ledger) -> None:
    for path in lot.vault.files():
        path.write_bytes(b"\1" * 32)
    assert {check.name for check in failures(lot)} == {"private-fields"}


def test_where_there_is_no_vault_the_values_are_not_checked(lot: Ledger, tmp_path: Path) -> None:
    make_checkpoint(lot)
    erase_subject(lot, "batch/IN-1", ACTOR, "contract ended")
    copy = replace(lot, vault_dir=tmp_path / "elsewhere", state=State())
    outcomes = {check.name: check for check in verify_log(copy, VKEY)}
    for name in ("private-fields", "private-erasures"):
        assert outcomes[name].outcome is Outcome.NOT_CHECKED
    assert "2 cannot be opened" in outcomes["private-fields"].detail


# Backups (SQLite; a restored dump of PostgreSQL has the same rows)


@pytest.fixture
def sqlite_lot(tmp_path: Path) -> Iterator[Ledger]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url)
    ledger = make_ledger(url, tmp_path)
    start_log(ledger)
    append_private(ledger)
    yield ledger
    ledger.engine.dispose()


def test_an_older_backup_does_not_bring_an_erased_value_back(sqlite_lot: Ledger, tmp_path: Path) -> None:
    lot, url = sqlite_lot, f"sqlite:///{tmp_path / 'ledger.db'}"
    backup(url, tmp_path / "copy.db")
    erase_subject(lot, "batch/IN-1", ACTOR, "contract ended")
    restore(url, tmp_path / "copy.db", ORIGIN, lot.pin_path)  # no checkpoint was signed since: the pin allows it
    assert show_private(lot, 3) == {}
    assert {one.state for one in list_private(lot, "IN-1")} == {"no key"}
    # The log that was put back knows nothing of the erasure, so the values that do not open are findings.
    found = failures(lot)
    assert {(check.name, check.seq) for check in found} == {("private-erasures", 3), ("private-erasures", 4)}
    assert all("no key in the vault" in check.detail for check in found)
    erase_subject(replace(lot, state=State()), "batch/IN-1", ACTOR, "erased before, logged again")
    assert failures(lot) == []


def test_after_a_checkpoint_a_backup_older_than_the_erasure_is_refused(sqlite_lot: Ledger, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    backup(url, tmp_path / "copy.db")
    erase_subject(sqlite_lot, "batch/IN-1", ACTOR, "contract ended")
    make_checkpoint(sqlite_lot)
    with pytest.raises(VerificationError, match="entries 5 to 5 are missing"):
        restore(url, tmp_path / "copy.db", ORIGIN, sqlite_lot.pin_path)
    assert failures(sqlite_lot) == []


def test_a_backup_of_the_vault_opens_what_a_backup_of_the_database_holds(sqlite_lot: Ledger, tmp_path: Path) -> None:
    # Why copies of the vault must not outlive an erasure: this is what is documented, not what is wanted.
    backup(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "copy.db")
    kept = tmp_path / "vault-copy"
    kept.mkdir()
    for path in sqlite_lot.vault.files():
        (kept / path.name).write_bytes(path.read_bytes())
    erase_subject(sqlite_lot, "batch/IN-1", ACTOR, "contract ended")
    copy = replace(sqlite_lot, engine=make_engine(f"sqlite:///{tmp_path / 'copy.db'}"), vault_dir=kept, state=State())
    assert show_private(copy, 3)["price"] == PRICE
    copy.engine.dispose()
