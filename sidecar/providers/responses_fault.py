"""What an error of the Responses API means: under an HTTP status, as `error` of a failed response, or as an event.

Codes of a failed response: developers.openai.com/api/reference/resources/responses (`error.code`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.core.call import Usage
from sidecar.core.faults import BadRequest, ContentFiltered, Fault, ServerError
from sidecar.providers.openai_fault import fault_of_error
from sidecar.providers.reading import text_of

_CODES: Mapping[str, type[Fault]] = {
    "invalid_prompt": BadRequest,
    "image_content_policy_violation": ContentFiltered,
    "vector_store_timeout": ServerError,
    **dict.fromkeys(
        (
            "invalid_image",
            "invalid_image_format",
            "invalid_base64_image",
            "invalid_image_url",
            "invalid_image_mode",
            "image_too_large",
            "image_too_small",
            "image_parse_error",
            "image_file_too_large",
            "unsupported_image_media_type",
            "empty_image_file",
            "failed_to_download_image",
            "image_file_not_found",
        ),
        BadRequest,
    ),
}
_POLICY = "usage policy"
"""invalid_prompt says which of the two it is in words only: "flagged as potentially violating our usage policy"."""


def fault_of_failure(error: Any, usage: Usage | None = None) -> Fault:
    """An error object that came under a good status; `usage`: what the failed answer reported all the same."""
    code = text_of(error, "code") if isinstance(error, dict) else ""
    if code in _CODES:
        message = text_of(error, "message")
        kind = ContentFiltered if _POLICY in message.lower() else _CODES[code]
        fault = kind(message or code, provider_code=code)
    else:
        fault = fault_of_error(error, 0)
    fault.usage = usage
    return fault
