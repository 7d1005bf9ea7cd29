"""Files of weights, read without running what is in them.

| format | reader | what may be in it |
|---|---|---|
| .pth of PyTorch before 1.6, a stream of pickles | `torch_state` | tensors by name, nothing else |
| .safetensors | `safetensors_state` | tensors by name |

A pickle names functions that its reader calls. Here it may name three kinds, none of which runs
anything: an ordered dictionary, a storage type, and the constructor of a tensor.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Shaped

from ntval.errors import DataError, first_line

State = dict[str, Shaped[np.ndarray, "..."]]

# First pickles of the old format.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001

_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


def torch_state(path: str | Path) -> State:
    """Tensors of an old .pth file by name, as arrays of their own precision.

    Raises: `DataError` for a file that is missing, cut off, no such file, or whose pickle names
    anything but tensors.
    """
    return _read(path, "a .pth file of tensors alone, as torch.save wrote before 1.6", _torch)


def safetensors_state(path: str | Path) -> State:
    """Tensors of a .safetensors file by name.

    Raises: `DataError` for a file that is missing, cut off or no such file.
    """
    from safetensors.numpy import load_file

    return _read(path, "a .safetensors file", lambda path: dict(load_file(path)))


def require_shapes(name: str, state: State, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse weights that are not those of an architecture; further ones may be there.

    Raises: `DataError` naming the first tensor that is missing, of another shape, or not finite.
    """
    for tensor, shape in shapes.items():
        if tensor not in state:
            raise DataError(
                f"{name} needs a tensor {tensor!r} of shape {shape}, got none among "
                f"{len(state)}; read the weights of that architecture."
            )
        if state[tensor].shape != shape:
            raise DataError(
                f"{name} needs {tensor!r} of shape {shape}, got {state[tensor].shape}; read the "
                "weights of that architecture."
            )
        if not np.isfinite(state[tensor]).all():
            raise DataError(f"{name} needs finite numbers in {tensor!r}; fetch the file anew.")


def _read(path: str | Path, wanted: str, reader: Any) -> State:
    path = Path(path)
    try:
        return reader(path)
    except Exception as error:  # whatever a reader finds wrong with a foreign file
        reason = getattr(error, "strerror", None) or first_line(error) or type(error).__name__
        raise DataError(
            f"weights needs {wanted}, got {str(path)!r} ({reason}); fetch the file anew."
        ) from None


def _torch(path: Path) -> State:
    with path.open("rb") as file:
        head = [_Reader(file).load() for _ in range(3)]
        if head[:2] != [_MAGIC, _PROTOCOL] or not head[2].get("little_endian", False):
            raise ValueError("its first words are others")
        reader = _Reader(file)
        state = reader.load()
        keys = _Reader(file).load()
        data = {}
        for key in keys:
            dtype, size = reader.storages[key]
            count = int.from_bytes(_exactly(file, 8), "little", signed=True)
            if count != size:
                raise ValueError(f"a tensor of {size} numbers is stored with {count}")
            data[key] = np.frombuffer(_exactly(file, size * dtype.itemsize), dtype)
    if not isinstance(state, dict):
        raise ValueError(f"it holds a {type(state).__name__}, not tensors by name")
    return {str(name): _array(tensor, data) for name, tensor in state.items()}


def _exactly(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise ValueError("its end is missing: the file was cut off")
    return content


def _array(tensor: Any, data: dict[str, np.ndarray]) -> np.ndarray:
    """A tensor's numbers, copied out of its storage."""
    if not isinstance(tensor, _Tensor):
        raise ValueError(f"it holds a {type(tensor).__name__} among tensors")
    flat, size = (
        data[tensor.key],
        1 + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.steps, strict=True)),
    )
    empty = 0 in tensor.shape
    negative = min((tensor.start, *tensor.shape, *tensor.steps), default=0) < 0
    if negative or (not empty and tensor.start + size > len(flat)):
        raise ValueError("a tensor reaches beyond its storage")
    if empty:
        return np.empty(tensor.shape, flat.dtype)
    strides = tuple(step * flat.itemsize for step in tensor.steps)
    view = np.lib.stride_tricks.as_strided(flat[tensor.start :], tensor.shape, strides)
    return view.copy()


class _Tensor:
    """Where a tensor lies in its storage."""

    def __init__(self, storage: str, start: int, shape: tuple, steps: tuple, *ignored: Any) -> None:
        self.key, self.start, self.shape, self.steps = storage, start, tuple(shape), tuple(steps)


class _Reader(pickle.Unpickler):
    """An unpickler that knows tensors and ordered dictionaries, and refuses every other name."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, tuple[np.dtype, int]] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        """What a name of the pickle stands for."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return np.dtype(_STORAGES[name])
        raise pickle.UnpicklingError(f"its pickle names {module}.{name}, which is never loaded")

    def persistent_load(self, pid: Any, /) -> str:
        """The key of a storage, whose type and size are noted."""
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage"):
            raise pickle.UnpicklingError("its pickle refers to what is no storage")
        _, dtype, key, _, size = pid[:5]
        if not (isinstance(dtype, np.dtype) and isinstance(size, int) and size >= 0):
            raise pickle.UnpicklingError("its pickle has a storage without a type and a size")
        self.storages[str(key)] = (dtype, size)
        return str(key)
