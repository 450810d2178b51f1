"""What names resolve to, and what of it a workspace may reach."""

from __future__ import annotations

import pytest

from sidecar.core.addresses import Forbidden, Reach
from sidecar.providers.resolving import check_reach, resolved


async def test_a_name_is_judged_by_what_it_resolves_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a name of somebody's own zone may lead anywhere."""

    async def inside(_host: str) -> tuple[str, ...]:
        return "93.184.216.34", "10.0.0.7"

    monkeypatch.setattr("sidecar.providers.resolving.resolved", inside)
    with pytest.raises(Forbidden, match=r"llm\.example is 10\.0\.0\.7, which is in a private network"):
        await check_reach("https://llm.example/v1", Reach())
    await check_reach("https://llm.example/v1", Reach(private=True))


async def test_names_are_resolved_as_the_machine_does() -> None:
    assert "127.0.0.1" in await resolved("localhost")
    await check_reach("https://localhost", Reach(loopback=True))


async def test_a_name_that_nobody_knows_is_no_objection() -> None:
    """Behind a proxy only the proxy resolves."""
    await check_reach("https://nobody-knows.invalid", Reach())


@pytest.mark.parametrize("url", ["https://169.254.169.254/a?b=c", "https://0x7f.1/", "https://localhost/"])
async def test_an_address_needs_no_resolving(url: str) -> None:
    with pytest.raises(Forbidden):
        await check_reach(url, Reach())
