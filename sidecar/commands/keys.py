"""`taximeter keys`: a workspace's own provider keys, through the sidecar."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from sidecar.arguments import Exit
from sidecar.commands.calling import client
from sidecar.commands.context import err, fail, out, print_json
from sidecar.commands.keys_shown import COLUMNS, limits, row, scopes, state
from sidecar.commands.keys_typed import Limits, Wish, limits_in, read_secret, scopes_in
from sidecar.commands.tables import show_table

__all__ = ["Limits", "Wish", "add", "list_", "read_secret", "revoke", "rewrap", "rotate", "update", "verify"]

if TYPE_CHECKING:
    from taximeter.v1 import keys_pb2 as pb
    from taximeter.v1.keys_pb2_grpc import KeyServiceStub


def add(provider: str, secret: str, wish: Wish, base_url: str, *, verify: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import keys_pb2 as pb

    request = pb.AddKeyRequest(
        provider=provider,
        api_key=secret,
        label=wish.label or "",
        scopes=scopes_in(wish.scopes),
        limits=limits_in(wish.limits, pb.KeyLimits()),
        base_url=base_url,
        skip_verification=not verify,
    )
    with _keys(address) as keys:
        answer = keys.AddKey(request)
    if as_json:
        return _document(answer)
    _tell_verification(answer.verification)
    key = answer.key
    out.print(f"{key.key_id} is kept: {key.provider} {key.masked}, {scopes(key)}{limits(key)}", markup=False)
    out.print(
        f"next: taximeter aliases list; or taximeter invoke 'Hi.' --model {key.provider}", markup=False, style="dim"
    )
    return Exit.OK


def list_(provider: str, *, everything: bool, wide: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from google.protobuf.json_format import MessageToDict

    with _keys(address) as keys:
        found = _listed(keys, provider=provider, include_revoked=everything)
    if as_json:
        for key in found:
            print_json(MessageToDict(key))
    elif found:
        spare = ("address", "verified", "limits a month", "scopes", "label")
        show_table(COLUMNS, map(row, found), whole=("key", "secret"), spare=spare, wide=wide)
    else:
        out.print("no keys: `taximeter keys add PROVIDER` adds one")
    return Exit.OK


def update(key_id: str, wish: Wish, enable: bool | None, *, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import keys_pb2 as pb

    with _keys(address) as keys:
        request = pb.UpdateKeyRequest(key_id=key_id, scopes=scopes_in(wish.scopes), label=wish.label, enabled=enable)
        if wish.limits.said:
            request.limits.CopyFrom(limits_in(wish.limits, _limits_now(keys, key_id)))
        answer = keys.UpdateKey(request)
    if as_json:
        return _document(answer)
    key = answer.key
    out.print(f"{key.key_id}: {state(key)}, {scopes(key)}{limits(key)}", markup=False)
    return Exit.OK


def verify(key_id: str, *, address: str, as_json: bool) -> int:
    """Returns 1 if the provider does not take the key."""
    from taximeter.v1 import keys_pb2 as pb

    with _keys(address) as keys:
        answer = keys.VerifyKey(pb.VerifyKeyRequest(key_id=key_id))
    if as_json:
        _document(answer)
    else:
        _tell_verification(answer.verification)
        out.print(f"{key_id}: {state(answer.key)}", markup=False)
    return Exit.OK if answer.verification.ok else Exit.FAILED


def rotate(key_id: str, secret: str, *, verify: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import keys_pb2 as pb

    with _keys(address) as keys:
        answer = keys.RotateKey(pb.RotateKeyRequest(key_id=key_id, api_key=secret, skip_verification=not verify))
    if as_json:
        return _document(answer)
    _tell_verification(answer.verification)
    key = answer.key
    out.print(f"{key.key_id} is {key.masked} from now on, its secret number {key.version}", markup=False)
    return Exit.OK


def revoke(key_id: str, *, yes: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import keys_pb2 as pb

    if not yes:
        _ask(f"Revoke {key_id}? Its secret is erased, and does not come back.")
    with _keys(address) as keys:
        answer = keys.RevokeKey(pb.RevokeKeyRequest(key_id=key_id))
    if as_json:
        return _document(answer)
    out.print(f"{key_id} ({answer.key.masked}) is revoked; revoke it at {answer.key.provider} too", markup=False)
    return Exit.OK


def rewrap(*, address: str, as_json: bool) -> int:
    """Returns 1 if some secret cannot be opened."""
    from taximeter.v1 import keys_pb2 as pb

    with _keys(address) as keys:
        done = keys.RewrapKeys(pb.RewrapKeysRequest())
    if as_json:
        _document(done)
    else:
        wrapped = f"{done.rewrapped} data key{'s' * (done.rewrapped != 1)} wrapped anew with {done.kek_id}"
        out.print(f"{wrapped}; {done.verified} secret{'s' * (done.verified != 1)} opened", markup=False)
        for key_id in done.locked_key_ids:
            err.print(f"cannot be opened: {key_id} (put the old key into AI_ENCRYPTION_KEY_PREVIOUS)", style="yellow")
    return Exit.FAILED if done.locked_key_ids else Exit.OK


@contextmanager
def _keys(address: str) -> Iterator[KeyServiceStub]:
    from taximeter.v1.keys_pb2_grpc import KeyServiceStub

    with client(address) as connected:
        yield connected.service(KeyServiceStub)


def _listed(keys: KeyServiceStub, *, provider: str = "", include_revoked: bool = False) -> list[pb.ProviderKey]:
    from taximeter.v1 import keys_pb2 as pb

    answer = keys.ListKeys(pb.ListKeysRequest(provider=provider, include_revoked=include_revoked))
    return list(answer.keys)


def _limits_now(keys: KeyServiceStub, key_id: str) -> pb.KeyLimits:
    """What the key has, since limits are set as a whole; nothing for a key that is not there, which is then told."""
    from taximeter.v1 import keys_pb2 as pb

    return next((key.limits for key in _listed(keys) if key.key_id == key_id), pb.KeyLimits())


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        fail("say --yes where nobody can be asked", Exit.USAGE)
    typer.confirm(question, abort=True, err=True)


def _document(answer: Any) -> int:
    from google.protobuf.json_format import MessageToDict

    print_json(MessageToDict(answer))
    return Exit.OK


def _tell_verification(found: pb.KeyVerification) -> None:
    err.print(found.message, markup=False, style="green" if found.ok else "yellow")
