import numpy as np
import pytest
from PIL import Image

from drmn.data.sprites.drawing import IMAGE_SIZE, draw_sprite
from drmn.data.sprites.shapes import Pen, body_outline, curve, pattern_mask, polygon, texture_light
from drmn.data.sprites.species import OPTIONS, all_species

SIDE = 96
V, U = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]


def test_pictures_are_small_colourful_and_reproducible() -> None:
    for species in all_species(0)[::8]:
        picture = np.asarray(draw_sprite(species, np.random.default_rng(1)))
        again = np.asarray(draw_sprite(species, np.random.default_rng(1)))
        other = np.asarray(draw_sprite(species, np.random.default_rng(2)))
        assert picture.shape == (IMAGE_SIZE, IMAGE_SIZE, 3)
        assert picture.std() > 15
        np.testing.assert_array_equal(picture, again)
        assert (picture != other).mean() > 0.5


def test_patterns_differ_in_what_they_cover() -> None:
    covers = {name: pattern_mask(name, U, V, 0.0) for name in OPTIONS["pattern"]}
    assert not covers["plain"].any()
    for name in ("striped", "spotted", "checkered"):
        assert 0.15 < covers[name].mean() < 0.6
    assert (covers["striped"] == covers["striped"][:, :1]).all()


def test_textures_are_fine_or_smooth() -> None:
    rng = np.random.default_rng(0)
    roughness = {
        name: np.abs(np.diff(texture_light(name, U, V, rng), axis=1)).mean()
        for name in OPTIONS["texture"]
    }
    assert roughness["glossy"] < 0.2 * min(roughness["furry"], roughness["scaly"])


@pytest.mark.parametrize("shape", OPTIONS["shape"])
def test_bodies_have_a_radius_about_one(shape: str) -> None:
    outline = body_outline(shape, np.zeros(60))
    assert outline.shape == (60, 2)
    assert 0.5 < np.abs(outline).max(axis=0).min() <= np.abs(outline).max() < 1.35


def test_pen_turns_scales_and_mirrors() -> None:
    pen = Pen(image=Image.new("RGB", (9, 9)), centre=(4, 5), scale=2.0, angle=np.pi / 2, mirror=-1)
    (x, y), *_ = pen.points(polygon((1.0, 0.0)))
    assert (x, y) == pytest.approx((4.0, 3.0))
    path = curve([(0, 0), (1, 2), (2, 0)], n=3)
    np.testing.assert_allclose(path, [[0, 0], [1, 1], [2, 0]])
