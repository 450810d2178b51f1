"""What `taximeter up` does about the vault's key before it starts anything."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sidecar.commands.encryption import ensure_key
from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from sidecar.core.control import Actor
from sidecar.settings import Loaded
from sidecar.vault import open_vault
from tests.support.config import load
from tests.support.vault import NOW_NS, key_text, vault


def loaded(home: Path, *variables: str) -> Loaded:
    return load(home, " ".join((f"TAXIMETER_HOME={home}", *variables)))


def with_a_data_key(home: Path) -> None:
    store = ControlStore(f"sqlite:///{home / 'control.db'}", Clock())
    store.change(
        Actor("local"), lambda change: change.put("key.add", vault(key_text()).new_data_key("default", NOW_NS))
    )
    store.close()


def test_a_first_start_makes_a_key_and_says_what_its_loss_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure_key(loaded(tmp_path))
    path = tmp_path / "encryption.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_vault(loaded(tmp_path).encryption).ready
    told = capsys.readouterr().out
    assert str(path) in told
    assert "If it is lost" in told
    assert path.read_text().strip() not in told


def test_the_next_start_keeps_it_and_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ensure_key(loaded(tmp_path))
    made = (tmp_path / "encryption.key").read_text()
    capsys.readouterr()
    ensure_key(loaded(tmp_path))
    assert (tmp_path / "encryption.key").read_text() == made
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "variable",
    [
        pytest.param(f"AI_ENCRYPTION_KEY={key_text()}", id="a key"),
        pytest.param("AI_ENCRYPTION_KEY=your-encryption-key-here", id="a placeholder, which is refused"),
        pytest.param("AI_ENCRYPTION_KEY_FILE=/run/secrets/key", id="a file"),
        pytest.param("TAXIMETER_KMS=aws-kms:alias/taximeter", id="a service"),
    ],
)
def test_where_one_is_set_none_is_made(tmp_path: Path, variable: str) -> None:
    ensure_key(loaded(tmp_path, variable))
    assert not (tmp_path / "encryption.key").exists()


def test_a_store_without_data_keys_has_lost_nothing(tmp_path: Path) -> None:
    ControlStore(f"sqlite:///{tmp_path / 'control.db'}", Clock()).close()
    ensure_key(loaded(tmp_path))
    assert (tmp_path / "encryption.key").exists()


def test_a_lost_key_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_a_data_key(tmp_path)
    ensure_key(loaded(tmp_path))
    assert not (tmp_path / "encryption.key").exists()
    assert "encryption key is missing: 1 data key in the control plane" in capsys.readouterr().err


def test_a_store_that_cannot_be_asked_makes_none(tmp_path: Path) -> None:
    """It may hold data keys; the sidecar says what is the matter with it."""
    ensure_key(loaded(tmp_path, "TAXIMETER_CONTROL_URL=postgresql://nobody@127.0.0.1:9/none"))
    assert not (tmp_path / "encryption.key").exists()


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    ensure_key(loaded(tmp_path, f"TAXIMETER_HOME={tmp_path / 'file' / 'home'}"))
    assert "No encryption key could be made" in capsys.readouterr().err
