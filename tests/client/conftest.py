from collections.abc import AsyncIterator, Iterator

import pytest

from taximeter import AsyncClient, Client
from tests.support.fakesidecar import FakeSidecar, served


@pytest.fixture
def fake() -> FakeSidecar:
    return FakeSidecar()


@pytest.fixture
def address(fake: FakeSidecar) -> Iterator[str]:
    with served(fake) as where:
        yield where


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address, timeout=20) as made:
        yield made


@pytest.fixture
async def aclient(address: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(address, timeout=20) as made:
        yield made
