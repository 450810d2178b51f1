"""TokenService: callers' tokens. A secret is shown once, to who made it, and kept nowhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message

from sidecar.core.clock import Clock
from sidecar.core.control import DEFAULT_WORKSPACE, Control, Role, Token
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import bearer, metering
from sidecar.edge.access import actor, open_workspace, room_for_one, sees, workspace_of, wrong
from sidecar.edge.auth import Identity
from sidecar.edge.moments import ns_of
from sidecar.edge.roles import Least, role_required
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.plane.plane import ControlPlane
from taximeter.v1 import workspaces_pb2 as pb

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import
    from sidecar.control.change import Change

SERVICE = pb.DESCRIPTOR.services_by_name["TokenService"].full_name
MAX_NAME = 128
BOOTSTRAP = "bootstrap"
_ROLES = {getattr(pb, f"CALLER_ROLE_{role.name}"): role for role in Role}
_RANK = (Role.VIEWER, Role.MEMBER, Role.ADMIN)


class TokenService:
    def __init__(self, plane: ControlPlane, clock: Clock) -> None:
        self._plane = plane
        self._clock = clock

    def handlers(self, border: Border) -> Handlers:
        def unary(name: str, kind: type[Message], answer: Callable[[Any, Rpc], Any]) -> grpc.RpcMethodHandler[Any, Any]:
            async def ask(body: bytes, rpc: Rpc) -> bytes:
                told: Message = await answer(border.parse(kind, body), rpc)
                return told.SerializeToString()

            return border.unary(f"{SERVICE}/{name}", ask)

        return {
            "CreateToken": unary("CreateToken", pb.CreateTokenRequest, self._create),
            "ListTokens": unary("ListTokens", pb.ListTokensRequest, self._list),
            "RevokeToken": unary("RevokeToken", pb.RevokeTokenRequest, self._revoke),
            "BootstrapToken": unary("BootstrapToken", pb.BootstrapTokenRequest, self._bootstrap),
            "WhoAmI": unary("WhoAmI", pb.WhoAmIRequest, self._who_am_i),
        }

    async def _create(self, asked: pb.CreateTokenRequest, rpc: Rpc) -> pb.CreateTokenResponse:
        workspace = workspace_of(rpc, asked.workspace_id)
        role = _role_in(asked)
        if not may_give(rpc.identity, role):
            least = Least.OPERATOR if role is Role.AUDITOR else Least.ADMIN
            raise role_required(f"Making a token with the role {role.value}", least, rpc.identity)
        name, expires_ns = _name_in(asked.name), self._expiry_in(asked)
        made = bearer.make()

        def do(change: Change) -> Token:
            open_workspace(change.control, workspace)
            good = (each for each in change.control.tokens.values() if each.revoked_ns is None)
            room_for_one(good, workspace, "tokens", "`taximeter tokens revoke`")
            token = Token(
                made.token_id, workspace, name, role, made.secret_hash, change.now_ns, actor(rpc).name, expires_ns
            )
            change.put("token.create", token)
            return token

        token = await self._plane.change(actor(rpc), do)
        return pb.CreateTokenResponse(token=message(token), secret=made.text)

    async def _list(self, asked: pb.ListTokensRequest, rpc: Rpc) -> pb.ListTokensResponse:
        workspace = workspace_of(rpc, asked.workspace_id)
        control = self._plane.control
        open_workspace(control, workspace, archived=True)
        found = [
            token
            for token in control.tokens.values()
            if token.workspace == workspace and (asked.include_revoked or token.revoked_ns is None)
        ]
        found.sort(key=lambda each: (each.created_ns, each.token_id))
        return pb.ListTokensResponse(tokens=map(message, found))

    async def _revoke(self, asked: pb.RevokeTokenRequest, rpc: Rpc) -> pb.RevokeTokenResponse:
        def do(change: Change) -> Token:
            token = change.control.tokens.get(asked.token_id)
            if token is None or not sees(rpc, token.workspace):
                raise Refusal(
                    "NOT_FOUND",
                    RefusalReason.UNKNOWN_TOKEN,
                    f"There is no token {asked.token_id!r} here: `taximeter tokens list` shows those there are.",
                )
            if token.revoked_ns is None:
                token = dataclasses.replace(token, revoked_ns=change.now_ns)
                change.put("token.revoke", token)
            return token

        return pb.RevokeTokenResponse(token=message(await self._plane.change(actor(rpc), do)))

    async def _bootstrap(self, asked: pb.BootstrapTokenRequest, rpc: Rpc) -> pb.BootstrapTokenResponse:
        """Under the store's lock: of two that ask at once, one gets it."""
        name, made = _name_in(asked.name or BOOTSTRAP), bearer.make()

        def do(change: Change) -> Token:
            if admin := living_admin(change.control, change.now_ns):
                raise Refusal(
                    "FAILED_PRECONDITION",
                    RefusalReason.NAME_TAKEN,
                    f"There is a first administrator's token already ({admin.token_id}, {admin.name!r}). More are made "
                    "with `taximeter tokens create --role admin`.",
                    {"token_id": admin.token_id},
                )
            token = Token(
                made.token_id, DEFAULT_WORKSPACE, name, Role.ADMIN, made.secret_hash, change.now_ns, actor(rpc).name
            )
            change.put("token.bootstrap", token)
            return token

        token = await self._plane.change(actor(rpc), do)
        return pb.BootstrapTokenResponse(token=message(token), secret=made.text)

    async def _who_am_i(self, asked: pb.WhoAmIRequest, rpc: Rpc) -> pb.WhoAmIResponse:  # noqa: ARG002 - it has no fields
        who = rpc.identity
        told = pb.WhoAmIResponse(workspace_id=who.workspace, caller=who.caller, role=role_message(who.role))
        if who.expires_ns is not None:
            told.expires_at.CopyFrom(metering.timestamp(who.expires_ns))
        return told

    def _expiry_in(self, asked: pb.CreateTokenRequest) -> int | None:
        if not asked.HasField("expires_at"):
            return None
        expires_ns = ns_of(asked.expires_at, "expires_at")
        if expires_ns <= self._clock.wall_ns():
            raise wrong("expires_at", "is in the past")
        return expires_ns


