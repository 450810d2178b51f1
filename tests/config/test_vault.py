"""Where the vault's keys may stand, and that they are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.core.encryption import EncryptionSettings
from sidecar.settings import ConfigErrors
from sidecar.settings.changes import needs_restart
from sidecar.settings.describe import describe
from tests.support.config import load
from tests.support.vault import key_text

KEY, OTHER = key_text(), key_text()
KMS = "aws-kms:alias/taximeter"


def shown(tmp_path: Path, environ: str, dotenv: str) -> dict[str, tuple[str, str]]:
    lines = describe(load(tmp_path, environ, dotenv=dotenv))
    return {line.name: (line.value, line.origin) for line in lines}


def test_nothing_is_set(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"TAXIMETER_HOME={tmp_path}")
    assert loaded.encryption == EncryptionSettings(home_file=tmp_path / "encryption.key")
    assert not loaded.encryption.named


def test_environment_wins_over_dotenv_over_toml(tmp_path: Path) -> None:
    toml = f'[system]\nencryption_key = "{OTHER}"\nkms = "{KMS}"\n'
    assert load(tmp_path, f"AI_ENCRYPTION_KEY={KEY}", dotenv=f"AI_ENCRYPTION_KEY={OTHER}\n").encryption.key == KEY
    assert load(tmp_path, dotenv=f"AI_ENCRYPTION_KEY={KEY}\n", toml=toml).encryption.key == KEY
    assert load(tmp_path, "AI_ENCRYPTION_KEY=", toml=toml).encryption.kms == KMS


def test_former_keys_are_a_list(tmp_path: Path) -> None:
    given = load(tmp_path, dotenv=f"AI_ENCRYPTION_KEY_PREVIOUS={KEY}, file:/old.key ,,{KMS}\n").encryption
    assert given.previous == (KEY, "file:/old.key", KMS)


def test_a_file_is_taken_from_the_working_directory(tmp_path: Path) -> None:
    assert load(tmp_path, "AI_ENCRYPTION_KEY_FILE=my.key").encryption.key_file == tmp_path / "my.key"


def test_secrets_are_masked_and_addresses_are_not(tmp_path: Path) -> None:
    dotenv = f"AI_ENCRYPTION_KEY={KEY}\nAI_ENCRYPTION_KEY_PREVIOUS={OTHER},{KMS},file:/old.key\nTAXIMETER_KMS={KMS}\n"
    lines = shown(tmp_path, "VAULT_TOKEN=hvs.a-token-of-vault AI_ENCRYPTION_KEY_FILE=/run/key", dotenv=dotenv)
    assert lines["AI_ENCRYPTION_KEY"] == ("...", "AI_ENCRYPTION_KEY in .env")
    assert lines["AI_ENCRYPTION_KEY_PREVIOUS"][0] == f"...,{KMS},file:/old.key"
    assert lines["AI_ENCRYPTION_KEY_FILE"] == ("/run/key", "AI_ENCRYPTION_KEY_FILE")
    assert lines["TAXIMETER_KMS"][0] == KMS
    assert [secret for secret in (KEY, OTHER, "hvs.") if secret in str(lines)] == []


def test_no_repr_has_them(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, f"AI_ENCRYPTION_KEY={KEY} AI_ENCRYPTION_KEY_PREVIOUS={OTHER} VAULT_TOKEN=hvs.a-token-of-vault"
    )
    assert [secret for secret in (KEY, OTHER, "hvs.") if secret in repr(loaded)] == []


@pytest.mark.parametrize("key", ["your-encryption-key-here", "kurz"])
def test_what_is_no_key_is_a_warning(tmp_path: Path, key: str) -> None:
    """Calls do not need the vault: a line that was copied from an example must not stop them."""
    (warning,) = load(tmp_path, f"AI_ENCRYPTION_KEY={key}").warnings
    assert warning.startswith("AI_ENCRYPTION_KEY: is ")
    assert "openssl rand -base64 32" in warning
    assert key not in warning


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        pytest.param("TAXIMETER_KMS=azure:x", "TAXIMETER_KMS: is none of", id="unknown service"),
        pytest.param("TAXIMETER_KMS=gcp-kms:k", "TAXIMETER_KMS: does not name a key like", id="no resource"),
        pytest.param("AI_ENCRYPTION_KEY_PREVIOUS=gcp-kms:k", "AI_ENCRYPTION_KEY_PREVIOUS: does not", id="former one"),
    ],
)
def test_a_service_that_is_none_is_an_error(tmp_path: Path, environ: str, says: str) -> None:
    with pytest.raises(ConfigErrors, match=says):
        load(tmp_path, environ)


def test_another_key_waits_for_a_restart(tmp_path: Path) -> None:
    before, after = load(tmp_path, f"AI_ENCRYPTION_KEY={KEY}"), load(tmp_path, f"AI_ENCRYPTION_KEY={OTHER}")
    assert needs_restart(before, after) == ("AI_ENCRYPTION_KEY: changed",)
