"""Bytes that nobody wrote on purpose: only DataError, nothing written, nothing half read."""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from drmn.data.dataset import load_dataset
from drmn.data.image_files import ImageZip
from drmn.data.images import images
from drmn.data.layouts.folder import read_folder
from drmn.data.store.arrow_shards import map_shard, write_shard
from drmn.data.store.manifest import Manifest, load_manifest
from drmn.data.store.storage import Storage
from drmn.errors import DataError
from drmn.model.levels import LevelSpec

SPECS = (LevelSpec(3, 2, 2), LevelSpec(5, 1, 1))
_FUZZ = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Places and bytes to put there; a byte of -1 cuts the file off."""
    place = st.integers(0, 10**6)
    return draw(st.lists(st.tuples(place, st.integers(-1, 255)), min_size=1, max_size=6))


def _damaged(data: bytes, damage: list[tuple[int, int]]) -> bytes:
    changed = bytearray(data)
    for place, value in damage:
        if not changed:
            break
        if value < 0:
            del changed[place % len(changed) :]
        else:
            changed[place % len(changed)] = value
    return bytes(changed)


@_FUZZ
@given(damages())
def test_arrow_files(tmp_path: Path, damage: list[tuple[int, int]]) -> None:
    path = tmp_path / "levels.arrow"
    levels = [np.ones((4, *spec.shape), np.float16) for spec in SPECS]
    write_shard(path, levels, {})
    path.write_bytes(_damaged(path.read_bytes(), damage))
    try:
        mapped = map_shard(path, SPECS, 4)
    except DataError as error:
        assert "is damaged" in error.message
    else:
        assert [level.shape for level in mapped] == [level.shape for level in levels]
    assert sorted(tmp_path.iterdir()) == [path]


@_FUZZ
@given(damages())
def test_manifests(tmp_path: Path, damage: list[tuple[int, int]]) -> None:
    Manifest(settings={"a": 1}, levels=SPECS, num_rows=3, rows_per_shard=2).save(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_bytes(_damaged(path.read_bytes(), damage))
    try:
        load_manifest(tmp_path)
    except DataError as error:
        assert "is damaged" in error.message


@_FUZZ
@given(damages())
def test_archives(tmp_path: Path, damage: list[tuple[int, int]]) -> None:
    path = tmp_path / "images.zip"
    Image.new("RGB", (3, 3)).save(tmp_path / "a.png")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "a.png", "images/a.png")
    path.write_bytes(_damaged(path.read_bytes(), damage))
    before = sorted(tmp_path.iterdir())
    try:
        ImageZip(path, {"a.png": 0}).open_image("a.png")
    except DataError as error:
        assert "images.zip" in error.message
    assert sorted(tmp_path.iterdir()) == before


@_FUZZ
@given(st.text(max_size=200))
def test_tables(tmp_path: Path, text: str) -> None:
    (tmp_path / "images" / "cat").mkdir(parents=True, exist_ok=True)
    (tmp_path / "images" / "cat" / "0.jpg").touch()
    encoded = f"class,a\n{text}".encode("utf-8", "surrogatepass")
    (tmp_path / "attributes.csv").write_bytes(encoded)
    with pytest.raises(DataError):
        read_folder(tmp_path)


@_FUZZ
@given(st.text(max_size=30))
def test_file_names(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    try:
        Storage(str(inside)).write(name, b"x")
    except (DataError, ValueError) as error:
        assert isinstance(error, DataError)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [
        path for path in inside.rglob("*") if path.is_file()
    ]


def test_pictures_of_a_hundred_megapixels_are_refused(layout: Any) -> None:
    layout.draw()
    huge = Image.new("1", (10_000, 10_000))
    huge.save(layout.root / "images" / layout.tails[0], "PNG")
    source = images(load_dataset("tiny", layout.write()))
    with pytest.raises(DataError, match="100000000 pixels"):
        source.open_image(layout.tails[0])


def test_names_that_are_no_text_disturb_nothing(layout: Any) -> None:
    layout.draw()
    (layout.root / "images" / "class_1" / os.fsdecode(b"\xff\xfe.png")).write_bytes(b"")
    source = images(load_dataset("tiny", layout.write()))
    assert source.open_image(layout.tails[0]).size == (8, 6)


def test_links_that_lead_nowhere_or_round_in_circles_are_named(layout: Any) -> None:
    layout.draw()
    for row, target in ((0, "nowhere.png"), (1, Path(layout.tails[1]).name)):
        path = layout.root / "images" / layout.tails[row]
        path.unlink()
        path.symlink_to(target)
    source = images(load_dataset("tiny", layout.write()))
    for row in (0, 1):
        with pytest.raises(DataError, match=rf"\(row {row}\) is broken"):
            source.open_image(layout.tails[row])
