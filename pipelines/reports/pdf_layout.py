"""A4 page layout in the product's design: type, figures, bars and tables.

Colours are those of the light pages (`style.css`); the font is Source Sans, which covers all four languages and is embedded.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, KeepInFrame, Paragraph, SimpleDocTemplate, Spacer, Table

from pipelines.core.printable import printable
from pipelines.queries.trends import TrendChart
from pipelines.reports.templating import TEMPLATES

MARGIN = 16 * mm
TOP, BOTTOM, PADDING = 17 * mm, 17 * mm, 6.0  # ReportLab pads its frames
WIDTH, HEIGHT = A4[0] - 2 * MARGIN, A4[1] - TOP - BOTTOM - 2 * PADDING - 1
_FONTS = {"Sans": "SourceSansPro-Regular", "SansStrong": "SourceSansPro-Semibold"}
_TONES = {"good": "accent", "bad": "fail", "ask": "person", "": "line"}


class ShareBar(Flowable):  # type: ignore[misc]
    """Shares side by side over the full width, each in a colour of `style.css`."""

    def __init__(self, parts: Sequence[tuple[str, float]], width: float, height: float = 2.4 * mm) -> None:
        super().__init__()
        self.parts, self.width, self.height = [p for p in parts if p[1] > 0], width, height

    def draw(self) -> None:
        """Draw it at its place on the page."""
        whole, x = sum(v for _, v in self.parts), 0.0
        for name, value in self.parts:
            part = self.width * value / whole
            self.canv.setFillColor(colour(name))
            self.canv.rect(x, 0, max(part - 0.4, 0.2), self.height, stroke=0, fill=1)
            x += part


class ScoreInterval(Flowable):  # type: ignore[misc]
    """A score from 0 to 100 as a point on a line, with its interval as a band."""

    def __init__(self, at: float, low: float | None, high: float | None, width: float) -> None:
        super().__init__()
        self.at, self.low, self.high, self.width, self.height = at, low, high, width, 7 * mm

    def draw(self) -> None:
        """Draw it at its place on the page."""
        c, y = self.canv, 4.6 * mm
        c.setStrokeColor(colour("line"))
        c.line(0, y, self.width, y)
        if self.low is not None and self.high is not None:
            c.setFillColor(colour("accent"), 0.3)
            c.roundRect(
                self._x(self.low), y - 1.2 * mm, max(self._x(self.high) - self._x(self.low), 1), 2.4 * mm, 1.2 * mm, stroke=0, fill=1
            )
        c.setFillColor(colour("accent"), 1)
        c.circle(self._x(self.at), y, 1.7 * mm, stroke=0, fill=1)
        c.setFillColor(colour("soft"))
        c.setFont("Sans", 7.5)
        c.drawString(0, 0, "0")
        c.drawRightString(self.width, 0, "100")

    def _x(self, pct: float) -> float:
        return self.width * min(max(pct, 0.0), 100.0) / 100


class TrendFlowable(Flowable):  # type: ignore[misc]
    """Weekly scores with their intervals, as `trends.draw` lays them out."""

    def __init__(self, drawing: TrendChart, days: Sequence[tuple[float, str]], width: float, height: float) -> None:
        super().__init__()
        self.drawing, self.days, self.width, self.height = drawing, days, width, height

    def draw(self) -> None:
        """Draw it at its place on the page."""
        c = self.canv
        bottom, top = self.drawing.lines[0][0], self.drawing.lines[-1][0]

        def at(x: float, y: float) -> tuple[float, float]:
            return self.width * x / 1000, 4 * mm + (self.height - 6 * mm) * (bottom - y) / (bottom - top)

        c.setFont("Sans", 7.5)
        for y, pct in self.drawing.lines[::2]:
            c.setStrokeColor(colour("line"))
            c.line(*at(46, y), *at(1000, y))
            c.setFillColor(colour("soft"))
            c.drawRightString(at(38, y)[0], at(0, y)[1] - 2.4, str(pct))
        for x, day in self.days:
            c.drawCentredString(min(max(at(x, 0)[0], 9 * mm), self.width - 8 * mm), 0, day)
        c.setStrokeColor(colour("accent"), 0.45)
        for one, other in zip(self.drawing.dots, self.drawing.dots[1:], strict=False):
            c.line(*at(one.x, one.y), *at(other.x, other.y))
        for dot in self.drawing.dots:
            c.setLineCap(1)
            c.setLineWidth(4)
            c.setStrokeColor(colour("accent"), 0.25)
            c.line(*at(dot.x, dot.top), *at(dot.x, dot.bottom))
            c.setLineWidth(1)
            c.setFillColor(colour("accent"), 1)
            c.circle(*at(dot.x, dot.y), 1.1 * mm, stroke=0, fill=1)


def text(words: str, style: str = "body", tone: str = "text", align: int = 0) -> Paragraph:
    """Escaped text in a style of this page."""
    return Paragraph(_markup(words), _style(style, tone, align))


def key(parts: Sequence[tuple[str, str]], after: str) -> Paragraph:
    """The legend of a drawing, followed by a sentence."""
    squares = [f'<font color="#{colour(name).hexval()[2:]}">■</font> {_markup(words)}' for name, words in parts]
    return Paragraph(f"{'   '.join(squares)}.   {_markup(after)}", _style("small", "soft", 0))


def _markup(words: str) -> str:
    return escape(printable(words, keep="\n"))


def space(height_mm: float) -> Spacer:
    """Vertical space of this height."""
    return Spacer(1, height_mm * mm)


def figures(rows: Sequence[tuple[str, str, str]], width: float, columns: int) -> Table:
    """Figures with their labels, and a tone (good, bad, ask, none) as a bar on the left."""
    cells: list[list[Any]] = [
        [[text(value, "figure"), text(what, "small", "soft")] for value, what, _ in rows[n : n + columns]]
        for n in range(0, len(rows), columns)
    ]
    cells[-1] += [""] * (columns - len(cells[-1]))
    look: list[tuple[Any, ...]] = [
        ("LEFTPADDING", (0, 0), (-1, -1), 2.4 * mm),
        ("RIGHTPADDING", (0, 0), (-1, -1), 2 * mm),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ("TOPPADDING", (0, 0), (-1, -1), 0),
    ]
    look += [
        ("LINEBEFORE", (n % columns, n // columns), (n % columns, n // columns), 1.6, colour(_TONES[tone]))
        for n, (_, _, tone) in enumerate(rows)
    ]
    return grid(cells, [width / columns] * columns, look)


def beside(left: Sequence[Flowable], right: Sequence[Flowable], share: float = 0.5, width: float = WIDTH) -> Table:
    """Two columns, the left one with this share of the width."""
    gap = 8 * mm
    widths = [(width - gap) * share, gap, (width - gap) * (1 - share)]
    return grid([[list(left), "", list(right)]], widths, [])


def grid(cells: Sequence[Sequence[Any]], widths: Sequence[float], look: Sequence[tuple[Any, ...]], heads: int = 0) -> Table:
    """A table without padding, its header rows repeated on every page."""
    nothing = [(side + "PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")]
    return Table(
        cells, colWidths=list(widths), style=[*nothing, ("VALIGN", (0, 0), (-1, -1), "TOP"), *look], hAlign="LEFT", repeatRows=heads
    )


def lined(cells: Sequence[Sequence[Any]], widths: Sequence[float], heads: int = 0) -> Table:
    """A table with a thin line below each row but the last."""
    look: list[tuple[Any, ...]] = [
        ("LINEBELOW", (0, 0), (-1, -2), 0.5, colour("line")), ("TOPPADDING", (0, 0), (-1, -1), 2.2), ("BOTTOMPADDING", (0, 0), (-1, -1), 2.2),
        ("RIGHTPADDING", (0, 0), (-2, -1), 2 * mm), ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
    ]  # fmt: skip
    return grid(cells, widths, look, heads)


def document(title: str, language: str, head: str, foot: str, parts: Sequence[Flowable], *, one_page: bool = False) -> bytes:
    """The PDF, with the same bytes for the same content; `one_page` scales it down slightly if it would not fit."""
    out = io.BytesIO()
    title, head, foot = (printable(words) for words in (title, head, foot))
    _fonts()

    def around(canvas: Any, page: Any) -> None:
        canvas.saveState()
        y = A4[1] - 12 * mm
        canvas.setFillColor(colour("accent"))
        canvas.roundRect(MARGIN, y - 1.6 * mm, 5.4 * mm, 5.4 * mm, 1.4 * mm, stroke=0, fill=1)
        canvas.setStrokeColor(colour("card"))
        canvas.setLineWidth(1.2)
        canvas.setLineCap(1)
        for x, half in ((1.35, 0.45), (2.25, 1.15), (3.15, 0.7), (4.05, 0.25)):
            canvas.line(MARGIN + x * mm, y + (1.1 - half) * mm, MARGIN + x * mm, y + (1.1 + half) * mm)
        canvas.setFillColor(colour("text"))
        canvas.setFont("SansStrong", 11)
        canvas.drawString(MARGIN + 7.2 * mm, y - 0.2 * mm, "Callgrade")
        canvas.setFont("Sans", 8.5)
        canvas.setFillColor(colour("soft"))
        canvas.drawRightString(A4[0] - MARGIN, y, head)
        below = text(foot, "small", "soft")
        _, high = below.wrap(WIDTH - 12 * mm, 20 * mm)
        below.drawOn(canvas, MARGIN, 13 * mm - high)
        if not one_page:
            canvas.drawRightString(A4[0] - MARGIN, 13 * mm - 7.5, str(page.page))
        canvas.restoreState()

    document = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=MARGIN - PADDING, rightMargin=MARGIN - PADDING, topMargin=TOP, bottomMargin=BOTTOM, title=title,
        author="Callgrade", lang=language, displayDocTitle=True, invariant=True,
    )  # fmt: skip
    shown = [KeepInFrame(WIDTH, HEIGHT, list(parts), mode="shrink")] if one_page else list(parts)
    document.build(shown, onFirstPage=around, onLaterPages=around)
    return out.getvalue()


@cache
def colour(name: str) -> Color:
    """A colour of the light pages by its name in `style.css`."""
    found = re.search(rf"--{name}: (#[0-9a-f]{{6}})", (TEMPLATES / "style.css").read_text(encoding="utf-8").split(":root {")[1])
    assert found, name
    return HexColor(found[1])


@cache
def _style(name: str, tone: str, align: int) -> ParagraphStyle:
    _fonts()
    font, size, leading = {
        "body": ("Sans", 9.5, 12.5), "small": ("Sans", 8, 10.2), "strong": ("SansStrong", 9.5, 12.5), "head": ("SansStrong", 11.5, 14.5),
        "title": ("SansStrong", 20, 24), "figure": ("SansStrong", 14, 17), "score": ("SansStrong", 36, 38), "answer": ("SansStrong", 11.5, 14),
    }[name]  # fmt: skip
    return ParagraphStyle(
        f"{name} {tone} {align}", fontName=font, fontSize=size, leading=leading, textColor=colour(tone), alignment=align, splitLongWords=1,
        spaceAfter=1.6 * mm if name == "head" else 0,
    )  # fmt: skip


@cache
def _fonts() -> None:
    for name, file in _FONTS.items():
        pdfmetrics.registerFont(TTFont(name, str(files("font_source_sans_pro") / "files" / f"{file}.ttf")))
