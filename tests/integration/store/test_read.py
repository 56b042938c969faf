"""Reading batches, genealogy and balances, and the derived tables behind the lists."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ledger.errors import InputError, UnknownIdError, VerificationError
from ledger.material.batch import fold_plant
from ledger.report import all_hold
from ledger.service import state as state_module
from ledger.service.append import Draft, append_entries
from ledger.service.audit import verify_log
from ledger.service.context import Ledger, State
from ledger.service.read import (
    balance_of_step,
    batch_summary,
    batch_view,
    factor_book_of,
    list_batches,
    plant_of,
    trace,
)
from ledger.store import projection
from ledger.store.database import read_transaction
from tests.store_samples import ACTOR, ORIGIN, VKEY, append_receipts, blend, drop_guards, execute, receipt


def assay(assay_id: str, batch_id: str, nd_percent: str, party: str = "plant") -> Draft:
    """Nd, Fe and B of magnets; Nd with 1 % relative uncertainty."""
    rest = Decimal(99) - Decimal(nd_percent)
    components = [
        {"species": "Nd", "wt_percent": nd_percent, "uncertainty_percent": "1"},
        {"species": "Fe", "wt_percent": str(rest)},
        {"species": "B", "wt_percent": "1.0"},
    ]
    body = {"assay_id": assay_id, "batch_id": batch_id, "party": party, "method": "ICP-OES", "components": components}
    return Draft("assay", {**body, "reported_on": "2026-05-04"})


@pytest.fixture
def plant_ledger(ledger: Ledger) -> Ledger:
    """Two lots, assayed; 60 and 40 kg of them blended to 99.5 kg, of which a step makes 98 kg of powder."""
    append_entries(
        ledger,
        [
            receipt("IN-1"),
            receipt("IN-2"),
            assay("A-1", "IN-1", "30.00"),
            assay("A-2", "IN-2", "25.00"),
            blend("BL-1", [("IN-1", "60.0"), ("IN-2", "40.0")], ("M-1", "99.5")),
            Draft(
                "step",
                {
                    "step_id": "S-1",
                    "process": "milling",
                    "performed_on": "2026-05-04",
                    "inputs": [{"batch_id": "M-1", "whole": True}],
                    "outputs": [{"batch_id": "POWDER-1", "product": "magnet powder", "mass_kg": "98.0"}],
                    "residues": [{"description": "dust", "mass_kg": "1.0"}],
                },
            ),
            assay("A-3", "POWDER-1", "28.00"),
        ],
        ACTOR,
    )
    return ledger


def test_the_list_shows_what_is_left_of_each_batch(plant_ledger: Ledger) -> None:
    shown = [(row["batch_id"], row["size"], row["left"], row["status"]) for row in list_batches(plant_ledger)]
    assert shown == [
        ("IN-1", "100.0 kg", "40.0 kg", "part drawn"),
        ("IN-2", "100.0 kg", "60.0 kg", "part drawn"),
        ("M-1", "99.5 kg", "0 kg", "consumed"),
        ("POWDER-1", "98.0 kg", "98.0 kg", "in stock"),
    ]


def test_the_list_and_the_batches_folded_from_the_log_say_the_same(plant_ledger: Ledger) -> None:
    folded = [batch_summary(batch) for batch in plant_of(replace(plant_ledger, state=State())).batches.values()]
    assert list_batches(plant_ledger) == folded


def test_a_batch_is_shown_with_its_assay_balance_and_genealogy(plant_ledger: Ledger) -> None:
    view = batch_view(plant_ledger, "POWDER-1")
    assert json.loads(json.dumps(view)) == view, "JSON data throughout"
    assert view["batch"]["made_by"] == "S-1"
    assert [item["assay_id"] for item in view["assays"]] == ["A-3"]
    assert view["components"][0] == {"species": "Nd", "wt_percent": "28.00", "uncertainty_percent": "1"}
    assert [(link["batch_id"], link["depth"], link["via"]) for link in view["ancestors"]] == [
        ("M-1", 1, "S-1"),
        ("IN-1", 2, "BL-1"),
        ("IN-2", 2, "BL-1"),
    ]
    assert view["descendants"] == view["used_by"] == view["certificates"] == []
    assert view["receipt"] is None
    assert batch_view(plant_ledger, "IN-1")["receipt"]["dry_mass_kg"] == "100.0"
    assert batch_view(plant_ledger, "IN-1")["used_by"] == ["BL-1"]
    # The lot's receipt, its assay, the blend that drew from it.
    assert batch_view(plant_ledger, "IN-1")["entries"] == [3, 5, 7]


def test_the_balance_adds_up_as_it_is_shown(plant_ledger: Ledger) -> None:
    rows = {row["element"]: row for row in balance_of_step(plant_ledger, "S-1")}
    # In: Nd of the blend, 60 x 30 % + 40 x 25 % = 28 kg; out: 98 x 28 % = 27.44 kg.
    assert {key: Decimal(rows["Nd"][key]) for key in ("in_kg", "product_kg", "residue_kg", "unaccounted_kg")} == {
        "in_kg": Decimal(28),
        "product_kg": Decimal("27.44"),
        "residue_kg": Decimal(0),
        "unaccounted_kg": Decimal("0.56"),
    }
    for row in rows.values():
        parts = [Decimal(row[key]) for key in ("product_kg", "residue_kg", "unaccounted_kg")]
        assert sum(parts) == Decimal(row["in_kg"])
    assert batch_view(plant_ledger, "POWDER-1")["balance"] == list(rows.values())


def test_the_balance_of_a_step_that_does_not_exist_is_refused(plant_ledger: Ledger) -> None:
    with pytest.raises(UnknownIdError, match="S-9"):
        balance_of_step(plant_ledger, "S-9")


@pytest.mark.parametrize(
    ("direction", "up", "down"),
    [("up", ["IN-1", "IN-2"], None), ("down", None, ["POWDER-1"]), ("both", ["IN-1", "IN-2"], ["POWDER-1"])],
)
def test_the_genealogy_is_walked_either_way(
    plant_ledger: Ledger, direction: str, up: list[str] | None, down: list[str] | None
) -> None:
    links = trace(plant_ledger, "M-1", direction)
    for way, expected in (("up", up), ("down", down)):
        found = [link["batch_id"] for link in links[way]] if way in links else None
        assert found == expected


def test_a_batch_or_direction_that_there_is_not_is_refused(plant_ledger: Ledger) -> None:
    with pytest.raises(UnknownIdError, match="NONE-1"):
        batch_view(plant_ledger, "NONE-1")
    with pytest.raises(UnknownIdError, match="NONE-1"):
        trace(plant_ledger, "NONE-1", "up")
    with pytest.raises(InputError, match="sideways"):
        trace(plant_ledger, "M-1", "sideways")


def test_a_dispute_is_shown_at_its_batch(plant_ledger: Ledger) -> None:
    assert batch_view(plant_ledger, "IN-1")["warnings"] == []
    append_entries(plant_ledger, [assay("A-4", "IN-1", "31.00", "supplier")], ACTOR)
    view = batch_view(plant_ledger, "IN-1")
    assert view["disputed"] is True
    assert any("settlement" in warning for warning in view["warnings"])


def test_certificates_are_shown_with_what_became_of_them(plant_ledger: Ledger) -> None:
    def issued(certificate_id: str, **more: Any) -> Draft:
        body = {
            "certificate_id": certificate_id,
            "kind": "co2",
            "batch_id": "POWDER-1",
            "content_sha256": "0" * 64,
            "signer_sha256": "0" * 64,
        }
        return Draft("certificate_issued", {**body, "basis_tree_size": 10, **more})

    append_entries(plant_ledger, [issued("C-1"), issued("C-2", supersedes="C-1", reason="meter")], ACTOR)
    append_entries(
        plant_ledger, [Draft("certificate_revoked", {"certificate_id": "C-2", "reason": "withdrawn"})], ACTOR
    )
    view = batch_view(plant_ledger, "POWDER-1")
    assert [(one["certificate_id"], one["status"]) for one in view["certificates"]] == [
        ("C-1", "superseded"),
        ("C-2", "revoked"),
    ]
    # The powder's step and assay, two certificates, and the revocation, which names only the certificate.
    assert view["entries"] == [8, 9, 10, 11, 12]
    assert all_hold([check for check in verify_log(plant_ledger, VKEY) if check.name == "derived-tables"])


def test_a_correction_reaches_the_list_and_stands_among_the_batchs_entries(plant_ledger: Ledger) -> None:
    body = {"corrects_seq": 4, "pointer": "/dry_mass_kg", "old": "100.0", "new": "120.0", "reason": "scale"}
    append_entries(plant_ledger, [Draft("correction", {**body, "corrected_on": "2026-05-04"})], ACTOR)
    row = next(row for row in list_batches(plant_ledger) if row["batch_id"] == "IN-2")
    assert (row["size"], row["left"]) == ("120.0 kg", "80.0 kg")
    assert batch_view(plant_ledger, "IN-2")["entries"][-1] == 10
    assert all_hold([check for check in verify_log(plant_ledger, VKEY) if check.name == "derived-tables"])


def test_the_derived_tables_kept_up_step_by_step_are_those_made_anew(plant_ledger: Ledger) -> None:
    with read_transaction(plant_ledger.engine) as connection:
        fresh = plant_of(replace(plant_ledger, state=State()))
        assert projection.differences(connection, ORIGIN, fresh) == []


def test_without_an_adoption_no_factor_is_in_force(plant_ledger: Ledger) -> None:
    assert factor_book_of(plant_ledger).adopted == {}


# The cache


def test_a_cached_plant_follows_what_others_append(plant_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = replace(plant_ledger, state=State())
    assert "IN-9" not in plant_of(reader).batches
    append_entries(plant_ledger, [receipt("IN-9")], ACTOR)

    def refuse(*_: Any) -> None:
        raise AssertionError("one entry more was folded from the beginning")

    monkeypatch.setattr(state_module, "fold_plant", refuse)
    assert "IN-9" in plant_of(reader).batches


def test_many_new_entries_are_folded_anew_to_the_same_plant(
    plant_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = replace(plant_ledger, state=State())
    plant_of(reader)
    append_receipts(plant_ledger, 10, 4)
    monkeypatch.setattr(state_module, "REFOLD_ABOVE", 2)
    folded: list[int] = []

    def count(entries: Any, masses: Any) -> Any:
        listed = list(entries)
        folded.append(len(listed))
        return fold_plant(listed, masses)

    monkeypatch.setattr(state_module, "fold_plant", count)
    assert plant_of(reader) == plant_of(plant_ledger)
    assert folded == [14]


def test_a_cached_plant_of_another_history_is_thrown_away(plant_ledger: Ledger) -> None:
    stale = replace(plant_of_state(plant_ledger), last_leaf_hash=b"\1" * 32)
    reader = replace(plant_ledger, state=stale)
    assert plant_of(reader) == plant_of(plant_ledger)
    longer = replace(plant_of_state(plant_ledger), tree_size=99)
    assert plant_of(replace(plant_ledger, state=longer)) == plant_of(plant_ledger)


def plant_of_state(ledger: Ledger) -> State:
    """A state like the ledger's, with no plant in it: whoever uses it is seen."""
    return State(ledger.state.tree_size, ledger.state.last_leaf_hash)


def test_an_entry_that_cannot_be_read_is_named(plant_ledger: Ledger) -> None:
    drop_guards(plant_ledger.engine)
    execute(plant_ledger.engine, "UPDATE entry SET data = :data WHERE seq = 4", data=b"{}")
    with pytest.raises(VerificationError) as caught:
        plant_of(replace(plant_ledger, state=State()))
    assert [item.field for item in caught.value.problems] == ["/entries/4"]
