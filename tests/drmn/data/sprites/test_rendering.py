import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drmn.config import ValidationConfig
from drmn.data.dataset import load_dataset
from drmn.data.images import images, missing_images
from drmn.data.splits import test_split, validation_split
from drmn.data.sprites import render_sprites, rendering
from drmn.data.sprites.species import ATTRIBUTES, Species
from drmn.errors import DataError


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pictures per species instead of forty or sixty."""
    monkeypatch.setattr(rendering, "IMAGES_PER_SEEN", 2)
    monkeypatch.setattr(rendering, "IMAGES_PER_UNSEEN", 1)
    monkeypatch.setattr(rendering, "TEST_PER_SEEN", 1)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pictures, and each of one random colour."""

    def draw(_: Species, rng: np.random.Generator) -> Image.Image:
        return Image.new("RGB", (64, 64), tuple(rng.integers(0, 256, 3).tolist()))

    monkeypatch.setattr(rendering, "draw_sprite", draw)


def zip_hash(folder: Path) -> str:
    return hashlib.sha256((folder / "images.zip").read_bytes()).hexdigest()


@pytest.mark.usefixtures("few")
def test_the_common_loader_reads_them(tmp_path: Path) -> None:
    assert render_sprites(tmp_path) == tmp_path / "SPRITES"
    dataset = load_dataset("sprites", tmp_path)
    assert dataset.attributes.shape == (40, len(ATTRIBUTES))
    assert dataset.attribute_names == ATTRIBUTES
    split = test_split(dataset)
    assert (split.seen.sum(), (~split.seen).sum()) == (30, 10)
    source = images(dataset)
    assert missing_images(dataset, source) == []
    assert source.open_image(dataset.image_paths[0]).size == (64, 64)


@pytest.mark.usefixtures("few", "plain")
def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    one = render_sprites(tmp_path / "one", seed=3)
    again = render_sprites(tmp_path / "two", seed=3)
    other = render_sprites(tmp_path / "three", seed=4)
    assert zip_hash(one) == zip_hash(again) != zip_hash(other)
    hashes = [load_dataset("sprites", folder.parent).data_hash for folder in (one, again, other)]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.usefixtures("few", "plain")
def test_a_second_call_draws_nothing(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    render_sprites(tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 70) for done in range(1, 71)]
    render_sprites(tmp_path, progress=lambda *_: pytest.fail("drawn again"))


@pytest.mark.usefixtures("few", "plain")
def test_another_seed_or_version_replaces_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = zip_hash(render_sprites(tmp_path))
    second = zip_hash(render_sprites(tmp_path, seed=1))
    monkeypatch.setattr(rendering, "VERSION", 99)
    third = zip_hash(render_sprites(tmp_path, seed=1))
    assert len({first, second, third}) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["SPRITES"]


class KilledError(BaseException):
    """Stands for a signal: no ``except Exception`` may swallow it."""


@pytest.mark.usefixtures("few", "plain")
def test_a_killed_rendering_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    def kill(done: int, total: int) -> None:
        assert not (tmp_path / "SPRITES").exists()
        if done == total:
            raise KilledError

    with pytest.raises(KilledError):
        render_sprites(tmp_path, progress=kill)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("few", "plain")
def test_whoever_comes_second_keeps_the_first(tmp_path: Path) -> None:
    def overtake(done: int, total: int) -> None:
        if done == total:
            render_sprites(tmp_path)

    folder = render_sprites(tmp_path, progress=overtake)
    assert load_dataset("sprites", tmp_path).root == folder
    assert [path.name for path in tmp_path.iterdir()] == ["SPRITES"]


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "SPRITES").mkdir()
    (tmp_path / "SPRITES" / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match="something else"):
        render_sprites(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        render_sprites(tmp_path / "file")


@pytest.mark.slow
def test_the_full_set_has_its_advertised_size(tmp_path: Path) -> None:
    folder = render_sprites(tmp_path)
    dataset = load_dataset("sprites", tmp_path)
    sizes = [len(rows) for rows in (dataset.trainval, dataset.test_seen, dataset.test_unseen)]
    assert sizes == [30 * 48, 30 * 12, 10 * 40]
    split = validation_split(dataset, ValidationConfig())
    np.testing.assert_array_equal(np.bincount(split.eval_seen.labels)[split.seen], 10)
    with zipfile.ZipFile(folder / "images.zip") as archive:
        assert len({info.CRC for info in archive.infolist()}) == 2200
