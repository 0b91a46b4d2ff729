import struct
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drmn.data.mat5 import MatDamageError, read_variables

NAMES = ("att", "names", "loc")
SHARED_FOLDER = HealthCheck.function_scoped_fixture


def save(path: Path, compress: bool = False, **more: object) -> bytes:
    names = np.empty((5, 1), dtype=object)
    names[:, 0] = [f"class {n}" for n in range(5)]
    variables = {"att": np.arange(12.0).reshape(3, 4), "names": names, "loc": np.arange(9)}
    scipy.io.savemat(path, {**variables, **more}, do_compression=compress)
    return path.read_bytes()


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "u1", "i2", "u2", "i4", "i8"])
def test_numbers_equal_what_was_saved(tmp_path: Path, dtype: str, compress: bool) -> None:
    values = np.arange(12).reshape(3, 4).astype(dtype)
    save(tmp_path / "a.mat", compress, att=values)
    found = read_variables(tmp_path / "a.mat", ["att"])["att"]
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("compress", [False, True])
def test_texts_equal_what_was_saved(tmp_path: Path, compress: bool) -> None:
    save(tmp_path / "a.mat", compress, rows=np.array(["ab", "cd"]), accent="é")
    found = read_variables(tmp_path / "a.mat", ["names", "rows", "accent", "absent"])
    assert found["names"] == [f"class {n}" for n in range(5)]
    assert found["rows"] == ["ab", "cd"]
    assert found["accent"] == ["é"]
    assert set(found) == {"names", "rows", "accent"}


def test_big_endian(tmp_path: Path) -> None:
    flags, dims = struct.pack(">IIII", 6, 8, 6, 0), struct.pack(">IIii", 5, 8, 1, 2)
    numbers = struct.pack(">IIdd", 9, 16, 1.5, -2.0)
    body = flags + dims + struct.pack(">HH4s", 3, 1, b"att\0") + numbers
    data = b"MATLAB 5.0".ljust(124) + struct.pack(">H", 0x0100) + b"MI"
    (tmp_path / "a.mat").write_bytes(data + struct.pack(">II", 14, len(body)) + body)
    found = read_variables(tmp_path / "a.mat", ["att"])["att"]
    np.testing.assert_array_equal(found, [[1.5, -2.0]])


def test_unwanted_variables_are_not_decompressed(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((100, 100))
    data = bytearray(save(tmp_path / "a.mat", compress=True, zz_features=noise))
    data[-5_000] ^= 0xFF
    (tmp_path / "a.mat").write_bytes(data)
    assert set(read_variables(tmp_path / "a.mat", NAMES)) == set(NAMES)
    with pytest.raises(MatDamageError):
        read_variables(tmp_path / "a.mat", ["zz_features"])


@pytest.mark.parametrize("compress", [False, True])
def test_every_truncation_is_noticed(tmp_path: Path, compress: bool) -> None:
    data = save(tmp_path / "a.mat", compress)
    whole = read_variables(tmp_path / "a.mat", NAMES)
    for size in range(0, len(data), 3):
        (tmp_path / "b.mat").write_bytes(data[:size])
        try:
            found = read_variables(tmp_path / "b.mat", NAMES)
        except MatDamageError:
            continue
        assert len(found) < len(whole), f"{size} of {len(data)} bytes passed for the whole"


@settings(max_examples=80, deadline=None, suppress_health_check=[SHARED_FOLDER])
@given(st.data())
def test_garbled_bytes_raise_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(save(tmp_path / "a.mat", data.draw(st.booleans())))
    at = st.integers(0, len(content) - 1)
    for position, value in data.draw(st.lists(st.tuples(at, st.integers(0, 255)), min_size=1)):
        content[position] = value
    (tmp_path / "a.mat").write_bytes(content)
    try:
        read_variables(tmp_path / "a.mat", NAMES)
    except MatDamageError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([1 + 2j]), "neither a real array"),
        ({"a": 1}, "neither a real array"),
        (np.array([[1.0], ["x"]], dtype=object), "row 0"),
    ],
)
def test_unsupported_types_are_named(tmp_path: Path, value: object, message: str) -> None:
    save(tmp_path / "a.mat", att=value)
    with pytest.raises(MatDamageError, match=message):
        read_variables(tmp_path / "a.mat", ["att"])


@pytest.mark.parametrize(
    ("header", "message"),
    [(b"MATLAB 7.3 MAT-file".ljust(600), "7.3"), (b"<html>404 not found".ljust(600), "IM")],
)
def test_other_files_are_named(tmp_path: Path, header: bytes, message: str) -> None:
    (tmp_path / "a.mat").write_bytes(header)
    with pytest.raises(MatDamageError, match=message):
        read_variables(tmp_path / "a.mat", NAMES)


@pytest.mark.parametrize(
    "dataset", ["CUB", "SUN", "CIFAR_AWA2", pytest.param("AWA2", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("file", ["att_splits.mat", "res101.mat"])
def test_real_files_agree_with_scipy(shared_data: Path, dataset: str, file: str) -> None:
    path = shared_data / "xlsa17" / dataset / file
    expected = {k: v for k, v in scipy.io.loadmat(path).items() if not k.startswith("__")}
    found = read_variables(path, list(expected))
    assert set(found) == set(expected)
    for name, value in expected.items():
        if value.dtype == object:
            assert found[name] == [str(cell[0]) for cell in value.ravel()]
        else:
            np.testing.assert_array_equal(found[name], value)
