"""No wire drops a field that the caller set: it is in what goes out, or the wire refuses; what is let go is listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from sidecar.core.call import Operation
from sidecar.core.catalog import Account
from sidecar.core.faults import Fault
from sidecar.providers.registry import wire
from sidecar.settings.rows import Row, known_rows
from tests.support.fields import REQUESTS, Case, cases, reachable, visited
from tests.support.providers import account

NAMES = "payload.proto: where the provider takes one"
CACHES = "payload.proto: ignored by providers that cache by themselves, or have no cache"
FOREIGN = "opaque, of use only to the provider that made it"
PLAIN = "it takes back no reasoning that is mere text"
NO_WAY = "it takes back no reasoning at all"
TEXT_TELLS = "payload.proto: the text says how; there is no field for it"
USUAL = "text is what it gives anyhow"
A_WISH = "a wish about cost, which it does not know"
A_LABEL = "a label that nothing reads"
BINDS = "a schema always binds there"
NOT_ASKED = "payload.proto: where the provider asks"

LET_GO: Mapping[tuple[str, str], str] = {
    ("*.name", "anthropic cohere gemini ollama replicate"): NAMES,
    ("system.name", "bedrock"): NAMES,
    ("part.cache_point", "azure* cohere gemini ollama openai* perplexity-* replicate"): CACHES,
    ("cache.ttl", "azure* cohere gemini ollama openai* perplexity-* replicate"): CACHES,
    ("tool.cache_point", "azure* cohere gemini ollama openai* perplexity-*"): CACHES,
    ("call.signature", "anthropic azure* bedrock cohere ollama openai*"): FOREIGN,
    ("thought.signature", "azure cohere gemini ollama openai"): FOREIGN,
    ("thought.redacted", "azure* cohere gemini ollama openai*"): FOREIGN,
    ("thought.id", "azure bedrock cohere gemini ollama openai"): FOREIGN,
    ("thought.text", "gemini"): FOREIGN,
    ("assistant.reasoning_blocks", "gemini"): FOREIGN,
    ("assistant.reasoning", "anthropic azure-responses bedrock gemini openai-responses"): PLAIN,
    ("assistant.reasoning*", "azure openai perplexity-* replicate"): NO_WAY,
    ("thought.*", "azure openai perplexity-* replicate"): NO_WAY,
    ("result.tool_failed", "azure* cohere ollama openai* perplexity-*"): TEXT_TELLS,
    ("format.text", "anthropic bedrock gemini ollama perplexity-* replicate"): USUAL,
    ("image.detail", "anthropic bedrock ollama perplexity-*"): A_WISH,
    ("image.media_type", "ollama"): "the bytes say it",
    ("file.filename", "gemini"): A_LABEL,
    ("schema.name", "anthropic cohere gemini ollama"): A_LABEL,
    ("schema.strict", "anthropic bedrock cohere gemini ollama"): BINDS,
    ("embedding.input_type", "azure* ollama openai*"): NOT_ASKED,
}
"""(fields, wires) -> why it may be dropped there."""
BASE_URLS = {"azure": "https://r.openai.azure.com", "bedrock": "https://bedrock-runtime.us-east-1.amazonaws.com"}


def accounts(row: Row) -> Iterator[Account]:
    """One for each wire that the row's accounts may speak."""
    base_url = BASE_URLS.get(row.type, "https://api.test/v1")
    at = account(row.type, base_url=base_url, deployments=row.deployments, options=dict(row.options))
    for name in dict.fromkeys(filter(None, (row.wire, row.responses_wire))):
        yield replace(at, wire=name)


SPOKEN = [
    pytest.param(each, operation, row.models.get("smart", "m"), id=f"{each.type}-{each.wire}-{operation}")
    for row in known_rows().values()
    for each in accounts(row)
    for operation in sorted(row.operations & REQUESTS.keys() & wire(each.wire).keys())
]


def dropped(case: Case, at: Account, operation: Operation, model: str) -> bool:
    """Whether a request with the field is the same as one without."""
    encode = wire(at.wire)[operation].encode
    try:
        with_it = encode(case.with_it, model, False, at, "key")
        without = encode(case.without, model, False, at, "key")
    except Fault:
        return False
    return (with_it.url, with_it.headers, with_it.body) == (without.url, without.headers, without.body)


def excuse(field: str, at: Account) -> tuple[str, str] | None:
    for fields, wires in LET_GO:
        if fnmatchcase(field, fields) and any(fnmatchcase(at.wire, each) for each in wires.split()):
            return fields, wires
    return None


@pytest.mark.parametrize(("at", "operation", "model"), SPOKEN)
def test_every_field_goes_out_or_is_refused(at: Account, operation: Operation, model: str) -> None:
    silent = [
        case.name for case in cases(operation) if excuse(case.name, at) is None and dropped(case, at, operation, model)
    ]
    assert silent == []


@pytest.mark.parametrize("let_go", [pytest.param(key, id=key[0]) for key in LET_GO])
def test_nothing_is_let_go_without_need(let_go: tuple[str, str]) -> None:
    fields, wires = let_go
    idle = set(wires.split())
    for param in SPOKEN:
        at, operation, model = param.values
        assert isinstance(at, Account)
        assert isinstance(operation, Operation)
        theirs = {each for each in idle if fnmatchcase(at.wire, each)}
        for case in cases(operation) if theirs else ():
            if fnmatchcase(case.name, fields) and dropped(case, at, operation, str(model)):
                idle -= theirs
    assert not idle


@pytest.mark.parametrize("operation", sorted(REQUESTS))
def test_every_message_of_a_request_is_looked_into(operation: Operation) -> None:
    assert reachable(operation) - visited(operation) <= ELSEWHERE.get(operation, set())


ELSEWHERE = {
    Operation.MODERATION: {
        f"taximeter.v1.{name}"
        for name in (
            *("ContentPart", "ImagePart", "AudioPart", "FilePart", "CachePoint"),
            *("ChatMessage", "ToolCall", "ReasoningBlock"),
        )
    }
}
"""What a judged conversation holds is written as that of a chat."""
