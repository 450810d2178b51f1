"""What an error of Azure OpenAI means beyond the OpenAI wire's.

A prompt that the filter stopped is a 400 whose inner error says `ResponsibleAIPolicyViolation`; it stands as
`innererror` or `inner_error` (learn.microsoft.com/azure/foundry/openai/concepts/content-filter; azure-rest-api-specs,
innerError).
"""

from __future__ import annotations

from typing import Any

import orjson

from sidecar.core.faults import ContentFiltered, Fault
from sidecar.providers.openai_fault import fault_of_response as fault_as_openai
from sidecar.providers.wire import HttpResponse

_FILTERED = ("ResponsibleAIPolicyViolation", "contentFilter")


def fault_of_response(response: HttpResponse) -> Fault:
    fault = fault_as_openai(response)
    if not 400 <= response.status < 500 or isinstance(fault, ContentFiltered) or not _filtered(response.body):
        return fault
    return ContentFiltered(
        fault.message,
        http_status=fault.http_status,
        provider_request_id=fault.provider_request_id,
        provider_code=fault.provider_code,
    )


def _filtered(body: bytes) -> bool:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    error = said.get("error") if isinstance(said, dict) else None
    return isinstance(error, dict) and any(_code(each) in _FILTERED for each in (error, *_inner(error)))


def _inner(error: dict[str, Any]) -> list[Any]:
    return [error.get("innererror"), error.get("inner_error")]


def _code(error: Any) -> Any:
    return error.get("code") if isinstance(error, dict) else None
