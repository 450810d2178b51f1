"""Text, images and documents as content blocks (platform.claude.com/docs/en/api/messages/create)."""

from __future__ import annotations

import base64
from typing import Any

from sidecar.core.faults import BadRequest, Unsupported
from taximeter.v1 import payload_pb2 as pb

Block = dict[str, Any]

PDF = "application/pdf"
_PDF_MAGIC = b"%PDF-"


def content_blocks(message: pb.ChatMessage) -> list[Block]:
    """Blank text is left out: such a block is refused ("text content blocks must be non-empty")."""
    first = [{"type": "text", "text": message.text}] if message.text.strip() else []
    return first + [with_cache_point(block, part) for part in message.parts if (block := _block(part))]


def with_cache_point(block: Block, part: pb.ContentPart | pb.Tool) -> Block:
    """platform.claude.com/docs/en/build-with-claude/prompt-caching"""
    return {**block, "cache_control": cache_control(part.cache_point)} if part.HasField("cache_point") else block


def cache_control(point: pb.CachePoint) -> Block:
    return {"type": "ephemeral", "ttl": point.ttl} if point.ttl else {"type": "ephemeral"}


def _block(part: pb.ContentPart) -> Block | None:
    match part.WhichOneof("part"):
        case "text":
            return {"type": "text", "text": part.text} if part.text.strip() else None
        case "image":
            return {"type": "image", "source": _image_source(part.image)}
        case "file":
            return _file_block(part.file)
        case "audio":
            raise Unsupported("the Anthropic wire does not take audio")
        case _:
            raise BadRequest("a content part is empty")


def _image_source(image: pb.ImagePart) -> Block:
    """platform.claude.com/docs/en/build-with-claude/vision. It knows no `detail`, which is a wish about cost only."""
    match image.WhichOneof("source"):
        case "url":
            return _from_data_url(image.url) if image.url.startswith("data:") else {"type": "url", "url": image.url}
        case "data":
            return _base64(image.data, image.media_type)
        case _:
            raise BadRequest("an image part has neither url nor data")


def _file_block(file: pb.FilePart) -> Block:
    """platform.claude.com/docs/en/build-with-claude/{pdf-support,files}. Files are out of beta: no header is needed."""
    kind = "image" if file.media_type.startswith("image/") else "document"
    block: Block = {"type": kind, "source": _file_source(file)}
    return {**block, "title": file.filename} if file.filename and kind == "document" else block


def _file_source(file: pb.FilePart) -> Block:
    if file.file_id:
        return {"type": "file", "file_id": file.file_id}
    if file.url:
        return {"type": "url", "url": file.url}
    media_type = file.media_type or (PDF if file.data.startswith(_PDF_MAGIC) else "")
    if media_type == PDF or media_type.startswith("image/"):
        return _base64(file.data, media_type)
    if media_type.startswith("text/"):
        return {"type": "text", "media_type": "text/plain", "data": _text(file.data)}
    raise Unsupported(f"the Anthropic wire does not take files of the type {media_type or '(none given)'}")


def _from_data_url(url: str) -> Block:
    head, comma, data = url.removeprefix("data:").partition(",")
    if not comma or not head.endswith(";base64"):
        raise BadRequest("an image's data: URL is not in base64")
    return {"type": "base64", "media_type": head.partition(";")[0], "data": data}


def _base64(data: bytes, media_type: str) -> Block:
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadRequest("a text file is not in UTF-8") from None
