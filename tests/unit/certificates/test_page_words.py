"""What a reader finds on the pages: the figures, the state, what is not claimed, how to check."""

from __future__ import annotations

import re
from decimal import Decimal
from math import hypot
from typing import Any

import pytest

from certificates.page_crest import crest
from certificates.page_items import Line, Text
from certificates.page_parts import formula
from certificates.page_provenance import main_element
from certificates.render import layout
from ledger.errors import InputError
from tests.certificates_samples import (
    SAMPLES,
    co2_sample,
    crowded_co2_sample,
    empty_co2_sample,
    final_co2_sample,
    provenance_sample,
)


def pages_of(content: dict[str, Any]) -> list[str]:
    """The words of each page."""
    return [
        " ".join(item.text for item in page if isinstance(item, Text)).replace("\u00a0", " ")
        for page in layout(content)
    ]


def test_the_headline_figures_stand_on_page_one() -> None:
    page = pages_of(co2_sample())[0]

    for figure in (
        "13.0674",
        "kg CO₂e per kg NdPr oxide",
        "9.0341 to 18.9127, mean 13.9165",
        "4027.1561600",
        "11.9512",
        "13.0558",
    ):
        assert figure in page


def test_all_digits_of_a_long_figure_are_shown() -> None:
    content = co2_sample()

    # The decimals after the second are a text of their own, set small, beside the first.
    assert "3856.18 2614" in pages_of(content)[0]
    assert content["result"]["total_kg_co2e"] == "3856.182614"


def test_a_provisional_certificate_says_so_on_every_page_and_why() -> None:
    content = co2_sample()
    pages = pages_of(content)

    assert all(page.count("PROVISIONAL") >= 2 for page in pages)
    for reason in content["provisional_because"]:
        assert reason in pages[0]


def test_reasons_that_do_not_fit_on_page_one_stand_at_the_end() -> None:
    content = crowded_co2_sample()
    pages = pages_of(content)

    assert "and 34 more" in pages[0]  # 40 reasons, six of them on page one
    assert re.search(r"Why it is provisional.*\b39\b", " ".join(pages[-12:]))


def test_a_final_certificate_nowhere_says_provisional() -> None:
    assert not any("PROVISIONAL" in page for page in pages_of(final_co2_sample()))


def test_a_state_other_than_final_is_shown_as_provisional() -> None:
    content = final_co2_sample()
    content["state"] = "draft"

    assert all("PROVISIONAL" in page for page in pages_of(content))


def test_a_superseding_certificate_names_what_it_replaces_and_why() -> None:
    page = pages_of(final_co2_sample())[0]

    assert "Replaces certificate CO2-BEL1-OX-NdPr-0001: the meter reading of BEL1-S1 was corrected" in page


@pytest.mark.parametrize("name", SAMPLES)
def test_every_page_is_numbered_and_says_that_a_printout_proves_nothing(name: str) -> None:
    pages = pages_of(SAMPLES[name]())

    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert "A printout proves nothing" in page


@pytest.mark.parametrize("name", ["co2", "final co2", "provenance"])
def test_the_limits_of_the_claim_and_the_way_to_check_it_are_told(name: str) -> None:
    content = SAMPLES[name]()
    words = " ".join(pages_of(content))

    assert "magnet-ledger certificate verify FILE" in words
    for text in content["not_claimed"]:
        assert text in words


def test_the_hot_spots_shown_add_up_to_the_headline() -> None:
    content = co2_sample()
    page = pages_of(content)[0]

    assert sum(Decimal(spot["kg_co2e_per_kg"]) for spot in content["hot_spots"]) == Decimal("13.0674")
    for spot in content["hot_spots"]:
        assert f"{spot['label']} {spot['kg_co2e_per_kg']} {spot['percent']}" in page
    assert "Sum, the headline 13.0674 100.0" in page


def test_hot_spots_beyond_the_twelfth_are_put_together() -> None:
    content = co2_sample()
    content["hot_spots"] = [content["hot_spots"][0] | {"label": f"spot {number}"} for number in range(15)]

    page = pages_of(content)[0]

    # 15 spots: 11 by name, 4 together; each is 4.8185 kg CO2e/kg and 36.9 %.
    assert "spot 10 4.8185 36.9" in page
    assert "4 others, see annex A 19.2740 147.6" in page
    assert "spot 11" not in page


def test_every_line_of_the_annex_is_there_with_entry_factor_amount_and_share() -> None:
    content = co2_sample()
    words = " ".join(pages_of(content))

    for line in content["lines"]:
        for text in (line["factor_id"], f"{line['amount']} {line['unit']}", line["kg_co2e"], line["allocated_kg_co2e"]):
            assert text in words


