"""Keys that stay with AWS KMS, Google Cloud KMS or Vault: what is asked, and what each answer means."""

from __future__ import annotations

import base64
import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sidecar.core.encryption import EncryptionSettings
from sidecar.vault import KeeperUnavailable, Tampered, Vault, VaultLocked
from sidecar.vault.gcp_kms import GcpKms
from sidecar.vault.opening import open_vault
from sidecar.vault.remote import PAUSE_S, RemoteKeeper, Service
from sidecar.vault.transit import Transit
from tests.support.kms import ARN, RESOURCE, TOKEN, Kms, kms, service_account
from tests.support.vault import NOW_NS, key_text, provider_key

SECRET = "sk-proj-0123456789abcdefghij"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kms]:
    with kms() as running:
        for name, value in {
            "AWS_ENDPOINT_URL_KMS": running.url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "a-secret-of-aws",
            "AWS_CONFIG_FILE": str(tmp_path / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "google.json"),
            "NO_GCE_CHECK": "true",
        }.items():
            monkeypatch.setenv(name, value)
        (tmp_path / "google.json").write_text(service_account(running.url))
        yield running


def service(kind: str, running: Kms, token: str = TOKEN) -> tuple[str, Service]:
    if kind == "gcp-kms":
        return f"{kind}:{RESOURCE}", GcpKms(RESOURCE, running.url)
    if kind == "vault-transit":
        url = f"{running.url}/team/transit/keys/taximeter"
        return f"{kind}:{url}", Transit(url, token)
    from sidecar.vault.aws_kms import AwsKms

    return f"{kind}:{ARN}", AwsKms(ARN)


def safe(kind: str, running: Kms, clock: Callable[[], float] = lambda: 0.0) -> Vault:
    return Vault([RemoteKeeper(*service(kind, running), clock)])


every = pytest.mark.parametrize("kind", ["aws-kms", "gcp-kms", "vault-transit"])


@every
def test_it_wraps_and_another_process_opens(server: Kms, kind: str) -> None:
    first = safe(kind, server)
    data_key = first.new_data_key("acme", NOW_NS)
    key = first.seal(SECRET, provider_key(), data_key)
    assert safe(kind, server).open(key, data_key) == SECRET
    assert data_key.kek_id == first.kek_id
    assert data_key.kek_id.startswith(f"{kind}:")


@every
def test_a_data_key_is_asked_for_once(server: Kms, kind: str) -> None:
    first = safe(kind, server)
    data_key = first.new_data_key("acme", NOW_NS)
    keys = [first.seal(SECRET, provider_key(key_id=f"key-{n}"), data_key) for n in range(5)]
    later, before = safe(kind, server), len(server.asked)
    assert {later.open(key, data_key) for key in keys} == {SECRET}
    assert len([asked for asked in server.asked[before:] if asked[0] != "/token"]) == 1


@every
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"workspace": "rival"}, id="moved to another workspace"),
        pytest.param({"data_key_id": "01J"}, id="under another id"),
    ],
)
def test_a_swap_is_noticed(server: Kms, kind: str, changes: Mapping[str, str]) -> None:
    data_key = safe(kind, server).new_data_key("acme", NOW_NS)
    with pytest.raises(Tampered, match=changes.get("data_key_id", data_key.data_key_id)):
        opened(safe(kind, server), dataclasses.replace(data_key, **changes))  # type: ignore[arg-type]


@every
def test_changed_bytes_are_noticed(server: Kms, kind: str) -> None:
    data_key = safe(kind, server).new_data_key("acme", NOW_NS)
    changed = dataclasses.replace(data_key, wrapped=data_key.wrapped[:-3] + b"AAA")
    with pytest.raises(Tampered):
        opened(safe(kind, server), changed)


def test_a_vault_without_associated_data_notices_a_swap_too(server: Kms) -> None:
    server.knows_associated_data = False
    data_key = safe("vault-transit", server).new_data_key("acme", NOW_NS)
    opened(safe("vault-transit", server), data_key)
    with pytest.raises(Tampered, match="another's place"):
        opened(safe("vault-transit", server), dataclasses.replace(data_key, workspace="rival"))


def opened(vault: Vault, data_key: Any) -> None:
    vault.seal(SECRET, provider_key(workspace=data_key.workspace), data_key)


WORDS = "words-of-the-service"


