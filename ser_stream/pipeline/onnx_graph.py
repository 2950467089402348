"""Graphs of the ONNX format, to be read and cut without the package `onnx`.

The runtime has numpy and ONNX Runtime alone. What a graph computes for one window at a
time, a copy of it can compute for many, and a part of it by itself; only names, shapes
and nodes are changed in the copy, never a weight. Of the format, a protocol buffer,
this knows the fields it needs; the others are kept as they are.

Source: onnx.proto, https://github.com/onnx/onnx (Apache-2.0).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.values import FloatArray

# Numbers of fields in onnx.proto.
_GRAPH, _NODES, _INITIALIZERS, _INPUTS, _OUTPUTS, _SHAPES = 7, 1, 5, 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _NODE_TYPE, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_INT, _ATTRIBUTE_TEXT, _ATTRIBUTE_INTS = 1, 3, 4, 8
_ATTRIBUTE_TYPE, _IS_INT, _IS_TEXT, _IS_INTS = 20, 2, 3, 7
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_VALUE_NAME, _VALUE_TYPE, _TYPE_TENSOR, _TYPE_SHAPE = 1, 2, 1, 2
_ELEMENT, _DIM, _DIM_PARAM = 1, 1, 2
_FLOAT, _INT64 = 1, 7
_ZERO, _ONE = b"plain_elu_zero", b"plain_elu_one"
_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}


class _Field(NamedTuple):
    number: int
    wire: int
    value: int | bytes


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _fields(data: bytes) -> Iterator[_Field]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield _Field(number, wire, value)
            continue
        size, at = _varint(data, at) if wire == _BYTES else (_FIXED[wire], at)
        yield _Field(number, wire, data[at : at + size])
        at += size


def _encoded(number: int) -> bytes:
    result = bytearray()
    while number > 127:
        result.append(number & 127 | 128)
        number >>= 7
    result.append(number)
    return bytes(result)


def _message(fields: Sequence[_Field]) -> bytes:
    parts = []
    for number, wire, value in fields:
        parts.append(_encoded(number << 3 | wire))
        if isinstance(value, int):
            parts.append(_encoded(value))
        else:
            if wire == _BYTES:
                parts.append(_encoded(len(value)))
            parts.append(value)
    return b"".join(parts)


def _bytes(fields: Sequence[_Field], number: int) -> list[bytes]:
    return [v for n, _, v in fields if n == number and isinstance(v, bytes)]


def _name(message: bytes, number: int) -> str:
    return _bytes(list(_fields(message)), number)[0].decode()


class Node(NamedTuple):
    """One operation, to be put into a graph."""

    kind: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, int | str | Sequence[int]] = {}


class OnnxGraph:
    """One graph, as the bytes of its file hold it.

    Bytes that are no graph raise IndexError, KeyError or UnicodeDecodeError; files that
    ONNX Runtime has loaded do not.
    """

    def __init__(self, data: bytes) -> None:
        self._model = list(_fields(data))
        self._fields = list(_fields(_bytes(self._model, _GRAPH)[0]))

    def to_bytes(self) -> bytes:
        """As a file would hold it, for `open_session`."""
        graph = _message(self._fields)
        return _message(
            [
                _Field(_GRAPH, _BYTES, graph) if field.number == _GRAPH else field
                for field in self._model
            ]
        )

    def weights(self) -> dict[str, FloatArray]:
        """The weights by name; what is no float32 is left out."""
        result = {}
        for tensor in _bytes(self._fields, _INITIALIZERS):
            fields = list(_fields(tensor))
            raw = _bytes(fields, _TENSOR_RAW)
            if (_TENSOR_TYPE, _VARINT, _FLOAT) in fields and raw:
                values: FloatArray = np.frombuffer(raw[0], "<f4").astype(np.float32)
                name = _bytes(fields, _TENSOR_NAME)[0].decode()
                result[name] = values.reshape(_dims(fields))
        return result

    def part(
        self, inputs: Mapping[str, Sequence[int | str]], outputs: Sequence[str]
    ) -> "OnnxGraph":
        """What computes `outputs` of the graph from `inputs`, by itself.

        Args:
            inputs: names of tensors of float32 anywhere in it, and shapes; a name in a
                shape stands for any number.
            outputs: names of outputs of the graph.
        """
        wanted, kept = set(outputs), []
        for field in reversed(self._fields):
            if field.number != _NODES or not isinstance(field.value, bytes):
                continue
            node = list(_fields(field.value))
            made = {name.decode() for name in _bytes(node, _NODE_OUTPUT)} - {""}
            if made & wanted - set(inputs):
                kept.append(field)
                wanted |= {name.decode() for name in _bytes(node, _NODE_INPUT)}
        new = [_Field(_INPUTS, _BYTES, _value(*item)) for item in inputs.items()]
        graph = OnnxGraph(self.to_bytes())
        graph._fields = [*reversed(kept), *new]
        for field in self._fields:
            names = {_INITIALIZERS: _TENSOR_NAME, _OUTPUTS: _VALUE_NAME}
            if field.number in names and isinstance(field.value, bytes):
                keep = _name(field.value, names[field.number]) in wanted
            else:
                keep = field.number not in (_NODES, _INPUTS, _SHAPES)
            if keep:
                graph._fields.append(field)
        return graph

    def preceded_by(
        self,
        nodes: Sequence[Node],
        tensors: Mapping[str, NDArray[np.generic]],
        inputs: Mapping[str, Sequence[int | str]],
    ) -> "OnnxGraph":
        """The same, with what computes some of its inputs in front of it.

        Args:
            nodes: in the order of their work; names that the graph has besides are
                those of its inputs, which are made.
            tensors: constants of the nodes, of float32 or int64.
            inputs: of the nodes; of float32, with shapes as `part` has them.
        """
        graph = OnnxGraph(self.to_bytes())
        made = {name for node in nodes for name in node.outputs}
        graph._fields = [
            *(_node_of(node) for node in nodes),
            *(_tensor(name.encode(), tensor) for name, tensor in tensors.items()),
            *(_Field(_INPUTS, _BYTES, _value(*item)) for item in inputs.items()),
            *(
                field
                for field in graph._fields
                if field.number != _INPUTS
                or not isinstance(field.value, bytes)
                or _name(field.value, _VALUE_NAME) not in made
            ),
        ]
        return graph

    def with_plain_elu(self) -> "OnnxGraph | None":
        """The same with max(x, exp(min(x, 0)) - 1) for each ELU; None if it has none.

        ONNX Runtime computes that in less than half the time of its own ELU, whose
        parameter is 1 in all networks here.
        """
        graph, found = OnnxGraph(self.to_bytes()), False
        fields: list[_Field] = []
        for field in graph._fields:
            if field.number == _NODES and isinstance(field.value, bytes):
                node = list(_fields(field.value))
                if b"Elu" in _bytes(node, _NODE_TYPE):
                    (x,), (y,) = _bytes(node, _NODE_INPUT), _bytes(node, _NODE_OUTPUT)
                    low, power, less = (y + end for end in (b"_low", b"_exp", b"_less"))
                    fields += [
                        _node(b"Min", [x, _ZERO], low),
                        _node(b"Exp", [low], power),
                        _node(b"Sub", [power, _ONE], less),
                        _node(b"Max", [x, less], y),
                    ]
                    found = True
                    continue
            fields.append(field)
        constants = [_tensor(_ZERO, np.array(0.0)), _tensor(_ONE, np.array(1.0))]
        graph._fields = [*fields, *constants]
        return graph if found else None

    def for_many(self) -> "OnnxGraph":
        """The same for any number along the first axis, where there was one.

        Only graphs without an operation across that axis become right by this: compare
        what they compute.
        """
        graph = OnnxGraph(self.to_bytes())
        shapes, fields = set(), []
        for field in graph._fields:
            number, wire, value = field
            if number == _SHAPES or not isinstance(value, bytes):
                continue
            if number == _NODES:
                node = list(_fields(value))
                if b"Reshape" in _bytes(node, _NODE_TYPE):
                    shapes.add(_bytes(node, _NODE_INPUT)[1].decode())
                    value = _message([_keeping_zero(part) for part in node])
            elif number in (_INPUTS, _OUTPUTS):
                value = _first_free(value)
            fields.append(_Field(number, wire, value))
        graph._fields = [
            field._replace(value=_first_kept(field.value))
            if field.number == _INITIALIZERS
            and isinstance(field.value, bytes)
            and _name(field.value, _TENSOR_NAME) in shapes
            else field
            for field in fields
        ]
        return graph


def _node(kind: bytes, inputs: Sequence[bytes], output: bytes) -> _Field:
    fields = [_Field(_NODE_INPUT, _BYTES, name) for name in inputs]
    fields.append(_Field(_NODE_OUTPUT, _BYTES, output))
    fields.append(_Field(_NODE_TYPE, _BYTES, kind))
    return _Field(_NODES, _BYTES, _message(fields))


def _node_of(node: Node) -> _Field:
    fields = [_Field(_NODE_INPUT, _BYTES, name.encode()) for name in node.inputs]
    fields += [_Field(_NODE_OUTPUT, _BYTES, name.encode()) for name in node.outputs]
    fields.append(_Field(_NODE_TYPE, _BYTES, node.kind.encode()))
    for name, value in node.attributes.items():
        attribute = [_Field(_ATTRIBUTE_NAME, _BYTES, name.encode())]
        if isinstance(value, int):
            kind = _IS_INT
            attribute.append(_Field(_ATTRIBUTE_INT, _VARINT, value))
        elif isinstance(value, str):
            kind = _IS_TEXT
            attribute.append(_Field(_ATTRIBUTE_TEXT, _BYTES, value.encode()))
        else:
            kind = _IS_INTS
            attribute += [_Field(_ATTRIBUTE_INTS, _VARINT, one) for one in value]
        attribute.append(_Field(_ATTRIBUTE_TYPE, _VARINT, kind))
        fields.append(_Field(_NODE_ATTRIBUTE, _BYTES, _message(attribute)))
    return _Field(_NODES, _BYTES, _message(fields))


def _tensor(name: bytes, values: NDArray[np.generic]) -> _Field:
    whole = values.dtype.kind == "i"
    fields = [
        *(_Field(_TENSOR_DIMS, _VARINT, n) for n in values.shape),
        _Field(_TENSOR_TYPE, _VARINT, _INT64 if whole else _FLOAT),
        _Field(_TENSOR_NAME, _BYTES, name),
        _Field(_TENSOR_RAW, _BYTES, values.astype("<i8" if whole else "<f4").tobytes()),
    ]
    return _Field(_INITIALIZERS, _BYTES, _message(fields))


def _dims(tensor: Sequence[_Field]) -> list[int]:
    result: list[int] = []
    for number, _, value in tensor:
        if number != _TENSOR_DIMS:
            continue
        if isinstance(value, int):
            result.append(value)
            continue
        at = 0  # Packed.
        while at < len(value):
            dim, at = _varint(value, at)
            result.append(dim)
    return result


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    dims = [
        _Field(_DIM, _BYTES, _message([_Field(_DIM_PARAM, _BYTES, dim.encode())]))
        if isinstance(dim, str)
        else _Field(_DIM, _BYTES, _message([_Field(1, _VARINT, dim)]))
        for dim in shape
    ]
    tensor = [
        _Field(_ELEMENT, _VARINT, _FLOAT),
        _Field(_TYPE_SHAPE, _BYTES, _message(dims)),
    ]
    kind = _message([_Field(_TYPE_TENSOR, _BYTES, _message(tensor))])
    return _message(
        [
            _Field(_VALUE_NAME, _BYTES, name.encode()),
            _Field(_VALUE_TYPE, _BYTES, kind),
        ]
    )


def _first_free(value: bytes) -> bytes:
    """An input or output, with its first dimension left open."""

    def inside(message: bytes, path: Sequence[int]) -> bytes:
        fields = list(_fields(message))
        for i, field in enumerate(fields):
            if field.number == path[0] and isinstance(field.value, bytes):
                new = (
                    inside(field.value, path[1:])
                    if len(path) > 1
                    else _message([_Field(_DIM_PARAM, _BYTES, b"many")])
                )
                fields[i] = field._replace(value=new)
                break
        return _message(fields)

    return inside(value, (_VALUE_TYPE, _TYPE_TENSOR, _TYPE_SHAPE, _DIM))


def _keeping_zero(part: _Field) -> _Field:
    """Of a Reshape: 0 in a shape means the dimension that is there."""
    if part.number == _NODE_ATTRIBUTE and isinstance(part.value, bytes):
        fields = list(_fields(part.value))
        if b"allowzero" in _bytes(fields, _ATTRIBUTE_NAME):
            fields = [
                field._replace(value=0) if field.number == _ATTRIBUTE_INT else field
                for field in fields
            ]
            return part._replace(value=_message(fields))
    return part


def _first_kept(tensor: bytes) -> bytes:
    """The shape of a Reshape that began with 1: with the dimension that is there."""
    fields = list(_fields(tensor))
    for i, field in enumerate(fields):
        if field.number == _TENSOR_RAW and isinstance(field.value, bytes):
            shape: NDArray[np.int64] = np.frombuffer(field.value, "<i8").copy()
            if shape[0] == 1:
                shape[0] = 0
            fields[i] = field._replace(value=shape.tobytes())
    return _message(fields)
