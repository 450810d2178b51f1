"""The flow of calls that fell back, left to right: from whom, why, to whom, and what came of it.

Altair has no such chart, so the ribbons are areas whose edges are computed here. Heights are pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import altair as alt
import polars as pl

from analytics import words
from dashboards import format as say
from dashboards import theme

STAGES = ("Left", "Because of", "Went to", "In the end")
ENDS = {"rescued": "answered", "failed": "not answered", "cancelled": "given up"}
"""Column of `flows` -> what came of the call: its caller waited in vain, or did not wait."""
OTHERS = "others"
MOST = 8
"""Nodes of a stage; the smaller ones are one, "others"."""
LABEL_PX = 15
"""A node takes at least this, so that names never lie upon each other."""
GAP_PX = 9
NODE_WIDTH = 0.06
"""Of the way from a stage to the next."""
_STEPS = 20
_LAST = len(STAGES) - 1


class Node(NamedTuple):
    """A bar of the chart: a provider's model, a reason, or an outcome."""

    stage: int
    name: str
    provider: str
    """Whose colour it has; empty: nobody's."""


class Link(NamedTuple):
    """A ribbon between two nodes of neighbouring stages."""

    source: Node
    target: Node
    provider: str
    """Whose colour it has."""
    moves: int
    lost_ms: float
    """All of them together."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Where a node lies, in pixels from the top."""

    node: Node
    top: float
    bottom: float
    moves: int


@dataclass(frozen=True, slots=True)
class Ribbon:
    """Where a link leaves its source and reaches its target, in pixels from the top."""

    link: Link
    leaves: float
    reaches: float
    thickness: float


def links(flows: pl.DataFrame) -> list[Link]:
    """Of `analytics.fallbacks.flows`: every move runs through all four stages, so what comes into a node leaves it."""
    if flows.is_empty():
        return []
    rows = _bundled(flows)
    outcomes = pl.concat(
        [
            rows.with_columns(pl.lit(end).alias("outcome"), pl.col(column).alias("through"))
            for column, end in ENDS.items()
        ]
    ).filter(pl.col("through") > 0)
    paths = outcomes.with_columns((pl.col("lost_ms") * pl.col("through") / pl.col("moves")).alias("lost_ms"))
    sums: dict[tuple[Node, Node, str], tuple[int, float]] = {}
    for path in paths.iter_rows(named=True):
        for key in _pieces(path):
            moves, lost_ms = sums.get(key, (0, 0.0))
            sums[key] = moves + path["through"], lost_ms + path["lost_ms"]
    return [Link(*key, *figures) for key, figures in sums.items()]


def _pieces(path: dict[str, Any]) -> list[tuple[Node, Node, str]]:
    """A path's way through the stages. It keeps the colour of whom it left until it reaches whom it went to."""
    left = Node(0, path["from_name"], path["from_owner"])
    reason = Node(1, path["reason"], "")
    reached = Node(2, path["to_name"], path["to_owner"])
    outcome = Node(3, path["outcome"], "")
    return [
        (left, reason, left.provider),
        (reason, reached, left.provider),
        (reached, outcome, reached.provider),
    ]


def _bundled(flows: pl.DataFrame) -> pl.DataFrame:
    """With names for the nodes: from_name, from_owner, to_name, to_owner; the small ones of each stage as "others"."""
    rows = flows.with_columns(pl.col("reason").map_elements(words.trouble, pl.String))
    for end in ("from", "to"):
        rows = rows.with_columns(_target(end).alias(f"{end}_name"), pl.col(f"{end}_provider").alias(f"{end}_owner"))
    for column, owner in (("from_name", "from_owner"), ("reason", None), ("to_name", "to_owner")):
        sizes = rows.group_by(column).agg(pl.col("moves").sum()).sort(["moves", column], descending=[True, False])
        kept = pl.col(column).is_in(sizes[column].head(MOST if sizes.height <= MOST else MOST - 1).to_list())
        rows = rows.with_columns(pl.when(kept).then(column).otherwise(pl.lit(OTHERS)).alias(column))
        if owner:
            rows = rows.with_columns(pl.when(pl.col(column) == OTHERS).then(pl.lit("")).otherwise(owner).alias(owner))
    return rows


def _target(end: str) -> pl.Expr:
    return pl.format("{} · {}", f"{end}_provider", f"{end}_model")


