"""Where Gemini's methods are, and what opens the door there.

    Gemini API    {base}/v1beta/models/{model}:{method}      ai.google.dev/api/generate-content
    Vertex AI     {base}/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:{method}
                  docs.cloud.google.com/gemini-enterprise-agent-platform/resources/locations
    express mode  {base}/v1/publishers/google/models/{model}:{method}, where no project is known
                  cloud.google.com/vertex-ai/generative-ai/docs/start/express-mode/vertex-ai-express-mode-api-reference

What a base URL says itself of version, project and location stands as it is given.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from sidecar.core.catalog import Account
from sidecar.core.faults import ModelNotFound, Unsupported
from sidecar.providers.http import headers_for

GLOBAL = "global"
_VERSION = re.compile(r"/v\d\w*$")
_IN_A_PROJECT = re.compile(r"/projects/[^/]+/locations/[^/]+$")
_AT_VERTEX = re.compile(r"(^|[.-])aiplatform\.")
_TOKENS = ("ya29.", "eyJ")
"""What Google's OAuth access tokens, and JSON web tokens, begin with; API keys begin with AIza or AQ."""


def is_vertex(account: Account) -> bool:
    """By its row, or by its base URL."""
    parts = urlsplit(account.base_url)
    return bool(
        account.options.get("vertex") or _AT_VERTEX.search(parts.hostname or "") or "/projects/" in f"{parts.path}/"
    )


def address(account: Account, model: str, method: str) -> str:
    """`method` may end in a query. Raises ModelNotFound for what names no model."""
    base = account.base_url.rstrip("/")
    if not model or any(piece in ("", ".", "..") for piece in model.split("/")):
        raise ModelNotFound(f"{model!r} names no model")
    if is_vertex(account):
        return f"{_vertex_parent(account, base)}/{quote(_vertex_model(account, model), safe='/@')}:{method}"
    base = base.removesuffix("/models")
    version = "" if _VERSION.search(base) else "/v1beta"
    return f"{base}{version}/{quote(resource(model), safe='/')}:{method}"


def resource(model: str) -> str:
    """As the Gemini API names a model; tuned ones have a collection of their own."""
    return model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"


def headers(account: Account, secret: str, *, stream: bool) -> dict[str, str]:
    """An access token goes where OAuth has it, a key into a header of its own."""
    if secret.startswith(_TOKENS):
        return {"authorization": f"Bearer {secret}", **headers_for(account, "", stream=stream)}
    return headers_for(account, secret, stream=stream)


def _vertex_parent(account: Account, base: str) -> str:
    base = base.removesuffix("/models").removesuffix("/publishers/google")
    if _IN_A_PROJECT.search(base):
        return base
    if not _VERSION.search(base):
        base = f"{base}/v1"
    project, location = account.options.get("project"), account.options.get("location") or GLOBAL
    return f"{base}/projects/{quote(str(project))}/locations/{quote(str(location))}" if project else base


def _vertex_model(account: Account, model: str) -> str:
    """Under its publisher, which a name may say ("meta/llama-4"); a tuned model is an endpoint of the project's."""
    model = model.removeprefix("models/")
    if model.startswith("endpoints/") or "/endpoints/" in model:
        if not (account.options.get("project") or "/projects/" in account.base_url):
            raise Unsupported("a tuned model is addressed in its project, and no project is configured")
        return f"endpoints/{model.rpartition('endpoints/')[2]}"
    if "publishers/" in model:
        return f"publishers/{model.rpartition('publishers/')[2]}"
    publisher, _, name = model.rpartition("/")
    return f"publishers/{publisher or 'google'}/models/{name}"
