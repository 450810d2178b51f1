"""What is typed of a key: its secret, what it may be used for, and its monthly limits."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from sidecar.arguments import Exit
from sidecar.commands.context import fail
from sidecar.commands.keys_shown import SCOPES

if TYPE_CHECKING:
    from taximeter.v1 import keys_pb2 as pb

NO_LIMIT = "none"


@dataclass(frozen=True, slots=True)
class Limits:
    """As typed: a number, "none", or None for what was not said."""

    monthly_budget_usd: str | None = None
    monthly_tokens: str | None = None
    monthly_requests: str | None = None

    @property
    def said(self) -> bool:
        return (self.monthly_budget_usd, self.monthly_tokens, self.monthly_requests) != (None, None, None)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be true of a key; None: not said."""

    label: str | None
    scopes: str | None
    limits: Limits


def read_secret(given: str) -> str:
    """A key, from standard input if it is "-" or nobody types there; else it is asked for, and not shown."""
    if given not in ("", "-"):
        fail("a key on the command line stays in the shell's history: leave it out to be asked, or pipe it", Exit.USAGE)
    if given == "-" or not sys.stdin.isatty():
        return sys.stdin.read()
    typed: str = typer.prompt("API key", hide_input=True, err=True)
    return typed


def scopes_in(said: str | None) -> pb.KeyScopes | None:
    from taximeter.v1 import keys_pb2 as pb

    if said is None:
        return None
    names = [name.strip().lower() for name in said.split(",") if name.strip()]
    if unknown := [name for name in names if name not in SCOPES]:
        fail(f"{', '.join(unknown)}: a scope is one of {', '.join(SCOPES)}", Exit.USAGE)
    return pb.KeyScopes(**dict.fromkeys(names, True))


def limits_in(said: Limits, now: pb.KeyLimits) -> pb.KeyLimits:
    """What was said, over what holds now."""
    from taximeter.v1 import keys_pb2 as pb

    found = pb.KeyLimits()
    found.CopyFrom(now)
    if said.monthly_budget_usd == NO_LIMIT:
        found.ClearField("monthly_budget_usd")
    elif said.monthly_budget_usd is not None:
        found.monthly_budget_usd = said.monthly_budget_usd.removeprefix("$")
    for name, value in (("monthly_tokens", said.monthly_tokens), ("monthly_requests", said.monthly_requests)):
        if value == NO_LIMIT:
            found.ClearField(name)  # type: ignore[arg-type]  # one of its fields
        elif value is not None:
            setattr(found, name, _whole(name, value))
    return found


def _whole(name: str, text: str) -> int:
    digits = text.replace("_", "").replace(",", "")
    if not digits.isdecimal() or len(digits) > 15:
        fail(f"--{name.replace('_', '-')} {text}: a whole number is wanted, or none", Exit.USAGE)
    return int(digits)
