"""Search criteria for moments, and their translation to SQL: the view to search, and the conditions on a row and on its call."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

SHOWN_FINDINGS = ("abuse", "forbidden_phrase", "raised_voice", "interruption", "dead_air")
SEVERITIES = ("profanity", "insult", "threat")
CALL = "call_id, call_no, centre_id, operator_id, topic, client_type, started_local, duration_s, recording_sha256, text_kept"
VIEWS = {"criterion": "criterion_results", "act": "speech_acts", "finding": "findings", "turn": "turns"}
_PLACE = "role, turn_no, start_s, end_s"
_NO = "cast(null as varchar) as"
# For each view: what the moment shows, its number in the call, its place, and whether it is a good example.
MOMENT = {
    "criterion": f"""criterion_id, {_NO} act, {_NO} finding_kind, {_NO} severity, criterion_id as number, {_PLACE}, quote,
        if(verdict = 'pass', 'good_example', 'to_improve') as kind""",
    "act": f"{_NO} criterion_id, act, {_NO} finding_kind, {_NO} severity, turn_no || '.' || act as number, {_PLACE}, quote, {_NO} kind",
    "finding": f"""{_NO} criterion_id, {_NO} act, kind as finding_kind, severity, cast(finding_no as varchar) as number, {_PLACE}, quote,
        if(role = 'operator', 'to_improve', null) as kind""",
    "turn": f"{_NO} criterion_id, {_NO} act, {_NO} finding_kind, {_NO} severity, cast(turn_no as varchar) as number, {_PLACE}, text as quote, {_NO} kind",
}
# A human verdict takes precedence over the automatic one. Few calls have human verdicts.
_COUNTS = """(judge = 'human' or (call_no, scorecard_id, criterion_id) not in
        (select (call_no, scorecard_id, criterion_id) from criterion_results where judge = 'human'))
    and end_s > start_s"""
Condition = tuple[str, list[Any]]  # in SQL, with its parameters


@dataclass(frozen=True, slots=True)
class MomentQuery:
    """The search criteria; None or empty means any."""

    centres: tuple[str, ...]
    criterion_id: str | None = None
    verdict: str | None = None
    act: str | None = None
    finding_kind: str | None = None
    severity: str | None = None
    outcome: str | None = None
    topic: str | None = None
    client_type: str | None = None
    operator_id: str | None = None
    text: str = ""
    is_exact: bool = False

    @property
    def is_empty(self) -> bool:
        return not any(getattr(self, f.name) for f in fields(self) if f.name not in ("centres", "is_exact"))

    @property
    def source(self) -> str:
        """The kind of view to search; with several criteria, the one that identifies the words most precisely."""
        return next(iter(self._marks), "turn" if self.text else "criterion")

    @property
    def _marks(self) -> list[str]:
        marked = {
            "finding": self.finding_kind or self.severity,
            "act": self.act,
            "criterion": self.criterion_id or self.verdict,
        }
        return [source for source, value in marked.items() if value]

    def of_rows(self) -> Condition:
        """The condition on a row of the searched view."""
        return self._of_rows(self.source)

    @property
    def is_of_any_call(self) -> bool:
        """Whether the centre is the only condition on a call."""
        return not (self.topic or self.client_type or self.operator_id or self.outcome)

    def of_calls(self) -> Condition:
        """The condition on the call `c` itself."""
        where, values = ["c.status = 'graded'", "list_contains(?, c.centre_id)"], list[Any]([list(self.centres)])
        for column in ("topic", "client_type", "operator_id"):
            if getattr(self, column):
                where.append(f"c.{column} = ?")
                values.append(getattr(self, column))
        if self.outcome:
            where.append("c.call_id in (select call_id from abuse_procedures where outcome = ?)")
            values.append(self.outcome)
        return " and ".join(where), values

    def of_their_calls(self, numbers: Condition | None = None) -> Condition:
        """Further conditions on a row's call: with several criteria, each must occur in it; `numbers` selects the calls in question."""
        where, values = ["true"], list[Any]()
        for source in self._marks[1:]:  # never findings, which have no call numbers
            held, more = self._of_rows(source)
            near, of_near = (f"call_no in ({numbers[0]}) and ", numbers[1]) if numbers else ("", [])
            where.append(f"call_id in (select call_id from {VIEWS[source]} where {near}{held})")
            values += [*of_near, *more]
        return " and ".join(where), values

    def _of_rows(self, source: str) -> Condition:
        if source == "criterion":
            return points(self.criterion_id, self.verdict)
        if source == "act":
            return "act = ? and end_s > start_s", [self.act]
        if source == "finding":
            held, values = (
                "list_contains(?, kind) and end_s > start_s and refuted_at is null",
                list[Any]([[self.finding_kind] if self.finding_kind else list(SHOWN_FINDINGS)]),
            )
            return (f"{held} and severity = ?", [*values, self.severity]) if self.severity else (held, values)
        return "end_s > start_s", []


def points(criterion_id: str | None, verdict: str | None = None) -> Condition:
    """The condition on a verdict that counts; without a requested verdict, any decided one."""
    chosen = {"criterion_id": criterion_id, "verdict": verdict}
    equal = [f"{name} = ?" for name, value in chosen.items() if value]
    decided = [] if verdict else ["verdict in ('pass', 'fail')"]
    return " and ".join([*equal, *decided, _COUNTS]), [value for value in chosen.values() if value]
