"""What a real sidecar shows a tenant of the operator and of other tenants: what it needs for its calls, and no more."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from sidecar.core.control import PlatformKeys
from sidecar.settings.nearest import nearest
from taximeter import Client, calls, errors
from taximeter.v1 import aliases_pb2, aliases_pb2_grpc, catalog_pb2, catalog_pb2_grpc, models_pb2, models_pb2_grpc
from taximeter.v1 import workspaces_pb2 as pb
from taximeter.v1.workspaces_pb2_grpc import TokenServiceStub, WorkspaceServiceStub
from tests.support.customer import customer
from tests.support.stack import stack

OPERATORS = "sk-operators-own-0123ZZZZ"
SPEC = calls.chat_spec("hi", {"provider": "openai", "model": "gpt-4.1"})


@dataclass(frozen=True, slots=True)
class City:
    address: str
    server: str
    """Where the operator's providers are; no tenant has any business there."""
    tokens: dict[str, str]

    def tenant(self, name: str) -> Client:
        return Client(self.address, token=self.tokens[name], timeout=20)


@pytest.fixture(scope="module")
def city() -> Iterator[City]:
    """A tenant for each way in which the operator's keys may serve one, after a call of the operator's."""
    with customer() as server:
        env = {
            "AI_ENCRYPTION_KEY": secrets.token_hex(32),
            "OLLAMA_BASE_URL": server,
            "OPENAI_BASE_URL": f"{server}/v1",
            "OPENAI_API_KEY": OPERATORS,
        }
        with stack(**env) as running:
            running.sidecar()
            address = json.loads((running.home / "sidecar.lock").read_text())["address"]
            with Client(running.address, timeout=20) as operator:
                operator.chat("hi", provider="openai", model="gpt-4.1")
                tokens = {each.value: _tenant(operator, each) for each in PlatformKeys}
            yield City(address, server, tokens)


def _tenant(operator: Client, keys: PlatformKeys) -> str:
    serve = pb.PlatformKeys.Value(f"PLATFORM_KEYS_{keys.name}")
    made = pb.CreateWorkspaceRequest(workspace_id=keys.value, platform_keys=serve)
    operator.service(WorkspaceServiceStub).CreateWorkspace(made)
    wish = pb.CreateTokenRequest(workspace_id=keys.value, name="admin", role=pb.CALLER_ROLE_ADMIN)
    return operator.service(TokenServiceStub).CreateToken(wish).secret


def _all_that_is_told(client: Client) -> Iterator[Message | errors.TaximeterError]:
    catalog: Any = client.service(catalog_pb2_grpc.CatalogServiceStub)
    models: Any = client.service(models_pb2_grpc.ModelServiceStub)
    questions = (
        (catalog.ListProviders, catalog_pb2.ListProvidersRequest()),
        (catalog.ListModels, catalog_pb2.ListModelsRequest()),
        (catalog.ListHealth, catalog_pb2.ListHealthRequest()),
        (lambda asked: next(iter(catalog.WatchHealth(asked))), catalog_pb2.WatchHealthRequest()),
        (catalog.ExplainPlan, catalog_pb2.ExplainPlanRequest(call=SPEC)),
        (catalog.EstimateCost, catalog_pb2.EstimateCostRequest(call=SPEC)),
        (catalog.ProbeProvider, catalog_pb2.ProbeProviderRequest(provider="openai")),
        (models.ShowLocalModel, models_pb2.ShowLocalModelRequest(model="nothing")),
    )
    for ask, asked in questions:
        try:
            yield ask(asked)
        except errors.TaximeterError as error:
            yield error
        except grpc.RpcError as error:
            yield errors.from_rpc(error)


@pytest.mark.parametrize("serve", list(PlatformKeys))
def test_neither_the_operators_keys_nor_its_addresses_are_shown_to_a_tenant(city: City, serve: PlatformKeys) -> None:
    with city.tenant(serve.value) as client:
        told = "\n".join(map(str, _all_that_is_told(client)))
    assert OPERATORS[-4:] not in told
    assert city.server.removeprefix("http://") not in told


@pytest.mark.parametrize("serve", [PlatformKeys.FALLBACK, PlatformKeys.ALWAYS])
def test_how_much_others_use_the_operators_accounts_is_not_a_tenants_business(city: City, serve: PlatformKeys) -> None:
    with city.tenant(serve.value) as client:
        catalog: Any = client.service(catalog_pb2_grpc.CatalogServiceStub)
        told = catalog.ListHealth(catalog_pb2.ListHealthRequest())
    (target,) = told.targets
    assert target.circuit == catalog_pb2.CIRCUIT_STATE_CLOSED
    assert (target.requests, target.HasField("last_used_at")) == (0, False)
    assert {(each.in_flight, each.probes) for each in told.accounts} == {(0, 0)}


@pytest.mark.parametrize("serve", list(PlatformKeys))
def test_the_models_of_the_operators_server_are_for_whom_it_serves(city: City, serve: PlatformKeys) -> None:
    with city.tenant(serve.value) as client:
        models: Any = client.service(models_pb2_grpc.ModelServiceStub)
        if serve is PlatformKeys.NEVER:
            with pytest.raises(errors.TaximeterError, match="does not serve this workspace"):
                models.ListLocalModels(models_pb2.ListLocalModelsRequest())
        else:
            assert [each.name for each in models.ListLocalModels(models_pb2.ListLocalModelsRequest()).models]


def test_names_of_megabytes_are_compared_with_nothing(city: City) -> None:
    """Whoever else calls would wait for it."""
    with city.tenant("never") as client:
        aliases: Any = client.service(aliases_pb2_grpc.AliasServiceStub)
        with pytest.raises(errors.TaximeterError, match="There is no alias") as refused:
            aliases.GetAlias(aliases_pb2.GetAliasRequest(name="smar" * 2_000_000))
    assert len(refused.value.message) <= 2000
    assert nearest("smar" * 100, ["smar" * 100 + "t"]) == ""


def test_a_model_with_a_name_of_megabytes_is_none(city: City) -> None:
    """It would be compared with every pattern of every price table, for every account."""
    with city.tenant("never") as client:
        catalog: Any = client.service(catalog_pb2_grpc.CatalogServiceStub)
        with pytest.raises(errors.TaximeterError, match="at most 128 characters"):
            catalog.ListPrices(catalog_pb2.ListPricesRequest(model="x" * 3_000_000))
