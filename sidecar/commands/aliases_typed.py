"""An alias as it is typed, or written in a file -> its definition."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecar.arguments import Exit
from sidecar.commands.context import fail

if TYPE_CHECKING:
    from taximeter.v1 import aliases_pb2 as pb

STDIN = "-"
_SHORT = {
    "modality": "MODALITY",
    "capability": "CAPABILITY",
    "strategy": "ROUTING_STRATEGY",
    "routing_preference": "ROUTING_PREFERENCE",
    "stream_recovery": "STREAM_RECOVERY",
}
"""Fields whose values people write short: "round-robin"."""
_CAMEL = {"routingPreference": "routing_preference", "streamRecovery": "stream_recovery"}
NONE = "none"


@dataclass(frozen=True, slots=True)
class Wish:
    """As typed; None and empty: not said."""

    targets: Sequence[str] = ()
    parameters: Sequence[str] = ()
    display_name: str | None = None
    modality: str | None = None
    capability: str | None = None
    strategy: str | None = None
    prefer: str | None = None
    recovery: str | None = None
    aggregators: bool | None = None
    fallback_on_budget: bool | None = None
    max_tokens: str | None = None
    requests_per_minute: str | None = None
    max_concurrent: str | None = None


def wished(definition: pb.AliasDefinition, wish: Wish) -> pb.AliasDefinition:
    """`definition`, changed in what was said. A mistake ends the command."""
    short: Mapping[str, str | None] = {
        "modality": wish.modality,
        "capability": wish.capability,
        "strategy": wish.strategy,
        "routing_preference": wish.prefer,
        "stream_recovery": wish.recovery,
    }
    said: dict[str, Any] = {name: _long(name, value) for name, value in short.items() if value}
    said |= {
        name: value
        for name, value in {
            "display_name": wish.display_name,
            "allow_aggregators": wish.aggregators,
            "fallback_on_budget": wish.fallback_on_budget,
        }.items()
        if value is not None
    }
    if wish.targets:
        del definition.targets[:]
        said["targets"] = [target_in(target) for target in wish.targets]
    _merge(definition, said)
    for name in ("max_tokens", "requests_per_minute", "max_concurrent"):
        _limit(definition.limits, name, getattr(wish, name))
    if not definition.limits.ListFields():
        definition.ClearField("limits")
    _set_parameters(definition, wish.parameters)
    return definition


def target_in(text: str) -> dict[str, Any]:
    """ "openai/gpt-5.4,weight=2,priority=1"; "openai" leads to the provider's default model."""
    place, *numbers = text.split(",")
    provider, _, model = place.strip().partition("/")
    found: dict[str, Any] = {"provider": provider, "model": model}
    for number in numbers:
        name, _, value = number.partition("=")
        if name.strip() not in ("weight", "priority") or not value.strip().isdecimal():
            fail(f"--target {text}: {number!r} is neither weight=N nor priority=N", Exit.USAGE)
        found[name.strip()] = int(value)
    return found


def read_file(name: str) -> pb.AliasDefinition:
    """A JSON document, from standard input if `name` is "-": a definition, or what `aliases show --json` prints."""
    try:
        text = sys.stdin.read() if name == STDIN else Path(name).read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, ValueError) as wrong:
        fail(f"{'standard input' if name == STDIN else name} cannot be read: {wrong}", Exit.USAGE)
    if isinstance(document, dict) and isinstance(document.get("alias"), dict):
        document = document["alias"]
    if not isinstance(document, dict):
        fail(f"{name} holds no alias: a JSON object is wanted", Exit.USAGE)
    named = {_CAMEL.get(str(field), str(field)): value for field, value in document.items()}
    return _merge(None, {field: _long(field, value) for field, value in named.items()})


def _merge(definition: pb.AliasDefinition | None, said: Mapping[str, Any]) -> pb.AliasDefinition:
    from google.protobuf.json_format import ParseDict, ParseError

    from taximeter.v1 import aliases_pb2 as pb

    try:
        return ParseDict(dict(said), definition if definition is not None else pb.AliasDefinition())
    except ParseError as wrong:
        fail(str(wrong), Exit.USAGE)


def _long(field: str, value: Any) -> Any:
    """ "round-robin" -> "ROUTING_STRATEGY_ROUND_ROBIN"; what is long already stays. A mistake ends the command."""
    from taximeter.v1 import aliases_pb2 as pb

    prefix = _SHORT.get(field)
    if prefix is None or not isinstance(value, str):
        return value
    word = "unspecified" if value == NONE else value.strip().upper().replace("-", "_").removeprefix(f"{prefix}_")
    kind = pb.AliasDefinition.DESCRIPTOR.fields_by_name[field].enum_type
    known = {each.removeprefix(f"{prefix}_"): each for each in (kind.values_by_name if kind is not None else ())}
    if word.upper() not in known:
        short = [each.lower().replace("_", "-") for each in known if each != "UNSPECIFIED"]
        fail(f"{field.replace('_', ' ')} {value!r}: one of {', '.join(short)}, or {NONE}", Exit.USAGE)
    return known[word.upper()]


def _limit(limits: pb.AliasLimits, name: str, typed: str | None) -> None:
    if typed is None:
        return
    if typed == NONE:
        limits.ClearField(name)  # type: ignore[arg-type]
    elif typed.isdecimal() and int(typed) < 2**31:
        setattr(limits, name, int(typed))
    else:
        fail(f"--{name.replace('_', '-')} {typed}: a whole number, or none for no limit", Exit.USAGE)


def _set_parameters(definition: pb.AliasDefinition, typed: Sequence[str]) -> None:
    """ "temperature=0.7"; a value is JSON where it is any, else a word; "temperature=" takes it away."""
    for each in typed:
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            fail(f"--param {each}: name=value is wanted", Exit.USAGE)
        if not value:
            definition.parameters.fields.pop(name.strip(), None)
        else:
            definition.parameters.update({name.strip(): _value(value)})
    if not definition.parameters.fields:
        definition.ClearField("parameters")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
