"""What the commands print: data on stdout, talk on stderr, and the exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from ledger.errors import InputError, LedgerError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.report import Check

MOST_PROBLEMS = 100

EXIT_DONE = 0
EXIT_NEGATIVE = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3


def print_json(value: object) -> None:
    """`value` on stdout, for a program."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def say(text: str = "") -> None:
    """A line for a person, on stdout."""
    typer.echo(text)


def tell(text: str) -> None:
    """A line of talk, on stderr."""
    typer.echo(text, err=True)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> None:
    """An aligned table; columns in `right` are right-aligned."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    say(line(header))
    say("  ".join("-" * width for width in widths))
    for row in rows:
        say(line(row))


_SIGNS = {"passed": "passed     ", "failed": "FAILED     ", "not checked": "not checked"}


def print_checks(checks: Sequence[Check]) -> None:
    """The list of checks, each with what it came to and why."""
    for check in checks:
        where = "" if check.seq is None else f" (entry {check.seq})"
        say(f"  {_SIGNS[str(check.outcome)]}  {check.name}{where}: {check.detail}")


def exit_code_of(error: LedgerError) -> int:
    """1 for a refusal by a rule or a check, 2 for bad input, 3 for the environment."""
    if isinstance(error, InputError):
        return EXIT_USAGE
    if isinstance(error, StoreError):
        return EXIT_ENVIRONMENT
    return EXIT_NEGATIVE


@contextmanager
def reported(as_json: bool = False) -> Iterator[None]:
    """Turn a LedgerError into its message and exit code: JSON on stdout if as_json, text on stderr otherwise."""
    try:
        yield
    except LedgerError as error:
        if as_json:
            print_json(error.to_value())
        else:
            count = len(error.problems)
            tell(f"Refused ({error.slug}): {count} problem{'s' if count > 1 else ''}.")
            for item in error.problems[:MOST_PROBLEMS]:
                tell(f"  {item}")
            if count > MOST_PROBLEMS:
                tell(f"  and {count - MOST_PROBLEMS} more")
        raise typer.Exit(exit_code_of(error)) from None


@contextmanager
def progress_bar(label: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, fed with (done, total); plain silence where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
