"""Import of a campaign file: one JSON document with the events of a campaign in order.

The format is documented in docs/campaign-format.md. All or nothing: a file with one bad event changes nothing, and the
error lists every bad event, not only the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from ledger.errors import InputError, LedgerError, Problem, UnknownIdError, problem
from ledger.material.batch import Plant
from ledger.material.entries import MATERIAL_ENTRIES, Party, Site
from ledger.material.fields import Id, Part, Text, parse_body
from ledger.service.append import Appended, Draft, append_entries
from ledger.service.context import Actor, Ledger
from ledger.service.read import plant_of

CAMPAIGN_FORMAT = "magnet-ledger-campaign/1"

MADE_BY_COMMANDS = {
    "actor_key": "Use `magnet-ledger key register`.",
    "actor_key_rotated": "Use `magnet-ledger key rotate actor`.",
    "key_revoked": "Use `magnet-ledger key revoke`.",
    "log_key_added": "Use `magnet-ledger key rotate log`.",
    "log_key_retired": "Use `magnet-ledger key rotate log --finish`.",
    "certificate_issued": "Use `magnet-ledger certificate issue`.",
    "certificate_revoked": "Use `magnet-ledger certificate revoke`.",
    "private_erased": "Use `magnet-ledger private erase`.",
}
"""Entries that only their own command may log, and which that is."""


class Event(Part):
    """One event of a campaign file.

    type: type of the entry. body: its body. private: values that stay out of the log, which gets salted commitments.
    corrects: for a correction, the id of the step, lot or assay that it mends, instead of `corrects_seq` in the body.
    """

    type: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
    body: dict[str, Any]
    private: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Text] = Field(default_factory=dict)
    corrects: Id | None = None


class CampaignFile(Part):
    """A campaign file, `format` "magnet-ledger-campaign/1"."""

    format: Literal["magnet-ledger-campaign/1"]
    campaign: Id
    purpose: Text
    sources: tuple[Text, ...] = ()
    notes: tuple[Text, ...] = ()
    events: Annotated[tuple[Event, ...], Field(min_length=1)]


@dataclass(frozen=True)
class CampaignImport:
    """What an import did. appended: the entries made, in order. known: events that stood in the ledger already."""

    campaign: str
    appended: list[Appended]
    known: list[str]

    def warnings(self) -> list[tuple[int, Problem]]:
        """Every warning with the sequence number of its entry."""
        return [(entry.seq, warning) for entry in self.appended for warning in entry.warnings]


def import_campaign(
    ledger: Ledger,
    document: object,
    actor: Actor,
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> CampaignImport:
    """Append the events of `document` (JSON data) in one transaction.

    A party or site that stands in the ledger with the same body is passed over, so that campaigns of one plant may each
    name it. dry_run: check everything, write nothing.
    Raises: InputError or RuleError listing every bad event by its pointer ("/events/3/body/mass_kg").
    """
    file = parse_body(CampaignFile, document)
    plant = plant_of(ledger)
    drafts: list[Draft] = []
    places: list[int] = []
    known: list[str] = []
    bad: list[Problem] = []
    for place, event in enumerate(file.events):
        try:
            if _stands_already(plant, event, f"/events/{place}/body"):
                known.append(f"{event.type} {event.body.get('party_id') or event.body.get('site_id')}")
                continue
            body = _complete_body(plant, file.campaign, place, event)
        except InputError as error:
            bad.extend(error.problems)
            continue
        drafts.append(Draft(event.type, body, dict(event.private)))
        places.append(place)
    if bad:
        raise InputError(*bad)
    if not drafts:
        return CampaignImport(file.campaign, [], known)
    try:
        appended = append_entries(ledger, drafts, actor, dry_run=dry_run, listed=True, progress=progress)
    except LedgerError as error:
        raise type(error)(*(_in_file(item, places) for item in error.problems)) from error
    appended = [replace(entry, warnings=[_in_file(item, places) for item in entry.warnings]) for entry in appended]
    return CampaignImport(file.campaign, appended, known)


def _in_file(item: Problem, places: list[int]) -> Problem:
    """A problem of the list of drafts, pointed at the file's event."""
    _, index, *rest = item.field.split("/", 2)
    return replace(item, field="/".join(["/events", str(places[int(index)]), *rest])) if index.isdigit() else item


def _stands_already(plant: Plant, event: Event, field: str) -> bool:
    """Whether the event is a party or site that the ledger has, with the same body."""
    if event.type == "party":
        party = parse_body(Party, event.body, field)
        return party.party_id in plant.parties and plant.parties[party.party_id][1] == party
    if event.type == "site":
        site = parse_body(Site, event.body, field)
        return site.site_id in plant.sites and plant.sites[site.site_id][1] == site
    return False


def _complete_body(plant: Plant, campaign: str, place: int, event: Event) -> dict[str, Any]:
    """The event's body with the campaign's name, and with `corrects` resolved to a sequence number."""
    if event.type in MADE_BY_COMMANDS:
        raise InputError(
            problem(f"/events/{place}/type", event.type, "an event of the plant", MADE_BY_COMMANDS[event.type])
        )
    body = dict(event.body)
    body_type = MATERIAL_ENTRIES.get(event.type)
    if body_type is not None and "campaign" in body_type.model_fields:
        body.setdefault("campaign", campaign)
    if event.corrects is not None:
        if event.type != "correction":
            raise InputError(
                problem(f"/events/{place}/corrects", event.corrects, "no such field here", "Only a correction has it.")
            )
        body["corrects_seq"] = _seq_of(plant, event.corrects, f"/events/{place}/corrects")
    return body


def _seq_of(plant: Plant, identity: str, field: str) -> int:
    for table in (plant.transformations, plant.receipts, plant.assays):
        entry = table.get(identity)
        if entry is not None:
            return entry[0]
    raise UnknownIdError(
        problem(
            field,
            identity,
            "the id of a step, lot or assay in the ledger",
            "Import the campaign that it belongs to first.",
        )
    )
