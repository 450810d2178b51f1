"""Rows of providers that the operator brings in files of TAXIMETER_PROVIDER_TYPES."""

from pathlib import Path

import pytest

from sidecar.core.call import Operation
from tests.support.config import chain, errors, load

ACME = """
[acme]
display = "Acme AI"
wire = "openai"
base_url = "https://api.acme.example/v1/"
key_env = ["ACME_API_KEY"]
operations = ["chat"]
capabilities = ["chat"]
models = { smart = "acme-large", fast = "acme-small" }
options = { max_tokens = "limit" }
"""


def row(folder: Path, text: str = ACME, name: str = "acme.toml") -> str:
    (folder / name).write_text(text)
    return f"TAXIMETER_PROVIDER_TYPES={name}\n"


def test_a_row_makes_a_provider_like_any_other(tmp_path: Path) -> None:
    loaded = load(tmp_path, row(tmp_path) + "ACME_API_KEY=sk-acme")
    account = loaded.catalog.accounts["acme"]
    assert (account.usable, account.base_url, account.display) == (True, "https://api.acme.example/v1", "Acme AI")
    assert (account.operations, account.options["max_tokens"]) == (frozenset({Operation.CHAT}), "limit")
    assert chain(loaded, "smart") == ["acme/acme-large"]


def test_a_trailing_number_is_another_account_of_it(tmp_path: Path) -> None:
    loaded = load(tmp_path, row(tmp_path) + "AI_ACME_KEY=one\nAI_ACME2_KEY=two")
    assert chain(loaded, "fast") == ["acme/acme-small", "acme2/acme-small"]


def test_files_are_several_and_the_later_one_wins(tmp_path: Path) -> None:
    row(tmp_path)
    row(tmp_path, ACME.replace("acme-large", "acme-huge"), "more.toml")
    loaded = load(tmp_path, "TAXIMETER_PROVIDER_TYPES=acme.toml,more.toml\nACME_API_KEY=sk")
    assert chain(loaded, "smart") == ["acme/acme-huge"]


def test_a_row_of_a_known_name_replaces_ours(tmp_path: Path) -> None:
    loaded = load(tmp_path, row(tmp_path, ACME.replace("[acme]", "[groq]")) + "AI_GROQ_KEY=sk")
    assert loaded.catalog.accounts["groq"].base_url == "https://api.acme.example/v1"


def test_a_wire_that_nobody_brings_makes_the_account_unusable(tmp_path: Path) -> None:
    loaded = load(tmp_path, row(tmp_path, ACME.replace('"openai"', '"semaphore"')) + "ACME_API_KEY=sk")
    assert loaded.catalog.accounts["acme"].unusable == "the semaphore wire is not available in this version"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param(('wire = "openai"\n', ""), "acme.toml: acme.wire: is missing", id="no-wire"),
        pytest.param(("display", "dispaly"), "acme.toml: acme.dispaly: not known here", id="unknown-field"),
        pytest.param(('["chat"]\ncap', '["chatt"]\ncap'), "acme.toml: acme.operations: 'chatt' is", id="operation"),
        pytest.param(("smart =", "clever ="), "acme.toml: acme.models.clever: not known here", id="slot"),
        pytest.param(("https://", "ftp://"), "acme.toml: acme.base_url: the value is not an http", id="url"),
        pytest.param(("[acme]", "[acme"), "acme.toml: is not well-formed", id="not-toml"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_and_field(tmp_path: Path, change: tuple[str, str], error: str) -> None:
    assert errors(tmp_path, row(tmp_path, ACME.replace(*change)))[0].startswith(error)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "nowhere.toml: there is no file" in errors(tmp_path, "TAXIMETER_PROVIDER_TYPES=nowhere.toml")[0]
