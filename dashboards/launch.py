"""How the dashboard's process is started."""

from __future__ import annotations

import sys
from pathlib import Path

from dashboards.theme import ACCENT_DARK, ACCENT_LIGHT

APP = Path(__file__).with_name("app.py")

_FLAGS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
    "runner.magicEnabled": "false",
    "client.toolbarMode": "viewer",
    "client.showErrorDetails": "type",
    "client.showErrorLinks": "false",
    "theme.metricValueFontSize": "1.75rem",
    "theme.light.primaryColor": ACCENT_LIGHT,
    "theme.dark.primaryColor": ACCENT_DARK,
}
"""As flags, so that they hold in whatever directory the dashboard is started. Nothing is reported to anyone."""


def command(
    home: Path, host: str, port: int, *, trace_url: str = "", login: str = "none", secrets: Path | None = None
) -> list[str]:
    """The argument vector, to be executed as it is; the first is an absolute path.

    `trace_url`: where a trace is shown, with "{trace_id}" in it; empty: no links. `login`: how people sign in, none,
    token or oidc. `secrets`: Streamlit's secrets.toml, with [auth] for oidc."""
    flags = {**_FLAGS, "server.address": host, "server.port": str(port), "browser.serverAddress": host}
    if secrets:
        flags["secrets.files"] = str(secrets)
    given = ["--home", str(home), "--login", login, *(["--trace-url", trace_url] if trace_url else [])]
    return [
        sys.executable, "-m", "streamlit", "run", str(APP), *(f"--{name}={value}" for name, value in flags.items()),
        "--", *given,
    ]  # fmt: skip
