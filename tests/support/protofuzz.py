"""Messages of any type, filled by chance: within their types, and with what people and programs get wrong."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

import taximeter.v1

DEPTH = 4
ODD_TEXTS = (
    *("default", "loop", "plain", "smart", "nobody", "rival", "key_x", "bud_x", "*", "-", ".", "..", "../../etc"),
    *("\x00", "\ufeff", "é" * 300, "x" * 5000, "'; DROP TABLE ai_workspaces; --", "{}", "[]", "null", "${HOME}"),
    *("0", "-1", "1e999", "NaN", "Infinity", "0.0000000000001", "99999999999999999999", "1,5", "%s%n"),
    *("UTC", "Europe/Berlin", "Mars/Olympus", "2026-02-30", "9999-12-31", "-0001-01-01"),
    *("http://", "https://[::1", "ftp://x", "https://user:pass@127.0.0.1/", "http://127.0.0.1:9/v1"),
    *("00000000-0000-0000-0000-000000000000", "text/event-stream", "aGFsbG8=", "sk-short"),
)
"""No provider's name: nobody beyond this machine is to be asked."""
_TEXTS = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=40))
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
MOMENTS_S = (-62_135_596_801, -62_135_596_800, 9_223_372_036, 9_223_372_037, 253_402_300_799, 253_402_300_800)
"""Where a Timestamp, or nanoseconds in 64 bits, begin and end to be times."""
_VALUES: Mapping[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.CPPTYPE_STRING: _TEXTS,
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_ENUM: st.one_of(st.integers(0, 9), st.just(-1), st.just(2**31 - 1)),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
}
_UNSENT = ("google.protobuf.Any",)


def rpc(method: str) -> Any:
    """The descriptor of "taximeter.v1.KeyService/AddKey"."""
    for module in pkgutil.iter_modules(taximeter.v1.__path__, "taximeter.v1."):
        if module.name.endswith("_pb2"):
            importlib.import_module(module.name)
    service, _, name = method.partition("/")
    return descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]


def request_of(method: str) -> Descriptor:
    found: Descriptor = rpc(method).input_type
    return found


@st.composite
def messages(draw: st.DrawFn, kind: Descriptor, depth: int = DEPTH) -> Message:
    """Of this type; some fields set."""
    made: Message = message_factory.GetMessageClass(kind)()
    fields = [each for each in kind.fields if depth or each.message_type is None]
    chosen = draw(st.lists(st.sampled_from(fields), unique_by=lambda each: each.name, max_size=6)) if fields else []
    for field in chosen:
        _fill(draw, made, field, depth)
    return made


def _fill(draw: st.DrawFn, made: Message, field: FieldDescriptor, depth: int) -> None:
    if field.message_type is not None and field.message_type.full_name in _UNSENT:
        return
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _fill_map(draw, made, field, depth)
    elif field.is_repeated:
        for _ in range(draw(st.integers(0, 3))):
            value = _value(draw, field, depth)
            target = getattr(made, field.name)
            (target.add().CopyFrom if field.message_type is not None else target.append)(value)
    elif field.message_type is not None:
        getattr(made, field.name).CopyFrom(_value(draw, field, depth))
    else:
        setattr(made, field.name, _value(draw, field, depth))


def _fill_map(draw: st.DrawFn, made: Message, field: FieldDescriptor, depth: int) -> None:
    assert field.message_type is not None
    key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
    for _ in range(draw(st.integers(0, 3))):
        where = getattr(made, field.name)
        if value.message_type is not None:
            where[_value(draw, key, depth)].CopyFrom(_value(draw, value, depth))
        else:
            where[_value(draw, key, depth)] = _value(draw, value, depth)


def _value(draw: st.DrawFn, field: FieldDescriptor, depth: int) -> Any:
    if field.message_type is not None:
        return draw(messages(field.message_type, depth - 1))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return draw(st.binary(max_size=40))
    if (known := _VALUES.get(field.cpp_type)) is not None:
        return draw(known)
    least, most = _INTEGERS[field.cpp_type]
    odd = st.sampled_from([least, most, 0, 1, *(each for each in MOMENTS_S if least <= each <= most)])
    return draw(st.one_of(odd, st.integers(least, most)))


@st.composite
def damaged(draw: st.DrawFn, kind: Descriptor) -> bytes:
    """Bytes that may be of this type, or were once, or never."""
    whole = draw(messages(kind)).SerializeToString()
    match draw(st.sampled_from(("noise", "cut", "flipped", "doubled", "deep"))):
        case "noise":
            return draw(st.binary(max_size=200))
        case "cut":
            return whole[: draw(st.integers(0, max(len(whole) - 1, 0)))]
        case "flipped" if whole:
            place = draw(st.integers(0, len(whole) - 1))
            return whole[:place] + bytes((whole[place] ^ draw(st.integers(1, 255)),)) + whole[place + 1 :]
        case "deep":  # groups that are opened and never closed
            return whole + b"\x0b" * draw(st.integers(1, 300))
    return whole + whole
