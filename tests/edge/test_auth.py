"""A bearer token says who calls; without one only local peers and verified certificates are somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

import pytest

from sidecar.core.clock import Clock
from sidecar.core.control import Control, Role, Token, Workspace
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import bearer
from sidecar.edge.auth import Callers, Identity, Peer, Tokenless, is_local

NOW_NS = 1_790_000_000_000_000_000
MADE = bearer.make()
TOKEN = Token(MADE.token_id, "acme", "billing", Role.MEMBER, MADE.secret_hash)
ACME = Workspace("acme")
CONTROL = Control(workspaces={"default": Workspace("default"), "acme": ACME}, tokens={TOKEN.token_id: TOKEN})
NOT_VALID = "This token is not valid here: check that it is whole, and meant for this sidecar."


def callers(control: Control = CONTROL, tokenless: Tokenless | None = None) -> Callers:
    return Callers(lambda: control, Clock(wall_ns=lambda: NOW_NS), tokenless)


def with_token(**changes: object) -> Control:
    return replace(CONTROL, tokens={TOKEN.token_id: replace(TOKEN, **changes)})  # type: ignore[arg-type]  # a test's


def shows(*authorization: str, address: str = "ipv4:10.0.0.7:4711", certificate: str = "") -> Peer:
    return Peer(address, {"authorization": authorization} if authorization else {}, certificate)


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("unix:", True),
        ("unix:/run/taximeter.sock", True),
        ("ipv4:127.0.0.1:4711", True),
        ("ipv4:127.9.9.9:4711", True),
        ("ipv6:[::1]:4711", True),
        ("ipv6:%5B::1%5D:4711", True),
        ("ipv6:[::ffff:127.0.0.1]:4711", True),
        ("ipv4:10.0.0.7:4711", False),
        ("ipv4:0.0.0.0:4711", False),
        ("ipv6:[fe80::1%eth0]:4711", False),
        ("ipv6:[::ffff:10.0.0.7]:4711", False),
        ("ipv4:127.0.0.1.evil.example:80", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_is_local(address: str, local: bool) -> None:
    assert is_local(address) is local


ADMIN = Identity("default", role=Role.ADMIN)
MEMBER = Identity("default", role=Role.MEMBER)
CERTIFIED = Identity("default", "cert:billing", Role.MEMBER)


@pytest.mark.parametrize(
    ("tokenless", "peer", "who"),
    [
        pytest.param(Tokenless(), shows(address="unix:"), ADMIN, id="the unix socket's callers are admins"),
        pytest.param(Tokenless(), shows(address="ipv4:127.0.0.1:1"), MEMBER, id="loopback's callers are members"),
        pytest.param(Tokenless(Role.ADMIN), shows(address="ipv6:[::1]:1"), ADMIN, id="or what the setting says"),
        pytest.param(Tokenless(), shows(certificate="billing"), CERTIFIED, id="a certificate names its caller"),
        pytest.param(
            Tokenless(Role.ADMIN), shows(address="ipv4:127.0.0.1:1", certificate="billing"), CERTIFIED,
            id="a certificate says more than loopback",
        ),
        pytest.param(Tokenless(require_token=True), shows(address="unix:"), ADMIN, id="the socket asks for no token"),
        pytest.param(
            Tokenless(), Peer("unix:", {"taximeter-workspace": ["acme"], "x-workspace": ["acme"]}), ADMIN,
            id="a workspace is never taken from a header: litellm#11083",
        ),
    ],
)  # fmt: skip
async def test_without_a_token(tokenless: Tokenless, peer: Peer, who: Identity) -> None:
    assert await callers(tokenless=tokenless).identify(peer) == who


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
async def test_a_token_says_who_calls_wherever_from(scheme: str) -> None:
    for address in ("ipv4:10.0.0.7:4711", "unix:"):
        found = await callers().identify(shows(scheme + MADE.text, address=address, certificate="billing"))
        assert found == Identity("acme", TOKEN.token_id, Role.MEMBER)


@pytest.mark.parametrize(
    ("said", "control", "message"),
    [
        pytest.param([f"Bearer txm_aaaaaaaaaaaa_{MADE.text[17:]}"], CONTROL, NOT_VALID, id="unknown"),
        pytest.param([f"Bearer {MADE.text[:-1]}"], CONTROL, NOT_VALID, id="wrong secret"),
        pytest.param([f"Bearer txm_{MADE.token_id}"], CONTROL, NOT_VALID, id="no secret"),
        pytest.param(["Bearer txm_"], CONTROL, NOT_VALID, id="nothing but the prefix"),
        pytest.param(["Bearer sk-proj-1"], CONTROL, NOT_VALID, id="some other thing"),
        pytest.param(["Bearer eyJhbGciOiJub25lIn0.e30."], CONTROL, NOT_VALID, id="a JWT, where none are taken"),
        pytest.param([f"Bearer {MADE.text}x"], with_token(revoked_ns=1), NOT_VALID, id="wrong secret of a revoked one"),
        pytest.param([f"Bearer {MADE.text}"], with_token(revoked_ns=1), "was revoked", id="revoked"),
        pytest.param([f"Bearer {MADE.text}"], with_token(expires_ns=NOW_NS), "has expired", id="expired"),
        pytest.param(
            [f"Bearer {MADE.text}"],
            replace(CONTROL, workspaces={"acme": replace(ACME, archived_ns=1)}), "'acme' is archived", id="archived",
        ),
        pytest.param([f"Bearer {MADE.text}"] * 2, CONTROL, "must be one entry", id="several"),
        pytest.param([""], CONTROL, "must be one entry", id="empty"),
        pytest.param([MADE.text], CONTROL, "must be one entry", id="no scheme"),
        pytest.param([f"Basic {MADE.text}"], CONTROL, "must be one entry", id="another scheme"),
        pytest.param(["Bearer"], CONTROL, "must be one entry", id="the scheme alone"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("address", ["unix:", "ipv4:127.0.0.1:1", "ipv4:10.0.0.7:1"])
async def test_a_bad_token_is_nobody_and_never_taken_for_a_local_caller(
    address: str, said: Sequence[str], control: Control, message: str
) -> None:
    with pytest.raises(Refusal) as refused:
        await callers(control).identify(shows(*said, address=address, certificate="billing"))
    assert refused.value.reason is RefusalReason.UNAUTHENTICATED
    assert message in refused.value.message


async def test_a_token_is_good_until_the_moment_it_expires() -> None:
    control = with_token(expires_ns=NOW_NS + 1)
    assert (await callers(control).identify(shows(f"Bearer {MADE.text}"))).expires_ns == NOW_NS + 1


async def test_a_revocation_holds_from_the_moment_it_is_in_force() -> None:
    force = [CONTROL]
    sidecar = Callers(lambda: force[0], Clock(wall_ns=lambda: NOW_NS))
    await sidecar.identify(shows(f"Bearer {MADE.text}"))
    force[0] = with_token(revoked_ns=NOW_NS)
    with pytest.raises(Refusal, match="revoked"):
        await sidecar.identify(shows(f"Bearer {MADE.text}"))


@pytest.mark.parametrize(
    ("tokenless", "peer", "hint"),
    [
        pytest.param(Tokenless(), shows(), "TAXIMETER_TLS_CLIENT_CA", id="from elsewhere"),
        pytest.param(Tokenless(), shows(), "TAXIMETER_TOKEN", id="from elsewhere, the other way"),
        pytest.param(
            Tokenless(require_token=True), shows(address="ipv4:127.0.0.1:1"), "TAXIMETER_TOKEN", id="local, required"
        ),
        pytest.param(
            Tokenless(require_token=True), shows(certificate="billing"), "TAXIMETER_TOKEN", id="certified, required"
        ),
    ],
)
async def test_a_stranger_is_told_how_to_call(tokenless: Tokenless, peer: Peer, hint: str) -> None:
    with pytest.raises(Refusal, match=hint) as refused:
        await callers(tokenless=tokenless).identify(peer)
    assert refused.value.reason is RefusalReason.UNAUTHENTICATED


def test_no_two_tokens_are_alike_and_none_shows_its_secret() -> None:
    made = [bearer.make() for _ in range(100)]
    assert len({each.token_id for each in made}) == len({each.text for each in made}) == 100
    for each in made:
        token_id, secret = bearer.taken_apart(each.text)
        assert (token_id, bearer.hashed(secret)) == (each.token_id, each.secret_hash)
        assert len(token_id) == 12
        assert secret not in repr(each)


def test_only_an_admin_of_the_default_workspace_is_the_operator() -> None:
    found = {
        (role, workspace): Identity(workspace, role=role).operator for role in Role for workspace in ("default", "acme")
    }
    assert MappingProxyType(found) == {key: key == (Role.ADMIN, "default") for key in found}
