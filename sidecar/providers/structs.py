"""google.protobuf.Struct to JSON values and back. A Struct knows no integers: whole numbers come out as integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value

from sidecar.core.faults import Garbled

_DEEPEST = 20
_EXACT = 2**53
"""Beyond this a double no longer tells neighbouring integers apart."""


def to_plain(struct: Struct) -> dict[str, Any]:
    return {name: _plain(value) for name, value in struct.fields.items()}


def whole(number: float) -> float | int:
    """An integer where the number is one."""
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


def to_struct(values: Mapping[str, Any]) -> Struct:
    """JSON values; what is nested deeper than protobuf readers go (100 messages) stands there as JSON text. Raises
    Garbled."""
    return _struct(values, _DEEPEST)


def json_text(value: Any) -> str:
    """Raises Garbled for lists within lists that can be read (1024 deep), but not written (254): a hostile answer."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        raise Garbled("the answer is nested too deeply") from None


def _struct(values: Mapping[str, Any], depth: int) -> Struct:
    return Struct(fields={name: _value(value, depth - 1) for name, value in values.items()})


def _value(value: Any, depth: int) -> Value:
    match value:
        case None:
            return Value(null_value=NULL_VALUE)
        case bool():
            return Value(bool_value=value)
        case int() | float():
            return Value(number_value=value)
        case str():
            return Value(string_value=value)
        case _:
            return _nested(value, depth)


def _nested(value: Any, depth: int) -> Value:
    if depth == 0:
        return Value(string_value=json_text(value))
    if isinstance(value, dict):
        return Value(struct_value=_struct(value, depth))
    return Value(list_value=ListValue(values=[_value(item, depth - 1) for item in value]))


def _plain(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            return whole(value.number_value)
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return to_plain(value.struct_value)
        case "list_value":
            return [_plain(item) for item in value.list_value.values]
        case _:
            return None