def test_a_direct_emission_is_not_called_measured() -> None:
    content = co2_sample()
    (first, *rest) = content["lines"]
    content["lines"] = [{name: first[name] for name in first if name != "factor_id"}, *rest]
    annex = " ".join(pages_of(content)[1:])

    # A gas that leaves a step is logged without saying how its mass was found.
    assert "no factor: its GWP" in annex
    assert "measured, no factor" not in annex


def test_without_uncertainties_no_interval_is_shown() -> None:
    page = pages_of(empty_co2_sample())[0]

    assert "No interval: no factor used states how uncertain it is" in page
    assert "95 %" not in page


def test_an_allocation_that_is_not_available_says_why() -> None:
    content = co2_sample()
    content["results_by_allocation"]["economic"] = {"not_available": "needs a price of X-1"}

    assert "Not available: needs a price of X-1" in pages_of(content)[0]


def test_the_assay_names_who_had_it_made_and_every_report() -> None:
    content = provenance_sample()
    reports = content["batch"]["assay"]["reports"]
    assert "Assay by the plant, OX-NdPr-501-ICP (ICP-OES): Nd₂O₃ 82.45 %" in pages_of(content)[0]

    content["batch"]["assay"]["reports"] = [
        *reports,
        {"assay_id": "TRACE", "party": "plant", "method": "ICP-MS", "reported_on": "2023-10-03"},
    ]
    content["batch"]["assay"]["settlements"] = ["SET-9"]
    words = pages_of(content)[0]
    assert "Assays by the plant, OX-NdPr-501-ICP (ICP-OES), TRACE (ICP-MS), settled by SET-9: Nd₂O₃" in words


def test_unknown_origin_and_unaccounted_mass_are_shown() -> None:
    words = " ".join(pages_of(provenance_sample()))

    assert "unknown 30.6 %" in words
    assert "9.357 kg unaccounted" in words  # 371.4872 kg into the NdPr line less 362.1300 kg of it in the oxide
    assert "8.244 kg iron oxide filter cake (waste)" in words


def test_post_consumer_share_is_the_sum_of_its_lots() -> None:
    # IN-101 43.0 % and IN-102 31.9 % are post-consumer.
    assert "From waste after use 74.9" in pages_of(provenance_sample())[0]


def test_the_main_element_is_that_of_the_largest_component_of_the_assay() -> None:
    content = provenance_sample()
    content["batch"]["assay"]["components"] = [
        {"species": "Nd2O3", "wt_percent": "0.3"},
        {"species": "Dy2O3", "wt_percent": "99.6"},
    ]

    assert main_element(content) == "Dy"


def test_the_main_element_of_a_blend_is_that_which_most_was_made_of() -> None:
    content = provenance_sample()
    del content["batch"]["assay"]

    assert main_element(content) == "Nd"


def test_without_the_streams_contents_the_way_is_not_drawn_and_the_page_says_so() -> None:
    content = provenance_sample()
    del content["steps"][0]["inputs"][0]["rare_earths_kg"]

    page = pages_of(content)[0]

    assert "a stream does not state what it holds" in page
    assert "unaccounted beyond" in page


def test_formulas_of_oxides_have_subscripts_and_identities_do_not() -> None:
    assert formula("Dy2O3, from Pr6O11 of batch B2 and CO2-1") == "Dy₂O₃, from Pr₆O₁₁ of batch B2 and CO2-1"


def test_the_crest_draws_each_digit_as_a_ray() -> None:
    def rays(digest: str) -> list[float]:
        items = crest(digest, 84, "#000000").items[:64]
        return [hypot(item.x2 - item.x1, item.y2 - item.y1) for item in items if isinstance(item, Line)]

    lengths = rays("0f" * 32)

    # Rays run from 27 % to at most 46 % of the size: 15.96 pt for f, 12 % of that for 0.
    assert lengths[0] == pytest.approx(0.12 * 15.96)
    assert lengths[1] == pytest.approx(15.96)
    assert rays("1f" * 32)[0] > lengths[0]


@pytest.mark.parametrize(("field", "value"), [("kind", "passport"), ("renderer", "magnet-ledger-page/0")])
def test_an_unknown_kind_or_renderer_is_refused(field: str, value: str) -> None:
    content = co2_sample() | {field: value}

    with pytest.raises(InputError) as error:
        layout(content)

    assert error.value.problems[0].field == f"/{field}"
