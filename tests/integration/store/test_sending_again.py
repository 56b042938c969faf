"""A sender's own ids: sent again, the first receipt; with another content, a conflict; under a new one, a warning."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger.errors import (
    BadSignatureError,
    ConflictError,
    InputError,
    LedgerError,
    OverdrawnError,
    RuleError,
    UnknownIdError,
)
from ledger.log.canonical import canonical_bytes
from ledger.log.envelope import parse_envelope
from ledger.log.signed import SignedStatement
from ledger.log.statement import Statement, commitment, sign_statement
from ledger.report import all_hold
from ledger.service.append import Draft, actor_key_body, append_entries, append_signed, register_actor
from ledger.service.audit import verify_log
from ledger.service.context import Actor, Ledger, State
from ledger.service.drafts import append_lines
from ledger.service.read import entry_bytes, head, plant_of, private_values
from tests.store_samples import (
    ACTOR,
    STRANGER,
    VKEY,
    append_receipts,
    blend,
    execute,
    make_ledger,
    receipt,
    rows,
)

ID = "01890000-0000-7000-8fff-000000000001"
OTHER_ID = "01890000-0000-7000-8fff-000000000002"
SALT = bytes(range(32))


def correction(reason: str = "typing error") -> Draft:
    """A correction of the receipt that is entry 3; the same one fits again once a third has taken it back."""
    return mending("100.0", "90.0", reason)


def mending(old: str, new: str, reason: str) -> Draft:
    body = {"corrects_seq": 3, "pointer": "/dry_mass_kg", "old": old, "new": new, "reason": reason}
    return Draft("correction", body | {"corrected_on": "2026-05-04"})


def signed(
    signer: Actor, draft: Draft, number: int = 1, client_id: str | None = None, **changes: Any
) -> SignedStatement:
    """The draft as somebody signs it far from the log."""
    private = {name: (SALT, value) for name, value in draft.private.items()}
    fields: dict[str, Any] = {
        "type": draft.entry_type,
        "id": f"01890000-0000-7000-8eee-{number:012x}",
        "at": "2026-05-04T07:00:00.000000Z",
        "actor": signer.actor,
        "kid": signer.kid,
        "body": dict(draft.body),
        "commit": {name: commitment(salt, value) for name, (salt, value) in private.items()},
    }
    statement = Statement(**(fields | changes))
    signature = sign_statement(statement, signer.private_key)
    return SignedStatement(canonical_bytes(statement.to_value()), signature, private, client_id)


def fields_of(error: LedgerError) -> list[str]:
    return [item.field for item in error.problems]


# Client ids


def test_the_same_client_id_with_the_same_content_gives_the_first_receipt_also_years_and_restarts_later(
    ledger: Ledger, tmp_path: Path
) -> None:
    draft = replace(receipt("IN-1"), client_id="scale-7/ticket-42", private={"price": "12.00"})
    first = append_entries(ledger, [draft], ACTOR, tenant="user-1")[0]
    append_receipts(ledger, 2, 2)
    ledger.engine.dispose()
    url = ledger.engine.url.render_as_string(hide_password=False)
    years_later = replace(make_ledger(url, tmp_path, series=7), now=lambda: datetime(2031, 1, 1, tzinfo=UTC))
    again = append_entries(years_later, [draft], ACTOR, tenant="user-1")[0]
    years_later.engine.dispose()
    assert again == replace(first, repeated=True)
    assert head(ledger).tree_size == 6


def test_the_same_client_id_with_another_content_is_a_conflict_that_names_both_hashes(ledger: Ledger) -> None:
    append_entries(ledger, [replace(receipt("IN-1"), client_id="42")], ACTOR, tenant="user-1")
    ((first_hash,),) = rows(ledger.engine, "SELECT content_sha256 FROM entry WHERE client_id = '42'")
    with pytest.raises(ConflictError) as caught:
        append_entries(ledger, [replace(receipt("IN-2"), client_id="42")], ACTOR, tenant="user-1")
    (item,) = caught.value.problems
    assert item.field == "/client_id"
    assert first_hash in item.expected
    assert "entry 3" in item.expected
    second = append_entries(ledger, [replace(receipt("IN-2"), client_id="43")], ACTOR, tenant="user-1")[0]
    ((second_hash,),) = rows(ledger.engine, "SELECT content_sha256 FROM entry WHERE client_id = '43'")
    assert second.seq == 4
    assert second_hash in item.value


def test_a_client_id_means_something_only_beside_its_tenant(ledger: Ledger) -> None:
    seqs = [
        append_entries(ledger, [replace(receipt(f"IN-{tenant}"), client_id="1")], ACTOR, tenant=tenant)[0].seq
        for tenant in ("a", "b", "")
    ]
    assert seqs == [3, 4, 5]
    assert append_entries(ledger, [replace(receipt("IN-b"), client_id="1")], ACTOR, tenant="b")[0].seq == 4


def test_without_a_client_id_the_statement_id_serves_whoever_sends(ledger: Ledger) -> None:
    """As before there were tenants: the entry of then is found by its statement's id."""
    draft = replace(receipt("IN-1"), statement_id=ID)
    first = append_entries(ledger, [draft], ACTOR)[0]
    again = append_entries(ledger, [draft], ACTOR, tenant="user-1")[0]
    assert (again.seq, again.repeated) == (first.seq, True)
    with pytest.raises(ConflictError):
        append_entries(ledger, [replace(receipt("IN-2"), statement_id=ID)], ACTOR, tenant="user-1")


