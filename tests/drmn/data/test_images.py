import multiprocessing
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from drmn.data import image_files
from drmn.data.dataset import Dataset, load_dataset
from drmn.data.image_files import ImageFolder, ImageZip
from drmn.data.images import ImageSource, images, missing_images
from drmn.errors import DataError

Draw = Callable[[Any], object]


def red(source: ImageSource, tail: str) -> int:
    return int(np.asarray(source.open_image(tail))[0, 0, 0])


def check_all(dataset: Dataset, source: ImageSource) -> None:
    assert missing_images(dataset, source) == []
    assert [red(source, tail) for tail in dataset.image_paths] == [8 * row for row in range(30)]


@pytest.mark.parametrize("folder", ["images", "JPEGImages", "TINY/images", "anything/at/all", "."])
def test_pictures_are_found_below_any_folder(layout: Any, folder: str) -> None:
    layout.draw(folder)
    dataset = load_dataset("tiny", layout.write())
    check_all(dataset, images(dataset))


@pytest.mark.parametrize("prefix", ["", "images/", "TINY/images/", "x/JPEGImages/"])
def test_pictures_are_found_in_a_zip(layout: Any, prefix: str) -> None:
    layout.pack(prefix)
    dataset = load_dataset("tiny", layout.write())
    source = images(dataset)
    assert isinstance(source, ImageZip)
    check_all(dataset, source)


@pytest.mark.parametrize("draw", [lambda layout: layout.draw(), lambda layout: layout.pack()])
def test_sources_serve_threads_and_processes(layout: Any, draw: Draw) -> None:
    draw(layout)
    dataset = load_dataset("tiny", layout.write())
    source = images(dataset)
    tails = dataset.image_paths
    expected = [red(source, tail) for tail in tails]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(red, [source] * len(tails), tails)) == expected
    with multiprocessing.get_context("fork").Pool(2) as forked:
        assert forked.starmap(red, [(source, tail) for tail in tails]) == expected


def test_missing_pictures_are_counted_and_named(layout: Any) -> None:
    layout.draw()
    for row in (2, 7, 8):
        (layout.root / "images" / layout.tails[row]).unlink()
    dataset = load_dataset("tiny", layout.write())
    source = images(dataset)
    assert missing_images(dataset, source) == [2, 7, 8]
    with pytest.raises(DataError, match=r"no image 'class_1/2\.png' \(row 2\)"):
        source.open_image("class_1/2.png")
    with pytest.raises(DataError, match=r"no image 'class_9/2\.png'"):
        source.open_image("class_9/2.png")


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:50])


def write_text(file: Path) -> None:
    file.write_text("<html>not found</html>")


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flip_bytes(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[45:49] = b"\0\0\0\0"
    file.write_bytes(data)


def bomb(file: Path) -> None:
    Image.new("1", (20_000, 10_000)).save(file, "PNG")


@pytest.mark.parametrize("damage", [truncate, write_text, empty, flip_bytes])
@pytest.mark.parametrize("zipped", [False, True])
def test_broken_pictures_are_named(
    layout: Any, damage: Callable[[Path], None], zipped: bool
) -> None:
    layout.draw()
    damage(layout.root / "images" / layout.tails[7])
    if zipped:
        with zipfile.ZipFile(layout.root / "images.zip", "w") as archive:
            for tail in layout.tails:
                archive.write(layout.root / "images" / tail, tail)
    dataset = load_dataset("tiny", layout.write())
    source = images(dataset)
    assert red(source, layout.tails[6]) == 48
    with pytest.raises(DataError, match=r"class_2/2\.png' \(row 7\) is broken"):
        source.open_image(layout.tails[7])


def test_decompression_bombs_are_refused(layout: Any) -> None:
    layout.draw()
    bomb(layout.root / "images" / layout.tails[7])
    dataset = load_dataset("tiny", layout.write())
    with pytest.raises(DataError, match=r"\(row 7\) is broken: .*pixels"):
        images(dataset).open_image(layout.tails[7])


def test_oversized_files_are_not_read(layout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    layout.pack()
    monkeypatch.setattr(image_files, "MAX_FILE_BYTES", 10)
    source = images(load_dataset("tiny", layout.write()))
    with pytest.raises(DataError, match=r"\(row 0\) is broken: it has \d+ bytes"):
        source.open_image(layout.tails[0])


@pytest.mark.parametrize("member", ["../evil.png", "images/../../evil.png", "/etc/evil.png"])
def test_zip_members_that_climb_are_refused(layout: Any, member: str) -> None:
    with zipfile.ZipFile(layout.pack(), "a") as archive:
        archive.writestr(member, b"")
    with pytest.raises(DataError, match="leaves the archive"):
        images(load_dataset("tiny", layout.write()))


def test_broken_archives_are_named(layout: Any) -> None:
    archive = layout.pack()
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"images\.zip is not a readable zip archive"):
        images(load_dataset("tiny", layout.write()))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_all_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (3, 2)).save(tmp_path / "a.tif")
    picture = ImageFolder(tmp_path, {"a.tif": 0}).open_image("a.tif")
    assert (picture.mode, picture.size) == ("RGB", (3, 2))


