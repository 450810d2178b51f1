"""Signing in: with a token, and at an identity provider; a real sidecar says who it is, in a real browser."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from dashboards import control, tabs
from dashboards.context import Viewer
from taximeter import Client
from taximeter.v1 import workspaces_pb2 as pb
from taximeter.v1.workspaces_pb2_grpc import TokenServiceStub, WorkspaceServiceStub
from tests.support.analytics import build
from tests.support.analytics_week import week
from tests.support.browser import chromium, dashboard, free_port, looked_at, needs_chromium
from tests.support.codeflow import CodeFlow, code_flow
from tests.support.issuer import AUDIENCE
from tests.support.stack import Process, Stack, stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), needs_chromium]
CALLS = 90
"""A third of them acme's."""


@dataclasses.dataclass(frozen=True)
class Place:
    stack: Stack
    flow: CodeFlow
    sidecar: Process
    operator: pb.BootstrapTokenResponse
    """The default workspace's administrator's token."""
    member: pb.CreateTokenResponse
    """One of acme's."""

    @property
    def home(self) -> Path:
        return self.stack.home


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with code_flow() as flow, stack(
        TAXIMETER_JWT_ISSUER=flow.url, TAXIMETER_JWT_AUDIENCE=AUDIENCE, TAXIMETER_EMBEDDED_MODEL="never"
    ) as running:  # fmt: skip
        running.provider()
        sidecar = running.sidecar()
        operator, member = tokens(running.address)
        records = [
            dataclasses.replace(record, workspace="default" if record.seq % 3 else "acme")
            for record in week(datetime.now(UTC), calls=CALLS)
        ]
        build(running.home / "ledger.duckdb", records)
        yield Place(running, flow, sidecar, operator, member)


def tokens(address: str) -> tuple[pb.BootstrapTokenResponse, pb.CreateTokenResponse]:
    with Client(address, token="") as client:
        operator = client.service(TokenServiceStub).BootstrapToken(pb.BootstrapTokenRequest())
    with Client(address, token=operator.secret) as client:
        client.service(WorkspaceServiceStub).CreateWorkspace(
            pb.CreateWorkspaceRequest(workspace_id="acme", display_name="Acme")
        )
        asked = pb.CreateTokenRequest(workspace_id="acme", name="ada", role=pb.CALLER_ROLE_MEMBER)
        return operator, client.service(TokenServiceStub).CreateToken(asked)


@pytest.fixture(scope="module")
def by_token(place: Place) -> Iterator[str]:
    with dashboard(place.home, login="token") as url:
        yield url


@pytest.fixture
def browser() -> Iterator[BrowserContext]:
    with chromium() as context:
        yield context


def expect_calls(page: Page, number: int) -> None:
    """Waits for it: while a page is made anew, what the one before showed may still stand there."""
    card = page.get_by_test_id("stMetric").filter(has_text="Calls").first
    expect(card.get_by_test_id("stMetricValue")).to_have_text(str(number))


def kept(page: Page) -> str:
    """All that the browser has of the page, but for what stands on it."""
    stored = page.evaluate(
        "() => JSON.stringify([location.href, document.cookie, {...localStorage}, {...sessionStorage}])"
    )
    return f"{stored} {page.context.cookies()}"


def test_a_ticket_ends_with_its_time_and_when_it_is_taken_back() -> None:
    now, who = [100.0], Viewer("acme", "member", "tok_1")
    tickets = tabs.Tickets(lambda: now[0])
    first, second = tickets.give(who), tickets.give(who)
    assert first != second
    assert [tickets.holder(ticket) for ticket in (first, second, "", "another")] == [who, who, None, None]
    tickets.take_back(first)
    assert [tickets.holder(ticket) for ticket in (first, second)] == [None, who]
    now[0] += tabs.KEPT_S
    assert tickets.holder(second) is None


def test_the_oldest_ticket_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabs, "MOST", 2)
    tickets = tabs.Tickets()
    given = [tickets.give(Viewer()) for _ in range(3)]
    assert [tickets.holder(ticket) is not None for ticket in given] == [False, True, True]


def test_whose_token_it_is(place: Place) -> None:
    home, operator, member = str(place.home), place.operator, place.member
    found = [control.who_am_i(home, made.secret) for made in (operator, member)]
    assert found == [
        Viewer(None, "operator", operator.token.token_id, operator.secret),
        Viewer("acme", "member", member.token.token_id, member.secret),
    ]
    assert [control.who_am_i(home, wrong) for wrong in ("", " ", "nobody", "two words", "ümlaut")] == [None] * 5


def test_a_token_shows_its_workspace_until_signed_out(place: Place, by_token: str, browser: BrowserContext) -> None:
    page = browser.new_page()
    page.goto(f"{by_token}/calls")
    field = page.get_by_role("textbox", name="Token")
    field.fill("not-a-token")
    field.press("Enter")
    expect(page.get_by_text("This token is not known here")).to_be_visible()
    looked_at(page, "sign-in")
    field.fill(place.member.secret)
    field.press("Enter")
    expect(page.get_by_text("(member), workspace acme")).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="Over time", exact=True)).to_be_visible()
    expect_calls(page, CALLS // 3)
    page.reload()
    expect(page.get_by_text("(member), workspace acme")).to_be_visible()
    assert place.member.secret not in kept(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("textbox", name="Token")).to_be_visible()
    page.reload()
    expect(page.get_by_role("textbox", name="Token")).to_be_visible()
    page.get_by_role("textbox", name="Token").fill(place.operator.secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("(operator), all workspaces")).to_be_visible()
    expect(page.get_by_role("heading", name="Over time", exact=True)).to_be_visible()
    expect_calls(page, CALLS)


def test_an_identity_providers_claims_say_what_is_seen(place: Place, browser: BrowserContext, tmp_path: Path) -> None:
    place.flow.person = {"workspace": "acme", "role": "viewer", "sub": "ada"}
    port, secrets = free_port(), tmp_path / "secrets.toml"
    secrets.write_text(
        f"""[auth]
redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
cookie_secret = "{"c" * 40}"
client_id = "{AUDIENCE}"
client_secret = "shh"
server_metadata_url = "{place.flow.url}/.well-known/openid-configuration"
expose_tokens = ["id"]
"""
    )
    with dashboard(place.home, login="oidc", secrets=secrets, port=port) as url:
        page = browser.new_page()
        page.goto(url)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("jwt:ada (viewer), workspace acme")).to_be_visible()
        expect(page.get_by_role("heading", name="Over time", exact=True)).to_be_visible()
        expect_calls(page, CALLS // 3)
        place.flow.person = {"workspace": None, "role": "viewer", "sub": "bob"}
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("The sidecar does not take this sign-in")).to_be_visible()


def test_without_a_sidecar_nobody_is_let_in(place: Place, by_token: str, browser: BrowserContext) -> None:
    """The last of these: it ends the sidecar."""
    place.sidecar.stop()
    page = browser.new_page()
    page.goto(by_token)
    page.get_by_role("textbox", name="Token").fill(place.member.secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("The sidecar does not answer")).to_be_visible()
    expect(page.get_by_test_id("stMetric")).to_have_count(0)
