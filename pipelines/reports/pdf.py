"""PDF reports: a centre on one page for a director, and an operator's scorecard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, KeepTogether

from pipelines.core.published import Row
from pipelines.i18n.wording import Wording, clock
from pipelines.queries.scorecards import QuestionCard
from pipelines.queries.trends import TrendChart
from pipelines.reports import pdf_layout
from pipelines.reports.open_range import open_range
from pipelines.trends.week_changes import WeekChange

TOPICS, ANSWERS, ANSWER_LINES, REASONS, CHANGES = 4, 6, 3, 3, 4
LABEL_APART = 220  # thousandths of the drawing's width
_SIGNS = {"better": "↑ ", "worse": "↓ "}
_TONES = {"better": "accent", "worse": "fail"}


def centre_page(values: Mapping[str, Any], ledger: Sequence[Row], day: date, w: Wording) -> bytes:
    """A centre on one page: its score, changes, criteria by pass rate, questions, and calls that could not be graded.

    `values` are those of the page "at a glance".
    """
    centre, total = values["centre"], values["total"]
    parts: list[Flowable] = [
        pdf_layout.text(centre["name"], "title"),
        pdf_layout.text(f"{values['period']}   ·   {w('operators_n', n=w.number(total['operators']))}", "body", "soft"),
        pdf_layout.space(3),
        pdf_layout.beside(
            _score(total, w("centre_score_means", low=w.pct(total["score_low_pct"]), high=w.pct(total["score_high_pct"]), n=w.number(total["scored"])), w),
            [pdf_layout.figures(_of_centre(total, w), pdf_layout.WIDTH * 0.58, 3)],
            0.34,
        ),
        pdf_layout.space(3),
        pdf_layout.beside(_changed(values["changed"], w), _trend(values["drawing"], w)),
        pdf_layout.space(3),
        *_criteria(values["criteria"], w),
        pdf_layout.space(3),
        *_asked(values["answers"][:ANSWERS], w),
        pdf_layout.beside(_topics(values["topics"], total, w), _not_graded(ledger, total, w)),
    ]  # fmt: skip
    return pdf_layout.document(
        f"{centre['name']} · Callgrade", w.code, w("printed_on", date=w.date(day)), w("foot_law"), parts, one_page=True
    )


def operator_pages(values: Mapping[str, Any], day: date, w: Wording) -> bytes:
    """An operator's scorecard: score, criteria, moments with their words, and the calls listed on the operator's page."""
    centre, operator = values["centre"], values["operator"]
    name = f"{w('operator')} {operator['operator_id']}"
    facts = [centre["name"], *([w.label("tenures", operator["operator_tenure"])] if operator["operator_tenure"] else []), values["period"]]
    score = w(
        "operator_score_means", low=w.pct(operator["score_low_pct"]), high=w.pct(operator["score_high_pct"]), n=w.number(operator["scored"])
    )
    parts: list[Flowable] = [
        pdf_layout.text(name, "title"),
        pdf_layout.text("   ·   ".join(facts), "body", "soft"),
        pdf_layout.space(4),
        pdf_layout.beside(_score(operator, score, w), [pdf_layout.figures(_of_operator(operator, w), pdf_layout.WIDTH * 0.58, 3)], 0.34),
        pdf_layout.space(5),
        *_criteria(values["criteria"], w),
        pdf_layout.space(5),
        *_moments(values["clips"], w),
        *_calls(values["calls"], values["more_calls"], w),
    ]
    head = f"{centre['name']}   ·   {name}   ·   {w('printed_on', date=w.date(day))}"
    return pdf_layout.document(f"{name} · Callgrade", w.code, head, w("foot_operator"), parts)


def _score(row: Row, says: str, w: Wording) -> list[Flowable]:
    if row["score_pct"] is None:
        return [pdf_layout.text(w("score"), "head"), pdf_layout.text(w("no_graded"), "small", "soft")]
    return [
        pdf_layout.text(w.pct(row["score_pct"]), "score"),
        pdf_layout.space(2),
        pdf_layout.ScoreInterval(row["score_pct"], row["score_low_pct"], row["score_high_pct"], pdf_layout.WIDTH * 0.3),
        pdf_layout.space(1),
        pdf_layout.text(says, "small", "soft"),
    ]


def _of_centre(total: Row, w: Wording) -> list[tuple[str, str, str]]:
    return [
        (w("n_of", n=w.number(total["graded"]), of=w.number(total["received"])), w("n_graded_short"), "good"),
        (w.number(total["needs_review"]), w("n_review"), "ask" if total["needs_review"] else ""),
        (w.number(total["auto_fails"]), w("n_critical"), "bad" if total["auto_fails"] else ""),
        (w.number(total["abusive_calls"]), w("n_abusive"), ""),
        (w.pct(total["coverage_pct"]), w("n_coverage"), ""),
        (clock(total["aht_s"]), w("n_aht"), ""),
    ]


def _of_operator(row: Row, w: Wording) -> list[tuple[str, str, str]]:
    return [
        (w("n_of", n=w.number(row["graded"]), of=w.number(row["calls"])), w("n_graded_short"), "good"),
        (w.number(row["needs_review"]), w("n_review"), "ask" if row["needs_review"] else ""),
        (w.number(row["auto_fails"]), w("n_critical"), "bad" if row["auto_fails"] else ""),
        (w.number(row["abusive_calls"]), w("n_abusive_heard"), ""),
        (clock(row["aht_s"]), w("n_aht"), ""),
    ]


def _changed(changed: Mapping[str, Any] | None, w: Wording) -> list[Flowable]:
    head = pdf_layout.text(w("tr_changed" if changed and changed.get("label") else "week_title"), "head")
    if changed is None:
        return [head, pdf_layout.text(w("week_only_one"), "body", "soft")]
    rows: list[tuple[str, WeekChange]] = [(w("score") if c.name == "score" else w(f"{c.name}_share"), c) for c in changed["rows"]]
    rows += changed["criteria"][:CHANGES]
    cells = []
    for name, c in rows:
        now = w("n_of", n=w.number(c.counts[0]), of=w.number(c.counts[1])) if c.counts else w.pct(c.now)
        before = w("n_of", n=w.number(c.counts[2]), of=w.number(c.counts[3])) if c.counts else w.pct(c.before)
        said = pdf_layout.text(
            f"{_SIGNS.get(c.direction, '')}{w('direction_' + c.direction)} · {w('before_was', value=before)}",
            "small",
            _TONES.get(c.direction, "soft"),
        )
        cells.append([[pdf_layout.text(name), said], pdf_layout.text(now, "strong", align=2)])
    label = [pdf_layout.text(changed["label"], "small", "soft")] if changed.get("label") else []
    return [head, *label, pdf_layout.lined(cells, [60 * mm, 25 * mm])]


def _trend(drawing: TrendChart, w: Wording) -> list[Flowable]:
    if len(drawing.dots) < 2:
        return []
    days: list[tuple[float, str]] = []
    for x, day in drawing.labels:
        if not days or x - days[-1][0] > LABEL_APART:
            days.append((x, w.date(day)))
    return [
        pdf_layout.text(w("trend_title"), "head"),
        pdf_layout.TrendFlowable(drawing, days, 85 * mm, 36 * mm),
        pdf_layout.space(1),
        pdf_layout.text(w("trend_hint"), "small", "soft"),
    ]


def _criteria(rows: Sequence[Row], w: Wording) -> list[Flowable]:
    """Criteria in two columns, by pass rate, those without decided verdicts last."""
    if not rows:
        return []
    ordered = sorted(rows, key=lambda r: -(r["passed"] / (r["passed"] + r["failed"])) if r["passed"] + r["failed"] else 1.0)
    cells = [
        [
            pdf_layout.text(r["title"]),
            pdf_layout.ShareBar((("accent", r["passed"]), ("fail", r["failed"]), ("person-soft", r["unsure"])), 14 * mm),
            pdf_layout.text(w.share(r["passed"], r["passed"] + r["failed"]), "strong", align=2),
            pdf_layout.text(w("n_of", n=w.number(r["passed"]), of=w.number(r["passed"] + r["failed"])), "small", "soft", align=2),
        ]
        for r in ordered
    ]
    half, widths = (len(cells) + 1) // 2, [37 * mm, 16 * mm, 11.5 * mm, 20.5 * mm]
    columns = [pdf_layout.lined(cells[:half], widths)], [pdf_layout.lined(cells[half:], widths)] if cells[half:] else []
    colours = [(name, w(said)) for name, said in (("accent", "passed"), ("fail", "failed"), ("person-soft", "to_person"))]
    return [
        pdf_layout.text(w("criteria_title"), "head"),
        pdf_layout.beside(*columns),
        pdf_layout.space(1.5),
        pdf_layout.key(colours, w("criteria_hint")),
    ]


def _asked(answers: Sequence[QuestionCard], w: Wording) -> list[Flowable]:
    if not answers:
        return []
    width = pdf_layout.WIDTH / 3
    cells: list[list[Any]] = []
    for n in range(0, len(answers), 3):
        row = [_card(answer, width - 6 * mm) for answer in answers[n : n + 3]]
        cells.append(row + [""] * (3 - len(row)))
    look = [("BOTTOMPADDING", (0, 0), (-1, -1), 3 * mm), ("RIGHTPADDING", (0, 0), (-1, -1), 6 * mm)]
    return [pdf_layout.text(w("centre_asks"), "head"), pdf_layout.grid(cells, [width] * 3, look), pdf_layout.space(1)]


def _card(answer: QuestionCard, width: float) -> list[Flowable]:
    lines = [[pdf_layout.text(name, "small"), pdf_layout.text(value, "small", align=2)] for name, value in answer.lines[:ANSWER_LINES]]
    shown: list[Flowable] = [
        pdf_layout.text(answer.question, "small", "soft"),
        pdf_layout.text(answer.answer, "answer", "fail" if answer.is_bad else "text"),
    ]
    return [*shown, pdf_layout.grid(lines, [width * 0.72, width * 0.28], [])] if lines else shown


def _topics(topics: Sequence[Row], total: Row, w: Wording) -> list[Flowable]:
    if not topics:
        return []
    most = max(t["calls"] for t in topics)
    cells = [
        [
            pdf_layout.text(w.label("topics", t["topic"])),
            pdf_layout.ShareBar((("accent", t["calls"]), ("card", most - t["calls"])), 30 * mm),
            pdf_layout.text(w.share(t["calls"], total["graded"]), "strong", align=2),
        ]
        for t in topics[:TOPICS]
    ]
    return [pdf_layout.text(w("topics_title"), "head"), pdf_layout.lined(cells, [38 * mm, 33 * mm, 14 * mm])]


def _not_graded(ledger: Sequence[Row], total: Row, w: Wording) -> list[Flowable]:
    head, missing = pdf_layout.text(w("ledger"), "head"), total["received"] - total["graded"]
    if not missing:
        return [head, pdf_layout.text(w("ledger_empty"), "body", "soft")]
    counted = Counter(w.label("statuses", row["status"]) for row in ledger)
    cells = [[pdf_layout.text(reason), pdf_layout.text(w.number(n), "strong", align=2)] for reason, n in counted.most_common(REASONS)]
    return [head, pdf_layout.lined(cells, [70 * mm, 15 * mm]), pdf_layout.space(1), pdf_layout.text(w("ledger_hint"), "small", "soft")]


def _moments(clips: Sequence[Row], w: Wording) -> list[Flowable]:
    said = [c for c in clips if c["quote"]]
    if not said:
        return []
    cells = [
        [
            pdf_layout.text(w.label("clip_kinds", c["kind"]), "small", "accent" if c["kind"] == "good_example" else "fail"),
            [
                pdf_layout.text(c["title"], "strong"),
                pdf_layout.text(c["quote"]),
                pdf_layout.text(f"{c['call_id']}, {clock(c['start_s'])}", "small", "soft"),
            ],
        ]
        for c in said
    ]
    table = pdf_layout.lined(cells, [32 * mm, pdf_layout.WIDTH - 32 * mm])
    return [KeepTogether([pdf_layout.text(w("clips"), "head"), table]), pdf_layout.space(5)]


def _call_score(row: Row, w: Wording) -> list[Flowable]:
    """As on pages: only the range that open points leave where fewer than 80 % are decided."""
    left = open_range(row["score_pct"], row["coverage_pct"], row["auto_fail"])
    if left is None:
        return [pdf_layout.text(w.pct(row["score_pct"]), "strong", align=2)]
    text = f"{w.number(left.low_pct)}–{w.pct(left.high_pct)}" if left.is_wide else w.pct(row["score_pct"])
    decided = w("score_decided", share=w.pct(row["coverage_pct"]))
    return [pdf_layout.text(text, "strong", align=2), pdf_layout.text(decided, "small", "soft", align=2)]


def _calls(calls: Sequence[Row], more: int, w: Wording) -> list[Flowable]:
    if not calls:
        return []
    keys = (("when", 0), ("topic", 0), ("what_to_see", 0), ("length", 2), ("score", 2))
    cells: list[list[Any]] = [[pdf_layout.text(w(key), "small", "soft", align) for key, align in keys]]
    for row in calls:
        flags = [w("critical")] if row["auto_fail"] else []
        flags += [w.label("outcomes", row["outcome"])] if row["abusive"] else []
        flags += [w("needs_person")] if row["needs_review"] else []
        cells.append([
            [pdf_layout.text(row["when"]), pdf_layout.text(row["call_id"], "small", "soft")],
            pdf_layout.text(w.label("topics", row["topic"])),
            pdf_layout.text(" · ".join(flags), "small", "fail" if row["auto_fail"] else "soft"),
            pdf_layout.text(clock(row["duration_s"]), align=2),
            _call_score(row, w),
        ])  # fmt: skip
    table = pdf_layout.lined(cells, [44 * mm, 36 * mm, 54 * mm, 16 * mm, 28 * mm], heads=1)
    parts: list[Flowable] = [pdf_layout.text(w("calls_first"), "head"), table]
    return [*parts, pdf_layout.space(1), pdf_layout.text(w("more_calls", n=w.number(more)), "small", "soft")] if more else parts
