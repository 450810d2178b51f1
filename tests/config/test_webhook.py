"""Where alerts go and what signs them: what is taken, what is refused, and that neither is shown."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from sidecar.settings import ConfigErrors
from sidecar.settings.describe import describe
from sidecar.settings.webhook import webhook_secret, webhook_url
from tests.support.config import load

SECRET = base64.b64encode(bytes(range(32))).decode()
URL = "https://hooks.example.org/T0/canary?token=canary"


@pytest.mark.parametrize(
    "url",
    [URL, "http://127.0.0.1:9000/a", "http://localhost/", "http://[::1]:1/", "https://hooks.example.org"],
)
def test_https_or_this_machine_is_taken_as_it_is(url: str) -> None:
    assert webhook_url(url) == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param("http://hooks.example.org/", "https", id="plain http"),
        pytest.param("http://10.0.0.1/", "https", id="plain http in a private network"),
        pytest.param("ftp://hooks.example.org/", "not a URL", id="another scheme"),
        pytest.param("hooks.example.org", "not a URL", id="no scheme"),
        pytest.param("https://", "not a URL", id="no host"),
        pytest.param("https://h:99999/", "not a URL", id="no such port"),
        pytest.param("https://u:canary@h/", "credentials", id="credentials"),
        pytest.param("https://h/a b", "not a URL", id="a blank"),
    ],
)
def test_anything_else_is_refused_unseen(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        webhook_url(url)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("secret", [SECRET, f"whsec_{SECRET}"])
def test_a_secret_of_the_specification_is_taken(secret: str) -> None:
    assert webhook_secret(secret) == secret


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("canary", id="no base64"),
        pytest.param(base64.b64encode(bytes(23)).decode(), id="too short"),
        pytest.param(base64.b64encode(bytes(65)).decode(), id="too long"),
    ],
)
def test_another_is_refused_unseen(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes") as refused:
        webhook_secret(secret)
    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    "given", [{"TAXIMETER_ALERT_WEBHOOK": URL}, {"TAXIMETER_ALERT_WEBHOOK_SECRET": SECRET}], ids=["url", "secret"]
)
def test_one_without_the_other_is_an_error(tmp_path: Path, given: dict[str, str]) -> None:
    with pytest.raises(ConfigErrors, match="belong together"):
        load(tmp_path, given)


def test_neither_is_shown(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"TAXIMETER_ALERT_WEBHOOK": URL, "TAXIMETER_ALERT_WEBHOOK_SECRET": SECRET})
    shown = {line.name: line.value for line in describe(loaded) if line.name.startswith("TAXIMETER_ALERT")}
    assert shown == {
        "TAXIMETER_ALERT_WEBHOOK": "https://hooks.example.org/...",
        "TAXIMETER_ALERT_WEBHOOK_SECRET": "...",
    }
    assert "canary" not in repr(loaded.settings)
    assert SECRET not in repr(loaded.settings)