def test_links_are_followed_and_loops_end(layout: Any, tmp_path: Path) -> None:
    layout.draw("../elsewhere")
    layout.root.mkdir(exist_ok=True)
    (layout.root / "images").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(layout.root)
    dataset = load_dataset("tiny", layout.write())
    check_all(dataset, images(dataset))


def test_real_photographs(real_dataset: Callable[[str], Dataset]) -> None:
    dataset = real_dataset("cifar-awa2")
    source = images(dataset)
    assert missing_images(dataset, source) == []
    assert source.open_image(dataset.image_paths[-1]).size == (32, 32)


def _repaint(dataset: Dataset, row: int, size: int) -> None:
    """Another picture under the same name, its file of that many bytes."""
    path = dataset.root / "images" / dataset.image_paths[row]
    Image.new("RGB", (8, 6), (row, 99, 0)).save(path, "PNG")
    path.write_bytes(path.read_bytes().ljust(size, b"\0"))


def test_a_fingerprint_tells_other_pictures_under_the_same_paths(layout: Any) -> None:
    layout.draw()
    dataset = load_dataset("tiny", layout.write())
    before = images(dataset).fingerprint(dataset.image_paths)
    assert images(dataset).fingerprint(dataset.image_paths) == before
    _repaint(dataset, 3, 400)
    after = images(dataset).fingerprint(dataset.image_paths)
    assert after != before
    _repaint(dataset, 4, 400)
    assert images(dataset).fingerprint(dataset.image_paths) not in {before, after}


def test_a_folders_fingerprint_reads_a_sample_of_the_files(
    layout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout.draw()
    dataset = load_dataset("tiny", layout.write())
    monkeypatch.setattr(image_files, "NUM_SAMPLED", 15)
    for row in (6, 7):
        _repaint(dataset, row, 400)
    before = images(dataset).fingerprint(dataset.image_paths)
    _repaint(dataset, 7, 400)
    path = dataset.root / "images" / dataset.image_paths[7]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert images(dataset).fingerprint(dataset.image_paths) == before
    path = dataset.root / "images" / dataset.image_paths[6]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert images(dataset).fingerprint(dataset.image_paths) != before


def test_a_zips_fingerprint_covers_every_byte(layout: Any) -> None:
    archive = layout.pack()
    dataset = load_dataset("tiny", layout.write())
    before = images(dataset).fingerprint(dataset.image_paths)
    with zipfile.ZipFile(archive) as old:
        files = {name: old.read(name) for name in old.namelist()}
    name = sorted(files)[-1]
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    with zipfile.ZipFile(archive, "w") as new:
        for each, data in files.items():
            new.writestr(each, data)
    assert images(dataset).fingerprint(dataset.image_paths) != before
