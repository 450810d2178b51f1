"""Accounts from their drafts, and why one of them cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sidecar.core.call import Capability, Timeouts
from sidecar.core.catalog import Account, Key
from sidecar.settings import units
from sidecar.settings.aws import REGION_VARIABLES, region
from sidecar.settings.drafts import SLOTS, Draft, Drafts
from sidecar.settings.google import location, project
from sidecar.settings.limits import LIMIT_FIELDS, limits_of, read_limit
from sidecar.settings.providers import in_variable
from sidecar.settings.rows import RESPONSES_WIRES, URL_VARIABLES, Row
from sidecar.settings.sources import Origin, Problems
from sidecar.settings.timeouts import TIMEOUTS
from sidecar.settings.urls import azure_url, endpoint

_capability = units.member(Capability)


def capabilities(raw: object) -> frozenset[Capability]:
    return frozenset(map(_capability, units.names(raw)))


_READERS: Mapping[str, Callable[[object], Any]] = {
    "url": units.url,
    "key": units.secret,
    "enabled": units.boolean,
    "weight": units.integer(0, 1_000_000),
    "capabilities": capabilities,
    "self_hosted": units.boolean,
    "api_version": units.string,
    "region": region,
    "project": project,
    "location": location,
    "api": units.one_of("chat", "responses"),
    **dict.fromkeys((*SLOTS, "default_model"), units.string),
    **{f"timeouts.{name}": units.duration_s for name in TIMEOUTS},
    **dict.fromkeys(LIMIT_FIELDS, read_limit),
}


def build(draft: Draft, wires: Collection[str], problems: Problems) -> Account:
    """The account of a draft. What is wrong in a value is an error; what is only missing makes it unusable."""
    row = draft.row
    read = _read(draft, problems)
    wire, url, warning = endpoint(row, read.get("url") or row.base_url)
    if warning:
        problems.warn(draft.values["url"].origin, warning)
    model_wires = _model_wires(row, wire) if "api" not in read else {}
    if read.get("api", row.api) == "responses":
        wire = _by_responses(draft, wire, problems)
    keys = (Key(draft.values["key"].origin.name, read["key"]),) if "key" in read else ()
    options: dict[str, object] = {**row.options}
    options |= {name: read[name] for name in ("api_version", "region", "project", "location") if name in read}
    return Account(
        name=draft.name,
        type=row.type,
        wire=wire,
        base_url=url,
        keys=keys,
        needs_key=row.needs_key,
        enabled=read.get("enabled", True),
        weight=read.get("weight", 1),
        aggregator=row.aggregator,
        capabilities=read.get("capabilities", row.capabilities),
        operations=row.operations,
        default_models={slot: model for slot in SLOTS if (model := draft.model(slot))},
        timeouts=Timeouts(**{f"{name}_s": read.get(f"timeouts.{name}") for name in TIMEOUTS}),
        limits=limits_of(read),
        otel_name=row.otel_name,
        price_provider=row.price_provider,
        declared_price_zero=read.get("self_hosted", row.self_hosted),
        unusable=_why_unusable(draft, wire, url, wires),
        options=options,
        display=row.display if row.type == draft.name else "",
        model_wires=model_wires,
        deployments=row.deployments,
    )


def _read(draft: Draft, problems: Problems) -> dict[str, Any]:
    """What is right in it, by field."""
    readers = {**_READERS, "url": azure_url} if draft.row.wire == "azure" else _READERS
    return {
        name: found
        for name, value in draft.values.items()
        if (found := problems.read(value, readers[name])) is not None
    }


def _model_wires(row: Row, wire: str) -> dict[str, str]:
    """The models that only the Responses API knows; an account that says which API it wants gets that one for all."""
    return dict.fromkeys(row.responses_models, row.responses_wire) if wire == row.wire else {}


def _by_responses(draft: Draft, wire: str, problems: Problems) -> str:
    """Where the row alone wants it, an address that is spoken to by another wire (`.../anthropic`) keeps that."""
    found = draft.row.responses_wire if wire == draft.row.wire else RESPONSES_WIRES.get(wire, "")
    if not found and "api" in draft.values:
        problems.error(draft.values["api"].origin, f"{draft.row.display} has no Responses API")
    return found or wire


def _why_unusable(draft: Draft, wire: str, url: str, wires: Collection[str]) -> str:
    """A server that needs no key is not taken to be running until something besides a key speaks of it."""
    spoken_of = draft.asked_for or draft.values.keys() - {"key", *LIMIT_FIELDS}
    if not url or not (draft.row.needs_key or spoken_of):
        return f"{url_variable(draft)} is not set"
    if draft.row.needs_key and "key" not in draft.values:
        return f"{key_variable(draft)} is not set"
    return without_wire(draft.row, wire, wires)


def without_wire(row: Row, wire: str, wires: Collection[str]) -> str:
    """Why a wire cannot be spoken; empty if it can."""
    if wire in wires:
        return ""
    if wire == row.wire and row.extra:
        return f"the {wire} wire needs more packages: pip install 'taximeter[{row.extra}]'"
    return f"the {wire} wire is not available in this version"


def key_variable(draft: Draft) -> str:
    """The variable that would give this account its key."""
    if draft.key_variable:
        return draft.key_variable
    vendor = draft.row.key_env if draft.name == draft.row.type else ()
    return vendor[0] if vendor and not _by_own(draft) else f"AI_{in_variable(draft.name)}_KEY"


def url_variable(draft: Draft) -> str:
    """The variable that would give this account its base URL."""
    if draft.row.region_url:
        return REGION_VARIABLES[0] if draft.name == draft.row.type else f"AI_{in_variable(draft.name)}_REGION"
    vendor = URL_VARIABLES.get(draft.row.type, ()) if draft.name == draft.row.type else ()
    return vendor[0] if vendor and not _by_own(draft) else f"AI_{in_variable(draft.name)}_URL"


def _by_own(draft: Draft) -> bool:
    """Whether AI_<NAME>_* speaks of it: what is missing is then told by that name too."""
    return any(value.origin.name.startswith("AI_") for value in draft.values.values())


def check_models(drafts: Drafts, problems: Problems) -> None:
    """An account that AI_<NAME>_* sets up for the pools needs a model there, unless some chain names it."""
    for draft in drafts:
        own = [value for value in draft.values.values() if value.origin.name.startswith("AI_")]
        off = "enabled" in draft.values and draft.values["enabled"].text.lower() in ("false", "0", "no", "off")
        if own and not off and not draft.asked_for and draft.offers("smart") and not any(map(draft.model, SLOTS)):
            variable = f"AI_{in_variable(draft.name)}_SMART"
            problems.error(Origin(own[0].origin.place, variable), f"is not set, and {draft.name} has no default model")
