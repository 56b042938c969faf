"""Emission factors, their adoption, and the book that maps activity data to factors.

A factor is a record: kg CO2e per unit of an activity, with its GWP set, region, validity, source and licence. Its
identity for the ledger is the SHA-256 of its canonical form. A plant adopts factors by an entry in the log that names
each by id and hash; so a figure can be recomputed from entries and records, and no other record can be slipped in.

Text comes in, values go out; `ledger.service.factor_library` reads the project's files.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from ledger.carbon.gwp import Gas, GwpSet, gwp
from ledger.errors import InputError, MissingFactorError, Problem, RuleError, VerificationError, problem
from ledger.log.canonical import canonical_bytes
from ledger.material.entries import Activity
from ledger.material.fields import Body, Day, Id, Part, Sha256, Slug, Text, parse_body
from ledger.quantity import Exact, NotNegative

FactorId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,31}/[a-z0-9][a-z0-9.-]{0,63}$")]
"""Identity of a factor: its set and its name in it, for example "uk-2023/electricity-generation"."""

Unit = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.]{1,12}$")]

Region = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|GLO|RER)$")]
"""ISO 3166-1 alpha-2 code, or GLO (the world), RER (Europe)."""

_ROUNDING = Decimal("0.00002")
_ROUNDING_SHARE = Decimal("0.001")


class Gases(Part):
    """A factor's parts by gas, each in kg CO2e per unit under the factor's GWP set."""

    co2: NotNegative
    ch4: NotNegative
    n2o: NotNegative

    def total(self) -> Decimal:
        """Sum of the parts in kg CO2e per unit."""
        return self.co2 + self.ch4 + self.n2o


class Factor(Part):
    """An emission factor.

    activity: in the source's words. unit: unit of activity data that it applies to. kg_co2e: per unit, under gwp_set.
    gases: parts by gas, where the source gives them; they add up to kg_co2e within the source's rounding.
    valid_from, valid_to: first and last day of the period that the source states; absent where it states none.
    scope: as the source classes it. source_row: row in the source's table.
    state: "placeholder" for a figure that stands in until the plant enters a real one; a certificate that rests on it
        is provisional.
    gsd: geometric standard deviation of a lognormal whose median is kg_co2e; 1 is certainty; absent where unknown.
    """

    factor_id: FactorId
    activity: Text
    unit: Unit
    kg_co2e: NotNegative
    gases: Gases | None = None
    gwp_set: GwpSet
    region: Region
    valid_from: Day | None = None
    valid_to: Day | None = None
    scope: Literal["1", "2", "3"]
    source: Text
    source_row: Text
    licence: Text
    state: Literal["adopted", "placeholder"]
    gsd: Exact | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("valid_to on or after valid_from")
        if self.gsd is not None and self.gsd < 1:
            raise ValueError("a gsd of 1 or more")
        if self.gases is not None:
            allowed = max(_ROUNDING, self.kg_co2e * _ROUNDING_SHARE)
            if abs(self.gases.total() - self.kg_co2e) > allowed:
                raise ValueError(f"gases that add up to kg_co2e within {allowed} (these give {self.gases.total()})")
        return self

    def to_value(self) -> dict[str, Any]:
        """The record as JSON data: absent fields left out, decimals as text with their digits."""
        return self.model_dump(mode="json", exclude_none=True)

    def sha256(self) -> str:
        """Hex SHA-256 of the record's canonical form."""
        return hashlib.sha256(canonical_bytes(self.to_value())).hexdigest()


class FactorRef(Part):
    """A factor by its id and the hash of its record."""

    factor_id: FactorId
    sha256: Sha256


