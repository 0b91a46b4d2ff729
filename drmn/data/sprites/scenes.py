"""What stands around a sprite: habitats, plants, and clutter that wears the same colours."""

import colorsys

import numpy as np
from PIL import Image

from drmn.data.sprites.shapes import Colour, Outline, Pen, curve, ellipse, polygon, star

_SKY_AND_GROUND: dict[str, tuple[Colour, Colour]] = {
    "meadow": ((190, 224, 238), (118, 172, 92)),
    "desert": ((250, 226, 186), (224, 178, 112)),
    "night": ((30, 34, 78), (62, 62, 104)),
    "sea": ((140, 210, 224), (36, 112, 150)),
}
BODY_COLOURS: dict[str, Colour] = {
    "red": (208, 62, 58),
    "orange": (242, 152, 48),
    "green": (92, 170, 84),
    "blue": (62, 120, 204),
    "violet": (146, 92, 186),
    "cream": (236, 220, 188),
}


def shade(colour: Colour, factor: float) -> Colour:
    """Darker below 1, lighter above (towards white)."""
    if factor <= 1.0:
        return tuple(int(c * factor) for c in colour)  # type: ignore[return-value]
    share = min(factor - 1.0, 1.0)
    return tuple(int(c + (255 - c) * share) for c in colour)  # type: ignore[return-value]


def shift_hue(colour: Colour, turn: float, gain: float = 1.0) -> Colour:
    """Hue turned by a share of the circle, brightness multiplied."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(c / 255 for c in colour))
    rgb = colorsys.hsv_to_rgb((hue + turn) % 1.0, saturation, min(1.0, value * gain))
    return tuple(round(255 * c) for c in rgb)  # type: ignore[return-value]


def draw_background(
    habitat: str, tint: float, plant: int, size: int, rng: np.random.Generator
) -> Image.Image:
    """Sky, ground, plants and clutter behind the sprite; ``size`` pixels square."""
    hue = 0.07 * tint + rng.normal(0.0, 0.02)
    sky, ground = (shift_hue(c, hue, rng.uniform(0.85, 1.1)) for c in _SKY_AND_GROUND[habitat])
    horizon = rng.uniform(0.35, 0.65)
    image = _gradient(sky, ground, horizon, size, rng)
    pen = Pen(image=image, centre=(0.0, 0.0), scale=size)
    _draw_habitat(pen, habitat, ground, horizon, rng)
    if rng.random() < 0.65:
        for _ in range(int(rng.integers(1, 4))):
            _draw_plant(pen, plant, horizon, shift_hue(ground, 0.12 * tint + 0.06), rng)
    for _ in range(int(rng.integers(3, 7))):
        _draw_clutter(pen, rng)
    return image


def draw_foreground(image: Image.Image, ground: str, rng: np.random.Generator) -> None:
    """Blades and pebbles that hide a bit of the sprite."""
    pen = Pen(image=image, centre=(0.0, 0.0), scale=image.width)
    colour = shade(_SKY_AND_GROUND[ground][1], 0.7)
    for _ in range(int(rng.integers(2, 6))):
        x, height = rng.uniform(0.0, 1.0), rng.uniform(0.08, 0.24)
        tip = x + rng.normal(0.0, 0.05)
        pen.fill(polygon((x - 0.018, 1.0), (tip, 1.0 - height), (x + 0.018, 1.0)), colour)


def _gradient(
    sky: Colour, ground: Colour, horizon: float, size: int, rng: np.random.Generator
) -> Image.Image:
    """Smooth, so it is computed small and enlarged."""
    small = size // 3
    down = np.linspace(0.0, 1.0, small)[:, None, None]
    below = 1.0 / (1.0 + np.exp(-(down - horizon) / 0.02))
    colours = (1 - below) * np.array(sky) + below * np.array(ground) * (1.15 - 0.35 * down)
    coarse = Image.fromarray(rng.normal(0.0, 1.0, (7, 7)).astype(np.float32))
    mottle = np.asarray(coarse.resize((small, small), Image.Resampling.BICUBIC))[:, :, None]
    pixels = np.clip(colours * (1.0 + 0.06 * mottle), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR)


def _draw_habitat(
    pen: Pen, habitat: str, ground: Colour, horizon: float, rng: np.random.Generator
) -> None:
    for _ in range(12):
        x, y = rng.uniform(0, 1), rng.uniform(horizon, 1)
        if habitat == "meadow":
            tip = (x + rng.normal(0, 0.02), y - 0.06)
            pen.fill(polygon((x - 0.01, y), tip, (x + 0.01, y)), shade(ground, 0.8))
        elif habitat == "desert":
            dune = curve([(x - 0.16, y), (x, y - 0.06), (x + 0.16, y)])
            pen.stroke(dune, shade(ground, 0.86), 0.012)
        elif habitat == "night":
            sky = rng.uniform(0, horizon)
            pen.fill(star(x, sky, rng.uniform(0.008, 0.022), tips=4), (246, 240, 190))
        else:
            wave = [(x - 0.08, y), (x - 0.03, y - 0.04), (x + 0.03, y + 0.04), (x + 0.08, y)]
            pen.stroke(curve(wave), shade(ground, 1.35), 0.014)


def _draw_plant(
    pen: Pen, plant: int, horizon: float, colour: Colour, rng: np.random.Generator
) -> None:
    x, y, height = rng.uniform(0, 1), rng.uniform(horizon, 1), rng.uniform(0.18, 0.34)
    dark = shade(colour, 0.6)
    pen.stroke(polygon((x, y), (x, y - 0.7 * height)), dark, 0.02)
    crown: dict[int, list[Outline]] = {
        0: [ellipse(x, y - height, 0.3 * height, 0.42 * height)],
        1: [
            polygon(
                (x - 0.3 * height, y - 0.4 * height),
                (x, y - 1.4 * height),
                (x + 0.3 * height, y - 0.4 * height),
            )
        ],
        2: [
            ellipse(x + dx * height, y - 0.75 * height, 0.08 * height, 0.34 * height, dx * 1.6)
            for dx in (-0.3, 0.0, 0.3)
        ],
        3: [ellipse(x, y - 0.75 * height, 0.42 * height, 0.2 * height)],
    }
    for outline in crown[plant]:
        pen.fill(outline, colour, None)


def _draw_clutter(pen: Pen, rng: np.random.Generator) -> None:
    """A pebble or leaf in a body colour, so that colour alone does not tell the species."""
    name = list(BODY_COLOURS)[int(rng.integers(len(BODY_COLOURS)))]
    colour = shift_hue(BODY_COLOURS[name], rng.normal(0, 0.02), rng.uniform(0.6, 1.0))
    x, y, size = rng.uniform(0, 1), rng.uniform(0.25, 1), rng.uniform(0.025, 0.075)
    turn = rng.uniform(0, np.pi)
    pen.fill(ellipse(x, y, size, size * rng.uniform(0.5, 1.0), turn, n=14), colour)
    if rng.random() < 0.5:
        for step in (-0.5, 0.0, 0.5):
            mid = step * size
            bar = [(x + mid - 0.3 * size, y - 0.6 * size), (x + mid + 0.3 * size, y + 0.6 * size)]
            pen.stroke(polygon(*bar), shade(colour, 0.6), 0.2 * size)
