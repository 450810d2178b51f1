"""What a call asks for, with what its alias adds."""

from __future__ import annotations

from dataclasses import replace

from sidecar.core.call import Call
from sidecar.core.catalog import Alias
from sidecar.core.parameters import parameters_of
from sidecar.workspaces.parameters import with_defaults


def as_alias_has_it(call: Call, alias: Alias | None, *, zero_retention: bool) -> Call:
    """With the alias's defaults where the caller has set none, and no more output than the alias allows.

    `zero_retention`: words of the request (stop sequences) stay out of what is recorded.
    """
    if alias is None or call.payload is None or not (alias.parameters or alias.max_tokens is not None):
        return call
    payload = with_defaults(call.payload, alias.parameters, alias.max_tokens)
    parameters = parameters_of(payload)
    if zero_retention:
        parameters = replace(parameters, stop=())
    return replace(call, payload=payload, parameters=parameters, bytes_in=payload.ByteSize())
