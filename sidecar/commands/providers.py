"""`taximeter providers`: what can be called, and how it fares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sidecar.cli import Exit
from sidecar.commands.calling import client
from sidecar.commands.context import out, print_json
from sidecar.commands.show import count, ms, share
from sidecar.commands.tables import show_table
from sidecar.commands.watch import circuit

HEALTH = ("target", "circuit", "requests", "success", "mean", "p95", "first token", "last error", "passed over")


def providers(*, address: str, everything: bool, as_json: bool) -> int:
    """Providers, aliases and targets, from a running sidecar. Returns an exit code."""
    from google.protobuf.json_format import MessageToDict

    with client(address) as connected:
        listed, health = connected.providers(), connected.health()
    if as_json:
        print_json({**MessageToDict(listed), **MessageToDict(health)})
        return Exit.OK
    shown = [each for each in listed.providers if everything or each.usable or each.key]
    if shown:
        rows = [_provider(each) for each in shown]
        show_table(("provider", "type", "key", "state", "operations"), rows, whole=("provider",))
    else:
        out.print("no provider is usable: `taximeter doctor` says why")
    if others := [each.name for each in listed.providers if each not in shown]:
        out.print(f"\nnot set up: {', '.join(others)} (--all tells what each lacks)", style="dim", markup=False)
    out.print()
    show_table(("alias", "strategy", "targets"), list(_aliases(listed.aliases)), whole=("strategy",))
    if health.targets:
        out.print()
        spare = ("mean", "first token", "requests")
        show_table(HEALTH, [_health(each) for each in health.targets], right=HEALTH[2:7], spare=spare)
    return Exit.OK


def _provider(each: Any) -> tuple[str, ...]:
    state = "usable" if each.usable else each.reason
    return each.name, each.type, each.key or "-", state, ", ".join(each.operations)


def _aliases(aliases: Iterable[Any]) -> Iterator[tuple[str, ...]]:
    """Those that lead to the same targets in one row."""
    alike: dict[tuple[str, str], list[str]] = {}
    for each in aliases:
        chain = ", ".join(f"{target.provider}/{target.model}" for target in each.targets)
        leads = chain if each.usable else f"{chain} - cannot work: {each.reason}"
        alike.setdefault((each.strategy, leads), []).append(each.name)
    for (strategy, leads), names in alike.items():
        yield ", ".join(names), strategy, leads


def _health(each: Any) -> tuple[str, ...]:
    return (
        f"{each.target.provider}/{each.target.model}",
        circuit(each),
        count(each.requests),
        share(each.requests - each.errors, each.requests),
        ms(each.mean.ToNanoseconds() / 1e6),
        ms(each.p95.ToNanoseconds() / 1e6),
        ms(each.first_token_p50.ToNanoseconds() / 1e6) if each.HasField("first_token_p50") else "-",
        each.last_error_type or "-",
        each.blocked_reason or "-",
    )
