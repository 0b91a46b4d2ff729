"""One picture of one species: place, parts, light."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from PIL import Image, ImageDraw

from drmn.data.sprite_scenes import (
    BODY_COLOURS,
    draw_background,
    draw_foreground,
    shade,
    shift_hue,
)
from drmn.data.sprite_shapes import (
    Colour,
    Outline,
    Pen,
    body_outline,
    curve,
    ellipse,
    pattern_mask,
    polygon,
    star,
    texture_light,
)
from drmn.data.sprite_species import Species

IMAGE_SIZE = 64  # pixels
_OVERSAMPLING = 3

Look = dict[str, str | None]


@dataclass(frozen=True, kw_only=True)
class _Figure:
    """The sprite being drawn: its look, its frame on the canvas and this picture's colours."""

    look: Look
    pen: Pen
    rng: np.random.Generator
    colour: Colour
    edge: Colour
    outline: Outline

    def size(self) -> float:
        """Prominence of a part: how large it is drawn this time."""
        return float(self.rng.uniform(0.8, 1.2))


def draw_sprite(species: Species, rng: np.random.Generator) -> Image.Image:
    """A 64 x 64 RGB picture; everything random comes from ``rng``."""
    look = species.realise(rng)
    size = IMAGE_SIZE * _OVERSAMPLING
    habitat = look["habitat"]
    assert habitat is not None
    image = draw_background(habitat, species.tint, species.plant, size, rng)
    figure = _figure(look, image, rng)
    for part in (_wings, _tail, _legs, _crown, _body, _face, _carried):
        part(figure)
    draw_foreground(image, habitat, rng)
    return _develop(image, rng)


def _figure(look: Look, image: Image.Image, rng: np.random.Generator) -> _Figure:
    size = image.width
    name = look["colour"]
    assert name is not None and look["shape"] is not None
    colour = shift_hue(BODY_COLOURS[name], rng.normal(0.0, 0.012), rng.uniform(0.88, 1.06))
    fuzz = rng.normal(0.0, 0.035 if look["texture"] == "furry" else 0.0, 72)
    pen = Pen(
        image=image,
        centre=(size * rng.uniform(0.33, 0.67), size * rng.uniform(0.38, 0.62)),
        scale=size * rng.uniform(0.17, 0.235),
        angle=float(rng.normal(0.0, 0.16)),
        mirror=-1.0 if rng.random() < 0.5 else 1.0,
    )
    outline = body_outline(look["shape"], fuzz)
    return _Figure(
        look=look, pen=pen, rng=rng, colour=colour, edge=shade(colour, 0.38), outline=outline
    )


def _wings(figure: _Figure) -> None:
    lift, size = figure.rng.uniform(-0.5, 0.3), figure.size()
    for side in (-1.0, 1.0):
        if figure.look["wings"] == "feathered wings":
            for index in range(3):
                turn = side * (lift - 0.35 + 0.42 * index)
                x, y = side * (1.25 - 0.12 * index) * size, -0.35 + 0.3 * index + 0.5 * lift
                feather = ellipse(x, y, 0.62 * size, 0.2 * size, turn)
                figure.pen.fill(feather, (246, 244, 236), (150, 150, 160))
        elif figure.look["wings"] == "bat wings":
            tips = [(0.5, -0.2), (1.1, -1.1), (2.0, -0.7), (1.65, -0.35), (1.75, 0.1)]
            tips += [(1.3, -0.1), (1.2, 0.45), (0.8, 0.15)]
            wing = np.array([(side * x * size, (y + 0.4 * lift) * size) for x, y in tips])
            figure.pen.fill(wing, (84, 66, 92), (40, 30, 48))


def _tail(figure: _Figure) -> None:
    sway, size = figure.rng.uniform(-0.4, 0.4), figure.size()
    if figure.look["tail"] == "long tail":
        path = curve([(0.4, 0.6), (1.5, 1.0 + sway), (1.3, -0.3), (2.0 * size, -0.7 + sway)])
        figure.pen.stroke(path, figure.edge, 0.3)
        figure.pen.stroke(path, figure.colour, 0.17)
    elif figure.look["tail"] == "bushy tail":
        brush = ellipse(1.2, 0.15 + 0.5 * sway, 0.75 * size, 0.42 * size, -0.7 + sway)
        brush += figure.rng.normal(0.0, 0.03, brush.shape)
        figure.pen.fill(brush, figure.colour, figure.edge)
        tip = ellipse(1.5, -0.15 + 0.5 * sway, 0.32 * size, 0.24 * size, -0.7 + sway)
        figure.pen.fill(tip, (248, 240, 226))


