"""The log's speed, each figure against a named peer in the same run: `./run bench log [--quick] [--only NAME]`.

A whole run takes about a quarter of an hour on two cores and writes benchmarks/RESULTS.md, unless it is told not to.
Let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

NAMES = ("append", "bulk", "verify", "signatures", "memory", "proof", "growth")
"""The parts, in their order; growth is the last, since it lets the large log grow."""

NOTES = """
Medians of {repeats} rounds, in which product and peer take turns, after one round that does not count (proofs: none is
left out, since each round is to begin with nothing in memory). A statement has some 860 bytes, its entry 1,160. All are
signed before the clock runs. Rows without a goal inform.

- *Durable append*: a thread for each client, which sends its next entry when the one before is on disk. Product: form
  checked by the client's thread, then one group commit (`GroupCommit`). Peer: a session for each thread, the columns
  and indexes of the log's entry, WAL and synchronous=FULL on SQLite as in the log; PostgreSQL as it comes, fsync on. On
  SQLite the peer's threads wait for each other's locks; what it does alone is in the rows of the bulk import.
- *Bulk import*: `import_signed` of {bulk:,} statements with every check of their form, into an empty log, in one
  process; the peer adds and commits {plain_bulk:,} rows in one thread. Signatures are taken as they are, but in the
  rows that say otherwise: these are on all cores, with the start of the processes.
- *Verify*: `verify_log` on a SQLite file in the system's memory, to the extent `links` in one process, and `log` on all
  cores, with the start of its processes and without the rules of the plant. hashlib hashes entry by entry, from memory.
  The raw signatures lie in memory, and the processes that verify them have been started.
- *Memory*: VmHWM of the verifying process, of Python and its libraries too; with signatures measured once.
- *Proofs*: whole proofs under a checkpoint, each verified before it is given out, {proofs} at random places in a
  process that has just begun. pymerkle gives the path alone; its tree holds a few bytes for each entry instead of the
  entry. It keeps hashes of subtrees in memory once it has made them, so that its first proofs are its slowest: hence
  the second row, after {warm_proofs:,} proofs and with both files in the system's memory.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="./run bench log", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs; figures mean little")
    parser.add_argument("--only", action="append", choices=NAMES, help="this part; can be given more than once")
    parser.add_argument("--no-write", action="store_true", help="leave RESULTS.md as it is")
    arguments = parser.parse_args()
    # Not above: each process that is started for a part of the work reads this module again, and would wait for them.
    from benchmarks import log_append, log_bulk, log_growth, log_memory, log_proof, log_verify
    from benchmarks.harness import keep, machine, say, section
    from benchmarks.workshop import FULL, QUICK, Workshop

    parts = (
        log_append.rows,
        log_bulk.rows,
        log_verify.links_rows,
        log_verify.signatures_rows,
        log_memory.rows,
        log_proof.rows,
        log_growth.rows,
    )
    sizes = QUICK if arguments.quick else FULL
    rows = []
    with Workshop(sizes) as workshop:
        head = f"{datetime.now(UTC):%Y-%m-%d}. {machine(workshop.folder)}."
        for name, part in zip(NAMES, parts, strict=True):
            if arguments.only is None or name in arguments.only:
                rows += part(workshop)
    text = section("log", rows, NOTES.format(**vars(sizes)), head)
    print(text)
    if arguments.quick or arguments.only or arguments.no_write:
        say("RESULTS.md is left as it is")
    else:
        keep("log", text)


if __name__ == "__main__":
    main()
