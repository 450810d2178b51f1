"""`taximeter aliases`: a workspace's names for chains of models, through the sidecar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sidecar.arguments import Exit
from sidecar.commands.aliases_shown import chain, lines, made, modality, preference, strategy
from sidecar.commands.aliases_typed import Wish, read_file, wished
from sidecar.commands.calling import client
from sidecar.commands.context import err, fail, out, print_json
from sidecar.commands.tables import show_table

__all__ = ["Wish", "create", "delete", "list_", "show", "update", "versions"]

if TYPE_CHECKING:
    from taximeter.v1 import aliases_pb2 as pb
    from taximeter.v1.aliases_pb2_grpc import AliasServiceStub

COLUMNS = ("alias", "version", "from", "for", "chain", "strategy", "prefer", "usable")
VERSIONS = ("version", "made", "by", "from", "chain", "strategy")


def list_(*, own: bool, wide: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import aliases_pb2 as pb

    with _aliases(address) as aliases:
        found = list(aliases.ListAliases(pb.ListAliasesRequest()).aliases)
    if own:
        found = [each for each in found if each.source != "configuration"]
    if as_json:
        for each in found:
            _document(each)
    elif found:
        rows = [
            (
                each.alias.name,
                each.version,
                each.source,
                modality(each.alias),
                chain(each.alias),
                strategy(each.alias),
                preference(each.alias),
                "yes" if each.usable else "no",
            )
            for each in found
        ]
        whole, spare = ("alias", "from", "strategy"), ("for", "prefer", "version", "from", "strategy")
        show_table(COLUMNS, rows, right=("version",), whole=whole, spare=spare, wide=wide)
    else:
        out.print("this workspace has no alias of its own: `taximeter aliases create` makes one")
    return Exit.OK


def show(name: str, version: int, *, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import aliases_pb2 as pb

    with _aliases(address) as aliases:
        found = aliases.GetAlias(pb.GetAliasRequest(name=name, version=version)).alias
    if as_json:
        return _document(found)
    for label, value in lines(found):
        out.print(f"{label:<14} {value}", markup=False, highlight=False)
    return Exit.OK


def create(name: str, file: str, wish: Wish, *, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import aliases_pb2 as pb

    definition = wished(_named(read_file(file) if file else pb.AliasDefinition(), name), wish)
    with _aliases(address) as aliases:
        done = aliases.CreateAlias(pb.CreateAliasRequest(alias=definition)).alias
    return _tell(done, "is there", as_json=as_json)


def update(name: str, file: str, wish: Wish, *, address: str, as_json: bool) -> int:
    """What was not said stays; a file sets the whole. Returns an exit code."""
    from taximeter.v1 import aliases_pb2 as pb

    if not file and wish == Wish():
        fail("nothing is said that would change: name options, or a --file", Exit.USAGE)
    with _aliases(address) as aliases:
        if file:
            definition, expected = read_file(file), 0
        else:
            now = aliases.GetAlias(pb.GetAliasRequest(name=name)).alias
            definition, expected = now.alias, now.version
        request = pb.UpdateAliasRequest(alias=wished(_named(definition, name), wish), expected_version=expected)
        done = aliases.UpdateAlias(request).alias
    return _tell(done, "is changed", as_json=as_json)


def delete(name: str, *, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import aliases_pb2 as pb

    with _aliases(address) as aliases:
        done = aliases.DeleteAlias(pb.DeleteAliasRequest(name=name))
    if as_json:
        return _document(done)
    out.print(f"{name} is deleted; its versions are kept: `taximeter aliases versions {name}`", markup=False)
    return Exit.OK


def versions(name: str, *, wide: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import aliases_pb2 as pb

    with _aliases(address) as aliases:
        found = list(aliases.ListAliasVersions(pb.ListAliasVersionsRequest(name=name)).versions)
    if as_json:
        for each in found:
            _document(each)
        return Exit.OK
    rows = [
        (
            each.version,
            made(each),
            each.created_by or "-",
            each.source,
            "deleted" if each.deleted else chain(each.alias),
            strategy(each.alias),
        )
        for each in found
    ]
    show_table(VERSIONS, rows, right=("version",), spare=("strategy", "from"), wide=wide)
    return Exit.OK


@contextmanager
def _aliases(address: str) -> Iterator[AliasServiceStub]:
    from taximeter.v1.aliases_pb2_grpc import AliasServiceStub

    with client(address) as connected:
        yield connected.service(AliasServiceStub)


def _named(definition: pb.AliasDefinition, name: str) -> pb.AliasDefinition:
    """The name on the command line goes before that of a file, which may differ by mistake."""
    if definition.name not in ("", name):
        fail(f"the file is about {definition.name!r}, the command about {name!r}", Exit.USAGE)
    definition.name = name
    return definition


def _tell(done: pb.AliasVersion, what: str, *, as_json: bool) -> int:
    if as_json:
        return _document(done)
    out.print(f"{done.alias.name} {what}, version {done.version}: {chain(done.alias)}", markup=False)
    if done.reason:
        err.print(done.reason, markup=False, style="yellow")
    return Exit.OK


def _document(answer: Any) -> int:
    from google.protobuf.json_format import MessageToDict

    print_json(MessageToDict(answer))
    return Exit.OK
