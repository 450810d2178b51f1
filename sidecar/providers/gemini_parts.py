"""Texts, images, sound and files as parts of a content (ai.google.dev/api/caching#Part).

Bytes go in `inlineData`, what Google fetches itself in `fileData`: files that were uploaded before, https addresses
(ai.google.dev/gemini-api/docs/file-input-methods), on Vertex AI gs: addresses too.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlsplit

from sidecar.core.faults import BadRequest, Unsupported
from taximeter.v1 import payload_pb2 as pb

Part = dict[str, Any]

_AUDIO = {"pcm16": "audio/pcm", "mpga": "audio/mpeg"}
"""Formats whose MIME type is not just audio/<format> (ai.google.dev/gemini-api/docs/audio)."""
_TYPES = {
    **{each: f"image/{each}" for each in ("png", "jpeg", "webp", "gif", "heic", "heif")},
    **{each: f"video/{each}" for each in ("mp4", "mpeg", "mov", "webm", "wmv")},
    **{each: f"audio/{each}" for each in ("wav", "mp3", "aac", "ogg", "flac", "aiff")},
    **{each: f"text/{each}" for each in ("html", "css", "csv", "xml")},
    "jpg": "image/jpeg",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "json": "application/json",
}
"""Ending of a name -> type: .../docs/{image-understanding,video-understanding,audio,document-processing}."""
_PDF, _PDF_MAGIC = "application/pdf", b"%PDF-"


def content_parts(message: pb.ChatMessage, files: str) -> list[Part]:
    """`files`: the address that uploaded files are under. Empty text is left out: it says nothing."""
    first = [{"text": message.text}] if message.text else []
    return first + [found for part in message.parts if (found := _part(part, files))]


def _part(part: pb.ContentPart, files: str) -> Part | None:
    match part.WhichOneof("part"):
        case "text":
            return {"text": part.text} if part.text else None
        case "image":
            return _image(part.image)
        case "audio":
            kind = part.audio.format.lower()
            return _inline(part.audio.data, kind if "/" in kind else _AUDIO.get(kind, f"audio/{kind}"))
        case "file":
            return _file(part.file, files)
        case _:
            raise BadRequest("a content part is empty")


def _image(image: pb.ImagePart) -> Part:
    """`detail` is a wish about cost only."""
    match image.WhichOneof("source"):
        case "data" if image.media_type:
            return _inline(image.data, image.media_type)
        case "data":
            raise BadRequest("data without media_type")
        case "url" if image.url.startswith("data:"):
            return _from_data_url(image.url)
        case "url":
            return _fetched(image.url, image.media_type)
        case _:
            raise BadRequest("an image part has neither url nor data")


def _file(file: pb.FilePart, files: str) -> Part:
    if file.url:
        return _fetched(file.url, file.media_type, file.filename)
    if file.file_id:
        return _fetched(_uploaded(file.file_id, files), file.media_type, file.filename)
    media_type = file.media_type or _type_of(file.filename)
    media_type = media_type or (_PDF if file.data.startswith(_PDF_MAGIC) else "")
    if not media_type:
        raise BadRequest("a file's data without media_type")
    return _inline(file.data, media_type)


def _uploaded(file_id: str, files: str) -> str:
    """The Files API names a file "files/abc", and wants its whole address back (ai.google.dev/api/files)."""
    if "://" in file_id:
        return file_id
    if not files:
        raise Unsupported("Vertex AI takes files by their address (gs://...), and has none of its own")
    return f"{files}/files/{file_id.removeprefix('files/')}"


def _fetched(uri: str, media_type: str, filename: str = "") -> Part:
    found = media_type or _type_of(filename) or _type_of(urlsplit(uri).path)
    return {"fileData": {"fileUri": uri, **({"mimeType": found} if found else {})}}


def _type_of(name: str) -> str:
    return _TYPES.get(name.rpartition(".")[2].lower(), "")


def _inline(data: bytes, media_type: str) -> Part:
    return {"inlineData": {"mimeType": media_type, "data": base64.b64encode(data).decode()}}


def _from_data_url(url: str) -> Part:
    head, comma, data = url.removeprefix("data:").partition(",")
    if not comma or not head.endswith(";base64"):
        raise BadRequest("an image's data: URL is not in base64")
    return {"inlineData": {"mimeType": head.partition(";")[0], "data": data}}