def living_admin(control: Control, now_ns: int) -> Token | None:
    """A token that administers the default workspace."""
    for token in control.tokens.values():
        good = token.revoked_ns is None and (token.expires_ns is None or token.expires_ns > now_ns)
        if good and token.workspace == DEFAULT_WORKSPACE and token.role is Role.ADMIN:
            return token
    return None


def may_give(maker: Identity, role: Role) -> bool:
    """Nobody gives what they do not have; an auditor sees every workspace, so only the operator makes one."""
    if role is Role.AUDITOR:
        return maker.operator
    return maker.role in _RANK and _RANK.index(role) <= _RANK.index(maker.role)


def message(token: Token) -> pb.Token:
    """All of it but what it is checked with."""
    told = pb.Token(
        token_id=token.token_id,
        workspace_id=token.workspace,
        name=token.name,
        role=role_message(token.role),
        created_by=token.created_by,
    )
    times = {"created_at": token.created_ns, "expires_at": token.expires_ns, "revoked_at": token.revoked_ns}
    for field, at_ns in times.items():
        if at_ns is not None:
            getattr(told, field).CopyFrom(metering.timestamp(at_ns))
    return told


def role_message(role: Role) -> pb.CallerRole.ValueType:
    return pb.CallerRole.Value(f"CALLER_ROLE_{role.name}")


def _role_in(asked: pb.CreateTokenRequest) -> Role:
    if asked.role == pb.CALLER_ROLE_UNSPECIFIED:
        return Role.MEMBER
    if asked.role not in _ROLES:
        raise wrong("role", "is none that this version knows")
    return _ROLES[asked.role]


def _name_in(raw: str) -> str:
    name = raw.strip()
    if not name:
        raise wrong("name", "is required: who or what will use it")
    if len(name) > MAX_NAME or not name.isprintable():
        raise wrong("name", f"must be printable, and at most {MAX_NAME} characters")
    return name
