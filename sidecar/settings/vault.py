"""Where the vault's key-encryption keys come from. Their text is never shown: neither here, nor in what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sidecar.core.encryption import EncryptionSettings, is_kms, read_key, read_kms
from sidecar.settings.lookup import Lookup

KEY = "AI_ENCRYPTION_KEY"
KEY_FILE = "AI_ENCRYPTION_KEY_FILE"
PREVIOUS = "AI_ENCRYPTION_KEY_PREVIOUS"
KMS = "TAXIMETER_KMS"
TOKEN = "VAULT_TOKEN"  # noqa: S105 - a variable's name
NAMESPACE = "VAULT_NAMESPACE"
VAULT_VARIABLES = (KEY, KEY_FILE, PREVIOUS, KMS)
"""Which taximeter.toml can give too, as it can all of ours."""
OUTSIDE_VARIABLES = (TOKEN, NAMESPACE)
"""HashiCorp's own: from the environment and `.env`."""
MASKED_KEYS = {KEY: "key", PREVIOUS: "previous"}
"""Variable -> what its line shows less of than there is."""
FILE = "encryption.key"
_SET = "..."


def read_vault(lookup: Lookup, home: Path, cwd: Path) -> EncryptionSettings:
    """A key that is no key is a warning, and leaves the vault locked: calls do not need it."""
    given = EncryptionSettings(
        kms=lookup.read("vault.kms", KMS, _kms) or "",
        key=lookup.read("vault.key", KEY, _secret) or "",
        key_file=_from(cwd, lookup.read("vault.key_file", KEY_FILE, _path)),
        home_file=home / FILE,
        previous=lookup.read("vault.previous", PREVIOUS, _list) or (),
        transit_token=_text(lookup, TOKEN),
        transit_namespace=_text(lookup, NAMESPACE),
    )
    for name, text in (("vault.key", given.key), *(("vault.previous", each) for each in given.previous)):
        if why := _objection(text):
            lookup.problems.warn(lookup.origins[name], why)
    return given


def vault_lines(given: EncryptionSettings) -> Iterator[tuple[str, str, str]]:
    """(variable, what may be shown of it, name of its origin)."""
    yield KEY, _SET if given.key else "none", "vault.key"
    yield KEY_FILE, str(given.key_file or "none"), "vault.key_file"
    yield PREVIOUS, ",".join(map(_shown, given.previous)) or "none", "vault.previous"
    yield KMS, given.kms or "none", "vault.kms"


def _shown(text: str) -> str:
    """An address is no secret, a key is."""
    return text if is_kms(text) or text.startswith("file:") else _SET


def _objection(text: str) -> str:
    """Why it is of no use as a key; empty if it is."""
    if not text or _shown(text) != _SET:
        return ""
    try:
        read_key(text)
    except ValueError as why:
        return f"{why}; until then the vault stays locked"
    return ""


def _text(lookup: Lookup, variable: str) -> str:
    found = lookup.sources.get(variable)
    return found.text if found else ""


def _secret(raw: object) -> str:
    text = raw.strip() if isinstance(raw, str) else ""
    if not text:
        raise ValueError("the value is not a text")
    return text


def _path(raw: object) -> Path:
    return Path(_secret(raw)).expanduser()


def _from(cwd: Path, path: Path | None) -> Path | None:
    return None if path is None else cwd / path


def _kms(raw: object) -> str:
    text = _secret(raw)
    read_kms(text)
    return text


def _list(raw: object) -> tuple[str, ...]:
    parts = raw if isinstance(raw, list) else _secret(raw).split(",")
    found = tuple(_secret(part) for part in parts if part != "" and not str(part).isspace())
    for part in found:
        if is_kms(part):
            read_kms(part)
    return found
