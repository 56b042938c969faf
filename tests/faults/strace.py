"""Scenarios run under strace, with an error or a kill at the k-th system call of a kind on given files.

strace attaches to a child that waits (see zygote.py), so that only the scenario itself is traced. Calls are counted
from that moment, each kind on its own, on the named files and folders only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

ERRORS = ("EIO", "ENOSPC")
KILL = "SIGKILL"

_CALL = re.compile(r"^(?:\d+ +)?(\w+)\(", re.MULTILINE)


@dataclass(frozen=True)
class Ended:
    """How a scenario ended. code: exit code, or minus a signal. trace: what strace wrote."""

    code: int
    trace: str

    @property
    def injected(self) -> bool:
        """Whether the fault took place: a kill leaves no trace of its own in the log."""
        return "(INJECTED" in self.trace or "killed by SIGKILL" in self.trace

    def calls(self) -> Counter[str]:
        """How often each traced call was made."""
        return Counter(_CALL.findall(self.trace))


class Zygote:
    """Forks children that run scenarios; see zygote.py.

    child: process id of the child in hand.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.child = 0

    def begin(self, scenario: str, folder: Path) -> None:
        """Fork a child for the scenario and let it go."""
        self._fork(scenario, folder)
        self._say("")

    def end(self) -> int:
        """Wait for the child. Returns: its exit code, or minus the signal that ended it."""
        return int(self._answer())

    def run(
        self,
        scenario: str,
        folder: Path,
        paths: Sequence[Path],
        calls: Sequence[str],
        inject: str | None = None,
    ) -> Ended:
        """The scenario in `folder`, with its calls on `paths` traced.

        inject: what strace's option of this name takes, for example "fdatasync:error=EIO:when=2".
        """
        self._fork(scenario, folder)
        log = folder / "strace.log"
        command = ["strace", "-f", "-p", str(self.child), "-o", str(log), "-e", f"trace={','.join(calls)}"]
        for path in paths:
            command += ["-P", str(path)]
        if inject is not None:
            command += ["-e", f"inject={inject}"]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        said = ""
        while "attached" not in said:
            line = tracer.stderr.readline()
            if not line:
                raise RuntimeError(f"strace did not attach: {said}")
            said += line
        self._say("")
        code = self.end()
        tracer.communicate(timeout=30)
        return Ended(code, log.read_text(encoding="utf-8", errors="replace"))

    def _fork(self, scenario: str, folder: Path) -> None:
        self._say(json.dumps({"scenario": scenario, "folder": str(folder)}))
        self.child = int(self._answer())

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that runs the scenarios has ended")
        return answer


@contextmanager
def zygote() -> Iterator[Zygote]:
    """A zygote, ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.zygote"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Zygote(process)
    finally:
        process.communicate(timeout=30)
