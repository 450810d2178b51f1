"""Images, documents, audio and video as Converse takes them
(docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html): bytes, or an object in S3."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from sidecar.core.faults import BadRequest, Unsupported
from taximeter.v1 import payload_pb2 as pb

_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_VIDEOS = {
    "video/x-matroska": "mkv",
    "video/quicktime": "mov",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
}
_FORMATS: Mapping[str, Mapping[str, str]] = {"image": _IMAGES, "document": _DOCUMENTS, "video": _VIDEOS}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_\s\-()\[\]]+|\s+(?=\s)")
_NAME_CHARACTERS = 200


def media_block(part: pb.ContentPart) -> dict[str, Any]:
    """An image, audio or file part. Raises Unsupported for what Converse cannot take or would have to fetch."""
    match part.WhichOneof("part"):
        case "image":
            source, media_type = _source(part.image.data, part.image.url)
            return _block("image", media_type or part.image.media_type, source)
        case "audio":
            source, _ = _source(part.audio.data, "")
            return {"audio": {"format": part.audio.format, "source": source}}
        case "file":
            return _file(part.file)
        case _:
            raise BadRequest("a content part is empty")


def _file(file: pb.FilePart) -> dict[str, Any]:
    if file.file_id:
        raise Unsupported("AWS Bedrock keeps no files to name by an id")
    source, media_type = _source(file.data, file.url)
    media_type = media_type or file.media_type
    kind = next((kind for kind in ("image", "video") if media_type in _FORMATS[kind]), "document")
    block = _block(kind, media_type, source)
    if kind == "document":
        block["document"]["name"] = document_name(file.filename)
    return block


def document_name(filename: str) -> str:
    """Letters, digits, single spaces, hyphens, parentheses and brackets only: the name's stem, without the rest.
    Underscores are taken too, though the documentation does not list them."""
    stem = filename.rpartition("/")[2]
    stem = stem.rpartition(".")[0] or stem
    return (
        _NOT_IN_A_NAME.sub(lambda found: "-" if found[0].strip() else "", stem).strip()[:_NAME_CHARACTERS] or "document"
    )


def _block(kind: str, media_type: str, source: dict[str, Any]) -> dict[str, Any]:
    media_type = media_type.partition(";")[0].strip().lower()
    if not media_type:
        raise BadRequest(f"{kind} without media_type")
    if media_type not in _FORMATS[kind]:
        raise Unsupported(f"AWS Bedrock does not take {media_type}")
    return {kind: {"format": _FORMATS[kind][media_type], "source": source}}


def _source(data: bytes, url: str) -> tuple[dict[str, Any], str]:
    """(source, the media type that a data: URL names)."""
    if url.startswith("s3://"):
        return {"s3Location": {"uri": url}}, ""
    if url.startswith("data:"):
        media_type, base64_, content = url.removeprefix("data:").partition(";base64,")
        if not base64_:
            raise BadRequest("a data: URL is not base64")
        return {"bytes": content}, media_type
    if url:
        raise Unsupported("AWS Bedrock fetches nothing from the web: send the bytes, or an s3:// address")
    if not data:
        raise BadRequest("a content part has neither url nor data")
    return {"bytes": base64.b64encode(data).decode()}, ""
