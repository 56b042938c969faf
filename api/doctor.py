"""`magnet-ledger doctor`: can this installation work, and if not, what to do."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from api.deps import issuer_of, log_vkey, now, open_ledger, operator_actor, trust_of
from api.settings import FILE_NAME, Settings
from ledger.errors import LedgerError
from ledger.report import Check, failed, not_checked, passed

if TYPE_CHECKING:
    from ledger.service.context import Ledger


def examine(settings: Settings) -> list[Check]:
    """Every check that can be made; one that depends on a failed one reads "not checked"."""
    checks = [_settings_file(settings), _keys_private(settings.keys_dir)]
    try:
        ledger = open_ledger(settings)
    except LedgerError as error:
        checks.append(failed("database", str(error)))
        checks.append(not_checked("log-readable", "the database is not usable"))
    else:
        from ledger.service.checkpoints import check_pin
        from ledger.service.read import head, plant_of

        checks.append(passed("database", f"{ledger.engine.dialect.name}, schema up to date"))
        size = head(ledger).tree_size
        checks.append(
            passed("log-readable", f"{size} entries, {len(plant_of(ledger).batches)} batches, log {settings.origin}")
        )
        checks.append(_log_key(ledger, size))
        checks.append(check_pin(ledger))
        checks.append(_published(settings, ledger))
        from ledger.service.private_audit import check_vault

        checks.extend(check_vault(ledger))
    for name, load in (
        ("operator-key", operator_actor),
        ("issuer", issuer_of),
        ("trust", trust_of),
        ("log-vkey", log_vkey),
    ):
        try:
            load(settings)
        except LedgerError as error:
            checks.append(failed(name, str(error)))
        else:
            checks.append(passed(name, "readable"))
    checks.append(passed("clock", f"{now():%Y-%m-%d %H:%M:%S} UTC by this machine's clock; compare it with another"))
    return checks


def _settings_file(settings: Settings) -> Check:
    path = settings.folder / FILE_NAME
    if path.exists():
        return passed("settings", str(path))
    return failed("settings", f"no {FILE_NAME} in {settings.folder}: go to the installation's folder")


def _keys_private(folder: Path) -> Check:
    keys = sorted(folder.glob("*.key*"))  # the next ones and those given up are no less secret
    if not keys:
        return failed("keys-private", f"no key files in {folder}")
    open_ones = [key.name for key in keys if stat.S_IMODE(key.stat().st_mode) & 0o077]
    if open_ones:
        return failed("keys-private", f"others can read {', '.join(open_ones)}: chmod 600 them")
    return passed("keys-private", f"{len(keys)} private keys, readable by their owner only")


def _log_key(ledger: Ledger, size: int) -> Check:
    """Whether a key that may sign the log's next checkpoint is here and, in a hardware module, can be reached."""
    from ledger.service.key_changes import keyring_now
    from ledger.service.log_keys import signers_of

    try:
        signers = signers_of(ledger, keyring_now(ledger), size)
        for signer in signers:
            signer.sign(b"can it sign?")
    except LedgerError as error:
        return failed("log-key", str(error))
    return passed("log-key", f"checkpoints can be signed, with {len(signers)} key{'s' if len(signers) > 1 else ''}")


def _published(settings: Settings, ledger: Ledger) -> Check:
    from api.publishing import tile_folder_of
    from ledger.service.publisher import PUBLISHED, check_published

    try:
        return check_published(ledger, tile_folder_of(settings), settings.publish_seconds)
    except LedgerError as error:
        return failed(PUBLISHED, str(error))
