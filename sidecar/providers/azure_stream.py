"""Streams of Azure OpenAI: OpenAI's, with what the content filters found in between.

learn.microsoft.com/azure/foundry/openai/concepts/content-streaming: the first chunk has no choice and tells of the
prompt (`prompt_filter_results`); each choice's chunks tell of what was written so far (`content_filter_results`), under
the asynchronous filter in chunks without text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sidecar.providers.openai_stream import Parts, StreamReader
from sidecar.providers.reading import index_of, objects
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import Reply


class AzureStream(StreamReader):
    """Gives what the filters found in the place in which a whole answer has it."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._of_prompt: list[dict[str, Any]] = []
        self._of_choices: dict[int, dict[str, Any]] = {}
        """Choice -> category -> the last finding."""

    def finish(self) -> Reply:
        reply, metadata = super().finish(), self._metadata()
        return replace(reply, provider_metadata=to_struct(metadata)) if metadata else reply

    def take(self, chunk: dict[str, Any]) -> Iterator[Any]:
        self._of_prompt = objects(chunk.get("prompt_filter_results")) or self._of_prompt
        for place, choice in enumerate(objects(chunk.get("choices"))):
            found = choice.get("content_filter_results")
            if isinstance(found, dict) and found:
                self._of_choices.setdefault(index_of(choice, place), {}).update(found)
        yield from super().take(chunk)

    def _metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = {"prompt_filter_results": self._of_prompt} if self._of_prompt else {}
        if self._of_choices:
            found = (self._of_choices.get(index) for index in range(max(self._of_choices) + 1))
            metadata["choices"] = [{"content_filter_results": each} if each else {} for each in found]
        return metadata
