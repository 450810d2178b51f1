"""The figure that the recordings are held to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tests.conformance.check import Verdict

KNOWN = 777
"""Size of the set that docs/conformance.md was written from: of it nothing may differ without an explanation."""
OVERALL = 0.99
"""Share of exchanges whose usage is as recorded, at least."""
IN_A_GROUP = 0.03
"""Share of a group's exchanges that may differ in an aspect; one always may."""
ASPECTS: Mapping[str, tuple[str, ...]] = {
    "usage": ("usage", "broke"),
    "text": ("text", "reasoning", "broke"),
    "tool calls": ("tool calls", "broke"),
    "finish": ("finish", "broke"),
    "rest of the answer": ("vectors", "scores", "model", "error", "broke"),
    "request": ("path", "sent", "broke"),
}
"""Aspect -> what the misses it counts begin with."""
Group = tuple[str, str, str]
"""Provider, operation, "stream" or "unary"."""


def group_of(verdict: Verdict) -> Group:
    exchange = verdict.exchange
    return exchange.provider, exchange.operation, "stream" if exchange.stream else "unary"


def differs(verdict: Verdict, aspect: str) -> bool:
    return any(miss.startswith(ASPECTS[aspect]) for miss in verdict.misses)


def beyond(verdicts: Sequence[Verdict]) -> list[str]:
    """Where more differs than may, one line each; the exchanges and what differs in them below."""
    return [*_overall(verdicts), *(line for group in _groups(verdicts) for line in _in_group(group))]


def _overall(verdicts: Sequence[Verdict]) -> Iterator[str]:
    right = sum(not differs(verdict, "usage") for verdict in verdicts)
    if verdicts and right / len(verdicts) < OVERALL:
        yield f"usage as recorded in {right} of {len(verdicts)} ({right / len(verdicts):.1%})"


def _groups(verdicts: Iterable[Verdict]) -> Iterable[list[Verdict]]:
    found: dict[Group, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(group_of(verdict), []).append(verdict)
    return found.values()


def _in_group(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for aspect in ASPECTS:
        wrong = [verdict for verdict in verdicts if differs(verdict, aspect)]
        if len(wrong) > max(1, IN_A_GROUP * len(verdicts)):
            name = "-".join(group_of(verdicts[0]))
            yield f"{name}: {aspect} differs in {len(wrong)} of {len(verdicts)}"
            yield from (f"  {verdict.exchange.id}: {miss}" for verdict in wrong for miss in verdict.misses)


def unexplained(verdicts: Sequence[Verdict], of: int) -> list[str]:
    """What differs without a reason, in the set that we know; `of`: the size of the set that was read."""
    if of != KNOWN:
        return []
    return [f"{verdict.exchange.id}: {miss}" for verdict in verdicts for miss in verdict.unexplained]
