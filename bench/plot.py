"""A row of small line charts as SVG, and nothing else: no library is needed to read or to write them."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, TOP, GAP = 210, 150, 56, 34, 70


@dataclass(frozen=True)
class Chart:
    """One line, from the origin."""

    title: str
    across: str
    points: Sequence[tuple[float, float]]
    """The measured values: number and CPU seconds."""


def svg(charts: Sequence[Chart]) -> str:
    """The charts beside each other."""
    width, height = LEFT + len(charts) * (WIDTH + GAP), TOP + HEIGHT + 46
    drawn = "\n".join(_chart(chart, LEFT + number * (WIDTH + GAP)) for number, chart in enumerate(charts))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
    return f'{head}\n<rect width="{width}" height="{height}" fill="#fff"/>\n{drawn}\n</svg>\n'


def _chart(chart: Chart, left: int) -> str:
    most_x, most_y = max(x for x, _ in chart.points), max(y for _, y in chart.points)
    base = TOP + HEIGHT
    at = [(left + x / most_x * WIDTH, base - y / most_y * HEIGHT) for x, y in chart.points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#1b5e9b"/>' for x, y in at)
    ticks = "".join(
        f'<text x="{x:.1f}" y="{base + 15}" text-anchor="middle">{value:,.0f}</text>'
        for (x, _), (value, _) in list(zip(at, chart.points, strict=True))[-3:]
    )
    return (
        f'<text x="{left}" y="18" font-weight="bold">{chart.title}</text>'
        f'<path d="M{left},{TOP} V{base} H{left + WIDTH}" fill="none" stroke="#888"/>'
        f'<text x="{left - 5}" y="{TOP + 5}" text-anchor="end">{most_y:.2g} s</text>'
        f'<text x="{left - 5}" y="{base}" text-anchor="end">0</text>'
        f'<polyline points="{line}" fill="none" stroke="#1b5e9b" stroke-width="1.5"/>{dots}{ticks}'
        f'<text x="{left + WIDTH / 2}" y="{base + 34}" text-anchor="middle">{chart.across}</text>'
    )
