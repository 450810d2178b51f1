"""What a definition must be before it is kept. Each check yields (field path, what is wrong), and goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from sidecar.core.aliases import ALIAS_NAME, ALIAS_NAME_RULE, OFFERS, OPERATION_OF
from sidecar.core.call import KeyScope, Operation, scope_of
from sidecar.core.catalog import Account, Catalog
from sidecar.edge import payloads
from sidecar.edge.payloads import Violation
from sidecar.settings.built_in import later, retired
from sidecar.settings.nearest import did_you_mean
from sidecar.workspaces.definition import capability_of, operation_of
from sidecar.workspaces.parameters import CONTENT, PAYLOADS, field_of
from taximeter.v1 import aliases_pb2 as pb
from taximeter.v1 import invocation_pb2

MAX_TARGETS = 32
MAX_PARAMETERS = 32
MAX_PARAMETER_BYTES = 64 * 1024
"""They go into every call."""
MAX_NUMBER = 1_000_000
MAX_TEXT = 256
LONGEST_S = 86_400
OPTIONS = "provider_options"
NOT_OPTIONS = frozenset({"messages", "prompt", "input", "inputs", "contents", "texts", "model", "stream"})
"""Of a call's content, as providers name it, and of what metering stands on."""
_MODALITIES = {
    pb.MODALITY_TEXT: KeyScope.TEXT,
    pb.MODALITY_IMAGE: KeyScope.IMAGE,
    pb.MODALITY_AUDIO: KeyScope.AUDIO,
    pb.MODALITY_VIDEO: KeyScope.VIDEO,
}
_ENUMS: Mapping[str, Any] = {
    "modality": pb.Modality,
    "capability": invocation_pb2.Capability,
    "strategy": pb.RoutingStrategy,
    "routing_preference": invocation_pb2.RoutingPreference,
    "stream_recovery": invocation_pb2.StreamRecovery,
}
_WAITS = ("connect", "ttft", "response", "stall")


def violations(made: pb.AliasDefinition, catalog: Catalog, today: date) -> Iterator[Violation]:
    """Everything wrong with a definition. `catalog`: what its workspace sees."""
    if not ALIAS_NAME.fullmatch(made.name):
        yield "alias.name", ALIAS_NAME_RULE if made.name else "is required"
    if len(made.display_name) > MAX_TEXT or not made.display_name.isprintable():
        yield "alias.display_name", f"must have at most {MAX_TEXT} characters, all printable"
    for name, kind in _ENUMS.items():
        if getattr(made, name) not in kind.values():
            yield f"alias.{name}", f"{getattr(made, name)} is not one of its values"
    yield from _agreement(made)
    yield from _targets(made, catalog, today)
    yield from _limits(made.limits)
    yield from _timeouts(made.timeouts)
    yield from _parameters(made)


def _agreement(made: pb.AliasDefinition) -> Iterator[Violation]:
    capability = capability_of(made)
    modality = _MODALITIES.get(made.modality)
    if capability and modality and scope_of(OPERATION_OF[capability]) is not modality:
        yield (
            "alias.capability",
            f"{capability} is {scope_of(OPERATION_OF[capability])}, and the modality is {modality}",
        )


def _targets(made: pb.AliasDefinition, catalog: Catalog, today: date) -> Iterator[Violation]:
    if not made.targets:
        yield "alias.targets", "at least one is required"
    if len(made.targets) > MAX_TARGETS:
        yield "alias.targets", f"at most {MAX_TARGETS} are kept"
    first: dict[tuple[str, str], int] = {}
    for place, target in enumerate(made.targets[:MAX_TARGETS]):
        at = f"alias.targets[{place}]"
        same = first.setdefault((target.provider, target.model), place)
        if same != place:
            yield at, f"is the same as targets[{same}]"
        yield from _numbers_of(target, at)
        yield from _place(target, made, catalog, today, at=at)


def _numbers_of(target: pb.AliasTarget, at: str) -> Iterator[Violation]:
    for name in ("weight", "priority"):
        if target.HasField(name) and not 0 <= getattr(target, name) <= MAX_NUMBER:
            yield f"{at}.{name}", f"must be from 0 to {MAX_NUMBER}"
    if len(target.model) > MAX_TEXT or not target.model.isprintable():
        yield f"{at}.model", f"must have at most {MAX_TEXT} characters, all printable"


