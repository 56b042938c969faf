"""Reading factor records, adopting them, and the book that results."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from ledger.carbon.factors import (
    ActivityFactors,
    Factor,
    FactorAdoption,
    FactorRef,
    check_adoption,
    make_factor_book,
    parse_factors,
)
from ledger.errors import InputError, MissingFactorError, RuleError, VerificationError
from ledger.material.entries import Activity
from ledger.material.fields import parse_body
from ledger.service.factor_library import default_adoption, factor_records

HEADER = "factor_id,activity,unit,kg_co2e,gwp_set,region,valid_from,valid_to,scope,state,source,source_row,licence\n"
GOOD = "uk/power,Electricity,kWh,0.2,AR5,GB,2023-01-01,2023-12-31,2,adopted,a table,7,OGL\n"


def factor(factor_id: str = "uk/power", kg_co2e: str = "0.2", **more: object) -> Factor:
    return parse_body(
        Factor,
        {
            "factor_id": factor_id,
            "activity": "Electricity",
            "unit": "kWh",
            "kg_co2e": kg_co2e,
            "gwp_set": "AR5",
            "region": "GB",
            "scope": "2",
            "source": "a table",
            "source_row": "7",
            "licence": "OGL",
            "state": "adopted",
            **more,
        },
    )


def adoption(
    *factors: Factor, activity: str = "electricity", unit: str = "kWh", gwp_set: str = "AR5"
) -> FactorAdoption:
    return parse_body(
        FactorAdoption,
        {
            "set_id": "S",
            "gwp_set": gwp_set,
            "region": "GB",
            "activities": [
                {
                    "activity": activity,
                    "unit": unit,
                    "factors": [{"factor_id": item.factor_id, "sha256": item.sha256()} for item in factors],
                }
            ],
            "adopted_on": "2023-01-02",
        },
    )


def power(unit: str = "kWh") -> Activity:
    return Activity(activity="electricity", amount=Decimal(1), unit=unit)


def test_every_row_of_the_library_has_source_row_licence_region_and_gwp_set() -> None:
    records = factor_records()
    assert len(records) == 36 + 1 + 5
    assert len({record.factor_id for record in records}) == len(records)
    assert all(record.source and record.source_row and record.licence for record in records)
    # What claims to be published states its period; a placeholder has none.
    assert all(record.valid_from and record.valid_to for record in records if record.state == "adopted")
    assert {record.state for record in records if record.factor_id.startswith("placeholder/")} == {"placeholder"}


def test_figures_keep_the_digits_of_their_source() -> None:
    by_id = {record.factor_id: record for record in factor_records()}
    # Row 7_400_4000_5_4 of the UK flat file 2023, and 27_304_3140_14_4.
    assert by_id["uk-2023/electricity-generation"].to_value()["kg_co2e"] == "0.20707"
    assert by_id["uk-2023/hgv-all-average-laden"].to_value()["kg_co2e"] == "0.09696"
    assert by_id["uk-2023/rail-freight-wtt"].gases is None


def test_masses_of_gas_are_weighted_with_the_rows_gwp_set() -> None:
    by_id = {record.factor_id: record for record in factor_records()}
    # 349.9570 x 1 + 0.0257830 x 28 + 0.0036005 x 265 = 349.9570 + 0.7219240 + 0.9541325 (AR5)
    assert by_id["us-egrid-2023/electricity-generation-national"].kg_co2e == Decimal("351.6330565")


def test_every_wrong_cell_of_a_file_is_named_by_line_and_column() -> None:
    text = (
        HEADER
        + GOOD
        + (
            "uk/gas,Gas,kWh,-1,AR5,GB,2023-01-01,2023-12-31,1,adopted,a table,8,OGL\n"
            "uk/oil,Oil,L,1e3,AR9,GB,2023-01-01,2022-12-31,1,adopted,a table,9,\n"
        )
    )
    with pytest.raises(InputError) as caught:
        parse_factors(text)
    assert {item.field for item in caught.value.problems} == {"/3/kg_co2e", "/4/kg_co2e", "/4/gwp_set", "/4/licence"}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", ""),
        (HEADER, ""),
        (HEADER.replace("unit", "per"), "/1/per"),
        (HEADER.replace("scope", "unit"), "/1/unit"),
        (HEADER + GOOD + GOOD, "/3/factor_id"),
        (HEADER + GOOD.replace(",OGL", ""), "/2"),
        (HEADER + GOOD.replace("OGL", "OGL,more"), "/2"),
        (HEADER + GOOD.replace("a table", '"a table'), "/2"),
    ],
)
def test_a_file_that_is_not_a_table_of_factors_is_refused(text: str, field: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_factors(text)
    assert field in {item.field for item in caught.value.problems}


def test_parts_by_gas_that_do_not_add_up_are_refused() -> None:
    good = {"co2": "0.1", "ch4": "0.06", "n2o": "0.04001"}
    assert factor(gases=good).gases is not None
    with pytest.raises(InputError, match="gases that add up"):
        factor(gases={**good, "n2o": "0.05"})


@pytest.mark.parametrize("more", [{"gsd": "0.9"}, {"valid_from": "2023-12-31", "valid_to": "2023-01-01"}])
def test_a_factor_that_contradicts_itself_is_refused(more: dict[str, str]) -> None:
    with pytest.raises(InputError):
        factor(**more)


def test_the_hash_of_a_record_depends_on_every_field() -> None:
    base = factor()
    assert factor().sha256() == base.sha256()
    # The digits as printed are part of the record.
    others = [factor(kg_co2e="0.20"), factor(region="GLO"), factor(state="placeholder"), factor(gsd="1.1")]
    assert len({item.sha256() for item in (base, *others)}) == 5


def test_the_default_adoption_fits_the_library() -> None:
    records = factor_records()
    adopted = default_adoption("uk-2023", date(2023, 1, 2))
    check_adoption(adopted, records)
    book = make_factor_book([(4, adopted)], records)
    # 0.20707 + 0.01792 + 0.0459 + 0.00397
    assert sum(item.kg_co2e for item in book.factors_for(power())) == Decimal("0.27486")
    assert book.adoption_seqs == (4,)
    assert book.gwp_set == "AR5"
    assert parse_body(FactorAdoption, adopted.to_value()) == adopted


def test_an_activity_without_a_factor_is_refused_with_the_units_that_have_one() -> None:
    book = make_factor_book([(0, adoption(factor()))], [factor()])
    with pytest.raises(MissingFactorError, match=r"electricity in MWh.*Adopted for it: per kWh"):
        book.factors_for(power("MWh"))
    with pytest.raises(MissingFactorError, match="argon in kg"):
        book.factors_for(Activity(activity="argon", amount=Decimal(1), unit="kg"))


def test_without_an_adoption_a_gas_has_no_gwp() -> None:
    with pytest.raises(MissingFactorError):
        make_factor_book([], factor_records()).direct_factor("CO2")


def test_a_later_adoption_replaces_the_factors_of_its_activities_only() -> None:
    old, new, gas = factor(), factor("uk/power-2", "0.3"), factor("uk/gas", "0.18")
    adoptions = [(1, adoption(old)), (2, adoption(gas, activity="natural-gas")), (3, adoption(new))]
    book = make_factor_book(adoptions, [old, new, gas])
    assert book.factors_for(power()) == (new,)
    assert book.factors_for(Activity(activity="natural-gas", amount=Decimal(1), unit="kWh")) == (gas,)
    assert book.adoption_seqs == (2, 3)
    # The book rests on those two alone.
    assert make_factor_book(adoptions[1:], [old, new, gas]) == book


def test_factors_under_two_gwp_sets_are_never_in_force_together() -> None:
    old, new = factor(), factor("uk/gas", "0.18", gwp_set="AR6")
    book = make_factor_book([(1, adoption(old)), (2, adoption(new, activity="natural-gas", gwp_set="AR6"))], [old, new])
    assert book.gwp_set == "AR6"
    with pytest.raises(MissingFactorError):
        book.factors_for(power())
    with pytest.raises(VerificationError):
        make_factor_book([(1, adoption(old, gwp_set="AR6"))], [old])


def test_a_record_with_another_hash_than_the_adopted_one_is_refused() -> None:
    adopted = adoption(factor(kg_co2e="0.2"))
    with pytest.raises(VerificationError, match="the record of uk/power with this SHA-256"):
        make_factor_book([(1, adopted)], [factor(kg_co2e="0.1")])
    # With the adopted version at hand as well, the newer one does no harm.
    book = make_factor_book([(1, adopted)], [factor(kg_co2e="0.1"), factor(kg_co2e="0.2")])
    assert book.factors_for(power())[0].kg_co2e == Decimal("0.2")


def test_an_adopted_record_that_is_not_at_hand_is_missed_when_it_is_needed() -> None:
    book = make_factor_book([(1, adoption(factor()))], [])
    with pytest.raises(VerificationError, match="uk/power"):
        book.factors_for(power())


def test_an_id_cannot_be_put_on_the_hash_of_another_record() -> None:
    record = factor()
    row = ActivityFactors(
        activity="electricity", unit="kWh", factors=(FactorRef(factor_id="uk/other", sha256=record.sha256()),)
    )
    forged = adoption(record).model_copy(update={"activities": (row,)})
    with pytest.raises(VerificationError):
        make_factor_book([(1, forged)], [record])
    with pytest.raises(RuleError):
        check_adoption(forged, [record])


@pytest.mark.parametrize(
    ("adopted", "field"),
    [
        (adoption(factor("uk/unknown")), "/activities/0/factors/0/factor_id"),
        (adoption(factor(kg_co2e="0.3")), "/activities/0/factors/0/sha256"),
        (adoption(factor(), unit="MWh"), "/activities/0/factors/0/factor_id"),
        (adoption(factor(), gwp_set="AR6"), "/activities/0/factors/0/factor_id"),
    ],
)
def test_an_adoption_that_does_not_fit_the_library_is_refused(adopted: FactorAdoption, field: str) -> None:
    with pytest.raises(RuleError) as caught:
        check_adoption(adopted, [factor()])
    assert [item.field for item in caught.value.problems] == [field]


def test_a_market_based_adoption_is_refused_for_no_entry_holds_an_instrument() -> None:
    value = adoption(factor()).to_value() | {"electricity_approach": "market-based"}
    with pytest.raises(InputError, match="location-based"):
        parse_body(FactorAdoption, value)


def test_an_adoption_names_each_activity_and_factor_once() -> None:
    value = adoption(factor()).to_value()
    with pytest.raises(InputError, match="each activity once per unit"):
        parse_body(FactorAdoption, {**value, "activities": value["activities"] * 2})
    row = value["activities"][0]
    with pytest.raises(InputError, match="each factor once"):
        parse_body(FactorAdoption, {**value, "activities": [{**row, "factors": row["factors"] * 2}]})
