"""Hostile packs: whatever the bytes, a verdict and no traceback; a positive one only if every member is unchanged."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.log.canonical import canonical_bytes
from ledger.pack import verify
from ledger.pack.verify import Report, Wanted, check_pack, no_progress
from tests.pack_corruptions import without_cosignatures, without_timestamps
from tests.pack_samples import SIZES, Sample, put_together, take_apart, with_entries, with_manifest, with_notes

QUIET = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check(pack: bytes) -> Report:
    """What the verifier says of the pack. Nobody gives it a key."""
    report = Report()
    check_pack(io.BytesIO(pack), Wanted([], [], None, None, 2**40, 1), report, no_progress)
    return report


def small_pack(sample: Sample) -> bytes:
    """A pack of seven entries: the first two checkpoints of the full log, without its time stamps."""
    members = with_entries(without_timestamps(without_cosignatures(sample.members)), sample.entries[: SIZES[1]])
    value = json.loads(members["keys.json"])
    value["keys"][0]["to_size"] = None  # the entry that retires the first key is not in it
    members = with_manifest(members | {"keys.json": canonical_bytes(value)})
    return put_together(with_notes(members, sample.notes[:2]))


def members_of(pack: bytes) -> list[tuple[str, bytes]]:
    """Names and contents as a stranger's program reads them."""
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


@st.composite
def changes(draw: st.DrawFn, size: int) -> tuple[int, int, bytes]:
    """A stretch of a file of `size` bytes, and what to put in its place; mostly a byte or a few."""
    start = draw(st.integers(0, size))
    length = draw(st.sampled_from([0, 1, 1, 1, 2, 4, 100, size]))
    return start, min(size, start + length), draw(st.binary(max_size=8))


def test_the_small_pack_is_good(sample: Sample) -> None:
    report = check(small_pack(sample))
    assert report.findings == []
    assert report.verdict() == "consistent"


@QUIET
@given(data=st.data())
def test_changed_bytes_never_give_a_traceback_nor_a_good_verdict_on_changed_members(
    sample: Sample, data: st.DataObject
) -> None:
    pack = small_pack(sample)
    # Half of the changes fall into the directory at the end, which is a hundredth of the file.
    directory = pack.index(b"PK\x01\x02")
    start, end, new = data.draw(changes(len(pack) - directory if data.draw(st.booleans()) else len(pack)))
    at = data.draw(st.sampled_from([0, directory])) if end + directory <= len(pack) else 0
    changed = pack[: at + start] + new + pack[at + end :]
    if check(changed).verdict() != "not verified":
        # What the verifier does not look at says nothing of the members: who made the file, with which permissions.
        assert members_of(changed) == members_of(pack)


@QUIET
@given(data=st.data())
def test_changed_members_never_give_a_traceback_nor_a_good_verdict(sample: Sample, data: st.DataObject) -> None:
    members = take_apart(small_pack(sample))
    name = data.draw(st.sampled_from([name for name in members if name not in ("README.md", "verify.py")]))
    old = members[name]
    start, end, new = data.draw(changes(len(old)))
    changed = members | {name: old[:start] + new + old[end:]}
    if changed == members:
        return
    if name != "manifest.json":
        changed = with_manifest(changed)
    assert check(put_together(changed)).verdict() == "not verified"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=20,
)


@QUIET
@given(data=st.data())
def test_any_json_in_place_of_a_value_gives_a_verdict(sample: Sample, data: st.DataObject) -> None:
    members = take_apart(small_pack(sample))
    name = data.draw(
        st.sampled_from(["keys.json", "witnesses.json", "manifest.json", "disclosed.jsonl", "checkpoints.jsonl"])
    )
    lines = members[name].splitlines()
    place = data.draw(st.integers(0, len(lines) - 1))
    value = json.loads(lines[place])
    changed = replaced_somewhere(value, data)
    if changed == value and json.dumps(changed) == json.dumps(value):
        return
    lines[place] = json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "replace"
    )
    made = members | {name: b"\n".join(lines) + (b"\n" if name.endswith("l") else b"")}
    pack = put_together(made if name == "manifest.json" else with_manifest(made))
    assert check(pack).verdict() == "not verified"


@QUIET
@given(data=st.data())
def test_any_json_in_place_of_a_part_of_an_entry_gives_a_verdict(sample: Sample, data: st.DataObject) -> None:
    members = take_apart(small_pack(sample))
    entries = sample.entries[: SIZES[1]]
    place = data.draw(st.integers(0, len(entries) - 1))
    value = json.loads(entries[place])
    changed = replaced_somewhere(value, data)
    entries[place] = json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "replace"
    )
    if entries[place] == sample.entries[place] or len(entries[place]) > 65_535:
        return
    assert check(put_together(with_entries(members, entries))).verdict() == "not verified"


def replaced_somewhere(value: Any, data: st.DataObject) -> Any:
    """The JSON value with some part of it, or all, replaced by any other."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 9)):
        key = data.draw(st.sampled_from(sorted(value)))
        return value | {key: replaced_somewhere(value[key], data)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 9)):
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], replaced_somewhere(value[place], data), *value[place + 1 :]]
    return data.draw(JSON)


def test_a_pack_of_too_many_members_is_refused(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = small_pack(sample)
    monkeypatch.setattr(verify, "MAX_MEMBERS", len(members_of(pack)))
    assert check(pack).failed.total() == 0
    monkeypatch.setattr(verify, "MAX_MEMBERS", len(members_of(pack)) - 1)
    assert [(one.check, one.field) for one in check(pack).findings] == [("container", "")]
