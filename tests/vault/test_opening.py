"""From settings to a vault: which key wraps, which open, and why one is locked."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from sidecar.core.encryption import EncryptionSettings
from sidecar.vault import Vault, VaultLocked, keyfile, open_vault
from tests.support.kms import ARN, RESOURCE
from tests.support.vault import NOW_NS, key_text, provider_key, vault

ONE, OTHER, THIRD = key_text(), key_text(), key_text()


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(f"{text}\n")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(lambda at: EncryptionSettings(key=ONE), ONE, id="the variable"),
        pytest.param(lambda at: EncryptionSettings(key_file=at / "key"), OTHER, id="the file that is named"),
        pytest.param(lambda at: EncryptionSettings(home_file=at / "home"), THIRD, id="the file in the home"),
        pytest.param(
            lambda at: EncryptionSettings(key=ONE, key_file=at / "key", home_file=at / "home"), ONE, id="variable first"
        ),
        pytest.param(
            lambda at: EncryptionSettings(key_file=at / "key", home_file=at / "home"), OTHER, id="named file second"
        ),
    ],
)
def test_the_first_that_is_set_wraps(
    tmp_path: Path, given: Callable[[Path], EncryptionSettings], expected: str
) -> None:
    written(tmp_path / "key", OTHER)
    written(tmp_path / "home", THIRD)
    opened = open_vault(given(tmp_path))
    assert opened.ready
    assert opened.kek_id == vault(expected).kek_id


def test_the_others_still_open(tmp_path: Path) -> None:
    """A key file in the home, then a variable: what the file wrapped stays open until it is wrapped anew."""
    written(tmp_path / "home", THIRD)
    written(tmp_path / "old", OTHER)
    both = open_vault(
        EncryptionSettings(key=ONE, home_file=tmp_path / "home", previous=(f"file:{tmp_path / 'old'}", key_text()))
    )
    for text in (ONE, OTHER, THIRD):
        data_key = vault(text).new_data_key("acme", NOW_NS)
        assert both.open(vault(text).seal("sk-1", provider_key(), data_key), data_key) == "sk-1"


def test_a_service_comes_before_all(tmp_path: Path) -> None:
    opened = open_vault(EncryptionSettings(kms=f"aws-kms:{ARN}", key=ONE))
    assert opened.kek_id == f"aws-kms:{ARN}"
    data_key = vault(ONE).new_data_key("acme", NOW_NS)
    assert opened.stale([data_key]) == [data_key]


def told_by(given: EncryptionSettings) -> tuple[Vault, list[str]]:
    told: list[str] = []
    return open_vault(given, told.append), told


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param(
            EncryptionSettings(key="your-encryption-key-here"), "AI_ENCRYPTION_KEY is a placeholder", id="placeholder"
        ),
        pytest.param(EncryptionSettings(key="abc-def"), "AI_ENCRYPTION_KEY is shorter than 12", id="short"),
        pytest.param(
            EncryptionSettings(key_file=Path("/nowhere")), "/nowhere cannot be read: No such file", id="no file"
        ),
        pytest.param(EncryptionSettings(kms="vault-transit:https://v/t/keys/k"), "needs VAULT_TOKEN", id="no token"),
        pytest.param(EncryptionSettings(), "no encryption key is set", id="nothing"),
    ],
)
def test_without_a_key_to_wrap_it_is_locked_and_says_why(given: EncryptionSettings, says: str) -> None:
    opened, told = told_by(given)
    assert not opened.ready
    assert says in opened.why_locked
    assert given.key == "" or given.key not in f"{told}{opened.why_locked}"
    with pytest.raises(VaultLocked, match="The vault is locked"):
        opened.new_data_key("acme", NOW_NS)


def test_a_refused_key_gives_way_to_no_other(tmp_path: Path) -> None:
    """Whoever set one means it: what is in the home opens, and does not wrap."""
    written(tmp_path / "home", ONE)
    opened, told = told_by(EncryptionSettings(key="changeme-changeme", home_file=tmp_path / "home"))
    data_key = vault(ONE).new_data_key("acme", NOW_NS)
    assert not opened.ready
    assert opened.open(vault(ONE).seal("sk-1", provider_key(), data_key), data_key) == "sk-1"
    assert len(told) == 1


def test_a_previous_key_that_is_none_is_told_and_hinders_nothing() -> None:
    opened, told = told_by(EncryptionSettings(key=ONE, previous=("changeme", OTHER)))
    assert opened.ready
    (warning,) = told
    assert warning.startswith("AI_ENCRYPTION_KEY_PREVIOUS: entry 1 is a placeholder")


@pytest.mark.parametrize(
    ("kms", "package", "extra"),
    [(f"aws-kms:{ARN}", "botocore", "aws-kms"), (f"gcp-kms:{RESOURCE}", "google.auth", "gcp-kms")],
)
def test_a_missing_package_is_named(kms: str, package: str, extra: str) -> None:
    with patch("sidecar.vault.opening.find_spec", return_value=None):
        opened = open_vault(EncryptionSettings(kms=kms))
    assert f"needs {package}: pip install 'taximeter[server,{extra}]'" in opened.why_locked


@pytest.mark.parametrize(
    ("mode", "taken"),
    [(0o600, True), (0o400, True), (0o640, False), (0o604, False), (0o644, False), (0o620, False), (0o602, False)],
)
def test_a_key_file_is_for_its_owner_only(tmp_path: Path, mode: int, taken: bool) -> None:
    path = written(tmp_path / "key", ONE, mode)
    opened = open_vault(EncryptionSettings(key_file=path))
    assert opened.ready is taken
    assert taken or f"chmod 600 {path}" in opened.why_locked


@pytest.mark.parametrize(("mode", "taken"), [(0o440, True), (0o400, True), (0o444, False), (0o460, False)])
def test_of_a_file_that_another_owns_the_group_may_read(tmp_path: Path, mode: int, taken: bool) -> None:
    """A mounted secret belongs to root, and is read by its group."""
    path = written(tmp_path / "key", ONE, mode)
    with patch("sidecar.vault.keyfile.os.geteuid", return_value=os.geteuid() + 1):
        assert open_vault(EncryptionSettings(key_file=path)).ready is taken


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xff" * 32)
    path.chmod(0o600)
    assert "holds no text" in open_vault(EncryptionSettings(key_file=path)).why_locked


def test_a_made_file_is_a_key_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "home" / "encryption.key"
    keyfile.make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_vault(EncryptionSettings(home_file=path)).ready
    assert keyfile.read(path) == keyfile.read(path)


def test_a_file_that_is_there_is_never_made_anew(tmp_path: Path) -> None:
    path = written(tmp_path / "encryption.key", ONE)
    with pytest.raises(FileExistsError):
        keyfile.make(path)
    assert path.read_text() == f"{ONE}\n"
