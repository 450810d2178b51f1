"""Keys of providers: what a request says, and what is told of a key. No message has a secret in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from sidecar.core.call import ALL_SCOPES, KeyScope
from sidecar.core.control import Control, ProviderKey
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.core.money import from_usd, usd_text
from sidecar.edge import metering
from sidecar.edge.budgets_messages import MOST_USD
from sidecar.plane.keyring import Limits, limits_of
from sidecar.plane.verification import Verified
from taximeter.v1 import keys_pb2 as pb

MAX_SECRET = 8192
MAX_LABEL = 128
MOST = 10**15
_SECRET = re.compile(r"[\x21-\x7e]+")
_USD = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
Wrong = list[tuple[str, str]]
"""(field path, what is wrong there)."""


def refuse(wrong: Wrong) -> None:
    """Raises Refusal (INVALID_REQUEST) if anything is wrong: all of it at once."""
    if wrong:
        told = "; ".join(f"{field}: {what}" for field, what in wrong)
        raise Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, told, field_violations=tuple(wrong))


def secret_in(raw: str, wrong: Wrong) -> str:
    """Without what stood around it when it was copied."""
    secret = raw.strip()
    if not secret:
        wrong.append(("api_key", "is empty"))
    elif not _SECRET.fullmatch(secret):
        wrong.append(
            ("api_key", "holds characters that no key has (spaces, line breaks, quotes of a text): copy it again")
        )
    elif len(secret) > MAX_SECRET:
        wrong.append(("api_key", f"is longer than {MAX_SECRET} characters"))
    return secret


def label_in(raw: str, wrong: Wrong) -> str:
    label = raw.strip()
    if len(label) > MAX_LABEL or not label.isprintable():
        wrong.append(("label", f"must have at most {MAX_LABEL} characters, all printable"))
    return label


def scopes_in(said: pb.KeyScopes, wrong: Wrong) -> frozenset[KeyScope]:
    found = frozenset(scope for scope in KeyScope if getattr(said, scope.value))
    if not found:
        wrong.append(("scopes", "must allow at least one of text, image, audio, video; or switch the key off"))
    return found


def limits_in(said: pb.KeyLimits, wrong: Wrong) -> Limits:
    def count(name: str) -> int | None:
        if not said.HasField(name):  # type: ignore[arg-type]  # one of its fields
            return None
        number: int = getattr(said, name)
        if not 0 <= number <= MOST:
            wrong.append((f"limits.{name}", "must be a whole number from 0 on"))
        return number

    usd = None
    if said.HasField("monthly_budget_usd"):
        text = said.monthly_budget_usd.strip()
        if _USD.fullmatch(text):
            usd = from_usd(Decimal(text))
            if Decimal(text) > MOST_USD:
                wrong.append(("limits.monthly_budget_usd", f"must be at most {MOST_USD:,}"))
        else:
            wrong.append(("limits.monthly_budget_usd", 'must be dollars in decimal: "100" or "99.50"'))
    return Limits(usd, count("monthly_tokens"), count("monthly_requests"))


def key_message(key: ProviderKey, control: Control, state: pb.KeyState.ValueType) -> pb.ProviderKey:
    told = pb.ProviderKey(
        key_id=key.key_id,
        workspace_id=key.workspace,
        provider=key.provider,
        label=key.label,
        masked=key.masked,
        scopes=_scopes(key.scopes),
        enabled=key.enabled,
        state=state,
        base_url=key.base_url,
        created_at=metering.timestamp(key.created_ns),
        created_by=key.created_by,
        version=key.version,
    )
    limits = limits_of(control, key.key_id)
    if limits.any:
        told.limits.CopyFrom(_limits(limits))
    if key.verified_ns is not None:
        told.verified_at.CopyFrom(metering.timestamp(key.verified_ns))
    if key.revoked_ns is not None:
        told.revoked_at.CopyFrom(metering.timestamp(key.revoked_ns))
    return told


def verification_message(found: Verified) -> pb.KeyVerification:
    return pb.KeyVerification(
        ok=found.ok,
        error_type=found.error_type,
        message=found.message,
        took=metering.duration(found.took_ns),
        models=found.models,
    )


def state_of(key: ProviderKey, *, locked: bool, aside: bool) -> pb.KeyState.ValueType:
    """What keeps it from use most, first."""
    if key.revoked_ns is not None:
        return pb.KEY_STATE_REVOKED
    if locked:
        return pb.KEY_STATE_LOCKED
    if not key.enabled:
        return pb.KEY_STATE_DISABLED
    return pb.KEY_STATE_REJECTED if aside else pb.KEY_STATE_ACTIVE


def _scopes(scopes: Iterable[KeyScope]) -> pb.KeyScopes:
    return pb.KeyScopes(**{scope.value: True for scope in scopes})


ALL = _scopes(ALL_SCOPES)


def _limits(limits: Limits) -> pb.KeyLimits:
    return pb.KeyLimits(
        monthly_budget_usd=None if limits.picodollars is None else usd_text(limits.picodollars),
        monthly_tokens=limits.tokens,
        monthly_requests=limits.requests,
    )