def _place(
    target: pb.AliasTarget, made: pb.AliasDefinition, catalog: Catalog, today: date, *, at: str
) -> Iterator[Violation]:
    """Whether this provider can stand there, and with this model."""
    account, operation = catalog.accounts.get(target.provider), operation_of(made)
    if account is None:
        if problem := _unknown(target.provider, operation, catalog):
            yield f"{at}.provider", problem
        return
    if account.aggregator and not made.allow_aggregators:
        yield f"{at}.provider", f"{account.name} is an aggregator, and allow_aggregators is false"
    if problem := _not_offered(account, operation):
        yield f"{at}.provider", problem
    elif not target.model and not _has_default(account, operation):
        yield f"{at}.model", f"is required: {account.name} has no default model for this"
    gone = retired(account.type, target.model)
    if gone is not None and gone.ends <= today and not gone.for_some:
        yield f"{at}.model", f"{gone.model} ended on {gone.ends}: {gone.successor} takes its place"


def _unknown(provider: str, operation: Operation | None, catalog: Catalog) -> str:
    """Empty for a provider whose operations are to come."""
    if not provider:
        return "is required"
    if provider not in later():
        guess = did_you_mean(provider, (*catalog.accounts, *later()))
        return f"no provider is named {provider[:MAX_TEXT]!r}{guess}"
    is_text = operation is None or scope_of(operation) is KeyScope.TEXT
    return f"{later()[provider]} offers no text" if is_text else ""


def _not_offered(account: Account, operation: Operation | None) -> str:
    """Of operations that are not served yet, the capability tells."""
    if operation is None or not account.operations or operation in account.operations:
        return ""
    capable = {OPERATION_OF[each] for each in account.capabilities}
    if scope_of(operation) is not KeyScope.TEXT and scope_of(operation) in map(scope_of, capable):
        return ""
    return f"{account.display or account.name} does not offer {OFFERS.get(operation, operation)}"


_SLOTS = {
    Operation.EMBEDDING: ("embedding",),
    Operation.MODERATION: ("moderation",),
    Operation.IMAGE_GENERATE: ("image",),
}


def _has_default(account: Account, operation: Operation | None) -> bool:
    slots = ("smart", "fast") if operation in (None, Operation.CHAT) else _SLOTS.get(operation, ())
    return any(account.default_models.get(slot) for slot in slots)


def _limits(limits: pb.AliasLimits) -> Iterator[Violation]:
    for field, value in limits.ListFields():
        if value < 1:
            yield f"alias.limits.{field.name}", "must be at least 1; leave it out for no limit"


def _timeouts(timeouts: invocation_pb2.Timeouts) -> Iterator[Violation]:
    for name in _WAITS:
        wait = getattr(timeouts, name)
        if timeouts.HasField(name) and not 0 < wait.seconds + wait.nanos / 1e9 <= LONGEST_S:  # type: ignore[arg-type]
            yield f"alias.timeouts.{name}", f"must be above 0 and at most {LONGEST_S} s"


def _parameters(made: pb.AliasDefinition) -> Iterator[Violation]:
    if len(made.parameters.fields) > MAX_PARAMETERS:
        yield "alias.parameters", f"at most {MAX_PARAMETERS} are kept"
        return
    if made.parameters.ByteSize() > MAX_PARAMETER_BYTES:
        yield "alias.parameters", f"must have at most {MAX_PARAMETER_BYTES} bytes"
        return
    if not payloads.finite(made.parameters):
        yield "alias.parameters", "numbers must be finite"
        return
    operation = operation_of(made)
    kinds = list(PAYLOADS.values()) if operation is None else [PAYLOADS[operation]] if operation in PAYLOADS else []
    for name, value in MessageToDict(made.parameters).items():
        yield from _parameter(name, value, kinds, f"alias.parameters.{name[:MAX_TEXT]}")


def _parameter(name: str, value: object, kinds: list[type[Message]], at: str) -> Iterator[Violation]:
    if not kinds:
        yield at, "this version knows no parameters of such an operation"
        return
    known = [kind for kind in kinds if name in kind.DESCRIPTOR.fields_by_name]
    if name in CONTENT or not known:
        named = {field for kind in kinds for field in kind.DESCRIPTOR.fields_by_name}
        kind = "content, which each call brings itself" if name in CONTENT else "no such parameter"
        yield at, f"{kind}{'' if name in CONTENT else did_you_mean(name, named - CONTENT)}"
        return
    made = [field for kind in known if (field := field_of(kind, name, value)) is not None]
    if not made:
        yield at, f"is not of the type of {known[0].DESCRIPTOR.name}.{name}"
    else:
        yield from payloads.numbers(made[0], "alias.parameters")
    if name == OPTIONS and isinstance(value, Mapping):
        yield from _options(value, at)


def _options(said: Mapping[str, object], at: str) -> Iterator[Violation]:
    """What stands there goes over what the call says: content, too."""
    for provider, fields in said.items():
        for name in NOT_OPTIONS.intersection(fields) if isinstance(fields, Mapping) else ():
            yield f"{at}.{provider[:MAX_TEXT]}.{name}", "is for each call to say, not for its alias"