@pytest.mark.parametrize(
    ("kind", "instead", "says"),
    [
        pytest.param(
            "aws-kms", (400, {"__type": "AccessDeniedException", "message": WORDS}), "AccessDeniedException", id="aws"
        ),
        pytest.param("aws-kms", (400, {"__type": "DisabledException", "message": WORDS}), "Disabled", id="aws off"),
        pytest.param("aws-kms", (200, {}), "damaged", id="aws without a key"),
        pytest.param(
            "gcp-kms",
            (403, {"error": {"code": 403, "message": WORDS, "status": "PERMISSION_DENIED"}}),
            "403 PERMISSION_DENIED",
            id="google",
        ),
        pytest.param("gcp-kms", (503, {}), "503", id="google down"),
        pytest.param("gcp-kms", (200, {"plaintext": "AAAA", "plaintextCrc32c": "7"}), "damaged", id="google damaged"),
        pytest.param("vault-transit", (403, {"errors": [WORDS]}), "403", id="vault"),
        pytest.param("vault-transit", (503, {"errors": ["Vault is sealed"]}), "503", id="vault sealed"),
        pytest.param("vault-transit", (400, {"errors": ["encryption key not found"]}), "400", id="vault has no key"),
    ],
)
def test_a_service_that_refuses_is_asked_again_later(server: Kms, kind: str, instead: Any, says: str) -> None:
    data_key = safe(kind, server).new_data_key("acme", NOW_NS)
    now_s = [100.0]
    vault = safe(kind, server, lambda: now_s[0])
    server.instead = instead
    with pytest.raises(KeeperUnavailable, match=says) as told:
        opened(vault, data_key)
    assert told.value.refusal().grpc_status == "UNAVAILABLE"
    assert WORDS not in f"{told.value}{told.value.__cause__}"
    server.instead, asked = None, len(server.asked)
    with pytest.raises(KeeperUnavailable, match=says):
        opened(vault, data_key)
    assert len(server.asked) == asked
    now_s[0] += PAUSE_S
    opened(vault, data_key)


@every
def test_a_service_that_is_down_is_said_to_be(server: Kms, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data_key = safe(kind, server).new_data_key("acme", NOW_NS)
    nowhere = dataclasses.replace(server, url="http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", nowhere.url)
    keeper = RemoteKeeper(data_key.kek_id, service(kind, nowhere)[1])
    with pytest.raises(KeeperUnavailable, match="cannot be asked"):
        opened(Vault([keeper]), data_key)


def test_another_key_of_aws_does_not_stand_in(server: Kms) -> None:
    data_key = safe("aws-kms", server).new_data_key("acme", NOW_NS)
    other = dataclasses.replace(data_key, wrapped=b"\x03other:" + data_key.wrapped[5:])
    with pytest.raises(VaultLocked, match="another key"):
        opened(safe("aws-kms", server), other)


def test_google_without_credentials_says_so(server: Kms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))
    with pytest.raises(KeeperUnavailable, match="no credentials"):
        safe("gcp-kms", server).new_data_key("acme", NOW_NS)


def test_vault_with_another_token_is_refused(server: Kms) -> None:
    keeper = RemoteKeeper("vault-transit:x", service("vault-transit", server, "hvs.another")[1])
    with pytest.raises(KeeperUnavailable, match="VAULT_TOKEN") as told:
        Vault([keeper]).new_data_key("acme", NOW_NS)
    assert "hvs.another" not in str(told.value)


def test_aws_is_asked_as_its_reference_says(server: Kms) -> None:
    """API_Encrypt, API_Decrypt; signed for the region of the ARN."""
    vault = safe("aws-kms", server)
    data_key = vault.new_data_key("acme", NOW_NS)
    opened(vault, data_key)
    (encrypt, headers, sent), (decrypt, _, asked) = server.asked
    context = {
        "taximeter": "data key",
        "workspace": "acme",
        "data_key_id": data_key.data_key_id,
        "kek_id": f"aws-kms:{ARN}",
    }
    assert (encrypt, decrypt) == ("TrentService.Encrypt", "TrentService.Decrypt")
    assert sent["KeyId"] == asked["KeyId"] == ARN
    assert sent["EncryptionContext"] == asked["EncryptionContext"] == context
    assert len(base64.b64decode(sent["Plaintext"])) == 32
    assert base64.b64decode(asked["CiphertextBlob"]) == data_key.wrapped[1:]
    assert "/eu-west-1/kms/aws4_request" in headers["authorization"]


def test_vault_is_asked_in_its_namespace(server: Kms) -> None:
    url = f"{server.url}/v1/team/transit/keys/taximeter"
    Transit(url, TOKEN, "admin/eu").encrypt(b"k" * 32, {"workspace": "acme"})
    ((path, headers, _),) = server.asked
    assert path == "/v1/team/transit/encrypt/taximeter"
    assert headers["x-vault-namespace"] == "admin/eu"


@every
def test_no_key_is_in_a_log_at_debug(server: Kms, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """botocore and httpcore would write requests down whole."""
    caplog.set_level(logging.DEBUG)
    vault = safe(kind, server)
    data_key = vault.new_data_key("acme", NOW_NS)
    opened(vault, data_key)
    (plain,) = vault._plain.values()
    told = caplog.text
    assert [each for each in (base64.b64encode(plain).decode(), repr(plain), TOKEN, "a-token") if each in told] == []


def test_moving_from_a_service_to_a_local_key(server: Kms) -> None:
    before = safe("aws-kms", server)
    data_key = before.new_data_key("acme", NOW_NS)
    key = before.seal(SECRET, provider_key(), data_key)
    local = key_text()
    both = open_vault(EncryptionSettings(key=local, previous=(f"aws-kms:{ARN}",)))
    after = both.rewrap(data_key)
    assert open_vault(EncryptionSettings(key=local)).open(key, after) == SECRET
