"""The witnesses that an installation trusts: a file each in its trust folder.

    witness.example.com/w1+68d2b24d+BBdFU7RW3d/GkI7KscEB/mqyHiuqBhd5W31DpjSCmT/V
    https://witness.example.com/w1

The first line is the witness's verifier key, the second the address where this installation asks it; that may be left
out by those who only check cosignatures.
"""

from __future__ import annotations

from pathlib import Path

from api.witness.client import check_url
from ledger.errors import InputError, StoreError, problem
from ledger.log.cosignature import WitnessKey, WitnessPolicy, parse_witness_vkey

MAX_FILE_BYTES = 4096


def parse_witness_file(text: str) -> tuple[WitnessKey, str]:
    """The witness's key and its address, "" for none. Raises: InputError if a line is not of its form."""
    lines = text.splitlines()
    if not 1 <= len(lines) <= 2:
        raise InputError(
            problem("", f"{len(lines)} lines", "the verifier key, and the address in a second line", "Mend the file.")
        )
    return parse_witness_vkey(lines[0].strip()), check_url(lines[1].strip() if len(lines) == 2 else "")


def read_policy(trust_dir: Path, needed: int) -> WitnessPolicy:
    """The policy that `needed` of the witnesses in trust_dir's *.witness files must have co-signed.

    Raises: StoreError if a file cannot be read; InputError if one is not of its form, two name one witness or key, or
    more are needed than there are.
    """
    witnesses, urls = [], []
    for path in sorted(trust_dir.glob("*.witness")):
        try:
            with path.open("rb") as file:
                text = file.read(MAX_FILE_BYTES + 1).decode("utf-8")
            if len(text) > MAX_FILE_BYTES:
                raise InputError(problem("", "a longer file", f"at most {MAX_FILE_BYTES} bytes", "Mend the file."))
            witness, url = parse_witness_file(text)
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(problem("/trust_dir", f"{path}: {error}", "a readable file", "Restore it.")) from error
        except InputError as error:
            first = error.problems[0]
            raise InputError(
                problem(f"/trust_dir/{path.name}", first.value, first.expected, first.next_step)
            ) from error
        witnesses.append(witness)
        urls.append(url)
    return WitnessPolicy(needed, tuple(witnesses), tuple(urls))
