"""The codec interface: what a wire is made of. A codec is pure; the transport does the I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from google.protobuf.struct_pb2 import Struct

from sidecar.core.call import Operation, Usage
from sidecar.core.catalog import Account
from sidecar.core.faults import Fault


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`url` absolute; header names in lower case. Authorization is among the headers: never log one."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """Header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. For a stream `payload` is None unless the operation does not come in parts."""

    payload: Any
    usage: Usage | None
    """None: the provider reported none."""
    model: str = ""
    """As the provider reports it."""
    finish_reasons: tuple[str, ...] = ()
    response_id: str = ""
    provider_cost_picodollars: int | None = None
    """What the provider itself says it billed (OpenRouter)."""
    provider_metadata: Struct | None = None
    """Of a stream: what the provider said beyond its parts. A whole answer has it in its payload."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The answer stands elsewhere, or is not there yet: ask on with `request` after `after_s`.

    A `url` that begins with "/" is under the account's base URL, one that begins with "./" under the first request's
    address, whose query it gets; both go with the first request's credentials. Any other is an address that the
    provider's answer named: it gets no credentials, and must be https (or of the account's own host), lest an answer
    lead us where it has no business.
    """

    request: HttpRequest
    after_s: float = 0.0


class Reader(Protocol):
    """Reads one stream. Chunks are `taximeter.v1` Delta and ToolCallDelta messages, in order."""

    def feed(self, data: bytes) -> Iterable[Any]:
        """Chunks that became whole with `data` (any cut of bytes); to be taken to the end before the next call.
        Raises a Fault for an error event or garbage, after the chunks that came before it."""
        ...

    def finish(self) -> Reply | Pending:
        """After the last byte. Raises StreamCut if the terminal event is missing.

        Pending: the conversation goes on, and its next answer is fed to this same reader, `done` being False again
        (Replicate tells first where the stream is, and afterwards elsewhere what was used). While `complete`, only
        usage is asked for: if that cannot be had, `finish` is called all the same."""
        ...

    @property
    def done(self) -> bool:
        """The terminal event was seen: no need to wait for the connection to end."""
        ...

    @property
    def complete(self) -> bool:
        """Every choice is whole: only usage and the terminal event can follow, and `finish` succeeds without them."""
        ...

    @property
    def events(self) -> int:
        """Well-formed events so far."""
        ...

    @property
    def malformed(self) -> int:
        """Events skipped as malformed."""
        ...

    @property
    def model(self) -> str:
        """As reported so far."""
        ...

    @property
    def response_id(self) -> str: ...

    @property
    def usage(self) -> Usage | None:
        """As reported so far: what a cut stream is billed by, if it says."""
        ...


@dataclass(frozen=True, slots=True)
class Codec:
    """One operation of one wire."""

    encode: Callable[[Any, str, bool, Account, str], HttpRequest]
    """(payload, model, stream, account, secret). Raises Unsupported for what the wire cannot express."""
    decode: Callable[[HttpResponse], Reply | Pending]
    """A 2xx answer. Raises Garbled, ContentFiltered ..."""
    fault: Callable[[HttpResponse], Fault]
    """What a non-2xx answer means, Retry-After included."""
    reader: Callable[[], Reader] | None = None
    """None: the operation does not stream."""


Wire = Mapping[Operation, Codec]
"""What a wire supports is its keys."""
