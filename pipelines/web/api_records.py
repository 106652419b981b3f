"""The records of the read API; their fields are columns of the views, which docs/warehouse.md describes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel

Period = Literal["day", "week", "month"]


class Centre(BaseModel):
    """A centre with calls; the days are local."""

    centre_id: str
    calls: int
    first_day: date | None
    last_day: date | None


class Call(BaseModel):
    """A row of calls, without the columns that may name a person."""

    call_id: str
    centre_id: str | None
    started_at: datetime | None
    started_local: datetime | None
    direction: str | None
    line: str | None
    queue: str | None
    operator_id: str | None
    operator_tenure: str | None
    wait_s: float | None
    duration_s: float | None
    language: str | None
    topic: str | None
    topic_confidence: float | None
    client_type: str | None
    client_type_confidence: float | None
    disconnect_party: str | None
    status: str
    status_reason_key: str | None
    scored_by: str | None


class Verdict(BaseModel):
    """A row of criterion_results; the texts are empty for a call that was stored unmasked."""

    call_id: str
    centre_id: str | None
    scorecard_id: str
    scorecard_version: str | None
    criterion_id: str
    verdict: str
    confidence: float | None
    points: float | None
    max_points: float | None
    quote: str | None
    role: str | None
    turn_no: int | None
    start_s: float | None
    end_s: float | None
    judge: str
    explanation: str | None


class Finding(BaseModel):
    """A row of findings; the quote is empty for a call that was stored unmasked."""

    call_id: str
    centre_id: str | None
    finding_no: int
    kind: str
    role: str | None
    turn_no: int | None
    start_s: float
    end_s: float
    quote: str | None
    severity: str | None
    target: str | None
    confidence: float | None
    judge: str
    refuted_at: datetime | None


class _Scorecard(BaseModel):
    centre_id: str | None
    period: str
    period_start: date | None
    calls: int
    graded: int
    scored_calls: int
    score_pct: float | None
    score_low_pct: float | None
    score_high_pct: float | None
    raw_score_pct: float | None
    expected_score_pct: float | None
    coverage_pct: float | None
    needs_review: int | None
    auto_fails: int | None
    abusive_calls: int | None
    abuse_exposure_s: float | None
    aht_s: float | None
    wait_s: float | None


class OperatorScorecard(_Scorecard):
    """A row of operator_scorecards."""

    operator_id: str | None
    peers: int | None
    peer_score_pct: float | None
    standing: str | None


class CentreScorecard(_Scorecard):
    """A row of centre_scorecards; the line `all` is the whole centre."""

    line: str


class CriterionDay(BaseModel):
    """A row of criterion_days."""

    centre_id: str | None
    day: date | None
    operator_id: str | None
    criterion_id: str
    passed: int
    failed: int
    unsure: int
    not_applicable: int
    by_people: int
    max_points: float | None


class CentreList(BaseModel):
    """All centres."""

    data: list[Centre]


class _Page(BaseModel):
    next_cursor: str | None  # null after the last row


class CallPage(_Page):
    """A page of calls."""

    data: list[Call]


class VerdictPage(_Page):
    """A page of verdicts."""

    data: list[Verdict]


class FindingPage(_Page):
    """A page of findings."""

    data: list[Finding]


class OperatorPage(_Page):
    """A page of operators' scorecards."""

    data: list[OperatorScorecard]


class CentrePage(_Page):
    """A page of centres' scorecards."""

    data: list[CentreScorecard]


class CriterionDayPage(_Page):
    """A page of criterion days."""

    data: list[CriterionDay]