def test_a_statement_id_enters_a_log_once_whatever_the_client_id(ledger: Ledger) -> None:
    append_entries(ledger, [replace(receipt("IN-1"), statement_id=ID, client_id="1")], ACTOR)
    for draft in (receipt("IN-1"), receipt("IN-2")):
        with pytest.raises(ConflictError, match="entry 3") as caught:
            append_entries(ledger, [replace(draft, statement_id=ID, client_id="2")], ACTOR)
        assert fields_of(caught.value) == ["/statement_id"]
    assert head(ledger).tree_size == 4


def test_the_same_client_id_twice_in_one_request_is_logged_once(ledger: Ledger) -> None:
    draft = replace(receipt("IN-1"), client_id="1")
    appended = append_entries(ledger, [draft, receipt("IN-2"), draft], ACTOR)
    assert [(entry.seq, entry.repeated) for entry in appended] == [(3, False), (4, False), (3, True)]
    with pytest.raises(ConflictError) as caught:
        append_entries(
            ledger, [replace(receipt("IN-3"), client_id="2"), replace(receipt("IN-4"), client_id="2")], ACTOR
        )
    assert fields_of(caught.value) == ["/1/client_id"]


@pytest.mark.parametrize("client_id", ["", "a b", "ü", "x" * 129, "a\n", "\x00"], ids=ascii)
def test_a_client_id_that_is_not_visible_ascii_of_1_to_128_is_refused(ledger: Ledger, client_id: str) -> None:
    with pytest.raises(InputError) as caught:
        append_entries(ledger, [replace(receipt("IN-1"), client_id=client_id)], ACTOR)
    assert fields_of(caught.value) == ["/client_id"]
    append_entries(ledger, [replace(receipt("IN-1"), client_id="!" + "~" * 127)], ACTOR)


def test_a_tenant_that_is_not_visible_ascii_is_refused(ledger: Ledger) -> None:
    with pytest.raises(InputError) as caught:
        append_entries(ledger, [receipt("IN-1")], ACTOR, tenant="Köln")
    assert fields_of(caught.value) == ["/tenant"]


def test_a_line_of_a_file_may_carry_the_senders_own_id(ledger: Ledger) -> None:
    def lines(*receipts: tuple[str, str]) -> bytes:
        return b"\n".join(
            orjson.dumps({"type": "receipt", "body": dict(receipt(batch_id).body), "client_id": client_id})
            for batch_id, client_id in receipts
        )

    first = append_lines(ledger, lines(("IN-1", "ticket-1"), ("IN-2", "ticket-2")), ACTOR)
    again = append_lines(ledger, lines(("IN-2", "ticket-2"), ("IN-3", "ticket-3")), ACTOR)
    assert [(entry.seq, entry.repeated) for entry in (*first, *again)] == [
        (3, False),
        (4, False),
        (4, True),
        (5, False),
    ]
    with pytest.raises(ConflictError) as caught:
        append_lines(ledger, lines(("IN-4", "ticket-4"), ("IN-5", "ticket-1")), ACTOR)
    assert fields_of(caught.value) == ["/line 2/client_id"]


# The same content under a new key


def test_the_same_content_under_a_new_key_is_taken_and_flagged_with_the_entry_that_said_it_first(
    ledger: Ledger,
) -> None:
    append_receipts(ledger, 1, 1)
    first = append_entries(ledger, [replace(correction(), client_id="1")], ACTOR)[0]
    append_entries(ledger, [mending("90.0", "100.0", "it was right")], ACTOR)
    again = append_entries(ledger, [replace(correction(), client_id="2")], ACTOR)[0]
    assert (first.seq, again.seq, again.repeated) == (4, 6, False)
    assert first.warnings == []
    (warning,) = again.warnings
    assert "entry 4" in warning.value
    append_entries(ledger, [mending("90.0", "100.0", "it was right after all")], ACTOR)
    third = append_entries(ledger, [correction()], ACTOR)[0]
    assert ["entry 4" in item.value for item in third.warnings] == [True]


