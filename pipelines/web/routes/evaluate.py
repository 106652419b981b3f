"""A reviewer evaluates a call, blind where it belongs to the sample, and compares afterwards; what is filled in is saved as a draft meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, JSONResponse

from pipelines.core.published import Row
from pipelines.queries import call_details
from pipelines.queries.masking import mask_typed
from pipelines.reports.presenters import Presenter
from pipelines.reviews import blind, drafts, evaluations, human_verdicts, resolved_verdicts
from pipelines.reviews.drafts import CURRENT, FIELDS, Draft
from pipelines.reviews.human_verdicts import LONGEST_NOTE, LONGEST_QUOTE, VERDICTS, HumanVerdict, NoEvidenceError
from pipelines.web.request_context import RequestContext, call_path, evaluate_path, may

router = APIRouter()


@router.get("/evaluate/{call_id:path}")
def form(call_id: str, visit: Annotated[RequestContext, may("review")]) -> HTMLResponse:
    """The form of a call, with its words and its sound, filled in as the draft has it."""
    call = visit.call(call_id)
    return _form(visit, call, drafts.find(visit.store, visit.account, call["call_id"]))


@router.post("/evaluate")
def keep(visit: Annotated[RequestContext, may("review")]) -> Response:
    """Save an evaluation and go on to the comparison; what does not fit is told at its field, and nothing that was filled in is lost."""
    call = visit.call(visit.given("call_id"), "evaluated")
    machine, turns = _machine(visit, call), _turns(visit, call)
    answers: list[HumanVerdict] = []
    problems: dict[str, tuple[str, str]] = {}
    for row in machine:
        name = row["criterion_id"]
        verdict, turn, quote, note = (visit.given(f"{field}_{name}", 4000) for field in FIELDS)
        if not verdict and not (turn or quote or note):
            continue
        try:
            answer = human_verdicts.said(name, verdict, turn, quote, note, turns, call["duration_s"] or 0.0)
            answers.append(replace(answer, note=mask_typed(answer.note)))
        except NoEvidenceError as error:
            problems[name] = (error.field, visit.w(str(error), quote=LONGEST_QUOTE, note=LONGEST_NOTE))
    if problems or not answers:
        return _form(visit, call, None, problems, 400)
    said = {row["criterion_id"]: row["verdict"] for row in machine}
    human_verdicts.keep_evaluation(
        visit.store, visit.account, call, machine[0], answers, said, is_withheld=call["call_id"] in visit.withheld
    )
    evaluations.mark_reviewed(visit.store, visit.account, call["call_id"])
    visit.note("evaluated", call["call_id"], call["centre_id"])
    return visit.go("/compared/" + call_path(call["call_id"]).removeprefix("calls/"))


@router.post("/evaluate/draft")
def save_draft(visit: Annotated[RequestContext, may("review")]) -> Response:
    """Save what is filled in so far; the page sends it while somebody fills in the form."""
    return JSONResponse({"saved_at": keep_draft(visit)})


@router.post("/evaluate/discard")
def discard_draft(visit: Annotated[RequestContext, may("review")]) -> Response:
    """Remove the draft and begin with an empty form."""
    call = visit.call(visit.given("call_id"), "evaluated")
    drafts.discard(visit.store, visit.account, call["call_id"])
    return visit.go(f"/{evaluate_path(call['call_id'])}")


@router.post("/evaluate/waive")
def waive(visit: Annotated[RequestContext, may("review")]) -> Response:
    """Show the results of a call, or of a centre's whole sample, without judging blind first: from then on no evaluation of it counts as blind."""
    if visit.given("call_id"):
        calls = [visit.call(visit.given("call_id"), "blind_waived")]
    else:
        sample = blind.sampled(visit.published, visit.store, visit.centre(visit.given("centre")))
        calls = [visit.call(row["call_id"], "blind_waived") for row in sample]
    for call in calls:
        if call["call_id"] in visit.withheld:
            human_verdicts.note_seen(visit.store, visit.account, call["call_id"])
            visit.note("blind_waived", call["call_id"], call["centre_id"])
    if visit.given("call_id"):
        return visit.go("/" + call_path(calls[0]["call_id"]))
    return visit.go(f"/{visit.shown(visit.given('centre')).centre['href']}/queue?kind=sample")


