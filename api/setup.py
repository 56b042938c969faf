"""Setting up an installation: folder, settings file, keys, trust roots, database, the log's first entry.

Private keys are made here, once, in files that only their owner can read; nothing overwrites them.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import StringConstraints

from api.deps import now, open_ledger, operator_actor
from api.log_key_files import passphrase_of
from api.settings import FILE_NAME, Settings, check_settings, format_settings, load_settings
from certificates.keys import (
    make_demo_authority,
    make_private_folder,
    private_key_pem,
    write_demo_authority,
    write_new_file,
)
from ledger.errors import StoreError, problem
from ledger.log.checkpoint import format_vkey
from ledger.material.fields import Country, Id, Part, Text, parse_body
from ledger.service.append import Draft, append_entries, create_log
from ledger.service.context import Actor, Ledger
from ledger.service.factor_library import default_adoption
from ledger.store.database import upgrade


def make_installation(folder: Path, values: dict[str, str | int], country: str) -> tuple[Settings, Ledger, Actor]:
    """Make an installation in `folder`, which must hold none yet.

    values: settings to write into `magnet-ledger.toml`. country: ISO 3166-1 alpha-2, for the issuer's certificate.
    Returns: its settings, its ledger holding one entry (the operator's key), and the operator.
    Raises: InputError for a value that is not of its form; StoreError if an installation stands there already. Nothing
    is written then.
    """
    _check_values(values, country)
    path = folder / FILE_NAME
    if path.exists():
        raise StoreError(problem("", str(path), "a folder without an installation", "Choose another folder."))
    folder.mkdir(parents=True, exist_ok=True)
    write_new_file(path, format_settings(values).encode(), mode=0o644)
    settings = load_settings(folder)
    make_private_folder(settings.keys_dir)
    log_key, operator_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    write_new_file(settings.keys_dir / "log.key", private_key_pem(log_key, passphrase_of(settings)))
    write_new_file(settings.keys_dir / "operator.key", private_key_pem(operator_key))
    write_demo_authority(
        make_demo_authority(settings.issuer_name, country, now()), settings.keys_dir, settings.trust_dir
    )
    vkey = format_vkey(settings.origin, log_key.public_key())
    write_new_file(settings.trust_dir / "log.vkey", f"{vkey}\n".encode(), mode=0o644)
    for place in (settings.pins_dir, settings.certificates_dir):
        place.mkdir(exist_ok=True)
    upgrade(settings.database_url)
    actor = operator_actor(settings)
    ledger = open_ledger(settings)
    create_log(ledger, actor)
    return settings, ledger, actor


class _Names(Part):
    """The values of an installation that end up in entries and certificates."""

    operator: Id
    issuer_name: Annotated[Text, StringConstraints(max_length=50)]
    country: Country


def _check_values(values: dict[str, str | int], country: str) -> None:
    parse_body(_Names, {**{name: values[name] for name in ("operator", "issuer_name")}, "country": country})
    check_settings(values)


def adopt_default_factors(ledger: Ledger, actor: Actor, day: date) -> str:
    """Log the adoption of the emission factors that come with the program. Returns: the set's id."""
    adoption = default_adoption("gb-2023", day)
    append_entries(ledger, [Draft("factor_adoption", adoption.to_value())], actor)
    return adoption.set_id
