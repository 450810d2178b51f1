"""What a name resolves to, judged: an address on a workspace's word must not lead to what only this machine reaches."""

from __future__ import annotations

import asyncio

from sidecar.core.addresses import Forbidden, Reach, check_host, host_of, objection

RESOLVE_S = 5.0


async def resolved(host: str) -> tuple[str, ...]:
    """IP addresses of a name; none if it has none, or none can be told in time (a proxy resolves it then)."""
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except (OSError, UnicodeError, TimeoutError):
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


async def check_reach(url: str, reach: Reach) -> None:
    """Whether the URL's host, and all that it resolves to now, may be called. Raises Forbidden."""
    check_host(url, reach)
    host = host_of(url)
    for address in await resolved(host):
        if problem := objection(address, reach):
            raise Forbidden(f"{host} is {address}, which {problem}")