def laid_out(found: Sequence[Link]) -> tuple[list[Bar], list[Ribbon], float]:
    """Bars, ribbons and the chart's height in pixels. The largest node of a stage is on top, failure at the bottom."""
    moves = _through(found)
    stages = [sorted((node for node in moves if node.stage == stage), key=lambda node: _rank(node, moves[node]))
              for stage in range(len(STAGES))]  # fmt: skip
    most = max((len(stage) for stage in stages), default=0)
    height = max(260.0, 90.0 + most * (LABEL_PX + GAP_PX) * 1.6)
    total = sum(moves[node] for node in stages[0]) or 1
    per_move = (height - most * (LABEL_PX + GAP_PX)) / total
    bars: dict[Node, Bar] = {}
    for stage in stages:
        bars.update(_piled(stage, moves, per_move, height))
    return list(bars.values()), _ribbons(found, bars, per_move), height


def _through(found: Sequence[Link]) -> dict[Node, int]:
    """How many moves each node sees: out of those on the left, into those on the right."""
    moves: dict[Node, int] = {}
    for link in found:
        if link.source.stage == 0:
            moves[link.source] = moves.get(link.source, 0) + link.moves
        moves[link.target] = moves.get(link.target, 0) + link.moves
    return moves


def _rank(node: Node, moves: int) -> tuple[bool, int, str]:
    return node.name == OTHERS or (node.stage == _LAST and node.name != "answered"), -moves, node.name


def _piled(stage: Sequence[Node], moves: dict[Node, int], per_move: float, height: float) -> dict[Node, Bar]:
    """One under the other, in the middle of the height."""
    slots = [max(moves[node] * per_move, LABEL_PX) for node in stage]
    top = (height - sum(slots) - GAP_PX * (len(stage) - 1)) / 2
    bars = {}
    for node, slot in zip(stage, slots, strict=True):
        thickness = moves[node] * per_move
        start = top + (slot - thickness) / 2
        bars[node] = Bar(node, start, start + thickness, moves[node])
        top += slot + GAP_PX
    return bars


def _ribbons(found: Sequence[Link], bars: dict[Node, Bar], per_move: float) -> list[Ribbon]:
    """Out of a bar in the order of where they go, into one in the order of whence they come: so few of them cross."""
    leaving = {node: bar.top for node, bar in bars.items()}
    reaching = dict(leaving)
    leaves: dict[Link, float] = {}
    ribbons = []
    for link in sorted(found, key=lambda link: (bars[link.source].top, bars[link.target].top, link.provider)):
        leaves[link] = leaving[link.source]
        leaving[link.source] += link.moves * per_move
    for link in sorted(found, key=lambda link: (bars[link.target].top, bars[link.source].top, link.provider)):
        ribbons.append(Ribbon(link, leaves[link], reaching[link.target], link.moves * per_move))
        reaching[link.target] += link.moves * per_move
    return ribbons


def drawn(flows: pl.DataFrame) -> alt.LayerChart:
    """The chart. On a narrow screen names are the providers' alone."""
    found = links(flows)
    bars, ribbons, height = laid_out(found)
    total = sum(link.moves for link in found if link.source.stage == 0)
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[height, 0], nice=False))
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, _LAST + NODE_WIDTH], nice=False))
    pointed = alt.selection_point(on="pointerover", clear="pointerout", fields=["ribbon"], empty=True)
    areas = (
        alt.Chart(_edges(ribbons, total))
        .mark_area(line=False, orient="vertical", interpolate="linear")
        .encode(x=x, y=y, y2="y2:Q", color=alt.Color("colour:N", scale=None), detail="ribbon:N",
                opacity=alt.condition(pointed, alt.value(0.45), alt.value(0.15)), tooltip=_TIPS)
        .add_params(pointed)
    )  # fmt: skip
    nodes = alt.Chart(_boxes(bars, total))
    boxes = nodes.mark_rect(stroke=None).encode(
        x=x, x2="x2:Q", y=y, y2="y2:Q", color=alt.Color("colour:N", scale=None), tooltip=_NODE_TIPS
    )
    names = nodes.transform_calculate(shown="width < 560 ? datum.short : datum.name")
    beside, before = names.transform_filter("!datum.last"), names.transform_filter("datum.last")
    words = [
        each.mark_text(**_TEXT, **side, **edge).encode(x=alt.X("at:Q", axis=None), y="middle:Q", text="shown:N")
        for each, side in ((beside, _AFTER), (before, _AHEAD))
        for edge in (_EDGE, _BARE)
    ]
    made: Any = alt.layer(areas, boxes, *words).properties(height=height).configure_view(stroke=None)
    return cast("alt.LayerChart", made)