def test_within_one_request_and_in_a_dry_run_repeated_content_is_flagged_too(ledger: Ledger) -> None:
    append_receipts(ledger, 1, 1)
    drafts = [correction(), mending("90.0", "100.0", "no"), correction()]
    for dry_run in (True, False):
        appended = append_entries(ledger, drafts, ACTOR, dry_run=dry_run)
        assert [[item.field for item in entry.warnings] for entry in appended] == [[], [], ["/2"]]
        assert "entry 4" in appended[2].warnings[0].value


def test_a_content_that_only_another_log_has_is_not_flagged(ledger: Ledger) -> None:
    from ledger.service.append import create_log

    other = replace(ledger, origin="example.com/magnets/site-2", state=State())
    create_log(other, ACTOR)
    party = Draft("party", {"party_id": "P-9", "roles": ["buyer"], "country": "DE"})
    assert append_entries(ledger, [party], ACTOR)[0].warnings == []
    assert append_entries(other, [party], ACTOR)[0].warnings == []


def test_contents_of_entries_that_were_left_behind_are_found_at_the_next_append(ledger: Ledger) -> None:
    """As after an import that stopped in the middle."""
    append_receipts(ledger, 1, 1)
    append_entries(ledger, [correction(), mending("90.0", "100.0", "no")], ACTOR)
    execute(ledger.engine, "DELETE FROM content WHERE seq >= 2")
    execute(ledger.engine, "UPDATE head SET content_size = 2")
    (again,) = append_entries(ledger, [correction()], ACTOR)
    assert ["entry 4" in item.value for item in again.warnings] == [True]
    assert rows(ledger.engine, "SELECT content_size, tree_size FROM head") == [(7, 7)]
    # The sixth entry repeats the fourth: only the first one of a content is listed.
    assert [seq for (seq,) in rows(ledger.engine, "SELECT seq FROM content ORDER BY seq")] == [0, 1, 2, 3, 4, 5]


# Statements signed elsewhere


def test_a_statement_signed_elsewhere_enters_the_log_with_its_exact_bytes_and_private_values(ledger: Ledger) -> None:
    register_actor(ledger, STRANGER, ACTOR)
    party = Draft("party", {"party_id": "P-2", "roles": ["buyer"], "country": "DE"}, private={"name": "Schmidt"})
    one = signed(STRANGER, party, client_id="offline-1")
    (appended,) = append_signed(ledger, [one], tenant="tablet-3")
    (data,) = entry_bytes(ledger, [appended.seq])
    assert (appended.seq, appended.entry_type, appended.warnings) == (4, "party", [])
    assert one.statement_bytes in data
    assert parse_envelope(data).signature == one.signature
    assert private_values(ledger, 4) == {"name": '"Schmidt"'}
    assert "P-2" in plant_of(ledger).parties
    (again,) = append_signed(ledger, [one], tenant="tablet-3")
    assert (again.seq, again.repeated) == (4, True)
    # Signed anew because the answer got lost: another id and time, the same thing said under the same client id.
    (anew,) = append_signed(ledger, [signed(STRANGER, party, 2, client_id="offline-1")], tenant="tablet-3")
    assert (anew.seq, anew.repeated) == (4, True)


def test_a_statement_is_not_replayed_under_another_client_id_or_tenant(ledger: Ledger) -> None:
    one = signed(ACTOR, receipt("IN-1"), client_id="1")
    append_signed(ledger, [one], tenant="a")
    for other in (replace(one, client_id="2"), one):
        with pytest.raises(ConflictError, match="entry 3"):
            append_signed(ledger, [other], tenant="b")
    assert append_signed(ledger, [replace(one, client_id=None)], tenant="b")[0].repeated
    assert head(ledger).tree_size == 4


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        ({"signature": bytes(64)}, BadSignatureError, "/sig"),
        ({"signature": bytes(63)}, InputError, "/sig"),
        ({"private": {"price": (SALT, "13.00")}}, InputError, "/private/price"),
        ({"private": {"colour": (SALT, "grey")}}, InputError, "/private/colour"),
        ({"client_id": ""}, InputError, "/client_id"),
        ({"statement_bytes": b'{"v": 1}'}, InputError, ""),
        ({"statement_bytes": b"{}"}, InputError, "/actor"),
        ({"statement_bytes": b"\xff"}, InputError, ""),
    ],
    ids=str,
)
def test_a_foreign_statement_out_of_form_is_refused_before_the_log_is_touched(
    ledger: Ledger, change: dict[str, Any], kind: type[InputError | BadSignatureError], field: str
) -> None:
    good = signed(ACTOR, replace(receipt("IN-1"), private={"price": "12.00"}))
    with pytest.raises(kind) as caught:
        append_signed(ledger, [replace(good, **change)])
    assert fields_of(caught.value) == [field]
    with pytest.raises(kind) as caught:
        append_signed(ledger, [good, replace(good, **change)])
    assert fields_of(caught.value) == [f"/1{field}"]
    assert head(ledger).tree_size == 3


