"""A prediction as Replicate tells it (replicate.com/docs/reference/http#predictions.get), and what it has come to."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sidecar.core.call import Usage
from sidecar.core.faults import Garbled
from sidecar.providers.http import provider_request_id
from sidecar.providers.reading import amount, count, json_object
from sidecar.providers.replicate_fault import fault_of_prediction
from sidecar.providers.structs import json_text, to_struct
from sidecar.providers.wire import HttpRequest, HttpResponse, Pending, Reply
from taximeter.v1 import payload_pb2 as pb

POLL_S = 0.5
"""As often as Replicate's own clients ask: github.com/replicate/replicate-python."""
SUCCEEDED = "succeeded"
UNDER_WAY = frozenset({"starting", "processing"})
_KNOWN = frozenset({"id", "model", "output", "error", "status", "metrics", "urls", "input", "logs", "stream"})


def decode_chat(response: HttpResponse) -> Reply | Pending:
    """The answer to the creation, or to a poll."""
    prediction = prediction_in(response.body)
    if prediction is None:
        raise Garbled(
            "the answer is not a prediction",
            http_status=response.status,
            provider_request_id=provider_request_id(response.headers),
        )
    match prediction["status"]:
        case "starting" | "processing":
            return Pending(poll(prediction["id"]), after_s=POLL_S)
        case "succeeded":
            return _reply(prediction)
        case status:
            raise fault_of_prediction(status, prediction.get("error"), usage_of(prediction))


def prediction_in(body: bytes) -> dict[str, Any] | None:
    """None for what is no prediction."""
    said = json_object(body)
    if said is None:
        return None
    named = isinstance(said.get("id"), str) and isinstance(said.get("status"), str)
    return said if named and said["id"] else None


def poll(prediction_id: str) -> HttpRequest:
    """Asks for its state, under the account's own address: the answer's `urls.get` is not followed."""
    return HttpRequest("GET", f"/predictions/{quote(prediction_id, safe='')}", {"accept": "application/json"})


def text_of_output(output: Any) -> str:
    """A text model's output: a string, or strings to be joined ("x-cog-array-display": "concatenate"); whatever else a
    model gives stands as JSON."""
    if output is None:
        return ""
    if isinstance(output, list) and all(isinstance(piece, str) for piece in output):
        return "".join(output)
    return output if isinstance(output, str) else json_text(output)


def usage_of(prediction: dict[str, Any]) -> Usage | None:
    """`metrics`: tokens of language models (github.com/replicate/replicate-go/issues/52), and `predict_time`, the
    seconds of hardware that other models are billed by (replicate.com/docs/topics/billing)."""
    metrics = prediction.get("metrics")
    if not isinstance(metrics, dict):
        return None
    usage = Usage(
        input=count(metrics.get("input_token_count")),
        output=count(metrics.get("output_token_count")),
        seconds=amount(metrics.get("predict_time")),
    )
    return None if usage == Usage() else usage


def model_of(prediction: dict[str, Any]) -> str:
    model = prediction.get("model")
    return model if isinstance(model, str) else ""


def beyond_our_fields(prediction: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in prediction.items() if name not in _KNOWN and value not in (None, "", {})}


def _reply(prediction: dict[str, Any]) -> Reply:
    """There is no finish reason but the prediction's own status."""
    payload = pb.ChatResponse(id=prediction["id"], model=model_of(prediction))
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT, text=text_of_output(prediction.get("output")))
    payload.choices.add(index=0, message=message, finish_reason=prediction["status"])
    if beyond := beyond_our_fields(prediction):
        payload.provider_metadata.CopyFrom(to_struct(beyond))
    return Reply(payload, usage_of(prediction), payload.model, (prediction["status"],), payload.id)
