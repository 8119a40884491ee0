"""Curves of several runs as an SVG picture."""

from __future__ import annotations

import html
from collections.abc import Sequence

from zoo_runs.compare.facts import Curve

COLOURS = ("#2f6fde", "#e0662f", "#1c9b6c", "#b0399f", "#8a6d00", "#5b5bd6", "#c4314b", "#3a8ca8")
"""Colours of the runs, in order; further runs begin anew."""
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 420, 220, 56, 24, 10
POINTS = 150
"""Points of a curve at most: of longer ones, means of as many values each."""


def thinned(curve: Curve) -> Curve:
    """A curve of at most `POINTS` points: means of groups of neighbours of one size."""
    size = max(1, -(-len(curve) // POINTS))
    groups = [curve[at : at + size] for at in range(0, len(curve), size)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def picture(name: str, curves: Sequence[Curve]) -> str:
    """The SVG of one value in all runs, in their order; an empty curve is left out."""
    drawn = [thinned(curve) for curve in curves]
    values = [value for curve in drawn for _, value in curve]
    low, high = min(values), max(values)
    last = max(step for curve in drawn for step, _ in curve)

    def x(step: int) -> float:
        return LEFT + (WIDTH - LEFT - 10) * step / max(1, last)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - low) / ((high - low) or 1.0)

    parts = [
        f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        for value in dict.fromkeys((low, (low + high) / 2, high))
    ]
    parts += [
        f'<text x="{x(step):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{step:,}</text>'
        for step, anchor in ((0, "start"), (last, "end"))
    ]
    for place, curve in enumerate(drawn):
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in curve)
        if len(curve) == 1:
            (step, value), *_ = curve
            parts.append(f'<circle cx="{x(step):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>')
        elif curve:
            parts.append(f'<polyline points="{points}" stroke="{colour}"/>')
    title = html.escape(name)
    return (
        f'<figure><figcaption>{title}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{title}">{"".join(parts)}</svg></figure>'
    )
