"""What Ollama reports of usage: `prompt_eval_count` and `eval_count` (docs.ollama.com/api/usage).

It leaves out a count that is zero (`omitempty` in its api/types.go), and older servers count only what of a prompt
their cache did not hold: an absent count is not known, and no zero.
"""

from __future__ import annotations

from typing import Any

from sidecar.core.call import Usage
from sidecar.providers.reading import count


def usage_of(said: dict[str, Any]) -> Usage | None:
    """Of a whole answer or a stream's last line; None if it counts nothing."""
    usage = Usage(input=count(said.get("prompt_eval_count")), output=count(said.get("eval_count")))
    return None if usage == Usage() else usage
