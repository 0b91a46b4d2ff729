"""A patterned, textured body: five groups of attributes on one region.

The same surfaces also cover boulders, which lie about as decoys: only what bears a face counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from PIL import Image, ImageDraw

from drmn.data.sprites.scenes import BODY_COLOURS, shade, shift_hue
from drmn.data.sprites.shapes import Colour, Pen, body_outline, pattern_mask, texture_light

GROUPS_ON_BODY = ("colour", "shape", "pattern", "texture")


@dataclass(frozen=True, kw_only=True)
class Surface:
    """What a body looks like, settled for one picture; the outline is in body radii."""

    colour: Colour
    edge: Colour
    outline: Float64[np.ndarray, "n 2"]
    pattern: str
    texture: str


def make_surface(look: Mapping[str, str], rng: np.random.Generator) -> Surface:
    """A body of these attributes with this picture's own shade and ruffles."""
    hue, gain = rng.normal(0.0, 0.012), rng.uniform(0.85, 1.06)
    skin = shift_hue(BODY_COLOURS[look["colour"]], hue, gain)
    fuzz = rng.normal(0.0, 0.035 if look["texture"] == "furry" else 0.0, 72)
    return Surface(
        colour=skin,
        edge=shade(skin, 0.38),
        outline=body_outline(look["shape"], fuzz),
        pattern=look["pattern"],
        texture=look["texture"],
    )


def draw_body(pen: Pen, surface: Surface, rng: np.random.Generator) -> None:
    """Shape by the mask, colour and pattern by area, texture by light."""
    points = pen.points(surface.outline)
    left, upper = (int(min(p[axis] for p in points)) - 2 for axis in (0, 1))
    right, lower = (int(max(p[axis] for p in points)) + 3 for axis in (0, 1))
    stencil = Image.new("L", (right - left, lower - upper))
    ImageDraw.Draw(stencil).polygon([(x - left, y - upper) for x, y in points], fill=255)
    skin = _skin(surface, *_body_coordinates(pen, left, upper, right, lower), rng)
    pen.image.paste(skin, (left, upper), stencil)
    pen.outline(surface.outline, surface.edge)


def _skin(
    surface: Surface,
    u: Float64[np.ndarray, "H W"],
    v: Float64[np.ndarray, "H W"],
    rng: np.random.Generator,
) -> Image.Image:
    """Two colours by the pattern, darkened or lightened by texture and a light from above."""
    second = shade(surface.colour, 0.5 if sum(surface.colour) > 300 else 1.55)
    mask = pattern_mask(surface.pattern, u, v, rng.normal(0.0, 0.3))
    pixels = np.where(mask[:, :, None], np.array(second), np.array(surface.colour))
    light = texture_light(surface.texture, u, v, rng) + 0.12 * (-v - 0.4 * u)
    pixels = pixels * (1.0 + np.minimum(light, 0.0))[:, :, None]
    pixels += (255.0 - pixels) * np.clip(light, 0.0, 1.0)[:, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _body_coordinates(
    pen: Pen, left: int, upper: int, right: int, lower: int
) -> tuple[Float64[np.ndarray, "H W"], Float64[np.ndarray, "H W"]]:
    """Each pixel's position in body radii (the inverse of Pen.points)."""
    y, x = np.mgrid[upper:lower, left:right].astype(np.float64)
    x, y = (x - pen.centre[0]) / pen.scale, (y - pen.centre[1]) / pen.scale
    cos, sin = np.cos(pen.angle), np.sin(pen.angle)
    return pen.mirror * (cos * x + sin * y), cos * y - sin * x