def test_a_changed_foreign_statement_is_refused_by_its_signature(ledger: Ledger) -> None:
    good = signed(ACTOR, receipt("IN-1"))
    changed = replace(good, statement_bytes=good.statement_bytes.replace(b"100.0", b"900.0"))
    with pytest.raises(BadSignatureError):
        append_signed(ledger, [changed])
    assert append_signed(ledger, [good])[0].seq == 3


def test_foreign_statements_keep_the_same_rules_as_drafts(ledger: Ledger) -> None:
    append_receipts(ledger, 1, 1)
    for draft, kind, changes, field in (
        (receipt("IN-2", site_id="NOWHERE"), UnknownIdError, {}, "/site_id"),
        (receipt("IN-2", dry_mass_kg="-1"), InputError, {}, "/dry_mass_kg"),
        (receipt("IN-2", received_on="2026-05-06"), InputError, {}, "/received_on"),
        (blend("B", [("IN-1", "60.0"), ("IN-1", "60.0")], ("M", "1")), OverdrawnError, {}, "/inputs/1/mass_kg"),
        (receipt("IN-2"), InputError, {"at": "2026-05-05T00:00:00.000000Z"}, "/at"),
        (receipt("IN-2"), InputError, {"type": "smelt"}, "/type"),
        (receipt("IN-2"), InputError, {"commit": {"site_id": "ab" * 32}}, "/private/site_id"),
    ):
        with pytest.raises(kind) as caught:
            append_signed(ledger, [signed(ACTOR, draft, **changes)])
        assert fields_of(caught.value) == [field]
    assert head(ledger).tree_size == 4


def test_a_foreign_statement_by_an_unregistered_key_or_in_anothers_name_is_refused(ledger: Ledger) -> None:
    with pytest.raises(RuleError, match="/actor"):
        append_signed(ledger, [signed(STRANGER, receipt("IN-1"))])
    with pytest.raises(RuleError, match="/actor"):
        append_signed(ledger, [signed(ACTOR, receipt("IN-1"), actor="somebody-else")])
    assert head(ledger).tree_size == 3


def test_a_key_may_be_registered_and_used_in_one_submission(ledger: Ledger) -> None:
    registration = Draft("actor_key", actor_key_body(STRANGER, "operator"))
    statements = [signed(ACTOR, registration, 1), signed(STRANGER, receipt("IN-1"), 2)]
    with pytest.raises(RuleError):  # not the other way round
        append_signed(ledger, statements[::-1])
    assert [entry.seq for entry in append_signed(ledger, statements)] == [3, 4]
    forged = replace(signed(STRANGER, receipt("IN-2"), 3), signature=bytes(64))
    with pytest.raises(BadSignatureError):
        append_signed(ledger, [forged])


def test_a_dry_run_of_foreign_statements_writes_nothing(ledger: Ledger) -> None:
    (would_be,) = append_signed(ledger, [signed(ACTOR, receipt("IN-1"))], dry_run=True)
    assert would_be.seq == 3
    assert head(ledger).tree_size == 3


@pytest.mark.parametrize("guess", ["12.00", "13.00"])
def test_nobody_else_can_try_which_private_value_an_entry_commits_to(ledger: Ledger, guess: str) -> None:
    # Entry and id are there for every reader; sending them again with a guess must not tell whether it is right.
    append_entries(ledger, [replace(receipt("IN-1"), statement_id=ID, private={"price": "12.00"})], ACTOR, tenant="a")
    guessed = replace(receipt("IN-1"), statement_id=ID, private={"price": guess})
    with pytest.raises(ConflictError) as caught:
        append_entries(ledger, [guessed], ACTOR, tenant="b")
    (item,) = caught.value.problems
    assert item.value == f"{ID} with private values"
    assert item.expected == "those of another sender, as in entry 3 with the same statement id"


def test_a_signed_statement_brings_the_values_that_it_commits_to_along(ledger: Ledger) -> None:
    complete = signed(ACTOR, replace(receipt("IN-1"), private={"price": "12.00", "seller": "A. Supplier"}))
    one_missing = replace(complete, private={"seller": complete.private["seller"]})
    with pytest.raises(InputError) as caught:
        append_signed(ledger, [one_missing])
    assert fields_of(caught.value) == ["/private/price"]
    append_signed(ledger, [complete])
    assert all_hold(verify_log(ledger, VKEY))
