"""The evidence inside a certificate: the entries that its content rests on, with proofs that they are in the log.

Whoever holds the certificate can fold the entries again and must come to the same content, without the plant's
database. What the evidence cannot show is that nothing was left out of it: it proves that these entries are in the
log. That the needed ones are complete follows from the entries themselves, except for a correction or settlement that
is not disclosed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt

from certificates.content import head_of, make_content
from ledger.carbon.factors import CARBON_ENTRIES, Factor, FactorAdoption, FactorBook, make_factor_book
from ledger.errors import VerificationError, problem
from ledger.log.envelope import Envelope, parse_envelope
from ledger.log.timestamp import MAX_TOKEN_BYTES
from ledger.material.batch import fold_plant
from ledger.material.chemistry import atomic_masses
from ledger.material.entries import MATERIAL_ENTRIES
from ledger.material.fields import Body, Part, Sha256, parse_body
from ledger.material.genealogy import evidence_seqs
from ledger.material.plant import Plant

MAX_ENTRIES = 20_000

MAX_TOKEN_CHARS = 4 * ((MAX_TOKEN_BYTES + 2) // 3)
"""Of a time stamp in base64."""

MASS_TOLERANCE = Decimal("0.0001")
"""Relative. Editions of the table differ by less for every element that assays here name."""


class ProvenEntry(Part):
    """One entry and its way to the root.

    seq: its sequence number. data: its envelope, the exact canonical text. path: sibling hashes in hex, its own first.
    """

    seq: Annotated[StrictInt, Field(ge=0)]
    data: Annotated[str, Field(max_length=65_535)]
    path: Annotated[tuple[Sha256, ...], Field(max_length=64)]

    def envelope(self) -> Envelope:
        """The entry as an envelope.

        Raises: MalformedProofError if it is not canonical; VerificationError if it is another entry than `seq`.
        """
        envelope = parse_envelope(self.data.encode("utf-8"))
        if envelope.seq != self.seq:
            raise VerificationError(problem("/seq", envelope.seq, f"entry {self.seq}", "Treat the evidence as wrong."))
        return envelope


class Evidence(Part):
    """What `evidence.json` holds.

    entries: those that the content rests on, by rising seq. issuance: the entry that says the certificate was issued.
    checkpoint: signed note over a tree that holds them all. vkey: the key that is said to have signed it; a verifier
    trusts its own copy instead. factors: the records of the emission factors used. timestamp: RFC 3161 response over
    the checkpoint, base64 of its DER, if there is one.
    """

    v: Literal[1]
    entries: Annotated[tuple[ProvenEntry, ...], Field(max_length=MAX_ENTRIES)]
    issuance: ProvenEntry
    checkpoint: Annotated[str, Field(max_length=131_072)]
    vkey: Annotated[str, Field(max_length=1_000)]
    factors: tuple[Factor, ...]
    timestamp: Annotated[str, Field(max_length=MAX_TOKEN_CHARS)] | None = None

    def to_value(self) -> dict[str, Any]:
        """The evidence as JSON data."""
        left_out = {"factors"} if self.timestamp is not None else {"factors", "timestamp"}
        value = self.model_dump(mode="json", exclude=left_out)
        return {**value, "factors": [factor.to_value() for factor in self.factors]}


@dataclass(frozen=True)
class EvidenceState:
    """The plant and the factor book as far as the evidence tells of them."""

    plant: Plant
    book: FactorBook


def parse_evidence(value: object) -> Evidence:
    """The evidence that the JSON value is. Raises: InputError naming what is wrong in it."""
    return parse_body(Evidence, value)


def body_of(envelope: Envelope) -> Body:
    """The body of an entry, of the type that its statement names.

    Raises: InputError if it is not of its form; VerificationError if this version does not know the type.
    """
    types = {**MATERIAL_ENTRIES, **CARBON_ENTRIES}
    body_type = types.get(envelope.statement.type)
    if body_type is None:
        raise VerificationError(
            problem(
                f"/{envelope.seq}/type", envelope.statement.type, f"one of {', '.join(types)}", "Use a newer version."
            )
        )
    return parse_body(body_type, envelope.statement.body, f"/{envelope.seq}")


def fold_evidence(
    bodies: Iterable[tuple[int, str, Body]], factors: Sequence[Factor], masses: Mapping[str, Any]
) -> EvidenceState:
    """The state after the entries (seq, type, body), which rise in seq. Raises: LedgerError where they contradict."""
    listed = list(bodies)
    adoptions = [(seq, body) for seq, _, body in listed if isinstance(body, FactorAdoption)]
    plant = fold_plant([entry for entry in listed if entry[1] in MATERIAL_ENTRIES], masses)
    return EvidenceState(plant, make_factor_book(adoptions, factors))


def needed_seqs(kind: str, plant: Plant, book: FactorBook, batch_id: str) -> list[int]:
    """Sequence numbers of the entries that a certificate of this kind for the batch rests on, rising."""
    seqs = set(evidence_seqs(plant, batch_id))
    if kind == "co2":
        seqs.update(book.adoption_seqs)
    return sorted(seqs)


def recompute_content(
    content: Mapping[str, Any], envelopes: Sequence[Envelope], factors: Sequence[Factor]
) -> dict[str, Any]:
    """The content that these entries and factors give for the certificate that `content` says it is.

    envelopes: by rising seq, without the issuance. From content come only what no entry can give: ids, times, kind,
    the allocation chosen, atomic masses. The rest is computed.
    Raises: InputError if those are not of their form; VerificationError if there are other entries or factors
    than the content needs, or the atomic masses are not those of the elements; any LedgerError that computing it
    raises.
    """
    head = head_of(content)
    differing_masses(head.masses)
    bodies = [(envelope.seq, envelope.statement.type, body_of(envelope)) for envelope in envelopes]
    state = fold_evidence(bodies, factors, head.masses)
    recomputed = make_content(
        head.kind, state.plant, state.book, head.batch_id, head.header, head.masses, allocation=head.allocation
    )
    needed = needed_seqs(head.kind, state.plant, state.book, head.batch_id)
    present = [envelope.seq for envelope in envelopes]
    if needed != present:
        others = sorted(set(needed) ^ set(present))
        raise VerificationError(
            problem("/entries", others, "the entries that the content rests on and no other", "Ask the issuer.")
        )
    if [factor.to_value() for factor in factors] != recomputed.get("factors", []):
        given = [factor.factor_id for factor in factors]
        raise VerificationError(
            problem("/factors", given, "the records that the content lists, each once, and no other", "Ask the issuer.")
        )
    return recomputed


def differing_masses(masses: Mapping[str, Decimal]) -> list[str]:
    """The elements whose masses are others than in this program's table, if only a little, as of another edition.

    Raises: VerificationError if one is off by more than that, or not spelled as the table spells numbers.
    """
    differing = []
    for element, known in atomic_masses(masses).items():
        mass = masses[element]
        # The table's numbers are floats in their shortest text, so each has one spelling.
        if str(mass) != str(float(mass)) or abs(mass - known) > known * MASS_TOLERANCE:
            raise VerificationError(
                problem(f"/constants/atomic_masses/{element.lower()}", str(mass), str(known), "Ask the issuer.")
            )
        if mass != known:
            differing.append(element)
    return differing


def first_difference(expected: object, found: object, pointer: str = "") -> str | None:
    """Where and how two JSON values first differ, in key order; None if they are equal."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found}):
            at = f"{pointer}/{key}"
            if key not in found:
                return f"{at} is missing, {_brief(expected[key])} expected"
            if key not in expected:
                return f"{at} is {_brief(found[key])}, but should not be there"
            if (difference := first_difference(expected[key], found[key], at)) is not None:
                return difference
        return None
    if isinstance(expected, list) and isinstance(found, list):
        for index, (one, other) in enumerate(zip(expected, found, strict=False)):
            if (difference := first_difference(one, other, f"{pointer}/{index}")) is not None:
                return difference
        if len(expected) != len(found):
            return f"{pointer} has {len(found)} items, {len(expected)} expected"
        return None
    if type(expected) is not type(found) or expected != found:
        return f"{pointer} is {_brief(found)}, {_brief(expected)} expected"
    return None


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
