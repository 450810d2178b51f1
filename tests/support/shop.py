"""PriceService over a real control store, asked over a unix socket, with a ledger where a test wants one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sidecar.bookkeeper.answering import Asking
from sidecar.bookkeeper.ingest import Progress
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_reads import QueryLimits
from sidecar.bookkeeper.ledger_service import LedgerService
from sidecar.bookkeeper.server import start as serve
from sidecar.bookkeeper.usage_service import UsageService
from sidecar.control.query import AuditQuery
from sidecar.control.store import ControlStore
from sidecar.core.call import Usage
from sidecar.core.catalog import Account, Catalog
from sidecar.core.clock import Clock
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import prices
from sidecar.edge.auth import Callers
from sidecar.edge.gate import Gate
from sidecar.edge.prices_compare import Comparing
from sidecar.edge.prices_rerate import Rerating
from sidecar.edge.rpc import Border
from sidecar.edge.server import Server
from sidecar.plane.ledger import LedgerClient
from sidecar.plane.plane import ControlPlane
from sidecar.plane.price_tables import PriceTables
from sidecar.plane.prices import HeldPrices
from sidecar.plane.rerating import Rerater
from sidecar.pricing import Pricing
from taximeter import AsyncClient
from taximeter.errors import TaximeterError
from taximeter.journal.v1 import journal_pb2
from taximeter.v1 import prices_pb2 as pb
from taximeter.v1.prices_pb2_grpc import PriceServiceStub
from tests.support.blank import blank
from tests.support.control import sqlite_url
from tests.support.ledger import T0_NS, batches, record
from tests.support.ledger_journal import Log

DOLLAR = 10**12
OPENAI = Account("openai", "openai", "openai", "https://api.openai.com/v1", price_provider="openai")
GATEWAY = Account("our-gateway", "openai", "openai", "https://gw.example/v1", price_provider="openai")
CATALOG = Catalog({account.name: account for account in (OPENAI, GATEWAY)}, {})
MILLION = Usage(input=1_000_000)


@dataclass
class Shop:
    plane: ControlPlane
    pricing: Pricing
    folder: Path
    client: AsyncClient
    log: Log = field(default_factory=Log)

    @property
    def stub(self) -> Any:
        return self.client.service(PriceServiceStub)

    async def set(self, model: str = "gpt-x", *, provider: str = "openai", effective: str = "", **usd: str) -> Any:
        rates = [pb.PriceRate(meter=meter, usd=price) for meter, price in (usd or {"input": "1"}).items()]
        price = pb.PriceOverride(provider=provider, model=model, rates=rates, effective=effective, source="a page")
        return (await self.stub.SetPrice(pb.SetPriceRequest(price=price))).price

    async def listed(self) -> list[Any]:
        return list((await self.stub.ListPriceOverrides(pb.ListPriceOverridesRequest())).prices)

    async def refused(self, method: str, request: Any) -> TaximeterError:
        with pytest.raises(TaximeterError) as caught:
            await getattr(self.stub, method)(request)
        return caught.value

    async def actions(self) -> list[str]:
        """The newest last."""
        found = await self.plane.ask(lambda store: store.audit(AuditQuery()))
        return [entry.action for entry in reversed(found)]

    def cost(self, model: str = "gpt-x") -> int | None:
        return self.pricing.cost(OPENAI, model, "", MILLION, T0_NS).amount_picodollars

    @contextmanager
    def books(self, calls: int) -> Iterator[Ledger]:
        """A ledger behind its socket, whose calls are `record`'s."""
        with closing(Ledger(blank(self.folder / "ledger.duckdb"))) as ledger:
            for batch in batches([journal_pb2.Frame(finished=record(seq)) for seq in range(calls)], []):
                ledger.book(batch)
            books = LedgerService(Asking(ledger, QueryLimits()), Progress, lambda: 0)
            serving = serve(self.folder / "bookkeeper.sock", books, UsageService(Asking(ledger, QueryLimits())))
            try:
                yield ledger
            finally:
                serving.stop(None).wait()


def unknown_workspace(name: str) -> Catalog:
    raise Refusal("NOT_FOUND", RefusalReason.UNKNOWN_WORKSPACE, f"no {name}")


@asynccontextmanager
async def open_shop() -> AsyncIterator[Shop]:
    """Serving until left. There is no bookkeeper but in `books`."""
    folder = Path(tempfile.mkdtemp(prefix="tx"))
    clock, log = Clock(), Log()
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        plane = ControlPlane(lambda: ControlStore(sqlite_url(folder), clock), clock, log)
        pricing = Pricing(None, clock)
        HeldPrices(plane, pricing, log)
        await plane.open()
        stack.push_async_callback(plane.close)
        ledger = LedgerClient(folder / "bookkeeper.sock")
        stack.push_async_callback(ledger.close)
        tables = PriceTables(pricing, lambda: CATALOG, clock)
        rerater = Rerater(ledger, pricing, unknown_workspace, lambda: CATALOG)
        service = prices.PriceService(plane, Comparing(tables, clock), Rerating(plane, rerater, clock))
        border = Border(Callers(lambda: plane.control, clock), Gate(100), log, 1 << 20)
        server = Server({prices.SERVICE: service.handlers(border)}, 1 << 20)
        server.listen_unix(folder / "s.sock", 0o600)
        await server.start()
        stack.push_async_callback(server.stop)
        client = await stack.enter_async_context(AsyncClient(f"unix:{folder / 's.sock'}", timeout=20))
        yield Shop(plane, pricing, folder, client, log)
