"""What a reload says has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sidecar.settings import Loaded
from sidecar.settings.changes import LIVE, changes, needs_restart
from sidecar.settings.load import CATALOG_VARIABLES
from sidecar.settings.system import SPECS
from tests.support.config import KEY, load

OTHER = "sk-9876543210zyxwvu"
LOOKS_ALIKE = "sk-00000000000acdef"


def pair(folder: Path, before: dict[str, Any], after: dict[str, Any]) -> tuple[Loaded, Loaded]:
    (folder / "before").mkdir()
    (folder / "after").mkdir()
    return load(folder / "before", **before), load(folder / "after", **after)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        pytest.param({}, {}, (), id="nothing"),
        pytest.param(
            {"dotenv": f"AI_OPENAI_KEY={KEY}"},
            {"dotenv": f"AI_OPENAI_KEY={OTHER}"},
            ("provider openai: key sk-...cdef -> sk-...xwvu",),
            id="another key",
        ),
        pytest.param(
            {"dotenv": f"AI_OPENAI_KEY={KEY}"},
            {"dotenv": f"AI_OPENAI_KEY={LOOKS_ALIKE}"},
            ("provider openai: another key that looks alike",),
            id="a key that is masked alike",
        ),
        pytest.param(
            {"environ": "OPENAI_API_KEY=KEY GROQ_API_KEY=KEY", "toml": "[aliases.mine]\nchain = ['openai/x']"},
            {"environ": "OPENAI_API_KEY=KEY GROQ_API_KEY=KEY", "toml": "[aliases.mine]\nchain = ['groq/y']"},
            ("alias mine: failover: openai/x -> failover: groq/y",),
            id="another chain",
        ),
        pytest.param(
            {"toml": "[aliases.mine]\nchain = ['openai/x']"},
            {"toml": "[aliases.mine]\nchain = ['openai/x']\nstream_recovery = 'restart'\npreference = 'cost'"},
            ("alias mine: preference none -> cost, stream_recovery error -> restart",),
            id="an alias beside its chain",
        ),
        pytest.param(
            {"toml": "[aliases.mine]\nchain = ['openai/x']"},
            {},
            ("alias mine: removed",),
            id="an alias less",
        ),
        pytest.param(
            {"rows": None},
            {"toml": "[providers.lab]\ntype = 'vllm'\nbase_url = 'http://lab/v1'", "rows": None},
            ("provider lab: added (usable)",),
            id="a provider more",
        ),
        pytest.param(
            {"dotenv": f"OPENAI_API_KEY={KEY}", "toml": "[providers.openai]\ntimeouts = { ttft = '5s' }"},
            {"dotenv": f"OPENAI_API_KEY={KEY}", "toml": "[providers.openai]\ntimeouts = { ttft = '6s' }"},
            ("provider openai: timeouts.ttft 5 -> 6",),
            id="a time-out",
        ),
        pytest.param(
            {"dotenv": "AI_MAX_RETRIES=1\nTAXIMETER_GRACE=5s\nTAXIMETER_LISTEN=127.0.0.1:7001"},
            {"dotenv": "AI_MAX_RETRIES=2\nTAXIMETER_GRACE=6s\nTAXIMETER_LISTEN=127.0.0.1:7002"},
            ("TAXIMETER_GRACE: 5s -> 6s", "AI_MAX_RETRIES: 1 -> 2"),
            id="settings that follow at once",
        ),
    ],
)  # fmt: skip
def test_changes(tmp_path: Path, before: dict[str, Any], after: dict[str, Any], lines: tuple[str, ...]) -> None:
    old, new = pair(tmp_path, before, after)
    assert [line for line in changes(old, new) if not line.startswith("alias smart")] == list(lines)


def test_aliases_that_change_alike_share_a_line(tmp_path: Path) -> None:
    old, new = pair(tmp_path, {"dotenv": f"AI_OPENAI_KEY={KEY}"}, {"dotenv": f"AI_OPENAI_KEY={KEY}\nAI_OPENAI_SMART=n"})
    lines = changes(old, new)
    assert lines[0] == "provider openai: smart o-smart -> n"
    assert lines[1].startswith("alias smart, text, agent, ")
    assert lines[2].startswith("alias default-writer: ")


def test_what_waits_for_a_restart(tmp_path: Path) -> None:
    before = "TAXIMETER_LISTEN=127.0.0.1:7001\nOTEL_EXPORTER_OTLP_HEADERS=x-key=first-secret"
    after = "TAXIMETER_LISTEN=127.0.0.1:7002\nOTEL_EXPORTER_OTLP_HEADERS=x-key=other-secret\nTAXIMETER_GRACE=6s"
    before += "\nTAXIMETER_CONTROL_URL=postgresql://u:first-secret@h/d"
    after += "\nTAXIMETER_CONTROL_URL=postgresql://u:other-secret@h/d"
    old, new = pair(tmp_path, {"dotenv": before}, {"dotenv": after})
    assert needs_restart(old, new) == (
        "TAXIMETER_LISTEN: 127.0.0.1:7001 -> 127.0.0.1:7002",
        "TAXIMETER_CONTROL_URL: changed",
        "OTEL_EXPORTER_OTLP_HEADERS: changed",
    )


def test_no_secret_is_told(tmp_path: Path) -> None:
    old, new = pair(tmp_path, {"dotenv": f"AI_OPENAI_KEY={KEY}"}, {"dotenv": f"AI_GROQ_KEY={OTHER}"})
    assert not any(secret in line for line in changes(old, new) for secret in (KEY, OTHER))


def test_settings_that_follow_exist() -> None:
    assert {spec.variable for spec in SPECS.values()} | set(CATALOG_VARIABLES) >= LIVE


def test_the_page_names_them() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text()
    section = page.split("## Changing it while it runs")[1].split("\n## ")[0]
    assert {name for name in LIVE if name not in section} == set()
