"""How targets and accounts fare, as CatalogService tells it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

from google.protobuf.message import Message

from sidecar.core.call import Target
from sidecar.core.catalog import Account, Catalog, account_of
from sidecar.core.control import DEFAULT_WORKSPACE
from sidecar.edge import metering
from sidecar.edge.shown import is_own, key_text
from sidecar.health import Health, TargetHealth
from sidecar.invoker.prober import Prober
from sidecar.limits import AccountLimits, Rate
from taximeter.v1 import catalog_pb2 as pb
from taximeter.v1 import invocation_pb2

Limits = Callable[[Collection[Account]], Sequence[AccountLimits]]
NOT_CONFIGURED = "not configured"
KEY_REJECTED = "key rejected"
Subject = Target | str
"""A target, or an account by its name."""


class HealthView:
    """Puts together what health, probes and limits know of what a workspace sees: `catalog` is its own."""

    def __init__(self, health: Health, prober: Prober, limits: Limits) -> None:
        self._health = health
        self._prober = prober
        self._limits = limits

    def whole(self, catalog: Catalog) -> pb.ListHealthResponse:
        """Every target that was used, every account that is set up."""
        accounts = self._accounts(catalog)
        told = {each.provider: each for each in self._limits(accounts)}
        return pb.ListHealthResponse(
            targets=[self._target(seen, catalog) for seen in self._health.snapshot() if shows(catalog, seen.target)],
            accounts=[self._account(account, told[account.name], catalog) for account in accounts],
        )

    def marks(self, catalog: Catalog) -> Mapping[Subject, Hashable]:
        """Of each subject what makes a change worth telling: circuit, pause, keys, state; no counters, no durations.

        Cheap: it is compared each time that something may have changed.
        """
        marks: dict[Subject, Hashable] = {
            target: (self._health.mark(target), self._unusable(target, catalog))
            for target in self._health.targets()
            if shows(catalog, target)
        }
        for account in self._accounts(catalog):
            last = self._prober.tally(account.name, account.owner).last
            probed = (last.ok, last.error_type) if last is not None else None
            marks[account.name] = (_state(account), self._aside(account, catalog), probed, account.limits)
        return marks

    def of(self, subjects: Collection[Subject], catalog: Catalog) -> pb.WatchHealthResponse:
        """These as they stand now; of those that are gone, that they are."""
        known = catalog.accounts
        accounts = [known[each] for each in subjects if isinstance(each, str) and each in known]
        gone = [each for each in subjects if isinstance(each, str) and each not in known]
        made = [
            self._account(each, limits, catalog) for each, limits in zip(accounts, self._limits(accounts), strict=True)
        ]
        return pb.WatchHealthResponse(
            targets=[self._target_now(each, catalog) for each in subjects if isinstance(each, Target)],
            accounts=[*made, *(pb.AccountHealth(provider=name, state=NOT_CONFIGURED) for name in gone)],
        )

    def _accounts(self, catalog: Catalog) -> list[Account]:
        """Those that are set up, and those that were probed."""
        return [
            account
            for account in catalog.accounts.values()
            if account.keys or account.usable or self._prober.tally(account.name, account.owner).sent
        ]

    def _unusable(self, target: Target, catalog: Catalog) -> str:
        """Why the account lets no call through, whatever the circuit."""
        account = account_of(catalog, target)
        if account is None:
            return NOT_CONFIGURED
        if not account.usable:
            return _state(account)
        aside = [self._health.key_aside(key.key_id) for key in account.keys]
        return KEY_REJECTED if aside and all(aside) else ""

    def _aside(self, account: Account, catalog: Catalog) -> tuple[str, ...]:
        return tuple(key_text(key, catalog) for key in account.keys if self._health.key_aside(key.key_id))

    def _target_now(self, target: Target, catalog: Catalog) -> pb.TargetHealth:
        seen = self._health.of(target)
        if seen is not None:
            return self._target(seen, catalog)
        return pb.TargetHealth(target=_ref(target), blocked_reason=self._unusable(target, catalog))

    def _target(self, seen: TargetHealth, catalog: Catalog) -> pb.TargetHealth:
        made = pb.TargetHealth(
            target=_ref(seen.target),
            circuit=pb.CircuitState.Value(f"CIRCUIT_STATE_{seen.circuit.name}"),
            success_rate=seen.success_rate or 0.0,
            last_error_type=seen.last_error_type,
            blocked_reason=self._unusable(seen.target, catalog) or seen.blocked,
        )
        _stamp(made, {"retry_at": seen.retry_at_ns, "cooling_until": seen.cooling_until_ns})
        if catalog.workspace in (DEFAULT_WORKSPACE, seen.target.owner):  # how much others use it is not told to all
            made.requests, made.errors = seen.requests, seen.errors
            _stamp(made, {"last_used_at": seen.last_used_ns, "last_error_at": seen.last_error_ns})
        durations = {"mean": seen.mean_s, "p95": seen.p95_s, "first_token_p50": seen.p50_first_token_s}
        for field, duration_s in durations.items():
            if duration_s is not None:
                getattr(made, field).CopyFrom(metering.duration(round(duration_s * 1e9)))
        return made

    def _account(self, account: Account, limits: AccountLimits, catalog: Catalog) -> pb.AccountHealth:
        """Of the operator's, without how much it is used: that is for others, too."""
        aside = self._aside(account, catalog)
        if not is_own(account, catalog):
            return pb.AccountHealth(provider=account.name, state=_state(account), keys_aside=aside)
        tally = self._prober.tally(account.name, account.owner)
        made = pb.AccountHealth(
            provider=account.name,
            state=_state(account),
            keys_aside=aside,
            in_flight=limits.in_flight,
            max_concurrent=limits.max_concurrent,
            requests=_rate(limits.requests),
            tokens=_rate(limits.tokens),
            probes=tally.sent,
            failed_probes=tally.failed,
        )
        if tally.last is not None:
            made.probe_error_type = tally.last.error_type
            _stamp(made, {"probed_at": tally.last.at_ns})
        return made


def shows(catalog: Catalog, target: Target) -> bool:
    """Its own targets, and the operator's where they serve it; how others fare is not its business."""
    if target.owner:
        return target.owner == catalog.workspace
    if catalog.workspace == DEFAULT_WORKSPACE:
        return True
    account = account_of(catalog, target)
    return account is not None and account.usable


def _ref(target: Target) -> invocation_pb2.ModelRef:
    return invocation_pb2.ModelRef(provider=target.provider, model=target.model)


def _state(account: Account) -> str:
    """ "usable", or why not."""
    return account.unusable or ("usable" if account.enabled else "disabled")


def _rate(rate: Rate | None) -> pb.RateLimit | None:
    if rate is None:
        return None
    found = pb.RateLimit(
        limit_per_minute=round(rate.limit * 60 / rate.window_s),
        remaining=rate.remaining,
        source="learned" if rate.learned else "configured",
    )
    _stamp(found, {"resets_at": rate.full_at_ns})
    return found


def _stamp(message: Message, times: Mapping[str, int | None]) -> None:
    """Fields that hold a Timestamp; None: never, or not now."""
    for field, at_ns in times.items():
        if at_ns is not None:
            getattr(message, field).CopyFrom(metering.timestamp(at_ns))