def _legs(figure: _Figure) -> None:
    size, stride = figure.size(), figure.rng.normal(0.0, 0.12)
    bottom = float(figure.outline[:, 1].max())
    if figure.look["legs"] == "many legs":
        spread, reach, width = np.linspace(-0.95, 0.95, 6), 0.45 * size, 0.13
    elif figure.look["legs"] == "long legs":
        spread, reach, width = np.array([-0.35, 0.35]), 0.95 * size, 0.17
    else:
        spread, reach, width = np.array([-0.4, 0.4]), 0.22 * size, 0.3
    for x in spread * min(1.0, float(figure.outline[:, 0].max()) + 0.1):
        foot = (x * 1.15 + stride, bottom - 0.1 + reach)
        leg = polygon((x, bottom - 0.5), (x * 1.1, bottom - 0.1 + 0.5 * reach), foot)
        figure.pen.stroke(leg, figure.edge, width)
        toe = ellipse(foot[0] + 0.06, foot[1], 0.8 * width + 0.06, 0.6 * width + 0.03, n=12)
        figure.pen.fill(toe, shade(figure.colour, 0.6), figure.edge)


def _crown(figure: _Figure) -> None:
    size, lean = figure.size(), figure.rng.normal(0.0, 0.1)
    top = float(figure.outline[:, 1].min())
    half = 0.2 if figure.look["shape"] == "pointed" else 0.45
    for side in (-1.0, 1.0):
        x, y = side * half, top + 0.3
        if figure.look["crown"] == "pointed ears":
            tip = (x + side * 0.28 + lean, y - 0.95 * size)
            ear = polygon((x - 0.26, y), tip, (x + 0.26, y))
            figure.pen.fill(ear, figure.colour, figure.edge)
        elif figure.look["crown"] == "round ears":
            ear = ellipse(x + side * 0.2 + lean, y - 0.35, 0.36 * size, 0.36 * size)
            figure.pen.fill(ear, figure.colour, figure.edge)
            inner = ellipse(x + side * 0.2 + lean, y - 0.35, 0.18 * size, 0.18 * size)
            figure.pen.fill(inner, (240, 170, 170))
        elif figure.look["crown"] == "horns":
            bow = [(x, y), (x + side * 0.55, y - 0.3), (x + side * 0.25 + lean, y - 1.0 * size)]
            figure.pen.stroke(curve(bow), (70, 54, 40), 0.32)
            figure.pen.stroke(curve(bow), (240, 226, 190), 0.18)
        else:
            bow = [(x * 0.6, y), (x * 0.8, y - 0.8), (x + side * 0.4 + lean, y - 0.95 * size)]
            figure.pen.stroke(curve(bow), figure.edge, 0.09)
            figure.pen.fill(ellipse(*bow[-1], 0.15, 0.15, n=12), (250, 214, 80), figure.edge)


def _body(figure: _Figure) -> None:
    """Shape by the mask, colour and pattern by area, texture by light: all on one region."""
    pen, look = figure.pen, figure.look
    assert look["pattern"] is not None and look["texture"] is not None
    points = pen.points(figure.outline)
    left, upper = (int(min(p[axis] for p in points)) - 2 for axis in (0, 1))
    right, lower = (int(max(p[axis] for p in points)) + 3 for axis in (0, 1))
    u, v = _body_coordinates(pen, left, upper, right, lower)
    second = shade(figure.colour, 0.5 if sum(figure.colour) > 300 else 1.55)
    mask = pattern_mask(look["pattern"], u, v, figure.rng.normal(0.0, 0.3))
    pixels = np.where(mask[:, :, None], np.array(second), np.array(figure.colour)).astype(float)
    light = texture_light(look["texture"], u, v, figure.rng) + 0.12 * (-v - 0.4 * u)
    pixels = pixels * (1.0 + np.minimum(light, 0.0))[:, :, None]
    pixels += (255.0 - pixels) * np.clip(light, 0.0, 1.0)[:, :, None]
    stencil = Image.new("L", (right - left, lower - upper))
    ImageDraw.Draw(stencil).polygon([(x - left, y - upper) for x, y in points], fill=255)
    skin = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    pen.image.paste(skin, (left, upper), stencil)
    width = max(2, round(0.09 * pen.scale))
    ImageDraw.Draw(pen.image).line([*points, *points[:2]], figure.edge, width, joint="curve")


