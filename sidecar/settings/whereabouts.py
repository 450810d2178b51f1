"""Where processes of this home are found, for who only asks them something: whatever else is wrong with the
configuration, one that runs goes on with an older one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sidecar.settings.lookup import Lookup
from sidecar.settings.sources import TOML, Problems, read_sources
from sidecar.settings.system import Settings, read_settings
from sidecar.settings.tables import read_file


def whereabouts(environ: Mapping[str, str], cwd: Path) -> Settings:
    """The settings as far as they can be read; for what is wrong stands its default."""
    problems = Problems()
    sources = read_sources(environ, cwd, problems)
    system = read_file(cwd / "taximeter.toml", TOML, problems).table("system")
    return read_settings(Lookup(sources, system.raw, problems), cwd)
