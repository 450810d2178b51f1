"""An attempt under way. What it has come to can be taken down at any moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sidecar.core.call import Attempt, AttemptStatus, Timeouts
from sidecar.core.catalog import Key
from sidecar.core.faults import Fault
from sidecar.health import Circuit
from sidecar.invoker.meter import Bill, Received
from sidecar.limits import Permit
from sidecar.providers.http import provider_request_id, served_model, server_of
from sidecar.providers.wire import Codec, HttpRequest, Reader, Reply
from sidecar.routing import Planned

_FRAMING_BYTES = 2
"""Tag and length of a delta's text: not content."""
NO_REPLY = Reply(None, None)


@dataclass(slots=True)
class Live:
    """Times ending in `_at_ns` are monotonic."""

    number: int
    planned: Planned
    timeouts: Timeouts
    key: Key
    codec: Codec
    request: HttpRequest
    circuit: Circuit
    permit: Permit
    span_id: str
    started_at_ns: int
    started_ns: int
    """UTC."""
    choices: int = 1
    """Asked for."""
    reader: Reader | None = None
    reply: Reply = NO_REPLY
    http_status: int = 0
    provider_request_id: str = ""
    model_served: str = ""
    """By the answer's headers."""
    bytes_received: int = 0
    content_bytes: int = 0
    chunks: int = 0
    delivered: bool = False
    """Content of it has gone to the caller."""
    first_content_at_ns: int | None = None
    provider_ns: int = 0
    """Waited for the provider so far."""
    _waiting_since_ns: int | None = None

    def waits(self, now_ns: int) -> None:
        self._waiting_since_ns = now_ns

    def resumes(self, now_ns: int) -> None:
        if self._waiting_since_ns is not None:
            self.provider_ns += now_ns - self._waiting_since_ns
            self._waiting_since_ns = None

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """The answer's headers have come."""
        self.http_status = status
        self.provider_request_id = provider_request_id(headers)
        self.model_served = served_model(headers)

    def heard(self, data: bytes) -> bytes:
        """Counts what the provider said, and gives it on, masked where it repeats the key: an id, a model's name or
        an answer may have it. In a stream the key may be cut in two; what is recorded is looked at again."""
        self.bytes_received += len(data)
        return self.key.hidden_in_bytes(data)

    def gave(self, chunks: Sequence[Any], now_ns: int) -> None:
        """Content has come."""
        self.chunks += len(chunks)
        self.content_bytes += sum(max(chunk.ByteSize() - _FRAMING_BYTES, 0) for chunk in chunks)
        if chunks and self.first_content_at_ns is None:
            self.first_content_at_ns = now_ns

    @property
    def model_reported(self) -> str:
        said = self.model_served or self.reply.model or (self.reader.model if self.reader is not None else "")
        return self.key.hidden_in(said)

    def received(self, *, whole: bool, fault: Fault | None) -> Received:
        """What it is billed by."""
        reported = self.reply.usage
        if reported is None and fault is not None:
            reported = fault.usage
        if reported is None and self.reader is not None:
            reported = self.reader.usage
        return Received(
            account=self.planned.account,
            model=self.planned.target.model,
            at_ns=self.started_ns,
            reported=reported,
            model_reported=self.model_reported,
            provider_cost_picodollars=self.reply.provider_cost_picodollars,
            content_bytes=self.content_bytes,
            answered=whole,
            maybe_billed=self.http_status < 300 and (fault is None or fault.maybe_billed),
        )

    def opened(self) -> Attempt:
        """As it stands in the start frame."""
        address, port = server_of(self.request.url)
        return Attempt(
            number=self.number,
            target=self.planned.target,
            provider_type=self.planned.account.type,
            status=AttemptStatus.OPEN,
            started_ns=self.started_ns,
            key_id=self.key.key_id,
            key_owner=self.key.owner,
            circuit=self.circuit.value,
            bytes_sent=len(self.request.body),
            span_id=self.span_id,
            server_address=address,
            server_port=port,
        )

    def ended(
        self, status: AttemptStatus, now_ns: int, bill: Bill, fault: Fault | None = None, error_type: str = ""
    ) -> Attempt:
        """As it stands in the record."""
        reader, first = self.reader, self.first_content_at_ns
        request_id = self.provider_request_id or (fault.provider_request_id if fault is not None else "")
        response_id = self.reply.response_id or (reader.response_id if reader is not None else "")
        return replace(
            self.opened(),
            status=status,
            ended_ns=self.started_ns + now_ns - self.started_at_ns,
            first_token_ns=None if first is None else self.started_ns + first - self.started_at_ns,
            model_reported=self.model_reported,
            error_type=fault.error_type if fault is not None else error_type,
            message=fault.message if fault is not None else "",
            http_status=self.http_status or (fault.http_status if fault is not None else 0),
            provider_request_id=self.key.hidden_in(request_id),
            response_id=self.key.hidden_in(response_id),
            finish_reasons=tuple(map(self.key.hidden_in, self.reply.finish_reasons)),
            usage=bill.usage,
            usage_source=bill.usage_source,
            estimator_version=bill.estimator_version,
            cost=bill.cost,
            cost_at_risk_picodollars=bill.cost_at_risk_picodollars,
            tokens_at_risk=bill.tokens_at_risk,
            maybe_billed=bill.maybe_billed,
            bytes_received=self.bytes_received,
            chunks=self.chunks,
            malformed_events=reader.malformed if reader is not None else 0,
        )
