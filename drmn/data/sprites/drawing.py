"""One picture of one species: scenery, decoys, parts, light."""

import numpy as np
from PIL import Image

from drmn.data.sprites.body import GROUPS_ON_BODY, draw_body, make_surface
from drmn.data.sprites.parts import (
    Figure,
    draw_carried,
    draw_crown,
    draw_face,
    draw_legs,
    draw_tail,
    draw_wings,
)
from drmn.data.sprites.scenes import draw_background, draw_foreground
from drmn.data.sprites.shapes import Pen
from drmn.data.sprites.species import OPTIONS, Species

IMAGE_SIZE = 64  # pixels
_OVERSAMPLING = 3


def draw_sprite(species: Species, rng: np.random.Generator) -> Image.Image:
    """A 64 x 64 RGB picture; everything random comes from ``rng``."""
    look = species.realise(rng)
    size = IMAGE_SIZE * _OVERSAMPLING
    image = draw_background(look["habitat"], species.tint, species.plant, size, rng)
    for _ in range(int(rng.integers(3))):
        _draw_boulder(image, rng)
    figure = Figure(
        look=look,
        pen=_place(image, rng),
        rng=rng,
        surface=make_surface(look, rng),
    )
    for part in (draw_wings, draw_tail, draw_legs, draw_crown):
        part(figure)
    draw_body(figure.pen, figure.surface, rng)
    draw_face(figure)
    draw_carried(figure)
    draw_foreground(image, look["habitat"], rng)
    return _develop(image, rng)


def _place(image: Image.Image, rng: np.random.Generator) -> Pen:
    """Where the sprite stands, how large, how slanted and which way round."""
    size = image.width
    return Pen(
        image=image,
        centre=(size * rng.uniform(0.26, 0.74), size * rng.uniform(0.34, 0.66)),
        scale=size * rng.uniform(0.13, 0.21),
        angle=float(rng.normal(0.0, 0.16)),
        mirror=-1.0 if rng.random() < 0.5 else 1.0,
    )


def _draw_boulder(image: Image.Image, rng: np.random.Generator) -> None:
    """A small body without face or limbs, in a colour, shape, pattern and texture of its own."""
    size = image.width
    pen = Pen(
        image=image,
        centre=(size * rng.uniform(0.05, 0.95), size * rng.uniform(0.35, 0.98)),
        scale=size * rng.uniform(0.06, 0.11),
        angle=float(rng.uniform(-0.6, 0.6)),
    )
    look = {group: str(rng.choice(OPTIONS[group])) for group in GROUPS_ON_BODY}
    draw_body(pen, make_surface(look, rng), rng)


def _develop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Down to 64 pixels, under changing light."""
    small = np.asarray(image.reduce(_OVERSAMPLING)).astype(np.float64)
    gain, warmth = rng.uniform(0.82, 1.12), rng.normal(0.0, 0.03)
    pixels = small * gain * np.array([1.0 + warmth, 1.0, 1.0 - warmth])
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
