"""`taximeter tokens`: callers' tokens, through the sidecar. A secret goes to standard output, once, and alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sidecar.arguments import Exit
from sidecar.commands.calling import client, document
from sidecar.commands.context import err, fail, out, print_json
from sidecar.commands.show import when
from sidecar.commands.tables import show_table

if TYPE_CHECKING:
    from taximeter.v1 import workspaces_pb2 as pb
    from taximeter.v1.workspaces_pb2_grpc import TokenServiceStub

COLUMNS = ("token", "name", "role", "state", "expires", "created", "by")


def bootstrap(name: str, *, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import workspaces_pb2 as pb

    with _tokens(address) as tokens:
        made = tokens.BootstrapToken(pb.BootstrapTokenRequest(name=name))
    return _hand_over(made, as_json=as_json)


def create(name: str, *, role: str, workspace: str, expires: str, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import workspaces_pb2 as pb

    request = pb.CreateTokenRequest(workspace_id=workspace, name=name, role=_role_in(role))
    if expires:
        request.expires_at.FromDatetime(expiry_in(expires, datetime.now(UTC)))
    with _tokens(address) as tokens:
        made = tokens.CreateToken(request)
    return _hand_over(made, as_json=as_json)


def list_(workspace: str, *, everything: bool, wide: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from google.protobuf.json_format import MessageToDict

    from taximeter.v1 import workspaces_pb2 as pb

    with _tokens(address) as tokens:
        found = tokens.ListTokens(pb.ListTokensRequest(workspace_id=workspace, include_revoked=everything)).tokens
    if as_json:
        for token in found:
            print_json(MessageToDict(token))
    elif found:
        show_table(COLUMNS, map(_row, found), whole=("token",), spare=("by", "created", "expires"), wide=wide)
    else:
        out.print("no tokens: `taximeter tokens create NAME` makes one")
    return Exit.OK


def revoke(token_id: str, *, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import workspaces_pb2 as pb

    with _tokens(address) as tokens:
        done = tokens.RevokeToken(pb.RevokeTokenRequest(token_id=token_id))
    if as_json:
        return document(done)
    out.print(f"{token_id} ({done.token.name}) is refused from now on", markup=False)
    return Exit.OK


def whoami(*, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import workspaces_pb2 as pb

    with _tokens(address) as tokens:
        who = tokens.WhoAmI(pb.WhoAmIRequest())
    if as_json:
        return document(who)
    until = f", until {_when(who.expires_at)}" if who.HasField("expires_at") else ""
    out.print(
        f"{who.caller or 'a caller without a token'}: {_role(who.role)} of workspace {who.workspace_id}{until}",
        markup=False,
    )
    return Exit.OK


def expiry_in(text: str, now: datetime) -> datetime:
    """ "90d" from now on, or the beginning of a day. Ends the command if it is neither."""
    from sidecar.settings.units import duration_s

    try:
        return now + timedelta(seconds=duration_s(text))
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        fail(f"--expires {text}: neither a time from now (90d, 12h) nor a date (2027-01-31)", Exit.USAGE)


@contextmanager
def _tokens(address: str) -> Iterator[TokenServiceStub]:
    from taximeter.v1.workspaces_pb2_grpc import TokenServiceStub

    with client(address) as connected:
        yield connected.service(TokenServiceStub)


def _hand_over(made: pb.CreateTokenResponse | pb.BootstrapTokenResponse, *, as_json: bool) -> int:
    if as_json:
        return document(made)
    token = made.token
    until = f", until {_when(token.expires_at)}" if token.HasField("expires_at") else ""
    err.print(
        f"{token.token_id} ({token.name}): {_role(token.role)} of workspace {token.workspace_id}{until}.", markup=False
    )
    err.print("This is the only time that it is shown; callers give it as TAXIMETER_TOKEN:", style="dim")
    out.print(made.secret, markup=False, soft_wrap=True, highlight=False)
    return Exit.OK


def _row(token: pb.Token) -> tuple[str, ...]:
    return (
        token.token_id,
        token.name,
        _role(token.role),
        _state(token),
        _when(token.expires_at) if token.HasField("expires_at") else "never",
        _when(token.created_at),
        token.created_by,
    )


def _state(token: pb.Token) -> str:
    if token.HasField("revoked_at"):
        return "revoked"
    expired = token.HasField("expires_at") and token.expires_at.ToDatetime(UTC) <= datetime.now(UTC)
    return "expired" if expired else "good"


def _role(role: pb.CallerRole.ValueType) -> str:
    from taximeter.v1 import workspaces_pb2 as pb

    return pb.CallerRole.Name(role).removeprefix("CALLER_ROLE_").lower()


def _role_in(text: str) -> pb.CallerRole.ValueType:
    from taximeter.v1 import workspaces_pb2 as pb

    known = [name.removeprefix("CALLER_ROLE_").lower() for name in pb.CallerRole.keys()[1:]]
    if text.lower() not in known:
        fail(f"--role {text}: none of {', '.join(known)}", Exit.USAGE)
    return pb.CallerRole.Value(f"CALLER_ROLE_{text.upper()}")


def _when(stamp: Any) -> str:
    return when(stamp.ToDatetime())
