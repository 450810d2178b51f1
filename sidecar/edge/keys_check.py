"""What a key must be before it is kept: of a known provider, at an address that may be called, and taken there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sidecar.core.addresses import Forbidden, Reach, base_url
from sidecar.core.catalog import Account, Catalog
from sidecar.core.control import DEFAULT_WORKSPACE
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge.keys_messages import Wrong
from sidecar.invoker.prober import UNUSABLE
from sidecar.plane.verification import Verified, Verifier
from sidecar.providers.resolving import check_reach
from sidecar.settings.nearest import nearest
from sidecar.settings.rows import SPELLINGS

_NAME = 24
"""Characters."""
NOT_ASKED = Verified(ok=False, message="The provider was not asked.")


class KeyCheck:
    def __init__(
        self,
        verifier: Verifier,
        system: Callable[[], Catalog],
        opened: Callable[[Account, str], Account],
        *,
        allow_private: bool,
    ) -> None:
        """`opened`: an account as a workspace's key opens it, at a base URL or ("") at its own. `allow_private`:
        workspaces may name addresses of this machine and of the network around it."""
        self._verifier = verifier
        self._system = system
        self._opened = opened
        self._allow_private = allow_private

    def provider(self, asked: str, wrong: Wrong) -> str:
        """By the name that the configuration has for it. Raises Refusal (UNKNOWN_PROVIDER)."""
        name = spelled(asked)
        if name:
            return self._account(name).name
        wrong.append(("provider", "is empty"))
        return ""

    async def address(self, provider: str, asked: str, workspace: str) -> str:
        """The base URL as it is kept; empty where it is the provider's own. Raises Refusal (INVALID_REQUEST)."""
        account = self._account(provider)
        url = await self._permitted(asked, workspace) if asked.strip() else ""
        if url and self._opened(account, url).base_url != self._opened(account, "").base_url:
            return url
        if not account.needs_key and account.base_url and workspace != DEFAULT_WORKSPACE:
            raise _wrong_url(f"{provider} is a server of the operator's: give the base URL of a server of your own")
        return ""

    async def _permitted(self, asked: str, workspace: str) -> str:
        reach = Reach(self._allow_private or workspace == DEFAULT_WORKSPACE, self._allow_private)
        try:
            url = base_url(asked, reach)
            await check_reach(url, reach)
        except Forbidden as why:
            raise _wrong_url(str(why)) from None
        return url

    async def asked(self, provider: str, url: str, secret: str) -> Verified:
        """What the provider says of it. Raises Refusal (PROVIDER_NOT_INITIALIZED) where there is nobody to ask."""
        account = self._opened(self._account(provider), url)
        found = await self._verifier.verified(account, secret)
        if found.error_type == UNUSABLE:
            raise _not_initialized(found.message)
        return found

    async def accepted(self, provider: str, url: str, secret: str, *, skip: bool) -> Verified:
        """The same, of a key that is to be kept. Raises Refusal (KEY_NOT_ACCEPTED, PROVIDER_NOT_INITIALIZED)."""
        if skip:
            if lacks := self._opened(self._account(provider), url).unusable:
                raise _not_initialized(lacks)
            return NOT_ASKED
        found = await self.asked(provider, url, secret)
        if not (found.ok or found.unchecked):
            raise _not_accepted(provider, found)
        return found

    def _account(self, provider: str) -> Account:
        """Raises Refusal (UNKNOWN_PROVIDER): the configuration may have lost it since."""
        accounts = self._system().accounts
        if provider not in accounts:
            raise _unknown(provider, accounts)
        return accounts[provider]


def spelled(provider: str) -> str:
    """ "Google" -> "gemini"."""
    name = provider.strip().lower()
    return SPELLINGS.get(name, name)


def _unknown(provider: str, known: Iterable[str]) -> Refusal:
    names = sorted(known)
    guess = nearest(provider, names)
    hint = f" Did you mean {guess}?" if guess else ""
    # What is long may be a key that was put in the wrong place: it is not repeated.
    what = f"No provider is named {provider!r}." if len(provider) <= _NAME else "No provider has that name."
    told = f"{what}{hint} Known: {', '.join(names)}."
    return Refusal("NOT_FOUND", RefusalReason.UNKNOWN_PROVIDER, told)


def _wrong_url(why: str) -> Refusal:
    violations = (("base_url", why),)
    return Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, f"base_url: {why}", field_violations=violations)


def _not_initialized(why: str) -> Refusal:
    return Refusal("FAILED_PRECONDITION", RefusalReason.PROVIDER_NOT_INITIALIZED, f"Provider not initialized: {why}")


def _not_accepted(provider: str, found: Verified) -> Refusal:
    told = {"provider": provider, "error_type": found.error_type}
    if found.refused:
        message = f"Nothing was stored: {found.message}"
        return Refusal("FAILED_PRECONDITION", RefusalReason.KEY_NOT_ACCEPTED, message, told)
    message = (
        f"Nothing was stored. Try again, or keep the key unverified (skip_verification, --no-verify): {found.message}"
    )
    return Refusal("UNAVAILABLE", RefusalReason.KEY_NOT_ACCEPTED, message, told)
