"""A writer on a disk of its own that runs full: `python -m tests.faults.disk_full MOUNTPOINT TEMPLATE ROOM_BYTES`.

Run it inside a mount namespace (see test_disk_full.py). Appends until the disk has no room, looks at what is there,
makes room and goes on. Prints what happened as one JSON object.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from ledger.errors import StoreError
from ledger.report import all_hold
from ledger.service.append import append_entries
from ledger.service.audit import verify_log
from ledger.service.context import State
from ledger.service.read import entry_bytes, head
from tests.faults.scenarios import open_ledger
from tests.store_samples import ACTOR, VKEY, make_ids, receipt

MANY = 10_000
"""More appends than any disk here has room for."""


def main(mount_point: str, template: str, room_bytes: str) -> None:
    folder = Path(mount_point)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], check=True)
    shutil.copytree(template, folder, dirs_exist_ok=True)
    filler = folder / "filler"
    filler.write_bytes(b"\0" * max(shutil.disk_usage(folder).free - int(room_bytes), 0))
    ledger = replace(open_ledger(folder), new_id=make_ids(1))
    start = head(ledger).tree_size
    acks: dict[int, str] = {}
    refusal = ""
    for number in range(MANY):
        try:
            (entry,) = append_entries(ledger, [receipt(f"D-{number}")], ACTOR)
        except StoreError as error:
            refusal = str(error)
            break
        acks[entry.seq] = entry.leaf_hash
    full = replace(ledger, state=State())
    held_when_full = head(full).tree_size
    filler.unlink()
    (after,) = append_entries(ledger, [receipt("AFTER")], ACTOR)
    stored = entry_bytes(full, range(head(full).tree_size))
    checks = verify_log(full, VKEY)
    print(
        json.dumps(
            {
                "start": start,
                "acknowledged": len(acks),
                "lost": [seq for seq in acks if seq >= len(stored)],
                "refusal": refusal,
                "held_when_full": held_when_full,
                "after": after.seq,
                "holds": all_hold(checks),
                "findings": [check.to_value() for check in checks if check.outcome != "passed"],
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
