"""AWS Bedrock by settings: an API key, access keys, and the region."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from sidecar import settings
from sidecar.core.catalog import Account
from sidecar.settings.describe import describe

BUILT = frozenset({"openai", "bedrock"})
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret-of-aws/1"}
NAMED = {"AI_TEXT_PROVIDER": "bedrock"}
EAST = "https://bedrock-runtime.us-east-1.amazonaws.com"


def account(tmp_path: Path, environ: Mapping[str, str], toml: str = "", wires: frozenset[str] = BUILT) -> Account:
    (tmp_path / "taximeter.toml").write_text(toml)
    return settings.load(environ, tmp_path, wires).catalog.accounts["bedrock"]


@pytest.mark.parametrize(
    ("environ", "secret", "key_id"),
    [
        pytest.param({"AWS_BEARER_TOKEN_BEDROCK": "ABSKx"}, "ABSKx", "AWS_BEARER_TOKEN_BEDROCK", id="api-key"),
        pytest.param({**KEYS, **NAMED}, "AKIAEXAMPLE:secret-of-aws/1", "AWS_ACCESS_KEY_ID", id="access-key"),
        pytest.param(
            {**KEYS, **NAMED, "AWS_SESSION_TOKEN": "tok"},
            "AKIAEXAMPLE:secret-of-aws/1:tok",
            "AWS_ACCESS_KEY_ID",
            id="session",
        ),
        pytest.param(
            {**KEYS, "AWS_BEARER_TOKEN_BEDROCK": "ABSKx"}, "ABSKx", "AWS_BEARER_TOKEN_BEDROCK", id="api-key-goes-first"
        ),
        pytest.param({**KEYS, "AI_BEDROCK_KEY": "AKIA2:s"}, "AKIA2:s", "AI_BEDROCK_KEY", id="our-own-goes-first"),
    ],
)
def test_where_the_key_comes_from(tmp_path: Path, environ: dict[str, str], secret: str, key_id: str) -> None:
    found = account(tmp_path, {"AWS_REGION": "us-east-1", **environ})
    (key,) = found.keys
    assert (key.secret, key.key_id, found.base_url, found.unusable) == (secret, key_id, EAST, "")


def test_access_keys_alone_make_no_account(tmp_path: Path) -> None:
    """A machine has them for many reasons: they must not turn into calls that cost money."""
    found = account(tmp_path, {**KEYS, "AWS_REGION": "us-east-1"})
    assert found.keys == ()
    assert not found.usable


@pytest.mark.parametrize(
    ("environ", "toml", "url"),
    [
        pytest.param({"AWS_DEFAULT_REGION": "us-east-1"}, "", EAST, id="default-region"),
        pytest.param({"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "", EAST, id="region-goes-first"),
        pytest.param({"AI_BEDROCK_REGION": "us-east-1", "AWS_REGION": "eu-west-1"}, "", EAST, id="our-own"),
        pytest.param({"AWS_REGION": "eu-west-1"}, '[providers.bedrock]\nregion = "us-east-1"', EAST, id="file"),
        pytest.param(
            {"AWS_REGION": "cn-north-1"}, "", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn", id="china"
        ),
        pytest.param(
            {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://proxy.test/b"},
            "",
            "https://proxy.test/b",
            id="endpoint",
        ),
    ],
)
def test_where_the_region_comes_from(tmp_path: Path, environ: dict[str, str], toml: str, url: str) -> None:
    found = account(tmp_path, {"AWS_BEARER_TOKEN_BEDROCK": "ABSKx", **environ}, toml)
    assert (found.base_url, found.unusable) == (url, "")
    region = "cn-north-1" if ".cn" in url else "us-east-1"
    assert found.options["region"] == region


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        pytest.param({"AWS_BEARER_TOKEN_BEDROCK": "ABSKx"}, "AWS_REGION is not set", id="no-region"),
        pytest.param({**NAMED, "AWS_REGION": "us-east-1"}, "AWS_BEARER_TOKEN_BEDROCK is not set", id="no-key"),
        pytest.param(
            {**NAMED, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIA"},
            "AWS_BEARER_TOKEN_BEDROCK is not set",
            id="half-a-key",
        ),
    ],
)
def test_what_is_missing(tmp_path: Path, environ: dict[str, str], why: str) -> None:
    assert account(tmp_path, environ).unusable == why


def test_without_its_package_the_account_says_how_to_get_it(tmp_path: Path) -> None:
    environ = {"AWS_BEARER_TOKEN_BEDROCK": "ABSKx", "AWS_REGION": "us-east-1"}
    found = account(tmp_path, environ, wires=frozenset({"openai"}))
    assert found.unusable == "the bedrock wire needs more packages: pip install 'taximeter[bedrock]'"


def test_a_wrong_region_is_an_error_that_names_its_variable(tmp_path: Path) -> None:
    with pytest.raises(settings.ConfigErrors, match="AWS_REGION: the value is no AWS region"):
        account(tmp_path, {"AWS_BEARER_TOKEN_BEDROCK": "ABSKx", "AWS_REGION": "evil.test/"})


def test_no_secret_is_described(tmp_path: Path) -> None:
    (tmp_path / "taximeter.toml").write_text("")
    environ = {**KEYS, **NAMED, "AWS_SESSION_TOKEN": "session-token-of-aws", "AWS_REGION": "us-east-1"}
    loaded = settings.load(environ, tmp_path, BUILT)
    told = "\n".join(map(str, describe(loaded))) + repr(loaded)
    assert "secret-of-aws" not in told
    assert "session-token" not in told
