"""`taximeter providers`: what can be called, and how it fares."""

from __future__ import annotations

from typing import Any

from sidecar.cli import Exit
from sidecar.commands.calling import client
from sidecar.commands.context import out, print_json, table
from sidecar.commands.show import count, ms, share


def providers(*, address: str, as_json: bool) -> int:
    """Providers, aliases and targets, from a running sidecar. Returns an exit code."""
    from google.protobuf.json_format import MessageToDict

    with client(address) as connected:
        listed, health = connected.providers(), connected.health()
    if as_json:
        print_json({**MessageToDict(listed), **MessageToDict(health)})
        return Exit.OK
    out.print(table(("provider", "type", "key", "state", "operations"), [_provider(each) for each in listed.providers]))
    out.print()
    out.print(table(("alias", "strategy", "state", "targets"), [_alias(each) for each in listed.aliases]))
    if health.targets:
        out.print()
        columns = ("target", "circuit", "requests", "success", "mean", "p95", "last error")
        rows = [_health(each) for each in health.targets]
        out.print(table(columns, rows, right=frozenset(columns[2:6])))
    return Exit.OK


def _provider(each: Any) -> tuple[str, ...]:
    return each.name, each.type, each.key or "-", "usable" if each.usable else each.reason, ", ".join(each.operations)


def _alias(each: Any) -> tuple[str, ...]:
    chain = " → ".join(f"{target.provider}/{target.model}" for target in each.targets)
    return each.name, each.strategy, "usable" if each.usable else each.reason, chain


def _health(each: Any) -> tuple[str, ...]:
    return (
        f"{each.target.provider}/{each.target.model}",
        each.DESCRIPTOR.fields_by_name["circuit"].enum_type.values_by_number[each.circuit].name[14:].lower(),
        count(each.requests),
        share(each.requests - each.errors, each.requests),
        ms(each.mean.ToNanoseconds() / 1e6),
        ms(each.p95.ToNanoseconds() / 1e6),
        each.last_error_type or "-",
    )
