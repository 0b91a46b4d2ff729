"""The parts of a sprite around its body; each is drawn in its own size and at its own slant."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from drmn.data.sprites.body import Surface
from drmn.data.sprites.scenes import shade
from drmn.data.sprites.shapes import Colour, Pen, curve, ellipse, polygon, star
from drmn.data.sprites.species import Look


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The sprite being drawn: its look, its frame on the canvas and its body."""

    look: Look
    pen: Pen
    rng: np.random.Generator
    surface: Surface

    @property
    def colour(self) -> Colour:
        return self.surface.colour

    @property
    def edge(self) -> Colour:
        return self.surface.edge

    @property
    def outline(self) -> Float64[np.ndarray, "n 2"]:
        return self.surface.outline

    def size(self) -> float:
        """Prominence of a part: how large it is drawn this time."""
        return float(self.rng.uniform(0.8, 1.2))


def draw_wings(figure: Figure) -> None:
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


def draw_tail(figure: Figure) -> None:
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


def draw_legs(figure: Figure) -> None:
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


def draw_crown(figure: Figure) -> None:
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


def draw_face(figure: Figure) -> None:
    pen, rng = figure.pen, figure.rng
    x0, y0 = rng.normal(0.0, 0.1), rng.normal(-0.12, 0.08)
    width = float(figure.outline[:, 0].max())
    if figure.look["face"] == "pale face":
        mask = ellipse(x0, y0 + 0.1, 0.72 * width, 0.55 * figure.size())
        pen.fill(mask, (250, 240, 222))
    single = figure.look["eyes"] == "single eye"
    radius = {"big eyes": 0.3, "single eye": 0.36}.get(figure.look["eyes"], 0.14)
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


def draw_carried(figure: Figure) -> None:
    """A star or ring on a thin arm, anywhere around the sprite."""
    if not figure.look["carried"]:
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
