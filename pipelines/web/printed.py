"""What stands on paper: a centre on one page for a director, and an operator's scorecard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, KeepTogether

from pipelines.published import Row
from pipelines.web import paper
from pipelines.web.questions import Answer
from pipelines.web.trends import Change, Drawing
from pipelines.web.wording import Wording, clock

TOPICS, ANSWERS, ANSWER_LINES, REASONS, CHANGES = 4, 6, 3, 3, 4
LABEL_APART = 220  # thousandths of the drawing's width
_SIGNS = {"better": "↑ ", "worse": "↓ "}
_TONES = {"better": "accent", "worse": "fail"}


def centre_page(values: Mapping[str, Any], ledger: Sequence[Row], day: date, w: Wording) -> bytes:
    """A centre on one page: its score, what changed, what is kept and what is not, what it asks, and what could not be graded.

    `values` are those of the page "at a glance".
    """
    centre, total = values["centre"], values["total"]
    parts: list[Flowable] = [
        paper.text(centre["name"], "title"),
        paper.text(f"{values['period']}   ·   {w('operators_n', n=w.number(total['operators']))}", "body", "soft"),
        paper.space(3),
        paper.beside(
            _score(total, w("centre_score_means", low=w.pct(total["score_low_pct"]), high=w.pct(total["score_high_pct"]), n=w.number(total["scored"])), w),
            [paper.figures(_of_centre(total, w), paper.WIDTH * 0.58, 3)],
            0.34,
        ),
        paper.space(3),
        paper.beside(_changed(values["changed"], w), _trend(values["drawing"], w)),
        paper.space(3),
        *_criteria(values["criteria"], w),
        paper.space(3),
        *_asked(values["answers"][:ANSWERS], w),
        paper.beside(_topics(values["topics"], total, w), _not_graded(ledger, total, w)),
    ]  # fmt: skip
    return paper.document(f"{centre['name']} · Callgrade", w.code, w("printed_on", date=w.date(day)), w("foot_law"), parts, one_page=True)


def operator_pages(values: Mapping[str, Any], day: date, w: Wording) -> bytes:
    """An operator's scorecard: score, criteria, moments with their words, and the calls that stand on the page of the operator."""
    centre, operator = values["centre"], values["operator"]
    name = f"{w('operator')} {operator['operator_id']}"
    facts = [centre["name"], *([w.label("tenures", operator["operator_tenure"])] if operator["operator_tenure"] else []), values["period"]]
    score = w(
        "operator_score_means", low=w.pct(operator["score_low_pct"]), high=w.pct(operator["score_high_pct"]), n=w.number(operator["scored"])
    )
    parts: list[Flowable] = [
        paper.text(name, "title"),
        paper.text("   ·   ".join(facts), "body", "soft"),
        paper.space(4),
        paper.beside(_score(operator, score, w), [paper.figures(_of_operator(operator, w), paper.WIDTH * 0.58, 3)], 0.34),
        paper.space(5),
        *_criteria(values["criteria"], w),
        paper.space(5),
        *_moments(values["clips"], w),
        *_calls(values["calls"], values["more_calls"], w),
    ]
    head = f"{centre['name']}   ·   {name}   ·   {w('printed_on', date=w.date(day))}"
    return paper.document(f"{name} · Callgrade", w.code, head, w("foot_operator"), parts)


