"""A process that is in the middle of cosigning: it writes a file and goes on when another one appears.

Called with: the witness's folder, old size, new size, the file to write, the file to wait for. Prints the answer.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from api.witness.store import WitnessStore
from ledger.log.checkpoint import Checkpoint
from ledger.log.cosignature import cosign
from tests.served_witness import NAME, request
from tests.witness_samples import KEYS, SIGNED_AT


def main() -> None:
    folder, old, new, reached, go_on = sys.argv[1:]

    def hold(checkpoint: Checkpoint) -> str:
        Path(reached).touch()
        deadline = time.monotonic() + 30
        while not Path(go_on).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return cosign(checkpoint, NAME, KEYS[0], SIGNED_AT)

    answer, _, _ = WitnessStore(Path(folder) / "witness.db").add_checkpoint(request(int(old), int(new)), hold)
    print(answer.status)


if __name__ == "__main__":
    main()
