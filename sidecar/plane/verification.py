"""Asks a provider whether it takes a key, before the key is stored or once it is: a question that costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sidecar.core.catalog import Account, Key
from sidecar.core.clock import Clock
from sidecar.core.faults import Fault, KeyRejected, RateLimited
from sidecar.invoker.prober import NOT_SUPPORTED, UNUSABLE, sent
from sidecar.providers import probe
from sidecar.providers.transport import Transport
from sidecar.providers.wire import HttpResponse, Wire

_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Verified:
    """What a provider said of a key."""

    ok: bool
    """It took the key."""
    error_type: str = ""
    """As in an attempt; "not_supported": it has no question that would tell; "unusable": nothing was asked."""
    message: str = ""
    """For people, the key masked. Holds the provider's own words: for the caller only."""
    took_ns: int = 0
    models: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """The provider knows the key and does not take it."""
        return self.error_type == KeyRejected.error_type

    @property
    def unchecked(self) -> bool:
        """Nothing speaks against the key: its provider cannot be asked for free."""
        return self.error_type == NOT_SUPPORTED


def display(account: Account) -> str:
    """The provider's name for people."""
    return account.display or account.name


class Verifier:
    def __init__(
        self, wires: Callable[[str], Wire], transport: Transport, clock: Clock, time_scale: Callable[[], float]
    ) -> None:
        self._wires = wires
        self._transport = transport
        self._clock = clock
        self._time_scale = time_scale

    async def verified(self, account: Account, secret: str) -> Verified:
        """Asks now. `account` as the key would open it; its health and statistics are not touched."""
        began_ns = self._clock.monotonic_ns()
        found = await self._found(account, secret)
        said = Key("", secret).hidden_in(found.message)
        return replace(found, message=said, took_ns=self._clock.monotonic_ns() - began_ns)

    async def _found(self, account: Account, secret: str) -> Verified:
        name = display(account)
        if account.unusable:
            return Verified(False, UNUSABLE, account.unusable)
        try:
            wire = self._wires(account.wire)
        except LookupError as missing:
            return Verified(False, UNUSABLE, str(missing))
        request = probe.request(account, wire, secret)
        if request is None:
            return Verified(False, NOT_SUPPORTED, f"{name} has no question that costs nothing: the key is not checked.")
        try:
            response = await sent(self._transport, request, account, self._time_scale())
        except Fault as fault:
            return Verified(False, fault.error_type, f"{name} could not be reached ({fault.message}).")
        return _judged(name, response, wire)


def _judged(name: str, response: HttpResponse, wire: Wire) -> Verified:
    verdict = probe.judged(response, wire)
    if verdict.accepted:
        return Verified(True, "", _welcome(name, len(verdict.models)), models=verdict.models)
    if not verdict.error_type:
        return Verified(False, NOT_SUPPORTED, f"{name} is there and lists no models: the key is not checked.")
    if 300 <= response.status < 400:
        told = f"{name} answered with a redirect ({response.status}), which is not followed: check the base URL."
        return Verified(False, verdict.error_type, told)
    said = f" {name} says: {verdict.message}" if verdict.message else ""
    return Verified(False, verdict.error_type, f"{_verdict(name, verdict.error_type, response.status)}{said}")


def _welcome(name: str, models: int) -> str:
    return f"{name} takes this key" + (f" and lists {models} model{'s' * (models > 1)}." if models else ".")


def _verdict(name: str, error_type: str, status: int) -> str:
    if error_type == KeyRejected.error_type:
        return f"{name} rejected this key ({status}). {_WHAT_TO_DO.get(status, _CHECK_IT)}"
    if error_type == RateLimited.error_type:
        return f"{name} does not answer for now ({status}): too many requests, or no credit."
    return f"{name} answered with an error ({status})."


_CHECK_IT = "Check that it was copied whole, is of this provider, and was not revoked."
_WHAT_TO_DO = {_FORBIDDEN: "Its permissions may not include listing models: then add it without verification."}
