"""A home as it is in use: a week of calls in its ledger, and a sidecar with budgets, a key, an alias, a tenant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sidecar.core.call import CallRecord
from taximeter import Client
from taximeter.v1 import aliases_pb2, budgets_pb2, keys_pb2, workspaces_pb2
from taximeter.v1.aliases_pb2_grpc import AliasServiceStub
from taximeter.v1.budgets_pb2_grpc import BudgetServiceStub
from taximeter.v1.keys_pb2_grpc import KeyServiceStub
from taximeter.v1.workspaces_pb2_grpc import TokenServiceStub, WorkspaceServiceStub
from tests.support.analytics import build
from tests.support.analytics_week import week
from tests.support.stack import Stack, stack, until

SECRET = "sk-acme-0123456789abcdefghij"
TENANT = "acme"


@dataclass(frozen=True)
class Living:
    """Where it is, what was recorded, and the token of a viewer of TENANT."""

    stack: Stack
    home: Path
    records: list[CallRecord]
    viewer: str


@contextmanager
def living(calls: int = 2000) -> Iterator[Living]:
    """A sidecar, a bookkeeper and a loopback provider; what is set up is in the ledger when this is entered."""
    with stack(AI_ENCRYPTION_KEY="a passphrase of some length, for tests") as made:
        records = [replace(each, budget_ns=each.started_ns) for each in week(datetime.now(UTC), calls)]
        made.home.mkdir(parents=True)
        build(made.home / "ledger.duckdb", records)
        made.provider()
        made.bookkeeper()
        made.sidecar()
        with Client(made.address, token="", timeout=20) as operator:
            viewer = _tenant(operator, made.address)
            _budgets(operator)
            for _ in range(3):
                operator.chat("Hello", alias="smart")
        until(lambda: _stated(made.home) >= len(BUDGETS) + 1, "budgets are stated in the ledger")
        yield Living(made, made.home, records, viewer)


def _tenant(operator: Client, address: str) -> str:
    """A workspace with a key, whose monthly limit is a budget, and an alias. Returns a viewer's token."""
    operator.service(WorkspaceServiceStub).CreateWorkspace(workspaces_pb2.CreateWorkspaceRequest(workspace_id=TENANT))
    tokens = operator.service(TokenServiceStub)
    admin, viewer = (
        tokens.CreateToken(workspaces_pb2.CreateTokenRequest(workspace_id=TENANT, name=str(role), role=role)).secret
        for role in (workspaces_pb2.CALLER_ROLE_ADMIN, workspaces_pb2.CALLER_ROLE_VIEWER)
    )
    with Client(address, token=admin, timeout=20) as at_acme:
        at_acme.service(KeyServiceStub).AddKey(
            keys_pb2.AddKeyRequest(
                provider="openai",
                api_key=SECRET,
                label="team key",
                skip_verification=True,
                limits=keys_pb2.KeyLimits(monthly_budget_usd="50"),
            )
        )
        at_acme.service(AliasServiceStub).CreateAlias(
            aliases_pb2.CreateAliasRequest(
                alias=aliases_pb2.AliasDefinition(
                    name="summaries",
                    modality=aliases_pb2.MODALITY_TEXT,
                    targets=[aliases_pb2.AliasTarget(provider="openai", model="gpt-5-mini")],
                )
            )
        )
    return str(viewer)


BUDGETS = (
    {"name": "the month", "limit_usd": "8", "window": budgets_pb2.BUDGET_WINDOW_MONTH,
     "unpriced": budgets_pb2.UNPRICED_ALLOW},
    {"name": "fast tokens", "scope": budgets_pb2.BUDGET_SCOPE_ALIAS, "subject": "fast", "limit_tokens": 1_500_000,
     "window": budgets_pb2.BUDGET_WINDOW_WEEK},
    {"name": "calls a day", "limit_requests": 2, "window": budgets_pb2.BUDGET_WINDOW_DAY, "soft_only": True},
)  # fmt: skip
"""Of the workspace default."""


def _budgets(operator: Client) -> None:
    service = operator.service(BudgetServiceStub)
    for each in BUDGETS:
        budget = budgets_pb2.Budget(**{"scope": budgets_pb2.BUDGET_SCOPE_WORKSPACE, **each})  # type: ignore[arg-type]
        service.CreateBudget(budgets_pb2.CreateBudgetRequest(budget=budget))


def _stated(home: Path) -> int:
    from analytics.burn import budgets
    from analytics.source import open_source

    return budgets(open_source(home))["budget_id"].n_unique()