def _body_coordinates(
    pen: Pen, left: int, upper: int, right: int, lower: int
) -> tuple[Float64[np.ndarray, "H W"], Float64[np.ndarray, "H W"]]:
    """Each pixel's position in body radii (the inverse of Pen.points)."""
    y, x = np.mgrid[upper:lower, left:right].astype(np.float64)
    x, y = (x - pen.centre[0]) / pen.scale, (y - pen.centre[1]) / pen.scale
    cos, sin = np.cos(pen.angle), np.sin(pen.angle)
    return pen.mirror * (cos * x + sin * y), cos * y - sin * x


def _face(figure: _Figure) -> None:
    pen, rng = figure.pen, figure.rng
    x0, y0 = rng.normal(0.0, 0.1), rng.normal(-0.12, 0.08)
    width = float(figure.outline[:, 0].max())
    if figure.look["face"] == "pale face":
        mask = ellipse(x0, y0 + 0.1, 0.72 * width, 0.55 * figure.size())
        pen.fill(mask, (250, 240, 222))
    single = figure.look["eyes"] == "single eye"
    radius = {"big eyes": 0.3, "single eye": 0.36}.get(figure.look["eyes"] or "", 0.14)
    gaze = rng.uniform(-0.3, 0.3) * radius
    for side in (0.0,) if single else (-1.0, 1.0):
        x = x0 + side * max(0.3, 0.36 * width)
        pen.fill(ellipse(x, y0, radius, radius, n=18), (255, 255, 255), (40, 36, 44))
        pen.fill(ellipse(x + gaze, y0, 0.52 * radius, 0.52 * radius, n=14), (30, 26, 34))
        pen.fill(
            ellipse(x + gaze - 0.2 * radius, y0 - 0.2 * radius, 0.2 * radius, 0.2 * radius),
            (255, 255, 255),
        )
    smile = curve([(x0 - 0.2, y0 + 0.45), (x0, y0 + 0.6), (x0 + 0.2, y0 + 0.45)], n=7)
    pen.stroke(smile, (50, 34, 40), 0.08)


def _carried(figure: _Figure) -> None:
    """A star or ring on a thin arm, anywhere around the sprite."""
    if figure.look["carried"] is None:
        return
    turn, size = figure.rng.uniform(-0.9, 0.9), figure.size()
    side = -1.0 if figure.rng.random() < 0.5 else 1.0
    x, y = side * 1.55 * np.cos(turn), 1.45 * np.sin(turn)
    figure.pen.stroke(polygon((0.75 * x, 0.6 * y + 0.15), (x, y)), figure.edge, 0.1)
    if figure.look["carried"] == "carries a star":
        prize = star(x, y, 0.5 * size, figure.rng.normal(0.0, 0.3))
        figure.pen.fill(prize, (255, 214, 64), (150, 104, 20))
    else:
        loop = ellipse(x, y, 0.34 * size, 0.34 * size)
        closed = np.concatenate([loop, loop[:2]])
        figure.pen.stroke(closed, (80, 84, 96), 0.24)
        figure.pen.stroke(closed, (206, 214, 226), 0.13)


def _develop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Down to 64 pixels, under changing light."""
    small = np.asarray(image.reduce(_OVERSAMPLING)).astype(np.float64)
    gain, warmth = rng.uniform(0.82, 1.12), rng.normal(0.0, 0.03)
    pixels = small * gain * np.array([1.0 + warmth, 1.0, 1.0 - warmth])
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