def _score(row: Row, says: str, w: Wording) -> list[Flowable]:
    if row["score_pct"] is None:
        return [paper.text(w("score"), "head"), paper.text(w("no_graded"), "small", "soft")]
    return [
        paper.text(w.pct(row["score_pct"]), "score"),
        paper.space(2),
        paper.Interval(row["score_pct"], row["score_low_pct"], row["score_high_pct"], paper.WIDTH * 0.3),
        paper.space(1),
        paper.text(says, "small", "soft"),
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
    head = paper.text(w("week_title"), "head")
    if changed is None:
        return [head, paper.text(w("week_only_one"), "body", "soft")]
    rows: list[tuple[str, Change]] = [(w("score") if c.name == "score" else w(f"{c.name}_share"), c) for c in changed["rows"]]
    rows += changed["criteria"][:CHANGES]
    cells = []
    for name, c in rows:
        now = w("n_of", n=w.number(c.counts[0]), of=w.number(c.counts[1])) if c.counts else w.pct(c.now)
        before = w("n_of", n=w.number(c.counts[2]), of=w.number(c.counts[3])) if c.counts else w.pct(c.before)
        said = paper.text(
            f"{_SIGNS.get(c.told, '')}{w('told_' + c.told)} · {w('before_was', value=before)}", "small", _TONES.get(c.told, "soft")
        )
        cells.append([[paper.text(name), said], paper.text(now, "strong", align=2)])
    return [head, paper.lined(cells, [60 * mm, 25 * mm])]


def _trend(drawing: Drawing, w: Wording) -> list[Flowable]:
    if len(drawing.dots) < 2:
        return []
    days: list[tuple[float, str]] = []
    for x, day in drawing.labels:
        if not days or x - days[-1][0] > LABEL_APART:
            days.append((x, w.date(day)))
    return [
        paper.text(w("trend_title"), "head"),
        paper.Trend(drawing, days, 85 * mm, 36 * mm),
        paper.space(1),
        paper.text(w("trend_hint"), "small", "soft"),
    ]


def _criteria(rows: Sequence[Row], w: Wording) -> list[Flowable]:
    """Criteria in two columns, the best kept first and those that nobody could decide last."""
    if not rows:
        return []
    ordered = sorted(rows, key=lambda r: -(r["passed"] / (r["passed"] + r["failed"])) if r["passed"] + r["failed"] else 1.0)
    cells = [
        [
            paper.text(r["title"]),
            paper.Bar((("accent", r["passed"]), ("fail", r["failed"]), ("person-soft", r["unsure"])), 14 * mm),
            paper.text(w.share(r["passed"], r["passed"] + r["failed"]), "strong", align=2),
            paper.text(w("n_of", n=w.number(r["passed"]), of=w.number(r["passed"] + r["failed"])), "small", "soft", align=2),
        ]
        for r in ordered
    ]
    half, widths = (len(cells) + 1) // 2, [37 * mm, 16 * mm, 11.5 * mm, 20.5 * mm]
    columns = [paper.lined(cells[:half], widths)], [paper.lined(cells[half:], widths)] if cells[half:] else []
    colours = [(name, w(said)) for name, said in (("accent", "passed"), ("fail", "failed"), ("person-soft", "to_person"))]
    return [paper.text(w("criteria_title"), "head"), paper.beside(*columns), paper.space(1.5), paper.key(colours, w("criteria_hint"))]


def _asked(answers: Sequence[Answer], w: Wording) -> list[Flowable]:
    if not answers:
        return []
    width = paper.WIDTH / 3
    cells: list[list[Any]] = []
    for n in range(0, len(answers), 3):
        row = [_card(answer, width - 6 * mm) for answer in answers[n : n + 3]]
        cells.append(row + [""] * (3 - len(row)))
    look = [("BOTTOMPADDING", (0, 0), (-1, -1), 3 * mm), ("RIGHTPADDING", (0, 0), (-1, -1), 6 * mm)]
    return [paper.text(w("centre_asks"), "head"), paper.grid(cells, [width] * 3, look), paper.space(1)]


def _card(answer: Answer, width: float) -> list[Flowable]:
    lines = [[paper.text(name, "small"), paper.text(value, "small", align=2)] for name, value in answer.lines[:ANSWER_LINES]]
    shown: list[Flowable] = [
        paper.text(answer.question, "small", "soft"),
        paper.text(answer.answer, "answer", "fail" if answer.is_bad else "text"),
    ]
    return [*shown, paper.grid(lines, [width * 0.72, width * 0.28], [])] if lines else shown


def _topics(topics: Sequence[Row], total: Row, w: Wording) -> list[Flowable]:
    if not topics:
        return []
    most = max(t["calls"] for t in topics)
    cells = [
        [
            paper.text(w.label("topics", t["topic"])),
            paper.Bar((("accent", t["calls"]), ("card", most - t["calls"])), 30 * mm),
            paper.text(w.share(t["calls"], total["graded"]), "strong", align=2),
        ]
        for t in topics[:TOPICS]
    ]
    return [paper.text(w("topics_title"), "head"), paper.lined(cells, [38 * mm, 33 * mm, 14 * mm])]


def _not_graded(ledger: Sequence[Row], total: Row, w: Wording) -> list[Flowable]:
    head, missing = paper.text(w("ledger"), "head"), total["received"] - total["graded"]
    if not missing:
        return [head, paper.text(w("ledger_empty"), "body", "soft")]
    counted = Counter(w.label("statuses", row["status"]) for row in ledger)
    cells = [[paper.text(reason), paper.text(w.number(n), "strong", align=2)] for reason, n in counted.most_common(REASONS)]
    return [head, paper.lined(cells, [70 * mm, 15 * mm]), paper.space(1), paper.text(w("ledger_hint"), "small", "soft")]


def _moments(clips: Sequence[Row], w: Wording) -> list[Flowable]:
    said = [c for c in clips if c["quote"]]
    if not said:
        return []
    cells = [
        [
            paper.text(w.label("clip_kinds", c["kind"]), "small", "accent" if c["kind"] == "good_example" else "fail"),
            [
                paper.text(c["title"], "strong"),
                paper.text(c["quote"]),
                paper.text(f"{c['call_id']}, {clock(c['start_s'])}", "small", "soft"),
            ],
        ]
        for c in said
    ]
    table = paper.lined(cells, [32 * mm, paper.WIDTH - 32 * mm])
    return [KeepTogether([paper.text(w("clips"), "head"), table]), paper.space(5)]


def _calls(calls: Sequence[Row], more: int, w: Wording) -> list[Flowable]:
    if not calls:
        return []
    keys = (("when", 0), ("topic", 0), ("what_to_see", 0), ("length", 2), ("score", 2))
    cells: list[list[Any]] = [[paper.text(w(key), "small", "soft", align) for key, align in keys]]
    for row in calls:
        flags = [w("critical")] if row["auto_fail"] else []
        flags += [w.label("outcomes", row["outcome"])] if row["abusive"] else []
        flags += [w("needs_person")] if row["needs_review"] else []
        cells.append([
            [paper.text(row["when"]), paper.text(row["call_id"], "small", "soft")],
            paper.text(w.label("topics", row["topic"])),
            paper.text(" · ".join(flags), "small", "fail" if row["auto_fail"] else "soft"),
            paper.text(clock(row["duration_s"]), align=2),
            paper.text(w.pct(row["score_pct"]), "strong", align=2),
        ])  # fmt: skip
    table = paper.lined(cells, [44 * mm, 36 * mm, 62 * mm, 18 * mm, 18 * mm], heads=1)
    parts: list[Flowable] = [paper.text(w("calls_first"), "head"), table]
    return [*parts, paper.space(1), paper.text(w("more_calls", n=w.number(more)), "small", "soft")] if more else parts
