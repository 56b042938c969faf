"""Figures of the material do not depend on the decimal context of the program that asks for them."""

from __future__ import annotations

from decimal import ROUND_UP, Context, Decimal, localcontext

from ledger.material.arithmetic import DIGITS, in_own_context
from ledger.material.balance import balance_of, contents, contents_of, lineage_balance
from ledger.material.batch import fold_plant
from ledger.material.chemistry import element_fractions, oxide_factor
from ledger.material.origin import lot_shares
from tests.plants import MASSES, campaign

ROUGH = Context(prec=10, rounding=ROUND_UP)


def test_a_function_in_its_own_context_has_all_its_digits() -> None:
    third = in_own_context(lambda: Decimal(2) / 3)
    with localcontext(ROUGH):
        assert third() == Decimal("0." + "6" * (DIGITS - 1) + "7")
        assert Decimal(2) / 3 == Decimal("0.6666666667")  # and the caller keeps the context


def test_contents_balances_and_shares_are_the_same_in_any_context() -> None:
    log = campaign("bel-demo-2")
    batch_id = "OX-NdPr-501-A"

    def figures() -> list[object]:
        plant = fold_plant(log.entries, MASSES)
        return [
            plant,
            contents(plant, MASSES),
            contents_of(plant, MASSES, [batch_id]),
            balance_of(plant, ["S7"], MASSES),
            lineage_balance(plant, batch_id, MASSES),
            lot_shares(plant, batch_id, MASSES),
            plant.receipts["IN-101"][1].dry_mass(),
            [element_fractions("Nd2O3", MASSES), oxide_factor("Pr6O11", MASSES)],
        ]

    usual = figures()
    with localcontext(ROUGH):
        rough = figures()
    for each, other in zip(usual, rough, strict=True):
        assert each == other
