"""The configuration as lines for people: what `taximeter config show` and `doctor` print. Secrets are masked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from sidecar.core.call import Timeouts
from sidecar.core.catalog import Account, Alias, Route
from sidecar.settings import units, webhook
from sidecar.settings.load import Loaded
from sidecar.settings.sources import BUILT_IN
from sidecar.settings.system import SPECS
from sidecar.settings.vault import vault_lines

_MASKS: Mapping[str, Callable[[Any], object]] = {
    "otlp_headers": lambda headers: dict.fromkeys(headers, "..."),
    "control_url": units.without_password,
    "alert_webhook": webhook.origin_of,
    "alert_webhook_secret": lambda secret: secret and "...",
}
"""Settings of which a line shows less than there is."""


class Line(NamedTuple):
    """One value. `origin` is a variable, `.env`, a path in a file, or "built-in"."""

    section: str
    """system | providers | aliases"""
    name: str
    value: str
    origin: str


def describe(loaded: Loaded) -> list[Line]:
    """All settings, all providers that anything was said about, all aliases."""
    return [*system_lines(loaded), *_providers(loaded), *_aliases(loaded)]


def unusable(loaded: Loaded) -> list[tuple[str, str]]:
    """(provider, why) of every provider that is configured and cannot be used."""
    accounts = loaded.catalog.accounts
    return [(name, accounts[name].unusable) for name in configured(loaded) if accounts[name].unusable]


def configured(loaded: Loaded) -> list[str]:
    """The providers that anything was said about, in the order of the catalogue."""
    said = {name.split(".", 2)[1] for name in loaded.origins if name.startswith("providers.")}
    return [name for name in loaded.catalog.accounts if name in said]


def _origin(loaded: Loaded, name: str) -> str:
    return str(loaded.origins.get(name, BUILT_IN))


def system_lines(loaded: Loaded) -> Iterator[Line]:
    """Named by their variables; each value is one that the variable takes."""
    retry = loaded.catalog.retry
    for name, spec in SPECS.items():
        value = getattr(loaded.settings, name)
        if name in _MASKS:
            value = _MASKS[name](value)
        seconds = "s" if name.endswith("_s") and value is not None else ""
        yield Line("system", spec.variable, f"{_text(value)}{seconds}", _origin(loaded, name))
    yield Line("system", "AI_ROTATION", loaded.rotation, _origin(loaded, "rotation"))
    yield Line("system", "AI_RETRY_FAILED", _text(retry.retry_failed), _origin(loaded, "retry_failed"))
    yield Line("system", "AI_MAX_RETRIES", _text(retry.max_retries), _origin(loaded, "max_retries"))
    for variable, text, name in vault_lines(loaded.encryption):
        yield Line("system", variable, text, _origin(loaded, name))


def _providers(loaded: Loaded) -> Iterator[Line]:
    for name in configured(loaded):
        account = loaded.catalog.accounts[name]
        for field, value in account_lines(account).items():
            yield Line("providers", f"{name}.{field}", value, _origin(loaded, f"providers.{name}.{field}"))


def account_lines(account: Account) -> Mapping[str, str]:
    """Field, as in the origins -> text; what is empty is left out."""
    fields = {
        "state": "usable" if account.usable else account.unusable or "disabled",
        "type": account.type,
        "wire": account.wire,
        "api": "responses" if account.wire.endswith("-responses") else "",
        "api_version": str(account.options.get("api_version") or ""),
        "url": account.base_url,
        "key": ", ".join(key.masked for key in account.keys),
        "enabled": _text(account.enabled),
        "weight": _text(account.weight),
        **account.default_models,
        **{f"timeouts.{name}": seconds for name, seconds in _timeouts(account.timeouts).items()},
        **{f"limits.{name}": str(most) for name, most in dataclasses.asdict(account.limits).items() if most},
    }
    return {name: text for name, text in fields.items() if text}


def _timeouts(timeouts: Timeouts) -> dict[str, str]:
    given = dataclasses.asdict(timeouts).items()
    return {name.removesuffix("_s"): f"{seconds:g}" for name, seconds in given if seconds is not None}


def _aliases(loaded: Loaded) -> Iterator[Line]:
    for name, alias in loaded.catalog.aliases.items():
        yield Line("aliases", name, alias_line(alias), _origin(loaded, f"aliases.{name}"))


def alias_line(alias: Alias) -> str:
    """ "failover: openai/gpt-4.1, groq/llama (weight 2)"; what cannot work says why."""
    text = f"{alias.strategy}: {', '.join(map(_route, alias.routes))}"
    return f"{text} - cannot work: {alias.unusable}" if alias.unusable else text


def _route(route: Route) -> str:
    weight = "" if route.weight == 1 else f" (weight {route.weight})"
    return f"{route.target.provider}/{route.target.model}{weight}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, dict):
        value = ",".join(f"{name}={text}" for name, text in value.items())
    return "none" if value in (None, "") else str(value)
