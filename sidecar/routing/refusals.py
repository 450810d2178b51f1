"""What a caller is told when no target is left before anything was sent."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from sidecar.core.aliases import OFFERS
from sidecar.core.call import Call, Operation, Skip, scope_of
from sidecar.core.catalog import Alias, Catalog
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.routing.places import serves
from sidecar.routing.pool import Pool

_MENDED_BY_NO_KEY = {"NOT_SUPPORTED", "NO_MODEL"}


def nothing_left(
    call: Call, catalog: Catalog, pool: Pool, skips: Sequence[Skip], retry_after_s: float | None = None
) -> Refusal:
    """The refusal that a person can act on. `skips` tells of every place of the pool."""
    if not pool.known:
        return _unknown(call, catalog)
    if call.target is not None:
        return _direct(call, catalog, skips[0], retry_after_s)
    reasons = {skip.reason for skip in skips}
    if (refusal := _by_configuration(call, pool.alias, skips, reasons)) is not None:
        return refusal
    if skips and reasons <= _MENDED_BY_NO_KEY:
        return _not_offered(call.operation, catalog, skips)
    return unavailable(skips, retry_after_s)


def _by_configuration(call: Call, alias: Alias | None, skips: Sequence[Skip], reasons: set[str]) -> Refusal | None:
    """What is not a matter of the moment."""
    if alias is not None and not serves(alias, call.operation):
        return _made_for_another(alias, call.operation)
    if "SCOPE" in reasons and reasons <= {"SCOPE", "NO_KEY", *_MENDED_BY_NO_KEY}:
        return _scope_not_allowed(call.operation)
    return _of_alias(alias, skips, reasons) if alias is not None else None


def _of_alias(alias: Alias, skips: Sequence[Skip], reasons: set[str]) -> Refusal | None:
    """What its configuration alone explains."""
    keyless = [skip.target.provider for skip in skips if skip.reason == "NO_KEY"]
    if (keyless or (not skips and alias.key_hints)) and reasons <= {"NO_KEY", "CLOSED", *_MENDED_BY_NO_KEY}:
        return _key_missing(alias.name, list(alias.key_hints) or keyless)
    if "AGGREGATOR" in reasons and reasons <= {"AGGREGATOR", *_MENDED_BY_NO_KEY}:
        return _aggregators_only(alias.name, [skip.target.provider for skip in skips if skip.reason == "AGGREGATOR"])
    if alias.unusable and not skips:
        return Refusal("FAILED_PRECONDITION", RefusalReason.PROVIDER_NOT_INITIALIZED, alias.unusable)
    return None


def unavailable(skips: Sequence[Skip], retry_after_s: float | None) -> Refusal:
    """Nobody can take the call just now."""
    told = dict.fromkeys(f"{skip.target.provider} ({skip.detail or skip.reason})" for skip in skips)
    listed = ", ".join(told) or "none is configured; add a provider's key, or `taximeter up` for the embedded model"
    return Refusal(
        "UNAVAILABLE",
        RefusalReason.NO_PROVIDER_AVAILABLE,
        f"No available AI providers: {listed}",
        retry_after_s=retry_after_s,
    )


def not_offered(display: str, operation: Operation) -> Refusal:
    return Refusal(
        "UNIMPLEMENTED",
        RefusalReason.OPERATION_NOT_SUPPORTED,
        f"{display} does not offer {OFFERS.get(operation, operation)}.",
        {"operation": operation.value},
    )


def _unknown(call: Call, catalog: Catalog) -> Refusal:
    if call.target is not None:
        known = ", ".join(sorted(catalog.accounts)) or "none"
        return Refusal(
            "NOT_FOUND",
            RefusalReason.UNKNOWN_PROVIDER,
            f"Unknown provider {call.target.provider!r}. Configured: {known}.",
            {"provider": call.target.provider},
        )
    if not catalog.accounts:
        return unavailable((), None)
    return _unknown_alias(call.alias or "text", sorted(catalog.aliases))


def _unknown_alias(name: str, known: Sequence[str]) -> Refusal:
    """With the names that come nearest, else the first few there are."""
    near = get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        hint = f"Did you mean {' or '.join(repr(each) for each in near)}?"
    else:
        hint = f"Known aliases: {', '.join(known[:10]) or 'none'}{', …' if len(known) > 10 else ''}."
    return Refusal(
        "NOT_FOUND",
        RefusalReason.UNKNOWN_ALIAS,
        f"Unknown alias {name!r}. {hint} `taximeter providers` lists them all.",
        {"alias": name, "nearest": ",".join(near)},
    )


def _direct(call: Call, catalog: Catalog, skip: Skip, retry_after_s: float | None) -> Refusal:
    account = catalog.accounts[skip.target.provider]
    match skip.reason:
        case "NOT_SUPPORTED":
            return not_offered(account.display or account.name, call.operation)
        case "NO_MODEL":
            return Refusal(
                "INVALID_ARGUMENT",
                RefusalReason.INVALID_REQUEST,
                f"Name a model: {account.name} has no default for {call.operation}.",
                field_violations=(("call.target.model", "is required"),),
            )
        case "SCOPE":
            return _scope_not_allowed(call.operation)
        case "NO_KEY" | "DISABLED" | "CLOSED" | "UNUSABLE":
            return Refusal(
                "FAILED_PRECONDITION",
                RefusalReason.PROVIDER_NOT_INITIALIZED,
                f"Provider not initialized: {account.unusable or f'{account.name}: {skip.detail}'}",
                {"provider": account.name},
            )
    return unavailable((skip,), retry_after_s)


def _scope_not_allowed(operation: Operation) -> Refusal:
    scope = scope_of(operation)
    return Refusal(
        "PERMISSION_DENIED",
        RefusalReason.SCOPE_NOT_ALLOWED,
        f"This key doesn't allow {scope}. Enable the '{scope}' scope or pick another alias.",
        {"scope": scope.value},
    )


def _made_for_another(alias: Alias, operation: Operation) -> Refusal:
    made_for = OFFERS.get(alias.operation or operation, "")
    return Refusal(
        "UNIMPLEMENTED",
        RefusalReason.OPERATION_NOT_SUPPORTED,
        f"Alias {alias.name!r} is for {made_for}: {OFFERS.get(operation, operation)} is not what it leads to.",
        {"alias": alias.name, "operation": operation.value},
    )


def _key_missing(alias: str, providers: Sequence[str]) -> Refusal:
    names = list(dict.fromkeys(providers))
    return Refusal(
        "FAILED_PRECONDITION",
        RefusalReason.KEY_MISSING,
        f"Add a key for this alias: `taximeter keys add PROVIDER` (alias {alias!r} needs one of: {', '.join(names)})",
        {"alias": alias, "providers": ",".join(names)},
    )


def _aggregators_only(alias: str, providers: Sequence[str]) -> Refusal:
    return Refusal(
        "INVALID_ARGUMENT",
        RefusalReason.INVALID_REQUEST,
        f"Alias {alias!r} leads to aggregators only ({', '.join(dict.fromkeys(providers))}) and does not allow them: "
        "set allow_aggregators = true, or give it other providers.",
        {"alias": alias},
    )


def _not_offered(operation: Operation, catalog: Catalog, skips: Sequence[Skip]) -> Refusal:
    accounts = [catalog.accounts[skip.target.provider] for skip in skips]
    names = list(dict.fromkeys(account.display or account.name for account in accounts))
    refusal = not_offered(names[0], operation)
    if len(names) > 1:
        refusal.message = f"None of {', '.join(names)} offers {OFFERS.get(operation, operation)}."
    return refusal
