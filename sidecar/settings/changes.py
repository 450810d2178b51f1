"""What differs between two configurations, in lines for people. Pure; secrets are masked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from sidecar.core.catalog import Account, Alias, Key
from sidecar.settings.describe import account_lines, alias_line, configured, system_lines
from sidecar.settings.load import Loaded
from sidecar.settings.vault import MASKED_KEYS

LIVE = frozenset(
    {
        "TAXIMETER_TIME_SCALE",
        "TAXIMETER_DEFAULT_DEADLINE",
        "TAXIMETER_MAX_ANSWER",
        "TAXIMETER_MAX_CALLS",
        "TAXIMETER_TAG_KEYS",
        "TAXIMETER_GRACE",
        "TAXIMETER_PRICES_FILE",
        "TAXIMETER_PRICE_TABLE",
        "TAXIMETER_PROVIDERS_FILE",
        "TAXIMETER_PROVIDER_TYPES",
        "TAXIMETER_RELOAD_INTERVAL",
        "TAXIMETER_PROBE_INTERVAL",
        "TAXIMETER_BREAKER_FAILURES",
        "TAXIMETER_BREAKER_RATIO",
        "TAXIMETER_BREAKER_MIN_CALLS",
        "TAXIMETER_BREAKER_WINDOW",
        "TAXIMETER_BREAKER_FIRST_PROBE",
        "TAXIMETER_BREAKER_MAX_PROBE",
        "LOG_LEVEL",
        "AI_ROTATION",
        "AI_RETRY_FAILED",
        "AI_MAX_RETRIES",
    }
)
"""Settings that a reload puts into force; what processes open or size at their start is not among them."""
MASKED = {
    "OTEL_EXPORTER_OTLP_HEADERS": "otlp_headers",
    "TAXIMETER_CONTROL_URL": "control_url",
    "TAXIMETER_ALERT_WEBHOOK": "alert_webhook",
    "TAXIMETER_ALERT_WEBHOOK_SECRET": "alert_webhook_secret",
}
"""Variable -> setting, where the line shows less than there is."""


def changes(old: Loaded, new: Loaded) -> tuple[str, ...]:
    """What a reload from `old` to `new` puts into force."""
    system = [line for name, line in _system(old, new) if name in LIVE]
    return (*system, *_providers(old, new), *_aliases(old, new))


def needs_restart(started: Loaded, new: Loaded) -> tuple[str, ...]:
    """What of `new` a process that began with `started` takes up at its next start only."""
    return tuple(line for name, line in _system(started, new) if name not in LIVE)


def _system(old: Loaded, new: Loaded) -> Iterator[tuple[str, str]]:
    """(variable, line)."""
    before = {line.name: line.value for line in system_lines(old)}
    for line in system_lines(new):
        if before[line.name] != line.value:
            yield line.name, f"{line.name}: {before[line.name]} -> {line.value}"
        elif _hidden(old, line.name) != _hidden(new, line.name):
            yield line.name, f"{line.name}: changed"


def _hidden(loaded: Loaded, variable: str) -> object:
    """What a line of a masked setting stands for."""
    if variable in MASKED_KEYS:
        return getattr(loaded.encryption, MASKED_KEYS[variable])
    return getattr(loaded.settings, MASKED[variable]) if variable in MASKED else None


def _providers(old: Loaded, new: Loaded) -> Iterator[str]:
    shown = {*configured(old), *configured(new)}
    before, after = old.catalog.accounts, new.catalog.accounts
    for name in dict.fromkeys((*before, *after)):
        one, other = before.get(name), after.get(name)
        if one == other:
            continue
        if one is None or (name in shown and name not in configured(old)):
            yield f"provider {name}: added ({_state(other)})"
        elif other is None or (name in shown and name not in configured(new)):
            yield f"provider {name}: removed"
        else:
            yield from (f"provider {name}: {what}" for what in _account(one, other))


def _state(account: Account | None) -> str:
    return account_lines(account)["state"] if account is not None else ""


def _account(old: Account, new: Account) -> Iterator[str]:
    before, after = account_lines(old), account_lines(new)
    for field in dict.fromkeys((*before, *after)):
        if before.get(field) != after.get(field):
            yield f"{field} {before.get(field, 'none')} -> {after.get(field, 'none')}"
    if before.get("key") == after.get("key") and _secrets(old.keys) != _secrets(new.keys):
        yield "another key that looks alike"
    told = {"keys", "base_url", "unusable", "default_models", *before, *after, "timeouts", "limits"}
    yield from (f"{field} changed" for field in _differing(old, new) if field not in told)


def _secrets(keys: tuple[Key, ...]) -> list[str]:
    return [key.secret for key in keys]


def _aliases(old: Loaded, new: Loaded) -> Iterator[str]:
    """Those of which the same is to be said in one line."""
    before, after = old.catalog.aliases, new.catalog.aliases
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys((*before, *after)):
        if what := _alias(before.get(name), after.get(name)):
            alike.setdefault(what, []).append(name)
    for what, names in alike.items():
        yield f"alias {', '.join(names)}: {what}"


def _alias(old: Alias | None, new: Alias | None) -> str:
    if old is None or new is None:
        return "removed" if new is None else f"added, {alias_line(new)}"
    before, after = alias_line(old), alias_line(new)
    if before != after:
        return f"{before} -> {after}"
    return ", ".join(_field(old, new, field) for field in _differing(old, new) if field != "key_hints")


def _field(old: Alias, new: Alias, field: str) -> str:
    before, after = getattr(old, field), getattr(new, field)
    if field in ("routes", "timeouts"):
        return f"{field} changed"
    return f"{field} {_shown(before)} -> {_shown(after)}"


def _shown(value: object) -> str:
    return "none" if value is None else str(value).lower()


def _differing(old: Any, new: Any) -> list[str]:
    """Names of the fields of a dataclass."""
    return [each.name for each in dataclasses.fields(old) if getattr(old, each.name) != getattr(new, each.name)]