_TEXT: Any = {
    "baseline": "middle", "limit": 210, "fontSize": 12,
    "color": {"expr": "background && luminance(background) < 0.4 ? '#FAFAFA' : '#262730'"},
}  # fmt: skip
"""Light on a dark ground, which the page's theme has."""
_AFTER: Any = {"align": "left", "dx": 4}
_AHEAD: Any = {"align": "right", "dx": -4}
_BARE: Any = {}
_EDGE: Any = {
    "stroke": {"expr": "background && luminance(background) < 0.4 ? '#16150F' : '#FFFFFF'"},
    "strokeWidth": 3, "strokeOpacity": 0.75, "strokeJoin": "round",
}  # fmt: skip
"""Drawn under a name, so that thin ribbons do not strike it out."""


_TIPS = [
    alt.Tooltip("from:N", title="From"), alt.Tooltip("to:N", title="To"),
    alt.Tooltip("moves:Q", title="Moves", format=","), alt.Tooltip("share:Q", title="Of all moves", format=".1%"),
    alt.Tooltip("lost:N", title="Time lost, mean"),
]  # fmt: skip
_NODE_TIPS = [
    alt.Tooltip("name:N", title="Node"), alt.Tooltip("stage:N", title="Stage"),
    alt.Tooltip("moves:Q", title="Moves", format=","), alt.Tooltip("share:Q", title="Of all moves", format=".1%"),
]  # fmt: skip


def _edges(ribbons: Sequence[Ribbon], total: int) -> pl.DataFrame:
    """Points along each ribbon: x in stages, its upper and lower edge in pixels."""
    return pl.DataFrame(
        [
            {
                "ribbon": number,
                "x": ribbon.link.source.stage + NODE_WIDTH + (1 - NODE_WIDTH) * step / _STEPS,
                "y": (edge := ribbon.leaves + (ribbon.reaches - ribbon.leaves) * _eased(step / _STEPS)),
                "y2": edge + ribbon.thickness,
                "colour": theme.provider_colour(ribbon.link.provider),
                "from": ribbon.link.source.name,
                "to": ribbon.link.target.name,
                "moves": ribbon.link.moves,
                "share": ribbon.link.moves / total,
                "lost": say.duration(ribbon.link.lost_ms / ribbon.link.moves),
            }
            for number, ribbon in enumerate(ribbons)
            for step in range(_STEPS + 1)
        ]
    )


def _eased(way: float) -> float:
    """Slow, fast, slow: 0 to 1."""
    return (1 - math.cos(math.pi * way)) / 2


def _boxes(bars: Sequence[Bar], total: int) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "name": bar.node.name,
                "short": bar.node.provider or bar.node.name,
                "stage": STAGES[bar.node.stage],
                "last": bar.node.stage == _LAST,
                "x": float(bar.node.stage),
                "x2": bar.node.stage + NODE_WIDTH,
                "at": float(bar.node.stage) if bar.node.stage == _LAST else bar.node.stage + NODE_WIDTH,
                "y": bar.top,
                "y2": max(bar.bottom, bar.top + 1),
                "middle": (bar.top + bar.bottom) / 2,
                "moves": bar.moves,
                "share": bar.moves / total,
                "colour": _colour(bar.node),
            }
            for bar in bars
        ]
    )


def _colour(node: Node) -> str:
    """Outcomes have the colours of statuses, reasons nobody's."""
    ends = {"answered": theme.STATUS["ok"], "not answered": theme.STATUS["error"]}
    return ends.get(node.name, theme.NOBODY) if node.stage == _LAST else theme.provider_colour(node.provider)


def told(flows: pl.DataFrame, most: int = 3) -> str:
    """The chart for who cannot see it: its largest flows."""
    total = int(flows["moves"].sum() or 0)
    largest = flows.sort("moves", descending=True).head(most)
    each = [
        f"{say.count(row['moves'])} from {row['from_provider']} {row['from_model']} to {row['to_provider']} "
        f"{row['to_model']} ({words.trouble(row['reason'])}), {say.share(row['rescued'], row['moves'])} of them "
        "answered in the end"
        for row in largest.iter_rows(named=True)
    ]
    return f"Flow of {say.count(total)} moves to another provider or model. The largest: {'; '.join(each)}."
