"""Outlines, patterns and textures from which sprites are drawn.

Outlines are polygons [n, 2] in units of the body's radius, y downwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Outline = Float64[np.ndarray, "n 2"]
Light = Float64[np.ndarray, "H W"]


@dataclass(frozen=True, kw_only=True)
class Pen:
    """Draws in a turned, scaled and perhaps mirrored frame; lengths are in body radii."""

    image: Image.Image
    centre: tuple[float, float]  # pixels
    scale: float  # pixels per unit
    angle: float = 0.0  # radians
    mirror: float = 1.0  # -1: left and right change places
    _draw: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_draw", ImageDraw.Draw(self.image))

    def points(self, outline: Outline) -> list[tuple[float, float]]:
        """Pixel positions of an outline."""
        x, y = outline[:, 0] * self.mirror, outline[:, 1]
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        across = self.centre[0] + self.scale * (cos * x - sin * y)
        down = self.centre[1] + self.scale * (sin * x + cos * y)
        return list(zip(across.tolist(), down.tolist(), strict=True))

    def fill(self, outline: Outline, colour: Colour, edge: Colour | None = None) -> None:
        """A filled polygon, with a line around it where ``edge`` is given."""
        self._draw.polygon(self.points(outline), fill=colour)
        if edge is not None:
            self.outline(outline, edge)

    def outline(self, outline: Outline, colour: Colour) -> None:
        """A closed line around a polygon."""
        points = self.points(outline)
        width = max(2, round(0.09 * self.scale))
        self._draw.line([*points, *points[:2]], colour, width, joint="curve")

    def stroke(self, path: Outline, colour: Colour, width: float) -> None:
        """An open line of a width given in units."""
        pixels = max(1, round(width * self.scale))
        self._draw.line(self.points(path), colour, pixels, joint="curve")


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0, n: int = 28) -> Outline:
    """An ellipse about (x, y), turned by ``turn`` radians."""
    t = np.linspace(0.0, 2 * np.pi, n, endpoint=False)
    across, down = rx * np.cos(t), ry * np.sin(t)
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack([x + cos * across - sin * down, y + sin * across + cos * down], axis=1)


def polygon(*corners: tuple[float, float]) -> Outline:
    """Straight-edged outline through the corners."""
    return np.array(corners, dtype=np.float64)


def curve(corners: Sequence[tuple[float, float]], n: int = 14) -> Outline:
    """A Bezier curve with these control points."""
    points = np.array(corners, dtype=np.float64)[None].repeat(n, axis=0)
    t = np.linspace(0.0, 1.0, n)[:, None, None]
    while points.shape[1] > 1:
        points = (1 - t) * points[:, :-1] + t * points[:, 1:]
    return points[:, 0]


def star(x: float, y: float, radius: float, turn: float = 0.0, tips: int = 5) -> Outline:
    """A star about (x, y)."""
    t = turn + np.arange(2 * tips) * np.pi / tips - np.pi / 2
    r = np.where(np.arange(2 * tips) % 2 == 0, radius, 0.45 * radius)
    return np.stack([x + r * np.cos(t), y + r * np.sin(t)], axis=1)


def body_outline(shape: str, fuzz: Float64[np.ndarray, " n"]) -> Outline:
    """The body of radius about 1; ``fuzz`` (relative, one per corner) ruffles it."""
    t = np.linspace(0.0, 2 * np.pi, len(fuzz), endpoint=False)
    width, height, power = {
        "round": (1.0, 1.0, 2.0),
        "square": (0.93, 0.9, 7.0),
        "long": (0.68, 1.3, 2.6),
        "pointed": (1.08, 1.12, 2.0),
    }[shape]
    cos, sin = np.cos(t), np.sin(t)
    x = width * np.sign(cos) * np.abs(cos) ** (2 / power)
    y = height * np.sign(sin) * np.abs(sin) ** (2 / power)
    if shape == "pointed":
        x *= 0.5 + 0.5 * np.clip((y / height + 1) / 1.5, 0.0, 1.0) ** 0.8
        x *= np.clip(1.25 * (y / height + 1), 0.0, 1.0)
    return np.stack([x, y], axis=1) * (1.0 + fuzz[:, None])


def pattern_mask(
    pattern: str, u: Float64[np.ndarray, "H W"], v: Float64[np.ndarray, "H W"], turn: float
) -> Bool[np.ndarray, "H W"]:
    """Where the pattern's second colour lies; u and v are in body radii."""
    cos, sin = np.cos(turn), np.sin(turn)
    across, down = cos * u - sin * v, sin * u + cos * v
    if pattern == "striped":
        wave = np.sin(11.0 * down) - 0.1
    elif pattern == "checkered":
        wave = np.sin(8.0 * across) * np.sin(8.0 * down)
    elif pattern == "spotted":
        row = np.round(down / 0.42)
        offset = across - 0.22 * (row % 2)
        near_x = offset - 0.46 * np.round(offset / 0.46)
        wave = 0.135**2 - near_x**2 - (down - 0.42 * row) ** 2
    else:
        wave = np.full(u.shape, -1.0)
    mask: Bool[np.ndarray, "H W"] = wave > 0.0
    return mask


def texture_light(
    texture: str,
    u: Float64[np.ndarray, "H W"],
    v: Float64[np.ndarray, "H W"],
    rng: np.random.Generator,
) -> Float64[np.ndarray, "H W"]:
    """How much lighter each point is (about -0.3..0.5) for the surface it has."""
    if texture == "furry":
        hair: Light = rng.normal(0.0, 1.0, u.shape)
        hair = hair + np.roll(hair, 1, axis=0) + np.roll(hair, 2, axis=0) + np.roll(hair, 3, axis=0)
        return 0.11 * hair
    if texture == "scaly":
        row = np.floor(v / 0.17)
        x = u + 0.13 * (row % 2)
        x = x - 0.26 * np.round(x / 0.26)
        rim = np.hypot(x / 0.13, (v - 0.17 * row) / 0.17)
        return np.where(rim > 0.85, -0.3, 0.14 * (0.85 - rim))
    distance = ((u + 0.35) / 0.42) ** 2 + ((v + 0.45) / 0.26) ** 2
    light: Light = 0.75 * np.exp(-(distance**2)) - 0.1 * np.clip(v, 0.0, 1.0)
    return light
