"""docs/migrating.md: its blocks, and what each configuration gives (`python -m tests.migrating.page` writes that)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar import settings
from sidecar.core.call import Strategy, Target
from sidecar.providers.registry import built
from sidecar.routing.order import order
from sidecar.settings import Loaded

PAGE = Path(__file__).resolve().parents[2] / "docs" / "migrating.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {"env": ".env", "toml": "taximeter.toml", "json": "providers.json"}


@dataclass(frozen=True)
class Configuration:
    """One or more files, and what the page says of them."""

    heading: str
    files: dict[str, str]
    says: str


def configurations(page: str) -> Iterator[Configuration]:
    files: dict[str, str] = {}
    for block in BLOCK.finditer(page):
        kind, text = block.groups()
        if kind in FILES:
            files[FILES[kind]] = text
        elif kind == "text":
            heading = re.findall(r"^#+ (.+)$", page[: block.start()], re.MULTILINE)[-1]
            yield Configuration(heading, files, text)
            files = {}
    assert not files, "a configuration that the page says nothing of"


def snippets(page: str, kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall(page) if found == kind]


def load(files: dict[str, str], folder: Path) -> Loaded:
    for name, text in files.items():
        (folder / name).write_text(text)
    return settings.load({"TAXIMETER_HOME": str(folder)}, folder, built())


def said(loaded: Loaded, line: str) -> str:
    """One line of a block: an alias with its chain, or a provider with its address."""
    name = line.split(":", maxsplit=1)[0].split(" at ", maxsplit=1)[0].strip()
    if " at " in line:
        account = loaded.catalog.accounts[name]
        return f"{name} at {account.base_url}, {account.wire} wire"
    alias = loaded.catalog.aliases[name]
    routes: Any = alias.routes
    if alias.strategy is Strategy.FAILOVER:
        routes = order(routes, alias.strategy, turn=0, chance=0.0)
    chain = [_place(loaded, route.target) for route in routes]
    more = f"; cannot work: {alias.unusable}" if alias.unusable else ""
    return f"{name}: {' → '.join(chain)} ({alias.strategy.value}){more}"


def _place(loaded: Loaded, target: Target) -> str:
    account = loaded.catalog.accounts[target.provider]
    why = account.unusable or ("" if account.enabled else "disabled")
    return f"{target.provider}/{target.model}" + (f" [{why}]" if why else "")


def gives(loaded: Loaded, says: str) -> str:
    return "".join(said(loaded, line) + "\n" for line in says.splitlines())


def main() -> None:
    page = PAGE.read_text()
    for configuration in configurations(page):
        with tempfile.TemporaryDirectory() as folder:
            given = gives(load(configuration.files, Path(folder)), configuration.says)
        last = list(configuration.files.values())[-1]
        page = page.replace(f"{last}```\n\n```text\n{configuration.says}```", f"{last}```\n\n```text\n{given}```", 1)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
