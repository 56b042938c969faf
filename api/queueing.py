"""What the sequencer of the queue does, in the server's log."""

from __future__ import annotations

import logging

from ledger.store.elected import Event, LeftOffice, Round, TookOffice

log = logging.getLogger("magnet_ledger.queue")


class QueueReporter:
    """Writes down who sequences, and what goes wrong; the same error once."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, TookOffice):
            log.info("sequencing the queue, epoch %d", event.epoch)
        elif isinstance(event, LeftOffice):
            log.info("not sequencing the queue any more, epoch %d", event.epoch)
        elif isinstance(event, Round):
            self._last = ""
            for number, error in zip(event.faulty, event.errors, strict=True):
                log.error("submission %d cannot be handled, and waits: %s", number, error, exc_info=error)
        else:
            said = f"{event.slug}: {event}"
            if said != self._last:
                log.warning("the queue: %s", said)
            self._last = said
