"""Vertex AI by settings: its key, and the base URL that project and location make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from sidecar import settings
from sidecar.core.catalog import Account
from sidecar.settings.describe import configured

BUILT = frozenset({"openai", "gemini"})
KEY = {"VERTEXAI_API_KEY": "ya29.token-of-an-hour"}
PROJECT = {"GOOGLE_CLOUD_PROJECT": "p-1"}
EXPRESS = "https://aiplatform.googleapis.com"
IN_GLOBAL = "https://aiplatform.googleapis.com/v1/projects/p-1/locations/global"
IN_BELGIUM = "https://europe-west1-aiplatform.googleapis.com/v1/projects/p-1/locations/europe-west1"
FILE = '[providers.vertexai]\nproject = "p-1"\nlocation = "europe-west1"'
GIVEN = "https://gw.test/v1/projects/p-2/locations/eu"


def account(tmp_path: Path, environ: Mapping[str, str], toml: str = "", name: str = "vertexai") -> Account:
    (tmp_path / "taximeter.toml").write_text(toml)
    return settings.load(environ, tmp_path, BUILT).catalog.accounts[name]


@pytest.mark.parametrize(
    ("environ", "toml", "url"),
    [
        pytest.param({}, "", EXPRESS, id="neither: express mode"),
        pytest.param(PROJECT, "", IN_GLOBAL, id="a project alone: global"),
        pytest.param({**PROJECT, "GOOGLE_CLOUD_LOCATION": "global"}, "", IN_GLOBAL, id="global"),
        pytest.param({**PROJECT, "GOOGLE_CLOUD_LOCATION": "europe-west1"}, "", IN_BELGIUM, id="a region"),
        pytest.param(
            {**PROJECT, "GOOGLE_CLOUD_LOCATION": "eu"},
            "",
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/p-1/locations/eu",
            id="several regions",
        ),
        pytest.param(
            {"GOOGLE_CLOUD_LOCATION": "europe-west1"},
            "",
            "https://europe-west1-aiplatform.googleapis.com/v1",
            id="a location alone is kept to",
        ),
        pytest.param({"GOOGLE_CLOUD_PROJECT": "p-9", "GOOGLE_CLOUD_LOCATION": "us"}, FILE, IN_BELGIUM, id="file"),
        pytest.param(
            {"AI_VERTEXAI_PROJECT": "p-1", "AI_VERTEXAI_LOCATION": "europe-west1", "GOOGLE_CLOUD_PROJECT": "p-9"},
            "",
            IN_BELGIUM,
            id="our own",
        ),
        pytest.param({**PROJECT, "GOOGLE_VERTEX_BASE_URL": GIVEN}, "", GIVEN, id="an address with a project stands"),
        pytest.param(
            {**PROJECT, "GOOGLE_VERTEX_BASE_URL": "https://gw.test/v1"},
            "",
            "https://gw.test/v1/projects/p-1/locations/global",
            id="an address without one",
        ),
    ],
)
def test_where_the_address_comes_from(tmp_path: Path, environ: dict[str, str], toml: str, url: str) -> None:
    found = account(tmp_path, {**KEY, **environ}, toml)
    assert (found.base_url, found.wire, found.unusable) == (url, "gemini", "")


def test_a_project_alone_makes_no_account(tmp_path: Path) -> None:
    """A machine at Google has one for many reasons."""
    assert account(tmp_path, PROJECT).unusable == "VERTEXAI_API_KEY is not set"
    assert "vertexai" not in configured(settings.load(PROJECT, tmp_path, BUILT))


def test_it_is_known_as_vertex_too(tmp_path: Path) -> None:
    assert account(tmp_path, {**PROJECT, "AI_VERTEX_KEY": "AIza-express"}).base_url == IN_GLOBAL


def test_gemini_itself_has_no_project(tmp_path: Path) -> None:
    found = account(tmp_path, {**PROJECT, "GEMINI_API_KEY": "AIza-of-gemini"}, name="gemini")
    assert found.base_url == "https://generativelanguage.googleapis.com"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        pytest.param({"GOOGLE_CLOUD_PROJECT": "p/1"}, "GOOGLE_CLOUD_PROJECT: the value is no project", id="project"),
        pytest.param({"GOOGLE_CLOUD_LOCATION": "Zürich"}, "GOOGLE_CLOUD_LOCATION: the value is no loc", id="location"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_variable(tmp_path: Path, environ: dict[str, str], words: str) -> None:
    with pytest.raises(settings.ConfigErrors, match=words):
        account(tmp_path, {**KEY, **environ})
