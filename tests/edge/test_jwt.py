"""Tokens of an identity provider: who they are taken for, which are refused, and what is asked of the provider."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sidecar.core.clock import Clock
from sidecar.core.control import Control, Role, Workspace
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge.auth import Callers, Identity, Peer
from sidecar.edge.jwks import PAUSE_S, RENEW_S, KeySet, Where
from sidecar.edge.jwt import LEEWAY_S, MAX_SUBJECT, Accepted, JwtTokens
from sidecar.providers.transport import HttpxTransport
from tests.support.issuer import AUDIENCE, Issuer, ec_key, issuer, jwk, rsa_key
from tests.support.rig import Notes

NOT_VALID = "This token is not valid here"
CONTROL = Control(
    workspaces={
        "default": Workspace("default"),
        "acme": Workspace("acme"),
        "42": Workspace("42"),
        "gone": Workspace("gone", archived_ns=1),
    }
)


@dataclass
class Scene:
    """A sidecar that takes the issuer's tokens; its clocks stand ahead of the machine's by what a test says."""

    issuer: Issuer
    keys: KeySet
    callers: Callers
    notes: Notes
    ahead_s: float = 0.0

    async def who(self, token: str) -> Identity:
        return await self.callers.identify(Peer("ipv4:10.0.0.7:4711", {"authorization": [f"Bearer {token}"]}))

    async def refused(self, token: str) -> str:
        with pytest.raises(Refusal) as refused:
            await self.who(token)
        assert refused.value.reason is RefusalReason.UNAUTHENTICATED
        return refused.value.message

    @property
    def fetches(self) -> int:
        return self.issuer.asked.count("/keys")


@pytest.fixture
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """A test may say otherwise what is accepted, by indirect parameters."""
    async with issuer() as provider:
        transport, notes = HttpxTransport(), Notes()
        made: Scene

        def ahead_ns() -> int:
            return round(made.ahead_s * 1e9)

        clock = Clock(lambda: time.time_ns() + ahead_ns(), lambda: time.monotonic_ns() + ahead_ns())
        accepted = replace(Accepted(provider.url, AUDIENCE), **getattr(request, "param", {}))
        keys = KeySet(Where(provider.url), transport, clock, notes)
        callers = Callers(lambda: CONTROL, clock, others=JwtTokens(accepted, keys, clock))
        made = Scene(provider, keys, callers, notes)
        yield made
        await keys.close()
        await transport.close()


@pytest.mark.parametrize(
    ("sign", "caller", "workspace", "role"),
    [
        pytest.param(lambda of: of.token(rsa_key()), "jwt:ada", "acme", Role.MEMBER, id="RSA"),
        pytest.param(lambda of: of.token(ec_key(), "two", "ES256"), "jwt:ada", "acme", Role.MEMBER, id="EC"),
        pytest.param(lambda of: of.token(rsa_key(), None), "jwt:ada", "acme", Role.MEMBER, id="no key id"),
        pytest.param(
            lambda of: of.token(rsa_key(), aud=["others", AUDIENCE]), "jwt:ada", "acme", Role.MEMBER,
            id="among several audiences",
        ),
        pytest.param(
            lambda of: of.token(rsa_key(), role=["offline_access", "admin", 7]), "jwt:ada", "acme", Role.ADMIN,
            id="a list of roles with one of ours",
        ),
        pytest.param(lambda of: of.token(rsa_key(), role="auditor"), "jwt:ada", "acme", Role.AUDITOR, id="auditor"),
        pytest.param(lambda of: of.token(rsa_key(), workspace=42), "jwt:ada", "42", Role.MEMBER, id="a number"),
        pytest.param(
            lambda of: of.token(rsa_key(), exp=int(time.time()) - LEEWAY_S + 10), "jwt:ada", "acme", Role.MEMBER,
            id="expired a moment ago, by our clock",
        ),
        pytest.param(
            lambda of: of.token(rsa_key(), exp=10**15), "jwt:ada", "acme", Role.MEMBER, id="beyond all dates",
        ),
    ],
)  # fmt: skip
async def test_a_good_token_says_who_calls(
    scene: Scene, sign: Callable[[Issuer], str], caller: str, workspace: str, role: Role
) -> None:
    found = await scene.who(sign(scene.issuer))
    assert (found.caller, found.workspace, found.role) == (caller, workspace, role)


def unsigned(of: Issuer) -> str:
    return jwt.encode(of.claims(), "", "none", {"kid": "one"})


def signed_with_the_public_key(of: Issuer) -> str:
    """What a library that trusts the header's algorithm takes for a good HS256 signature."""
    import hashlib
    import hmac

    shared = rsa_key().public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (
        {"alg": "HS256", "typ": "JWT", "kid": "one"}, of.claims(),
    )]  # fmt: skip
    mac = hmac.new(shared, b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


def tampered(of: Issuer) -> str:
    head, _, signature = of.token(rsa_key()).split(".")
    claims = base64.urlsafe_b64encode(json.dumps(of.claims(role="admin")).encode()).rstrip(b"=").decode()
    return f"{head}.{claims}.{signature}"


@pytest.mark.parametrize(
    ("sign", "message"),
    [
        pytest.param(lambda of: of.token(rsa_key(), exp=int(time.time()) - LEEWAY_S - 5), "has expired", id="expired"),
        pytest.param(lambda of: of.token(rsa_key(), exp=None), "lacks the claim 'exp'", id="without an end"),
        pytest.param(lambda of: of.token(rsa_key(), exp="soon"), NOT_VALID, id="an end that is no time"),
        pytest.param(
            lambda of: of.token(rsa_key(), nbf=int(time.time()) + LEEWAY_S + 30), "not valid yet", id="not before"
        ),
        pytest.param(lambda of: of.token(rsa_key(), aud="others"), "another audience", id="audience"),
        pytest.param(lambda of: of.token(rsa_key(), aud=None), "lacks the claim 'aud'", id="no audience"),
        pytest.param(lambda of: of.token(rsa_key(), iss="https://evil.example"), "another issuer", id="issuer"),
        pytest.param(lambda of: of.token(rsa_key(), iss=None), "lacks the claim 'iss'", id="no issuer"),
        pytest.param(lambda of: of.token(rsa_key(), sub=None), "lacks the claim 'sub'", id="no subject"),
        pytest.param(lambda of: of.token(rsa_key(), sub=""), "subject is not a name", id="empty subject"),
        pytest.param(lambda of: of.token(rsa_key(), sub="a\nb"), "subject is not a name", id="unprintable subject"),
        pytest.param(lambda of: of.token(rsa_key(), sub="x" * (MAX_SUBJECT + 1)), "is not a name", id="long subject"),
        pytest.param(lambda of: of.token(rsa_key(1)), NOT_VALID, id="another's signature"),
        pytest.param(lambda of: of.token(ec_key(), "one", "ES256"), NOT_VALID, id="a key of another kind"),
        pytest.param(lambda of: of.token(rsa_key(), "one", "PS256"), NOT_VALID, id="an algorithm not taken"),
        pytest.param(lambda of: of.token(rsa_key(), "seven"), NOT_VALID, id="unknown key"),
        pytest.param(unsigned, NOT_VALID, id="alg none"),
        pytest.param(signed_with_the_public_key, NOT_VALID, id="HS256 with the public key"),
        pytest.param(tampered, NOT_VALID, id="tampered"),
        pytest.param(lambda of: of.token(rsa_key(), workspace=None), "names no workspace", id="no workspace"),
        pytest.param(lambda of: of.token(rsa_key(), workspace=True), "names no workspace", id="workspace true"),
        pytest.param(lambda of: of.token(rsa_key(), workspace=["acme"]), "names no workspace", id="workspaces"),
        pytest.param(lambda of: of.token(rsa_key(), workspace="evil"), "There is no workspace", id="unknown workspace"),
        pytest.param(lambda of: of.token(rsa_key(), workspace="gone"), "is archived", id="archived workspace"),
        pytest.param(lambda of: of.token(rsa_key(), role=None), "names no role", id="no role"),
        pytest.param(lambda of: of.token(rsa_key(), role="root"), "names no role", id="unknown role"),
        pytest.param(lambda of: of.token(rsa_key(), role=["admin", "viewer"]), "names no role", id="two roles"),
        pytest.param(lambda of: "a.b.c", NOT_VALID, id="three words"),
        pytest.param(lambda of: "", NOT_VALID, id="nothing"),
        pytest.param(
            lambda of: base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=") + ".e30.", NOT_VALID, id="deep header"
        ),
    ],
)
async def test_a_bad_token_is_nobody(scene: Scene, sign: Callable[[Issuer], str], message: str) -> None:
    assert message in await scene.refused(sign(scene.issuer))


@pytest.mark.parametrize("scene", [{"default_role": Role.VIEWER}], indirect=True)
@pytest.mark.parametrize(
    ("said", "role"), [(None, Role.VIEWER), ("member", Role.MEMBER)], ids=["the default", "its own before the default"]
)
async def test_a_default_role_is_for_tokens_that_name_none(scene: Scene, said: str | None, role: Role) -> None:
    assert (await scene.who(scene.issuer.token(rsa_key(), role=said))).role is role
    assert "names no role" in await scene.refused(scene.issuer.token(rsa_key(), role="root"))


@pytest.mark.parametrize(
    "scene", [{"workspace_claim": "https://acme.example/ws", "role_claim": "taximeter_role"}], indirect=True
)
async def test_claims_are_named_as_the_operator_says(scene: Scene) -> None:
    token = scene.issuer.token(
        rsa_key(), workspace="42", role="viewer", **{"https://acme.example/ws": "acme", "taximeter_role": "admin"}
    )
    found = await scene.who(token)
    assert (found.workspace, found.role) == ("acme", Role.ADMIN)


async def test_keys_are_fetched_once_and_tokens_checked_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    token = scene.issuer.token(rsa_key())
    checked: list[Any] = []
    decode = jwt.PyJWT.decode

    def counted(*arguments: Any, **options: Any) -> Any:
        checked.append(arguments)
        return decode(*arguments, **options)

    monkeypatch.setattr(jwt.PyJWT, "decode", counted)
    for _ in range(5):
        await scene.who(token)
    await scene.who(scene.issuer.token(ec_key(), "two", "ES256"))
    assert (scene.fetches, len(checked)) == (1, 2)


async def test_many_first_callers_share_one_fetch(scene: Scene) -> None:
    token = scene.issuer.token(rsa_key())
    found = await asyncio.gather(*(scene.who(token) for _ in range(20)))
    assert {each.caller for each in found} == {"jwt:ada"}
    assert scene.fetches == 1


async def test_a_caller_who_hangs_up_leaves_the_fetch_to_the_others(scene: Scene) -> None:
    scene.issuer.hold = asyncio.Event()
    first, second = (asyncio.create_task(scene.who(scene.issuer.token(rsa_key()))) for _ in range(2))
    while not scene.issuer.asked:
        await asyncio.sleep(0)
    first.cancel()
    scene.issuer.hold.set()
    assert (await second).caller == "jwt:ada"
    assert scene.fetches == 1


async def test_a_rotated_key_is_found_when_a_token_names_it(scene: Scene) -> None:
    await scene.who(scene.issuer.token(rsa_key()))
    scene.issuer.keys = [jwk("new", rsa_key(1))]
    scene.ahead_s += PAUSE_S
    assert (await scene.who(scene.issuer.token(rsa_key(1), "new"))).caller == "jwt:ada"
    assert scene.fetches == 2


async def test_what_a_key_no_longer_there_has_signed_is_not_remembered(scene: Scene) -> None:
    old = scene.issuer.token(rsa_key())
    await scene.who(old)
    scene.issuer.keys = [jwk("new", rsa_key(1))]
    scene.ahead_s += PAUSE_S
    await scene.who(scene.issuer.token(rsa_key(1), "new"))
    assert NOT_VALID in await scene.refused(old)


async def test_unknown_keys_do_not_make_us_hammer_the_provider(scene: Scene) -> None:
    for number in range(20):
        await scene.refused(scene.issuer.token(rsa_key(), f"made-up-{number}"))
    assert scene.fetches == 1
    scene.ahead_s += PAUSE_S
    for number in range(20):
        await scene.refused(scene.issuer.token(rsa_key(), f"made-up-{number}"))
    assert scene.fetches == 2


async def test_keys_are_renewed_every_hour_without_making_a_call_wait(scene: Scene) -> None:
    await scene.who(scene.issuer.token(rsa_key()))
    scene.ahead_s += RENEW_S
    scene.issuer.hold = asyncio.Event()
    token = scene.issuer.token(rsa_key(), exp=int(time.time() + RENEW_S) + 600)
    assert (await scene.who(token)).caller == "jwt:ada"
    scene.issuer.hold.set()
    assert scene.keys._fetching is not None
    await scene.keys._fetching
    assert scene.fetches == 2


async def test_a_provider_that_is_down_stops_nobody_whose_key_is_known(scene: Scene) -> None:
    await scene.who(scene.issuer.token(rsa_key()))
    scene.issuer.down = True
    scene.ahead_s += RENEW_S + PAUSE_S
    for number in range(3):
        token = scene.issuer.token(rsa_key(), sub=f"ada-{number}", exp=int(time.time() + RENEW_S) + 600)
        assert (await scene.who(token)).caller == f"jwt:ada-{number}"
        assert scene.keys._fetching is not None
        await scene.keys._fetching
        scene.ahead_s += PAUSE_S
    assert [event for event, _ in scene.notes.lines] == ["jwks_unavailable"]


async def test_a_provider_that_was_never_there_is_told_apart_from_a_bad_token(scene: Scene) -> None:
    scene.issuer.down = True
    with pytest.raises(Refusal) as refused:
        await scene.who(scene.issuer.token(rsa_key()))
    assert (refused.value.grpc_status, refused.value.retry_after_s) == ("UNAVAILABLE", PAUSE_S)
    assert "HTTP status 503" in refused.value.message
    scene.issuer.down = False
    scene.ahead_s += PAUSE_S
    assert (await scene.who(scene.issuer.token(rsa_key()))).caller == "jwt:ada"


async def test_a_remembered_token_expires_all_the_same(scene: Scene) -> None:
    token = scene.issuer.token(rsa_key())
    await scene.who(token)
    scene.ahead_s += 600 + LEEWAY_S + 1
    assert "has expired" in await scene.refused(token)


async def test_another_issuers_description_is_not_trusted(scene: Scene) -> None:
    scene.issuer.name = "https://evil.example"
    assert "another issuer" in await scene.refused(scene.issuer.token(rsa_key()))


SHARED = {"kty": "oct", "kid": "one", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQ"}


@pytest.mark.parametrize(
    ("listed", "known"),
    [
        pytest.param([SHARED], [], id="a shared secret"),
        pytest.param([jwk("one", rsa_key(), use="enc")], [], id="for encryption"),
        pytest.param([jwk("one", rsa_key(), key_ops=["encrypt"])], [], id="for other operations"),
        pytest.param([jwk("one", rsa_key(), alg="HS256")], [], id="an algorithm of another kind"),
        pytest.param([jwk("one", rsa_key(), n="!")], [], id="garbled"),
        pytest.param(["x", None, 7, {}], [], id="no keys at all"),
        pytest.param([SHARED, jwk("two", ec_key())], [("two", "ES256")], id="the good one among others"),
        pytest.param([jwk("one", rsa_key(), alg="RS512")], [("one", "RS512")], id="only what it says it is for"),
    ],
)
async def test_only_public_keys_for_signatures_are_known(
    scene: Scene, listed: list[Any], known: list[tuple[str, str]]
) -> None:
    scene.issuer.keys = listed
    await_refused = await scene.refused(scene.issuer.token(rsa_key()))
    assert (NOT_VALID if known else "no usable key") in await_refused
    assert list(scene.keys._keys or {}) == known


async def test_a_short_key_is_not_good_enough(scene: Scene) -> None:
    """RFC 7518, section 3.3: 2048 bits at least."""
    short = rsa.generate_private_key(65537, 1024)
    scene.issuer.keys = [jwk("one", short)]
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        token = scene.issuer.token(short)
    assert NOT_VALID in await scene.refused(token)
