"""What is taken for a key, what for a passphrase, and what for neither."""

from __future__ import annotations

import base64
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.encryption import Passphrase, RawKey, read_key, read_kms

KEY = bytes.fromhex("9b2f8a41c07de5163e8d7b94f1a2605cd4e9037f28b65a1c8f4e72d09ba3517e")
STANDARD = base64.b64encode(KEY).decode()
URL = base64.urlsafe_b64encode(KEY).decode()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(KEY.hex(), id="hex"),
        pytest.param(KEY.hex().upper(), id="hex in capitals"),
        pytest.param(STANDARD, id="base64"),
        pytest.param(STANDARD.rstrip("="), id="base64 without padding"),
        pytest.param(URL, id="base64 for URLs"),
        pytest.param(URL.rstrip("="), id="base64 for URLs without padding"),
        pytest.param(f"  {STANDARD}\n", id="as a file ends"),
    ],
)
def test_32_bytes_in_any_spelling(text: str) -> None:
    assert read_key(text) == RawKey(KEY)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("three blind mice", id="words"),
        pytest.param("correct-horse-battery-staple", id="with hyphens"),
        pytest.param("Größenwahn & Übermut", id="beyond ASCII"),
        pytest.param(base64.b64encode(KEY[:16]).decode(), id="16 bytes"),
        pytest.param(KEY.hex()[:40], id="20 bytes in hex"),
        pytest.param("replace the broken window on tuesday", id="words of which one is a placeholder's"),
    ],
)
def test_anything_else_that_is_long_enough_is_a_passphrase(text: str) -> None:
    assert read_key(text) == Passphrase(text)


@pytest.mark.parametrize(
    "text",
    [
        "your-encryption-key-here",
        "YOUR_ENCRYPTION_KEY",
        "your_32_byte_encryption_key_here",
        "changeme",
        "change-me-please",
        "change_me_in_production",
        "secret",
        "my-secret-key",
        "test-key-123456",
        "password1234",
        "placeholder-value",
        "replace-with-your-own-key",
        "<your key, from the vault>",
        "${ENCRYPTION_KEY_OF_PRODUCTION}",
        "{{ encryption_key }}",
        "xxxxxxxxxxxxxxxxxxxxxxxx",
        "000000000000",
        "123456789012",
        "abcabcabcabcabcabc",
        "0" * 64,
        "0123456789abcdef" * 4,
        bytes(range(32)).hex(),
        base64.b64encode(bytes(32)).decode(),
        base64.b64encode(b"k" * 32).decode(),
    ],
)
def test_a_placeholder_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"placeholder.*openssl rand -base64 32") as told:
        read_key(text)
    assert text not in str(told.value)


@pytest.mark.parametrize("text", ["kurz", "elf chars.!", ""])
def test_a_short_one_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="openssl rand -base64 32"):
        read_key(text)


def test_no_key_of_chance_is_taken_for_a_placeholder() -> None:
    for _ in range(2000):
        raw = os.urandom(32)
        assert read_key(raw.hex()) == read_key(base64.b64encode(raw).decode()) == RawKey(raw)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=90))
def test_any_text_is_something_or_refused_without_being_shown(text: str) -> None:
    try:
        read = read_key(text)
    except ValueError as why:
        told = str(why)
    else:
        told = repr(read)
    assert len(text.strip()) < 8 or text.strip() not in told


@pytest.mark.parametrize(
    "text",
    [
        "aws-kms:arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "aws-kms:arn:aws-cn:kms:cn-north-1:123456789012:alias/taximeter",
        "aws-kms:alias/taximeter",
        "aws-kms:1234abcd-12ab-34cd-56ef-1234567890ab",
        "gcp-kms:projects/p/locations/global/keyRings/r/cryptoKeys/k",
        "vault-transit:https://vault.example:8200/transit/keys/taximeter",
        "vault-transit:https://vault.example/team/transit/keys/taximeter",
        "vault-transit:http://127.0.0.1:8200/transit/keys/taximeter",
    ],
)
def test_a_key_of_a_service_is_named_so(text: str) -> None:
    kind, name = read_kms(text)
    assert f"{kind}:{name}" == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("azure-kms:x", "is none of aws-kms"),
        ("arn:aws:kms:eu-west-1:123456789012:key/1", "is none of aws-kms"),
        ("aws-kms:", "arn:aws:kms:REGION"),
        ("gcp-kms:projects/p/keyRings/r", "projects/P/locations/L"),
        ("gcp-kms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1", "projects/P"),
        ("vault-transit:http://vault.example:8200/transit/keys/k", "https, unless"),
        ("vault-transit:http://127.0.0.1.evil.example/transit/keys/k", "https, unless"),
        ("vault-transit:https://root:token@vault.example/transit/keys/k", "https, unless"),
        ("vault-transit:https://vault.example/transit/encrypt/k", "https, unless"),
    ],
)
def test_anything_else_is_told(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_kms(text)
