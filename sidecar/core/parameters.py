"""What telemetry names of a payload."""

from __future__ import annotations

from typing import Any

from sidecar.core.call import RequestParameters


def parameters_of(payload: Any) -> RequestParameters:
    """Absent where the caller set nothing; None is a call without a payload."""
    if payload is None:
        return RequestParameters()

    def given(name: str) -> Any:
        known = name in payload.DESCRIPTOR.fields_by_name
        return getattr(payload, name) if known and payload.HasField(name) else None

    return RequestParameters(
        temperature=given("temperature"),
        top_p=given("top_p"),
        top_k=given("top_k"),
        max_tokens=given("max_tokens"),
        seed=given("seed"),
        frequency_penalty=given("frequency_penalty"),
        presence_penalty=given("presence_penalty"),
        choice_count=given("choice_count"),
        stop=tuple(getattr(payload, "stop", ())),
        output_type=_output_type(given("response_format")),
    )


def _output_type(wanted: Any) -> str:
    """gen_ai.output.type, where the caller asked for one."""
    kind = wanted.WhichOneof("format") if wanted is not None else None
    return {"text": "text", "json_object": "json", "json_schema": "json"}.get(kind or "", "")
