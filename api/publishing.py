"""The publisher as an installation runs it: in the server's background, or from the command line."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from api.settings import Settings
from ledger.errors import LedgerError
from ledger.service.context import Ledger
from ledger.service.publisher import Round, run_publisher
from ledger.store.tile_folder import TileFolder

log = logging.getLogger("magnet_ledger.publisher")

PublisherState: TypeAlias = Literal["idle", "publishing", "failing"]

STOP_SECONDS = 10.0
"""How long a stopping server waits for the round under way. Cut off, it is carried on by the next server's first."""


def tile_folder_of(settings: Settings) -> TileFolder | None:
    """Where the installation publishes, None if it does not."""
    return None if settings.tiles_dir is None else TileFolder(settings.tiles_dir)


@contextmanager
def running_publisher(settings: Settings, ledger: Ledger, report: Reporter) -> Iterator[None]:
    """Publish in the background while the block lasts, as often as the settings say; not at all for 0 seconds."""
    if settings.publish_seconds == 0:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(
        target=run_publisher,
        args=(ledger, settings.publish_seconds, stop, tile_folder_of(settings)),
        kwargs={"with_entries": settings.publish_entries, "report": report},
        name="publisher",
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(STOP_SECONDS)


class Reporter:
    """Writes into the server's log what rounds came to; what stays as it was is written once.

    state: of the last round, for whoever asks whether the service is well. "idle" before the first.
    """

    def __init__(self) -> None:
        self.state: PublisherState = "idle"
        self._last: list[str] = []

    def __call__(self, result: Round | Exception) -> None:
        """Take note of a round."""
        if isinstance(result, Round):
            found = [f"{finding.name}: {finding.detail}" for finding in result.findings]
        elif isinstance(result, LedgerError):
            found = [f"nothing published: {result.slug}: {result}"]
        else:
            found = [f"nothing published: unforeseen {type(result).__name__}: {result}"]
        for text in found:
            if text not in self._last:
                log.warning("%s", text, exc_info=None if isinstance(result, Round | LedgerError) else result)
        if self._last and not found:
            log.warning("publishing again")
        self._last = found
        self.state = "publishing" if isinstance(result, Round) else "failing"
