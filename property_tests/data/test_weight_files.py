"""Files of weights: tensors are read, and nothing in them is run."""

import os
import pickle
import sys
import types
from collections import OrderedDict
from io import BytesIO

import numpy as np
import pytest
from safetensors.numpy import save_file

from ntval.data.weight_files import require_shapes, safetensors_state, torch_state
from ntval.errors import DataError

STATE = {
    "weight": np.arange(6, dtype="<f4").reshape(2, 3),
    "transposed": np.arange(6, dtype="<f8").reshape(2, 3).T,
    "steps": np.array(7, dtype="<i8"),
    "none": np.zeros((0, 3), "<f4"),
}
STORAGES = {"<f4": "FloatStorage", "<f8": "DoubleStorage", "<i8": "LongStorage"}


class Storage:
    def __init__(self, numbers):
        self.numbers = numbers


class Writer(pickle.Pickler):
    """Pickles as PyTorch did before 1.6, with stand-ins for its names."""

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        kind = getattr(sys.modules["torch"], STORAGES[obj.numbers.dtype.str])
        return ("storage", kind, str(id(obj)), "cpu", obj.numbers.size, None)


class Rebuilt:
    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


@pytest.fixture
def torch(monkeypatch):
    """Modules by the names that such a pickle has."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in (*STORAGES.values(), "FooStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def rebuild(*arguments):
        raise AssertionError("a name of the pickle was called")

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


def stream(state, *, magic=0x1950A86A20F9469CFC6C, size=None, start=0):
    """The bytes of a .pth file; transposed arrays share the order of their storage."""
    storages, tree = [], OrderedDict()
    for name, array in state.items():
        if not isinstance(array, np.ndarray):
            tree[name] = array
            continue
        storage = Storage(np.ascontiguousarray(array.T if array.flags.f_contiguous else array))
        steps = tuple(step // array.itemsize for step in array.strides)
        storages.append(storage)
        tree[name] = Rebuilt(storage, start, size or array.shape, steps, False, OrderedDict())
    file = BytesIO()
    for head in (magic, 1001, {"little_endian": True}):
        pickle.dump(head, file, protocol=2)
    Writer(file, protocol=2).dump(tree)
    pickle.dump([str(id(storage)) for storage in storages], file, protocol=2)
    for storage in storages:
        file.write(storage.numbers.size.to_bytes(8, "little") + storage.numbers.tobytes())
    return file.getvalue()


def written(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    return path


def test_tensors_come_back_as_they_were(torch, tmp_path):
    found = torch_state(written(tmp_path, stream(STATE)))
    assert list(found) == list(STATE)
    for name, array in STATE.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)  # to the bit: copies


def test_a_file_that_was_cut_off_anywhere_is_refused_in_one_line(torch, tmp_path):
    content = stream(STATE)
    for length in range(0, len(content), 7):
        with pytest.raises(DataError, match=r"^weights needs a \.pth .*; fetch the file anew\.$"):
            torch_state(written(tmp_path, content[:length]))


class Harm:
    def __reduce__(self):
        return os.system, ("touch harm",)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"a": Harm()}, r"its pickle names \w+\.system, which is never loaded"),
        ({"a": Exception("x")}, "its pickle names builtins.Exception|exceptions.Exception"),
        ({"a": 3.0}, "it holds a float among tensors"),
    ],
)
def test_a_pickle_of_anything_else_is_refused_and_not_run(torch, tmp_path, state, words):
    path = written(tmp_path, stream(state))
    with pytest.raises(DataError, match=words):
        torch_state(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "options", [{"magic": 3}, {"size": (5, 5)}, {"start": 1}, {"start": -1}], ids=str
)
def test_tensors_beyond_their_storage_and_other_formats_are_refused(torch, tmp_path, options):
    with pytest.raises(DataError, match="weights needs"):
        torch_state(written(tmp_path, stream({"a": STATE["weight"]}, **options)))


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"PK\x03\x04", pickle.dumps([1])])
@pytest.mark.parametrize("reader", [torch_state, safetensors_state])
def test_foreign_files_are_refused_in_one_line(tmp_path, reader, content):
    with pytest.raises(DataError) as said:
        reader(written(tmp_path, content))
    assert "\n" not in str(said.value)
    with pytest.raises(DataError, match="No such file"):
        reader(tmp_path / "nowhere")


def test_safetensors_come_back_as_they_were(tmp_path):
    state = {name: np.ascontiguousarray(array) for name, array in STATE.items()}
    path = tmp_path / "a.safetensors"
    save_file(state, path)
    found = safetensors_state(path)
    assert {name: array.tolist() for name, array in found.items()} == {
        name: array.tolist() for name, array in state.items()
    }
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"weights needs a \.safetensors file"):
        safetensors_state(path)


def test_weights_of_another_architecture_are_refused():
    state = {"w": np.ones((2, 3)), "b": np.array([np.nan])}
    require_shapes("net", state, {"w": (2, 3)})
    with pytest.raises(DataError, match=r"'v' of shape \(2,\), got none among 2"):
        require_shapes("net", state, {"v": (2,)})
    with pytest.raises(DataError, match=r"net needs 'w' of shape \(3, 2\), got \(2, 3\)"):
        require_shapes("net", state, {"w": (3, 2)})
    with pytest.raises(DataError, match="finite numbers in 'b'"):
        require_shapes("net", state, {"b": (1,)})
