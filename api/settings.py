"""Settings: from `magnet-ledger.toml` in the installation's folder, overridden by `MAGNET_LEDGER_*` in the environment.

Relative paths, that of a SQLite database included, are relative to the folder that holds the file. An unknown key is
refused in either place: a misspelt setting must not be silently ignored.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ledger.errors import InputError, problem
from ledger.service.path_choice import AppendPath

FILE_NAME = "magnet-ledger.toml"
ENV_PREFIX = "MAGNET_LEDGER_"
SECRETS = ("log_key_passphrase", "log_key_pin")
"""Settings that are taken from the environment alone."""


class Settings(BaseSettings):
    """One installation: where its database, keys, trust roots, pins and certificates lie, and how it serves.

    origin: name of the log and of its key: a schema-less address such as "ledger.example.com/belfast".
    operator: the actor whose key signs what is logged at this installation.
    vault_dir: keys that private values are sealed with: to be backed up apart from the database, and not for ever.
    witnesses_needed: how many of the witnesses in the trust folder (*.witness files: verifier key, then address) must
    have co-signed before a certificate is issued.
    tsa_url: RFC 3161 time stamping authority, none if empty.
    tiles_dir: where tiles and checkpoints are published for any static server; not published if None.
    publish_entries: publish the entries into tiles_dir as well, for whoever may read there, not their hashes alone.
    publish_seconds: how often the server signs and publishes, while there is something new; 0 for never.
    log_key: where the log's private key is: a file in keys_dir, or "pkcs11:..." (RFC 7512).
    log_key_passphrase_file: file whose first line the key file is encrypted with.
    log_key_passphrase, log_key_pin: the passphrase itself, and the PIN of the hardware module; from the environment
    alone, so that they stand in no file that is copied about.
    append_path: how entries are appended: "head" directly, each waiting for its turn; "queue" by a queue that one
    elected process empties; "auto" directly on SQLite, and on PostgreSQL as long as that is quick.
    append_wait_seconds: how long a request waits for its entry's place in the queue, before it is answered "accepted".
    secure_cookies: set when the pages are served over https, which they are anywhere but on the machine itself.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True)

    folder: Path = Path()
    database_url: str = "sqlite:///ledger.db"
    origin: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]{0,99}$")] = "magnet-ledger.example/demo"
    operator: str = "plant-operator"
    issuer_name: str = "Magnet Ledger demonstration issuer"
    site_id: str | None = None
    keys_dir: Path = Path("keys")
    trust_dir: Path = Path("trust")
    pins_dir: Path = Path("pins")
    certificates_dir: Path = Path("certificates")
    vault_dir: Path = Path("vault")
    tiles_dir: Path | None = None
    log_key: str = "log.key"
    log_key_passphrase_file: Path | None = None
    log_key_passphrase: SecretStr = SecretStr("")
    log_key_pin: SecretStr = SecretStr("")
    witnesses_needed: Annotated[int, Field(ge=0, le=16)] = 0
    tsa_url: str = ""
    publish_entries: bool = False
    publish_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
    append_path: AppendPath = "auto"
    append_wait_seconds: Annotated[int, Field(ge=0, le=60)] = 10
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    session_hours: Annotated[int, Field(ge=1, le=168)] = 12
    secure_cookies: bool = False

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose values come in as init values."""
        return env_settings, init_settings

    @property
    def pin_path(self) -> Path:
        """The last checkpoint that this installation signed, kept outside the database."""
        return self.pins_dir / (self.origin.replace("/", "_") + ".checkpoint")


def load_settings(folder: Path | None = None) -> Settings:
    """The settings of the installation in `folder` (the current one if None).

    Raises: InputError naming every setting that is unknown or wrong.
    """
    folder = (folder or Path.cwd()).resolve()
    path = folder / FILE_NAME
    values: dict[str, Any] = {}
    if path.exists():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise InputError(problem("", str(path), f"a TOML file ({error})", "Mend the file.")) from None
    if in_file := [name for name in SECRETS if name in values]:
        next_step = f"Take it out of the file; set {ENV_PREFIX}{in_file[0].upper()} in the environment."
        raise InputError(problem(f"/{in_file[0]}", str(path), "a file without secrets", next_step))
    if "pin-value=" in str(values.get("log_key")):
        next_step = (
            "Take pin-value out; set MAGNET_LEDGER_LOG_KEY_PIN in the environment, or name a pin-source=file:..."
        )
        raise InputError(problem("/log_key", str(path), "a file without secrets", next_step))
    _refuse_unknown_environment()
    settings = check_settings({**values, "folder": folder}, path)
    return settings.model_copy(update=_absolute(settings, folder))


def check_settings(values: Mapping[str, Any], path: Path | None = None) -> Settings:
    """The settings that `values` make, with the environment's over them. path: the file they are from, for messages.

    Raises: InputError naming every setting that is unknown or wrong.
    """
    try:
        return Settings(**values)
    except ValidationError as error:
        raise InputError(
            *(
                problem(
                    "/" + "/".join(map(str, item["loc"])),
                    item["input"],
                    item["msg"],
                    f"Mend {path or 'the value'} or {ENV_PREFIX}*.",
                )
                for item in error.errors()
            )
        ) from None


def _absolute(settings: Settings, folder: Path) -> dict[str, Any]:
    paths = {
        name: folder / getattr(settings, name)
        for name in (
            "keys_dir",
            "trust_dir",
            "pins_dir",
            "certificates_dir",
            "vault_dir",
            "tiles_dir",
            "log_key_passphrase_file",
        )
        if getattr(settings, name) is not None
    }
    url = settings.database_url
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        url = f"sqlite:///{folder / url.removeprefix('sqlite:///')}"
    return {**paths, "database_url": url}


def _refuse_unknown_environment() -> None:
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith(ENV_PREFIX) and name not in known)
    if unknown:
        raise InputError(
            *(
                problem(name, os.environ[name], "a known setting", f"Known: {', '.join(sorted(known))}.")
                for name in unknown
            )
        )


def format_settings(values: dict[str, str | int]) -> str:
    """`magnet-ledger.toml` with `values`: strings and whole numbers only."""
    lines = []
    for name, value in values.items():
        if isinstance(value, int):
            lines.append(f"{name} = {value}")
        else:
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'{name} = "{escaped}"')
    return "\n".join(lines) + "\n"
