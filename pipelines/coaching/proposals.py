"""Proposed packs for each month: one per operator and one per theme, as balanced as the month's calls allow.

A proposal is not stored until a trainer accepts it. The same calls give the same proposals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.centres.profile import load_centre
from pipelines.coaching.clip_extraction import LEAST_CONFIDENCE, LONGEST_EVIDENCE_S
from pipelines.core.profile_files import centre_ids
from pipelines.core.published import Published, Row

OF_A_KIND = 4  # moments of one kind in a proposed pack
MONTHS = 3
# A theme is a training topic: the points that show it. Stress resistance is calm handling of abusive clients, and those points are
# taken from calls in which the client was abusive; each of a centre's own points is a theme.
THEMES: Mapping[str, tuple[str, ...]] = {
    "stress_resistance": ("abuse_procedure", "same_attitude", "no_forbidden_words", "empathy_shown", "good_impression"),
    "difficult_calls": ("empathy_shown", "good_impression", "hold_announced", "hold_thanked"),
    "wrong_company": ("redirected",),
    "own_service": ("self_service_offered",),
    "night": ("night_rule",),
    "calling_back": ("callback_reason",),
    "first_impression": ("greeting", "company_named", "operator_named", "farewell"),
    "identification": ("client_identified", "code_word_asked"),
    "requests": ("solution_given", "request_taken"),
}
_ABUSIVE_ONLY = frozenset({"stress_resistance"})


@dataclass(frozen=True, slots=True)
class Proposal:
    """A possible pack from a month's calls."""

    centre_id: str
    month: date
    about: str  # operator or theme
    subject: str
    moments: tuple[Row, ...]
    days: int = 1  # number of days with its calls

    @property
    def key(self) -> str:
        """The form value that accepts it."""
        return f"{self.about}:{self.month:%Y-%m}:{self.subject}"

    @property
    def good(self) -> int:
        return sum(m["kind"] == "good_example" for m in self.moments)


def proposed(published: Published, centre_id: str) -> list[Proposal]:
    """The proposals for the latest months of a centre, the newest month first, themes before operators."""
    months: defaultdict[date, list[Row]] = defaultdict(list)
    for row in _decided(published, centre_id):
        months[row["month"]].append(row)
    made: list[Proposal] = []
    for month in sorted(months, reverse=True)[:MONTHS]:
        rows = months[month]
        themed = dict(THEMES) | _own_themes(centre_id)
        for theme, criteria in themed.items():
            fitting = [r for r in rows if r["criterion_id"] in criteria and (theme not in _ABUSIVE_ONLY or r["is_abusive"])]
            made += _proposal(centre_id, month, "theme", theme, fitting)
        for operator_id in sorted({r["operator_id"] for r in rows if r["operator_id"]}):
            made += _proposal(centre_id, month, "operator", operator_id, [r for r in rows if r["operator_id"] == operator_id])
    return made


def chosen(rows: Iterable[Row]) -> list[Row]:
    """As many good examples as moments to improve, by confidence, from different calls and points where possible; alternating."""
    kinds: dict[str, list[Row]] = {"good_example": [], "to_improve": []}
    for row in sorted(rows, key=lambda r: (-r["confidence"], r["call_id"], r["start_s"])):
        kinds[row["kind"]].append(row)
    size = min(OF_A_KIND, *(len(of_kind) for of_kind in kinds.values()))
    picked = [_different(of_kind, size or min(OF_A_KIND, len(of_kind))) for of_kind in kinds.values()]
    return [row for pair in zip(*picked, strict=False) for row in pair] if size else [row for some in picked for row in some]


def _different(rows: Sequence[Row], size: int) -> list[Row]:
    met_calls: set[str] = set()
    met_points: defaultdict[str, int] = defaultdict(int)
    ranked = []
    for row in rows:
        ranked.append((row["call_id"] in met_calls, met_points[row["criterion_id"]], row))
        met_calls.add(row["call_id"])
        met_points[row["criterion_id"]] += 1
    return [row for _, _, row in sorted(ranked, key=lambda r: r[:2])][:size]


def _proposal(centre_id: str, month: date, about: str, subject: str, rows: Sequence[Row]) -> list[Proposal]:
    picked = chosen(rows)
    return [Proposal(centre_id, month, about, subject, tuple(picked), len({r["day"] for r in picked}))] if len(picked) > 1 else []


def _own_themes(centre_id: str) -> dict[str, tuple[str, ...]]:
    """A centre's own points that are in no theme, by their names."""
    if centre_id not in centre_ids():
        return {}
    known = {criterion for criteria in THEMES.values() for criterion in criteria}
    return {c.criterion_id: (c.criterion_id,) for c in load_centre(centre_id).scorecard.criteria if c.criterion_id not in known}


def _decided(published: Published, centre_id: str) -> list[Row]:
    """The confident points of a centre's latest months with short evidence, as rows of `moments`; human verdicts take precedence."""
    return published.rows(
        """
        with latest as (select date_trunc('month', max(started_local)) - to_months(?) as first from calls where centre_id = ? and status = 'graded'),
        recorded as (
            select c.call_id, c.centre_id, c.operator_id, c.started_local, c.recording_sha256
            from calls c, latest where c.centre_id = ? and c.status = 'graded' and c.started_local >= latest.first and c.recording_sha256 is not null
        ), decided as (
        select
            s.call_id, s.centre_id, s.operator_id, s.recording_sha256, r.criterion_id, cast(null as varchar) as act, cast(null as varchar) as finding_kind,
            cast(null as varchar) as severity,
            r.start_s, r.end_s, r.confidence, if(r.verdict = 'pass', 'good_example', 'to_improve') as kind,
            cast(date_trunc('month', s.started_local) as date) as month, cast(s.started_local as date) as day,
            s.call_id in (select call_id from findings where kind = 'abuse' and role = 'client' and refuted_at is null) as is_abusive
        from criterion_results r
        join recorded s using (call_id)
        qualify row_number() over (partition by r.call_id, r.criterion_id order by r.judge = 'human' desc, r.scorecard_id) = 1
            and r.verdict in ('pass', 'fail') and r.confidence >= ? and r.end_s > r.start_s and r.end_s - r.start_s <= ?
            and (r.verdict = 'fail' or r.quote is not null)
        )
        select * from decided
        qualify row_number() over (partition by month, criterion_id, kind, is_abusive order by confidence desc, call_id) <= ?
            or row_number() over (partition by month, operator_id, kind, criterion_id order by confidence desc, call_id) <= ?
        """,
        MONTHS - 1, centre_id, centre_id, LEAST_CONFIDENCE, LONGEST_EVIDENCE_S, 3 * OF_A_KIND, OF_A_KIND,
    )  # fmt: skip