@router.get("/compared/{call_id:path}")
def compared(call_id: str, visit: Annotated[RequestContext, may("review")]) -> Response:
    """What the machine and each person said of a call, and what counts; for a reviewer who has yet to judge it blind, the form to do so."""
    call = visit.call(call_id)
    if call["call_id"] in visit.withheld:
        return visit.to_blind_form(call["call_id"])
    human_verdicts.note_seen(visit.store, visit.account, call["call_id"])
    shown, machine = visit.shown(call["centre_id"]), _machine(visit, call)
    everything = human_verdicts.everything(visit.store, [call["call_id"]])
    stands = human_verdicts.standing(visit.store, [call["call_id"]]).get(call["call_id"], {})
    lines = [
        row | {
            "title": shown.title(row["criterion_id"]),
            "people": [v for v in everything if (v["scorecard_id"], v["criterion_id"]) == (row["scorecard_id"], row["criterion_id"])],
            "stands": stands.get((row["scorecard_id"], row["criterion_id"])),
        }
        for row in machine
    ]  # fmt: skip
    listed = resolved_verdicts.of_list(visit.published, visit.store, _score(visit, call))[0]
    return visit.page("app/compared.html", **_head(visit, shown, call), lines=lines, before=_score(visit, call)[0], now=listed)


def keep_draft(visit: RequestContext) -> float:
    """Save the form of a request as the draft of its call; when that was. Raises RefusedError for a call that the account does not see."""
    call = visit.call(visit.given("call_id"), "evaluated")
    criteria = [row["criterion_id"] for row in _machine(visit, call)]
    answers = drafts.read_form(lambda name: visit.given(name, 4000), criteria, _turns(visit, call))
    return drafts.save(visit.store, visit.account, call["call_id"], answers, is_blind=call["call_id"] in visit.withheld)


def _form(
    visit: RequestContext, call: Row, draft: Draft | None, problems: dict[str, tuple[str, str]] | None = None, status: int = 200
) -> HTMLResponse:
    """The form as a request sent it, or as the draft has it; `problems` are a field and a sentence by criterion."""
    shown, machine = visit.shown(call["centre_id"]), _machine(visit, call)
    is_blind = call["call_id"] in visit.withheld
    if not is_blind:
        human_verdicts.note_seen(visit.store, visit.account, call["call_id"])
    filled = draft.answers if draft else {name: visit.given(name, 4000) for name in visit.form}
    described = {c.criterion_id: c for c in shown.profile.scorecard.criteria} if shown.profile else {}
    criteria = [
        {
            "criterion_id": row["criterion_id"],
            "title": shown.title(row["criterion_id"]),
            "description": _in_language(described.get(row["criterion_id"]), visit.w.code),
            "machine_verdict": None if is_blind else row["verdict"],
            "problem_field": (problems or {}).get(row["criterion_id"], (None, ""))[0],
            "problem": (problems or {}).get(row["criterion_id"], (None, ""))[1],
        }
        | {field: filled.get(f"{field}_{row['criterion_id']}", "") for field in FIELDS}
        for row in machine
    ]
    # quotes go to the first criterion with a problem, else to the one that was worked on last
    ids = [row["criterion_id"] for row in machine]
    wrong = [name for name in ids if name in (problems or {})]
    current = wrong[0] if wrong else filled.get(CURRENT) if filled.get(CURRENT) in ids else ids[0]
    talk = [{"turn": turn, "parts": call_details.parts_of(turn["text"], ())} for turn in _turns(visit, call)]
    return visit.page(
        "app/evaluate.html", status, **_head(visit, shown, call), criteria=criteria, talk=talk, verdicts=VERDICTS, is_blind=is_blind,
        problems=problems, current=current, draft=draft, longest={"quote": LONGEST_QUOTE, "note": LONGEST_NOTE},
    )  # fmt: skip


def _head(visit: RequestContext, shown: Presenter, call: Row) -> dict[str, Any]:
    return {"call": call, "centre": shown.centre, "when": visit.w.time(call["started_local"])}


def _machine(visit: RequestContext, call: Row) -> list[Row]:
    """What the machine said of a call's first scorecard, in the order of the scorecard: an order by verdict would tell it."""
    rows = visit.published.of_calls("criterion_results", [call["call_id"]], "scorecard_id, criterion_id", more="judge = 'machine'")
    profile = visit.shown(call["centre_id"]).profile
    order = {c.criterion_id: n for n, c in enumerate(profile.scorecard.criteria)} if profile else {}
    first = [row for row in rows if row["scorecard_id"] == rows[0]["scorecard_id"]]
    if not first:
        visit.refuse(404, "opened", call["call_id"], call["centre_id"])
    return sorted(first, key=lambda row: order.get(row["criterion_id"], len(order)))


def _turns(visit: RequestContext, call: Row) -> list[Row]:
    """The turns as they may be quoted: masked for everybody, because quotes are kept."""
    return resolved_verdicts.read(visit.published, visit.store, call, is_masked=True)["turns"]


def _score(visit: RequestContext, call: Row) -> list[Row]:
    columns = "call_id, score_pct, auto_fail, needs_review"
    rows = visit.published.of_calls("evaluations", [call["call_id"]], "scorecard_id", columns, "judge = 'machine'")
    return rows[:1] or [{"call_id": call["call_id"], "score_pct": None, "auto_fail": False, "needs_review": False}]


def _in_language(criterion: Any, code: str) -> str:
    return "" if criterion is None else criterion.description.get(code) or criterion.description.get("en", "")
