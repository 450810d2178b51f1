"""The settings of encryption -> a vault, locked if they give no key to wrap with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from sidecar.core.encryption import EncryptionSettings, is_kms, read_key, read_kms
from sidecar.vault import keyfile
from sidecar.vault.keeper import Keeper
from sidecar.vault.local import keeper_of
from sidecar.vault.remote import RemoteKeeper, Service
from sidecar.vault.vault import Vault

FILE = "file:"


def open_vault(given: EncryptionSettings, warn: Callable[[str], None] = lambda _message: None) -> Vault:
    """Asks no service yet. `warn` is told of every key that cannot be used."""
    keepers: list[Keeper] = []
    wrong = ""
    sources = list(_sources(given))
    for place, (name, make) in enumerate(sources):
        try:
            keepers.append(make())
        except ValueError as why:
            warn(f"{name} {why}")
            wrong = wrong or (f"{name} {why}" if place == 0 else "")
    if wrong:
        return Vault(keepers, f"The vault is locked: {wrong}.", current=False)
    return Vault(keepers)


def _sources(given: EncryptionSettings) -> Iterator[tuple[str, Callable[[], Keeper]]]:
    """(what to call it, what makes its keeper or raises ValueError), the current one first."""
    if given.kms:
        yield "TAXIMETER_KMS", lambda: _remote(given.kms, given)
    if given.key:
        yield "AI_ENCRYPTION_KEY", lambda: keeper_of(read_key(given.key))
    if (path := given.key_file) is not None:
        yield f"AI_ENCRYPTION_KEY_FILE: {path}", lambda: keeper_of(keyfile.read(path))
    if given.home_file.is_file():
        yield str(given.home_file), lambda: keeper_of(keyfile.read(given.home_file))
    for place, text in enumerate(given.previous, 1):
        yield f"AI_ENCRYPTION_KEY_PREVIOUS: entry {place}", _previous(text, given)


def _previous(text: str, given: EncryptionSettings) -> Callable[[], Keeper]:
    if is_kms(text):
        return lambda: _remote(text, given)
    if text.startswith(FILE):
        return lambda: keeper_of(keyfile.read(Path(text.removeprefix(FILE)).expanduser()))
    return lambda: keeper_of(read_key(text))


def _remote(text: str, given: EncryptionSettings) -> Keeper:
    kind, name = read_kms(text)
    return RemoteKeeper(f"{kind}:{name}", _service(kind, name, given))


def _service(kind: str, name: str, given: EncryptionSettings) -> Service:
    """Raises ValueError: its package is not installed, or its token is missing."""
    if kind == "aws-kms":
        _needs("botocore", kind)
        from sidecar.vault.aws_kms import AwsKms

        return AwsKms(name)
    if kind == "gcp-kms":
        _needs("google.auth", kind)
        from sidecar.vault.gcp_kms import GcpKms

        return GcpKms(name)
    if not given.transit_token:
        raise ValueError("needs VAULT_TOKEN")
    from sidecar.vault.transit import Transit

    return Transit(name, given.transit_token, given.transit_namespace)


def _needs(package: str, extra: str) -> None:
    try:
        found = find_spec(package)
    except ModuleNotFoundError:  # the package above it
        found = None
    if found is None:
        raise ValueError(f"needs {package}: pip install 'taximeter[server,{extra}]'")
