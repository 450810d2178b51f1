"""Limits of an alias itself: of all calls to it together, wherever they go."""

from __future__ import annotations

from functools import lru_cache

from sidecar.core.call import Call, Target
from sidecar.core.catalog import NO_LIMITS, Account, Alias, RateLimits
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.limits import Limits, Permit

SHORTEST_RETRY_S = 1.0


def let_in(call: Call, alias: Alias | None, limits: Limits) -> Permit | None:
    """A place at the alias, to be released when the call ends; None: it has no limits. Raises Refusal (OVERLOADED)."""
    if alias is None or alias.limits == NO_LIMITS:
        return None
    door, target = _door(call.workspace, alias.name, alias.version, alias.limits)
    blocked = limits.blocked(door, target, _nothing)
    if blocked is None:
        return limits.take(door, target, _nothing)
    raise Refusal(
        "RESOURCE_EXHAUSTED",
        RefusalReason.OVERLOADED,
        f"Alias {alias.name!r} takes no more calls now: {blocked.detail}. Call again later, or raise its limits "
        "(`taximeter aliases update`).",
        {"alias": alias.name},
        retry_after_s=max(blocked.wait_s, SHORTEST_RETRY_S),
    )


def _nothing() -> int:
    """Tokens are not limited here."""
    return 0


@lru_cache(4096)
def _door(workspace: str, name: str, version: int, limits: RateLimits) -> tuple[Account, Target]:
    """What `Limits` counts by: another version of the alias counts anew."""
    account = Account(f"alias {name}@{version}", type="", wire="", base_url="", limits=limits, owner=workspace)
    return account, Target(account.name, "", workspace)
