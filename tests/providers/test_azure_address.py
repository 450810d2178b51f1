"""Where Azure OpenAI is spoken to, by what people paste as its base URL."""

from __future__ import annotations

import pytest

from sidecar.providers.azure_address import address_of

HOST = "https://r.openai.azure.com"
V1 = f"{HOST}/openai/v1/chat/completions"
DEPLOYED = f"{HOST}/openai/deployments/d/chat/completions?api-version="


@pytest.mark.parametrize(
    ("base_url", "version", "expected"),
    [
        pytest.param(HOST, "", V1, id="a bare resource is spoken to by v1"),
        pytest.param(HOST, "2024-10-21", f"{DEPLOYED}2024-10-21", id="a dated version asks for deployments"),
        pytest.param(HOST, "2025-04-01-preview", f"{DEPLOYED}2025-04-01-preview", id="a dated preview too"),
        pytest.param(HOST, "v1", V1, id="v1 by name"),
        pytest.param(HOST, "preview", f"{V1}?api-version=preview", id="v1's own preview"),
        pytest.param(f"{HOST}/openai", "", f"{DEPLOYED}2024-10-21", id="/openai: deployments, the last GA version"),
        pytest.param(f"{HOST}/openai", "2024-06-01", f"{DEPLOYED}2024-06-01", id="/openai with a version"),
        pytest.param(f"{HOST}/openai", "preview", f"{V1}?api-version=preview", id="/openai with a version of v1"),
        pytest.param(f"{HOST}/openai/v1", "", V1, id="/openai/v1"),
        pytest.param(f"{HOST}/openai/v1/", "", V1, id="with a slash"),
        pytest.param(f"{HOST}/openai/v1", "2024-10-21", V1, id="v1 takes no dated version"),
        pytest.param(f"{HOST}/openai/v1/chat/completions", "", V1, id="v1 with the operation"),
        pytest.param(f"{HOST}/openai/v1/responses", "", V1, id="v1 with another operation"),
        pytest.param(
            f"{HOST}/openai/deployments/gpt-4o/chat/completions?api-version=2025-01-01-preview",
            "",
            f"{HOST}/openai/deployments/gpt-4o/chat/completions?api-version=2025-01-01-preview",
            id="the portal's whole address: its deployment, its version",
        ),
        pytest.param(
            f"{HOST}/openai/deployments/gpt-4o?api-version=2025-01-01-preview",
            "2024-10-21",
            f"{HOST}/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
            id="the account's version before the URL's",
        ),
        pytest.param(f"{HOST}//openai/deployments/d", "", f"{DEPLOYED}2024-10-21", id="a slash too many"),
        pytest.param(
            "https://r.services.ai.azure.com/models",
            "",
            "https://r.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview",
            id="Foundry's /models",
        ),
        pytest.param(
            "https://r.services.ai.azure.com/models/chat/completions?api-version=2025-05-01-preview",
            "",
            "https://r.services.ai.azure.com/models/chat/completions?api-version=2025-05-01-preview",
            id="/models, whole",
        ),
        pytest.param(
            "https://gate.test/ai/openai/deployments/d",
            "",
            "https://gate.test/ai/openai/deployments/d/chat/completions?api-version=2024-10-21",
            id="behind a gateway's path",
        ),
        pytest.param(
            "https://gate.test/ai", "", "https://gate.test/ai/openai/v1/chat/completions", id="a gateway's own path"
        ),
        pytest.param(
            "http://127.0.0.1:8080", "2024-10-21",
            "http://127.0.0.1:8080/openai/deployments/d/chat/completions?api-version=2024-10-21",
            id="loopback",
        ),
    ],
)  # fmt: skip
def test_the_address_of_a_chat(base_url: str, version: str, expected: str) -> None:
    assert address_of(base_url, version).url("/chat/completions", "d") == expected


def test_a_deployments_name_is_quoted() -> None:
    found = address_of(HOST, "2024-10-21").url("/embeddings", "a/b c?")
    assert found == f"{HOST}/openai/deployments/a%2Fb%20c%3F/embeddings?api-version=2024-10-21"


@pytest.mark.parametrize(
    ("base_url", "version", "expected"),
    [
        pytest.param(HOST, "", f"{HOST}/openai/v1/responses", id="bare"),
        pytest.param(HOST, "2024-10-21", f"{HOST}/openai/v1/responses", id="a dated version is not for v1"),
        pytest.param(HOST, "preview", f"{HOST}/openai/v1/responses?api-version=preview", id="preview"),
        pytest.param(f"{HOST}/openai/deployments/d", "", f"{HOST}/openai/v1/responses", id="deployment"),
        pytest.param(f"{HOST}/openai/responses?api-version=2025-04-01-preview", "", f"{HOST}/openai/v1/responses",
                     id="the portal's address"),
        pytest.param("https://r.services.ai.azure.com/models", "",
                     "https://r.services.ai.azure.com/openai/v1/responses", id="Foundry"),
    ],
)  # fmt: skip
def test_responses_are_always_under_v1(base_url: str, version: str, expected: str) -> None:
    assert address_of(base_url, version).responses_url == expected


@pytest.mark.parametrize(
    ("base_url", "version", "max_tokens", "stream_options"),
    [
        pytest.param(HOST, "", "max_completion_tokens", True, id="v1"),
        pytest.param(HOST, "2024-02-01", "max_tokens", False, id="before stream_options"),
        pytest.param(HOST, "2024-08-01-preview", "max_tokens", False, id="the preview before"),
        pytest.param(HOST, "2024-09-01-preview", "max_completion_tokens", True, id="the preview that brought both"),
        pytest.param(HOST, "2024-10-21", "max_tokens", True, id="the GA version without max_completion_tokens"),
        pytest.param(f"{HOST}/models", "", "max_tokens", True, id="models of all makers"),
    ],
)
def test_what_a_version_takes(base_url: str, version: str, max_tokens: str, stream_options: bool) -> None:
    address = address_of(base_url, version)
    assert (address.max_tokens, address.stream_options) == (max_tokens, stream_options)
