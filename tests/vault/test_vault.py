"""Sealing and opening: what comes back, what does not, and what is told of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.control import DataKey, ProviderKey
from sidecar.vault import Tampered, Vault, VaultFault, VaultLocked
from tests.support.vault import NOW_NS, PASSPHRASE, key_text, provider_key, vault

ONE, OTHER = key_text(), key_text()
SECRET = "sk-proj-0123456789abcdefghij"
SECRETS = st.text(min_size=1, max_size=200)
quick = settings(max_examples=60, deadline=None)


def sealed(safe: Vault, secret: str = SECRET, **more: Any) -> tuple[ProviderKey, DataKey]:
    key = provider_key(**more)
    data_key = safe.new_data_key(key.workspace, NOW_NS)
    return safe.seal(secret, key, data_key), data_key


@quick
@given(SECRETS)
def test_what_was_sealed_comes_back(secret: str) -> None:
    safe = vault(ONE)
    assert safe.open(*sealed(safe, secret)) == secret


@pytest.mark.parametrize("text", [pytest.param(ONE, id="key"), pytest.param(PASSPHRASE, id="passphrase")])
def test_another_process_with_the_same_key_opens_it(text: str) -> None:
    key, data_key = sealed(vault(text))
    assert vault(text).open(key, data_key) == SECRET


@pytest.mark.parametrize(
    ("wrapping", "opening"),
    [
        pytest.param(ONE, OTHER, id="another key"),
        pytest.param(ONE, PASSPHRASE, id="a passphrase for a key"),
        pytest.param(PASSPHRASE, ONE, id="a key for a passphrase"),
        pytest.param(PASSPHRASE, f"{PASSPHRASE}!", id="another passphrase"),
    ],
)
def test_another_key_finds_it_locked(wrapping: str, opening: str) -> None:
    with pytest.raises(VaultLocked, match="AI_ENCRYPTION_KEY"):
        vault(opening).open(*sealed(vault(wrapping)))


@pytest.mark.parametrize("text", [pytest.param(ONE, id="key"), pytest.param(PASSPHRASE, id="passphrase")])
def test_a_previous_key_still_opens(text: str) -> None:
    assert vault(OTHER, text).open(*sealed(vault(text))) == SECRET


def test_no_two_seals_are_alike() -> None:
    safe = vault(ONE)
    data_key = safe.new_data_key("acme", NOW_NS)
    made = {safe.seal(SECRET, provider_key(), data_key).sealed for _ in range(50)}
    assert len(made) == 50
    assert len({safe.new_data_key("acme", NOW_NS).wrapped for _ in range(50)}) == 50


def moved(**changes: object) -> Callable[[ProviderKey, DataKey], tuple[ProviderKey, DataKey]]:
    return lambda key, data_key: (dataclasses.replace(key, **changes), data_key)  # type: ignore[arg-type]


def rewritten(**changes: object) -> Callable[[ProviderKey, DataKey], tuple[ProviderKey, DataKey]]:
    return lambda key, data_key: (key, dataclasses.replace(data_key, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(moved(workspace="rival"), id="key moved to another workspace"),
        pytest.param(moved(key_id="key-2"), id="secret put under another key"),
        pytest.param(moved(provider="groq"), id="secret sent to another provider"),
        pytest.param(moved(base_url="https://evil.example"), id="secret sent to another address"),
        pytest.param(moved(version=2), id="secret of another version"),
        pytest.param(moved(sealed=b""), id="secret gone"),
        pytest.param(moved(sealed=b"\x01short"), id="secret cut short"),
        pytest.param(rewritten(workspace="rival"), id="data key moved to another workspace"),
        pytest.param(rewritten(data_key_id="01J"), id="data key under another id"),
        pytest.param(rewritten(wrapped=b""), id="data key gone"),
        pytest.param(rewritten(wrapped=b"\x01"), id="data key cut short"),
    ],
)
@pytest.mark.parametrize("text", [pytest.param(ONE, id="key"), pytest.param(PASSPHRASE, id="passphrase")])
def test_a_swap_is_noticed(text: str, change: Callable[[ProviderKey, DataKey], tuple[ProviderKey, DataKey]]) -> None:
    safe = PASSPHRASED if text == PASSPHRASE else vault(text)
    whole = sealed(safe)
    assert safe.open(*whole) == SECRET
    with pytest.raises(VaultFault) as told:
        safe.open(*change(*whole))
    assert SECRET not in str(told.value)


def test_a_secret_of_another_data_key_is_noticed() -> None:
    safe = vault(ONE)
    key, _ = sealed(safe)
    with pytest.raises(Tampered):
        safe.open(key, safe.new_data_key(key.workspace, NOW_NS))


@quick
@given(st.data())
def test_one_changed_bit_anywhere_is_noticed(data: st.DataObject) -> None:
    safe = vault(ONE)
    key, data_key = sealed(safe)
    blob = data.draw(st.sampled_from((key.sealed, data_key.wrapped)), label="blob")
    place = data.draw(st.integers(0, len(blob) * 8 - 1), label="bit")
    changed = bytearray(blob)
    changed[place // 8] ^= 1 << place % 8
    if blob is key.sealed:
        key = dataclasses.replace(key, sealed=bytes(changed))
    else:
        data_key = dataclasses.replace(data_key, wrapped=bytes(changed))
    with pytest.raises(Tampered):
        safe.open(key, data_key)


@quick
@given(st.data())
def test_one_changed_bit_under_a_passphrase_is_noticed(data: st.DataObject) -> None:
    """In the salt it is another key."""
    key, data_key = sealed(PASSPHRASED)
    place = data.draw(st.integers(0, len(data_key.wrapped) - 1).filter(lambda place: not 1 <= place <= 16), label="at")
    changed = bytearray(data_key.wrapped)
    changed[place] ^= 1
    with pytest.raises(VaultFault):
        PASSPHRASED.open(key, dataclasses.replace(data_key, wrapped=bytes(changed)))


PASSPHRASED = vault(PASSPHRASE)


def test_another_salt_is_another_key() -> None:
    key, data_key = sealed(PASSPHRASED)
    salted = b"\x02" + bytes(16) + data_key.wrapped[17:]
    with pytest.raises(VaultLocked):
        PASSPHRASED.open(key, dataclasses.replace(data_key, wrapped=salted))


def test_a_passphrase_takes_the_salt_that_it_meets() -> None:
    """One derivation at a start, however many data keys there are."""
    key, data_key = sealed(PASSPHRASED)
    later = vault(PASSPHRASE)
    later.open(key, data_key)
    assert later.kek_id == data_key.kek_id == PASSPHRASED.kek_id
    assert later.rewrap(data_key) is data_key


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(ONE, OTHER, id="key to key"),
        pytest.param(ONE, PASSPHRASE, id="key to passphrase"),
        pytest.param(PASSPHRASE, ONE, id="passphrase to key"),
    ],
)
def test_rewrapped_it_opens_without_the_key_before(before: str, after: str) -> None:
    key, data_key = sealed(vault(before))
    between = vault(after, before)
    assert between.stale([data_key]) == [data_key]
    fresh = between.rewrap(data_key)
    assert between.stale([fresh]) == []
    assert fresh.kek_id == between.kek_id != data_key.kek_id
    assert vault(after).open(key, fresh) == SECRET


def test_rewrapping_with_the_same_key_changes_nothing() -> None:
    _, data_key = sealed(vault(ONE))
    assert vault(ONE).rewrap(data_key) is data_key


def test_what_cannot_be_opened_is_not_rewrapped() -> None:
    _, data_key = sealed(vault(ONE))
    with pytest.raises(VaultLocked):
        vault(OTHER).rewrap(data_key)


def test_verifying_tells_which_are_locked() -> None:
    safe = vault(ONE)
    good, data_key = sealed(safe)
    strange, strange_data_key = sealed(vault(OTHER), key_id="key-2")
    lost = dataclasses.replace(good, key_id="key-3", data_key_id="nowhere")
    revoked = dataclasses.replace(good, key_id="key-4", sealed=b"", revoked_ns=NOW_NS)
    data_keys = {each.data_key_id: each for each in (data_key, strange_data_key)}
    found = safe.verify([good, strange, lost, revoked], data_keys)
    assert (found.opened, found.locked) == (1, ("key-2", "key-3"))


def test_without_a_current_key_it_opens_and_does_not_seal() -> None:
    key, data_key = sealed(vault(ONE))
    reading = Vault(vault(ONE)._keepers, "AI_ENCRYPTION_KEY is a placeholder", current=False)
    assert reading.open(key, data_key) == SECRET
    assert not reading.ready
    assert reading.kek_id == ""
    with pytest.raises(VaultLocked, match="placeholder"):
        reading.new_data_key("acme", NOW_NS)


def test_an_empty_vault_says_what_to_set() -> None:
    with pytest.raises(VaultLocked) as told:
        Vault([]).new_data_key("acme", NOW_NS)
    refusal = told.value.refusal()
    assert (refusal.grpc_status, refusal.reason) == ("FAILED_PRECONDITION", "VAULT_LOCKED")
    assert "AI_ENCRYPTION_KEY" in refusal.message
    assert "openssl rand -base64 32" in refusal.message


@pytest.mark.parametrize("text", [pytest.param(ONE, id="key"), pytest.param(PASSPHRASE, id="passphrase")])
def test_the_id_of_a_key_is_stable_and_short(text: str) -> None:
    safe = vault(text)
    assert safe.kek_id == safe.kek_id
    assert len(safe.kek_id) == 16
    assert safe.kek_id != vault(OTHER).kek_id


@quick
@given(st.text("!#$%&*+~^", min_size=8, max_size=80))
def test_no_secret_is_in_what_is_told(secret: str) -> None:
    safe = vault(ONE)
    key, data_key = sealed(safe, secret)
    told = [repr(key), repr(data_key), repr(safe), repr(safe._keepers)]
    for broken in (dataclasses.replace(key, version=9), dataclasses.replace(key, sealed=b"")):
        with pytest.raises(Tampered) as fault:
            safe.open(broken, data_key)
        told += [str(fault.value), repr(fault.value), str(fault.value.__cause__)]
    assert [each for each in told if secret in each or ONE in each] == []
    assert secret.encode() not in key.sealed + data_key.wrapped