class ActivityFactors(Part):
    """The factors that apply to one activity in one unit; each gives a line, and together they give its burden.

    For example electricity in kWh: generation, grid losses, and the upstream of both.
    """

    activity: Slug
    unit: Unit
    factors: Annotated[tuple[FactorRef, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({factor.factor_id for factor in self.factors}) != len(self.factors):
            raise ValueError("each factor once")
        return self


class FactorAdoption(Body):
    """Body of the entry `factor_adoption`: from here on these factors apply to these activities.

    region: what the set is meant for, in words. electricity_approach: how bought electricity is counted, in the words
        of the GHG Protocol Scope 2 Guidance. Market-based needs contractual instruments, which no entry holds yet.
    """

    set_id: Id
    gwp_set: GwpSet
    region: Text
    electricity_approach: Literal["location-based"] = "location-based"
    activities: Annotated[tuple[ActivityFactors, ...], Field(min_length=1)]
    adopted_on: Day
    note: Text | None = None

    @model_validator(mode="after")
    def _each_activity_once(self) -> Self:
        if len({(row.activity, row.unit) for row in self.activities}) != len(self.activities):
            raise ValueError("each activity once per unit")
        return self


CARBON_ENTRIES: dict[str, type[Body]] = {"factor_adoption": FactorAdoption}


# Reading records

_MASS_COLUMNS: dict[str, Gas] = {"co2_kg": "CO2", "ch4_kg": "CH4", "n2o_kg": "N2O"}
_CO2E_COLUMNS = {"co2_kg_co2e": "co2", "ch4_kg_co2e": "ch4", "n2o_kg_co2e": "n2o"}
_PLAIN_COLUMNS = frozenset(Factor.model_fields) - {"gases"}


def parse_factors(csv_text: str) -> list[Factor]:
    """The factors of a CSV file, one a row; an empty cell is an absent field.

    Columns: the fields of `Factor` by name. Per gas either co2_kg_co2e, ch4_kg_co2e, n2o_kg_co2e (parts of kg_co2e),
    or, in place of kg_co2e, co2_kg, ch4_kg, n2o_kg: masses of gas, weighted here with the row's GWP set.
    Raises: InputError with one problem for every wrong cell, its field "/LINE/COLUMN" (line 1 is the header).
    """
    reader = csv.DictReader(io.StringIO(csv_text), strict=True)
    problems: list[Problem] = []
    factors: list[Factor] = []
    first_line: dict[str, int] = {}
    known = _PLAIN_COLUMNS | _MASS_COLUMNS.keys() | _CO2E_COLUMNS.keys()
    try:
        header = list(reader.fieldnames or [])
        wrong = [column for column in header if column not in known or header.count(column) > 1]
        if wrong:
            raise InputError(
                *(problem(f"/1/{column}", column, "a known column, once", "Correct the header.") for column in wrong)
            )
        for cells in reader:
            line = reader.line_num
            try:
                factor = _factor_of_row(cells, line)
            except InputError as error:
                problems.extend(error.problems)
                continue
            if factor.factor_id in first_line:
                expected = f"an id that line {first_line[factor.factor_id]} does not have already"
                problems.append(problem(f"/{line}/factor_id", factor.factor_id, expected, "Rename or remove one."))
            first_line.setdefault(factor.factor_id, line)
            factors.append(factor)
    except csv.Error as error:
        # The row that could not be read begins after the last one that could.
        problems.append(problem(f"/{reader.line_num + 1}", str(error), "CSV text (RFC 4180)", "Correct the file."))
    if not factors and not problems:
        problems.append(problem("", csv_text, "a header and at least one row", "Add factors."))
    if problems:
        raise InputError(*problems)
    return factors


def _factor_of_row(cells: Mapping[str | None, Any], line: int) -> Factor:
    """One row as a factor. csv puts surplus cells under the key None, and None into cells that are missing."""
    if None in cells or None in cells.values():
        raise InputError(problem(f"/{line}", "another number of cells", "one cell per column", "Correct the row."))
    filled = {str(column): text for column, text in cells.items() if text != ""}
    value: dict[str, Any] = {column: text for column, text in filled.items() if column in _PLAIN_COLUMNS}
    masses = {column: filled[column] for column in _MASS_COLUMNS if column in filled}
    parts = {name: filled[column] for column, name in _CO2E_COLUMNS.items() if column in filled}
    if masses:
        if "kg_co2e" in filled or parts:
            raise InputError(
                problem(f"/{line}/kg_co2e", "both", "kg_co2e or masses of gas, not both", "Empty one of them.")
            )
        row = parse_body(_MassRow, {**masses, "gwp_set": filled.get("gwp_set", "")}, f"/{line}")
        gases = row.gases()
        value["gases"] = gases
        value["kg_co2e"] = gases.total()
    elif parts:
        value["gases"] = parts
    return parse_body(Factor, value, f"/{line}")


class _MassRow(Part):
    """Emissions per unit as masses of gas in kg."""

    co2_kg: NotNegative
    ch4_kg: NotNegative
    n2o_kg: NotNegative
    gwp_set: GwpSet

    def gases(self) -> Gases:
        """The parts in kg CO2e under the row's GWP set."""
        return Gases(
            co2=self.co2_kg * gwp("CO2", self.gwp_set),
            ch4=self.ch4_kg * gwp("CH4", self.gwp_set),
            n2o=self.n2o_kg * gwp("N2O", self.gwp_set),
        )


# The book


@dataclass(frozen=True)
class FactorBook:
    """The factors in force.

    gwp_set: the one set of all of them; None as long as nothing is adopted.
    electricity_approach: of the adoption that the electricity factors come from; None without such factors.
    adoption_seqs: sequence numbers of the adoptions that something in force rests on.
    adopted: for each activity and unit, the factors by id and hash. records: the records at hand, by hash.
    """

    gwp_set: GwpSet | None
    electricity_approach: str | None
    adoption_seqs: tuple[int, ...]
    adopted: Mapping[tuple[str, str], tuple[FactorRef, ...]]
    records: Mapping[str, Factor]

    def factors_for(self, activity: Activity) -> tuple[Factor, ...]:
        """The factors that apply to `activity`.

        Raises: MissingFactorError if none is adopted for it in its unit; VerificationError if a record is not at hand.
        """
        refs = self.adopted.get((activity.activity, activity.unit))
        if refs is None:
            others = sorted(unit for name, unit in self.adopted if name == activity.activity)
            hint = f" Adopted for it: per {', '.join(others)}." if others else ""
            raise MissingFactorError(
                problem(
                    "/activity",
                    f"{activity.activity} in {activity.unit}",
                    "an activity and unit with an adopted emission factor",
                    f"Log a factor_adoption for {activity.activity} per {activity.unit}.{hint}",
                )
            )
        return tuple(self._record(ref) for ref in refs)

    def direct_factor(self, gas: Gas) -> Decimal:
        """kg CO2e per kg of `gas` that leaves a step, under the book's GWP set.

        Raises: MissingFactorError if nothing is adopted, for an adoption fixes the GWP set.
        """
        if self.gwp_set is None:
            raise MissingFactorError(
                problem("/direct", gas, "an adopted factor set, which fixes the GWP set", "Log a factor_adoption.")
            )
        return gwp(gas, self.gwp_set)

    def _record(self, ref: FactorRef) -> Factor:
        record = self.records.get(ref.sha256)
        if record is None:
            raise VerificationError(
                problem("/factors", ref.factor_id, f"its record, SHA-256 {ref.sha256}", "Supply the adopted record.")
            )
        return record


def make_factor_book(adoptions: Iterable[tuple[int, FactorAdoption]], records: Iterable[Factor]) -> FactorBook:
    """The book after `adoptions` (sequence number and body, in order).

    A later adoption of an activity in a unit replaces the earlier one. One under another GWP set starts a new book:
    what was adopted under the old set is no longer in force, for figures under two sets are never added up.
    records: may hold more than is adopted, and older versions.
    Raises: VerificationError if an adopted factor is there only with another hash than the adopted one, or does not fit
    the activity's unit or the adoption's GWP set.
    """
    rows: dict[tuple[str, str], tuple[int, tuple[FactorRef, ...]]] = {}
    gwp_set: GwpSet | None = None
    approach: str | None = None
    for seq, adoption in adoptions:
        if adoption.gwp_set != gwp_set:
            rows, approach = {}, None
        gwp_set = adoption.gwp_set
        for row in adoption.activities:
            rows[row.activity, row.unit] = (seq, row.factors)
            if row.activity == "electricity":
                approach = adoption.electricity_approach
    by_hash, ids = _index(records)
    problems = [
        found
        for (_, unit), (seq, refs) in rows.items()
        for ref in refs
        if (found := _unfit(ref, unit, gwp_set, by_hash, ids, f"/entries/{seq}", missing_is_wrong=False))
    ]
    if problems:
        raise VerificationError(*problems)
    return FactorBook(
        gwp_set,
        approach,
        tuple(sorted({seq for seq, _ in rows.values()})),
        {key: refs for key, (_, refs) in rows.items()},
        by_hash,
    )


def check_adoption(adoption: FactorAdoption, records: Iterable[Factor]) -> None:
    """Refuse an adoption that does not fit the library `records`, before it is logged.

    Raises: RuleError with one problem for every factor that is not in the library, has another hash there, is per
    another unit, or is under another GWP set.
    """
    by_hash, ids = _index(records)
    problems = [
        found
        for i, row in enumerate(adoption.activities)
        for j, ref in enumerate(row.factors)
        if (found := _unfit(ref, row.unit, adoption.gwp_set, by_hash, ids, f"/activities/{i}/factors/{j}"))
    ]
    if problems:
        raise RuleError(*problems)


def _index(records: Iterable[Factor]) -> tuple[dict[str, Factor], frozenset[str]]:
    by_hash = {record.sha256(): record for record in records}
    return by_hash, frozenset(record.factor_id for record in by_hash.values())


def _unfit(
    ref: FactorRef,
    unit: str,
    gwp_set: GwpSet | None,
    by_hash: Mapping[str, Factor],
    ids: frozenset[str],
    field: str,
    *,
    missing_is_wrong: bool = True,
) -> Problem | None:
    """Why the factor `ref` cannot be used for an activity in `unit` under `gwp_set`; None if it can."""
    record = by_hash.get(ref.sha256)
    if record is None:
        if ref.factor_id in ids:
            expected = f"the record of {ref.factor_id} with this SHA-256"
            return problem(f"{field}/sha256", ref.sha256, expected, "Use the record that was adopted.")
        if missing_is_wrong:
            return problem(f"{field}/factor_id", ref.factor_id, "a factor of the library", "Add its record first.")
        return None
    if record.factor_id != ref.factor_id:
        return problem(f"{field}/factor_id", ref.factor_id, record.factor_id, "Name the factor that has this hash.")
    if record.unit != unit:
        return problem(f"{field}/factor_id", ref.factor_id, f"a factor per {unit}", f"It is per {record.unit}.")
    if record.gwp_set != gwp_set:
        expected = f"a factor under {gwp_set}"
        return problem(f"{field}/factor_id", ref.factor_id, expected, f"It is under {record.gwp_set}.")
    return None
