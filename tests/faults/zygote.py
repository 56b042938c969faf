"""A process that has read all code and forks a child for each scenario, so that a hundred runs cost no hundred starts.

A line on standard input, {"scenario": name, "folder": path}, forks a child and answers with its process id; the child
waits. An empty line lets it go and answers with how it ended: exit code, or minus the signal that ended it.
Exit codes of a child: 0 done, 3 refused with a LedgerError (which is written to "refused" in the folder).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
from pathlib import Path

from ledger.errors import LedgerError
from tests.faults.scenarios import SCENARIOS

REFUSED = 3
PR_SET_PDEATHSIG = 1
"""Linux's prctl(2)."""


def end_with_parent() -> None:
    """Have the system end this process when the one that made it ends: nobody is left to end a writer without end."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(name: str, folder: Path, gate: int) -> int:
    """The child: wait for the gate, then do it."""
    os.read(gate, 1)
    try:
        SCENARIOS[name](folder)
    except LedgerError as error:
        (folder / "refused").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        return REFUSED
    return 0


def main() -> None:
    end_with_parent()
    for line in sys.stdin:
        order = json.loads(line)
        gate, opener = os.pipe()
        child = os.fork()
        if child == 0:
            end_with_parent()
            os.close(opener)
            code = 1
            try:
                code = run(order["scenario"], Path(order["folder"]), gate)
            except BaseException:  # noqa: BLE001 - told here, since os._exit leaves no other chance
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)  # not through the parent's buffers and exit handlers
        os.close(gate)
        print(child, flush=True)
        sys.stdin.readline()
        os.write(opener, b"g")
        os.close(opener)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
