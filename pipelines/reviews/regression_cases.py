"""Regression cases from upheld disputes: the anonymised transcript and the verdict that the rules must reach from then on.

A case contains masked words, their times and the facts of the call that rules read. It has no ids, no sound, no date, and a common name
in place of the operator's, so it stays when the call is forgotten. `callgrade cases` writes the cases into a folder and tests the rules
on them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from models import atomic_files, private_files
from models.languages import language as languages
from pipelines.app_db.database import open_store
from pipelines.centres.profile import load_centre
from pipelines.core import preflight
from pipelines.core.errors import MisconfiguredError
from pipelines.core.published import Published, Row
from pipelines.core.records import AudioFacts, Call, CallRoles, Hold, Interval, PersonalData, Token, Turn
from pipelines.core.settings import Settings
from pipelines.redact.step import redact_turns
from pipelines.score.step import score_call

FORMAT = 1
_FACTS = ("direction", "line", "queue", "ivr_path", "operator_tenure", "disconnect_party", "wait_s")
_STAND_IN = {"ru": "Мария", "uk": "Марія", "hu": "Mária", "en": "Mary"}
_TURN = ("turn_no", "track", "speaker", "role", "role_confidence", "start_s", "end_s", "language", "asr_confidence", "voice_level_db", "raised_voice",
         "overlap_s", "interrupts")  # fmt: skip


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """The result of the current rules on one case."""

    case_id: str
    centre_id: str
    criterion_id: str
    expected: str
    verdict: str
    explanation: str

    @property
    def is_met(self) -> bool:
        return self.verdict == self.expected


def freeze(published: Published, key: bytes, call: Row, criterion_id: str, expected: str, machine_verdict: str) -> Row:
    """A call as a case, in the columns of the table regression_cases."""
    call_id = call["call_id"]
    centre = load_centre(call["centre_id"])
    turns = _anonymous(_turns(published, call_id))
    hour = call["started_local"].hour if call["started_local"] is not None else None
    case_id = case_id_of(key, call_id, criterion_id)
    case = {
        "format": FORMAT, "case_id": case_id, "centre": centre.centre_id, "scorecard_version": centre.scorecard.version, "criterion": criterion_id,
        "expected": expected, "machine_said": machine_verdict, "started_hour": hour, "language": call["language"],
        "call": {name: call[name] for name in _FACTS}, "duration_s": call["duration_s"], "channels": call["channels"], "tracks": call["tracks"],
        "role_confidence": call["role_confidence"], "is_mapping_suspect": bool(call["is_mapping_suspect"]),
        "holds": published.rows("select start_s, end_s, kind from holds where call_id = ? order by start_s", call_id),
        "personal_data": published.rows("select turn_no, kind, start_s, end_s from personal_data where call_id = ? order by start_s", call_id),
        "turns": [
            {name: getattr(turn, name) for name in _TURN} | {"words": [[t.text, t.start_s, t.end_s, round(t.probability, 4)] for t in turn.tokens]}
            for turn in turns
        ],
    }  # fmt: skip
    return {"case_id": case_id, "case_json": json.dumps(case, ensure_ascii=False)}


def case_id_of(key: bytes, call_id: str, criterion_id: str) -> str:
    """The id of the case of a call and criterion, which only this site can compute."""
    return hmac.new(key, f"case {call_id} {criterion_id}".encode(), hashlib.sha256).hexdigest()[:12]


def replay(case: Mapping[str, Any], settings: Settings | None = None) -> CaseOutcome:
    """Run the current rules on a case. Raises MisconfiguredError when its centre or criterion no longer exists."""
    try:
        centre = load_centre(case["centre"])
        case_id, hour = case["case_id"], case["started_hour"]
        started = None if hour is None else datetime(2024, 1, 8, hour, 30, tzinfo=centre.timezone)
        call = Call(case_id, centre.centre_id, "", "", 0, started, operator_id="somebody", language=case["language"], **case["call"])
        turns = [_turn(case_id, row) for row in case["turns"]]
        speech = tuple(Interval(turn.track, turn.start_s, turn.end_s) for turn in turns)
        holds = tuple(Hold(h["start_s"], h["end_s"], h["kind"]) for h in case["holds"])
        audio = AudioFacts(case_id, case["duration_s"], 8000, "pcm_s16le", case["channels"], case["tracks"], speech, holds, 0.1, ((),))
        roles = CallRoles(case_id, case["role_confidence"], "", case["is_mapping_suspect"])
        personal = [PersonalData(case_id, **row) for row in case["personal_data"]]
    except (KeyError, TypeError) as error:
        raise MisconfiguredError(
            f"The case {case.get('case_id', '?')} cannot be read: {error}. Write it again with `callgrade cases`."
        ) from None
    chosen = {"profile": settings.profile, "models_dir": settings.models_dir} if settings else {}
    scored = score_call(call, audio, turns, roles, personal_data=personal, centre=centre, **chosen)  # type: ignore[arg-type]  # a mapping has one type
    verdict = next((v for v in scored.verdicts if v.criterion_id == case["criterion"]), None)
    if verdict is None:
        raise MisconfiguredError(
            f"The case {case_id} tests {case['criterion']}, which is no longer in the scorecard of {centre.centre_id}. Remove its file."
        )
    return CaseOutcome(case_id, centre.centre_id, verdict.criterion_id, case["expected"], verdict.verdict, verdict.explanation)


def write_new(settings: Settings, folder: Path) -> list[Path]:
    """Write the upheld cases that have no file yet into a folder; return the files.

    An existing file is frozen and never rewritten.
    """
    private_files.make_folder(folder)
    written = []
    for row in open_store(settings).rows("select * from regression_cases order by case_id"):
        target = folder / f"{row['case_id']}.yaml"
        if not target.exists():
            atomic_files.write(target, as_yaml(json.loads(row["case_json"])).encode())
            written.append(target)
    return written


def as_yaml(case: Mapping[str, Any]) -> str:
    """A case as the text of its file."""
    return yaml.safe_dump(dict(case), allow_unicode=True, sort_keys=False, default_flow_style=None, width=160)


def read_cases(folder: Path) -> Iterator[dict[str, Any]]:
    """The cases of a folder by name. Raises MisconfiguredError for an invalid file."""
    for file in sorted(folder.glob("*.yaml")):
        try:
            case = yaml.safe_load(file.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise MisconfiguredError(f"{file} is not YAML: {error}") from None
        if not isinstance(case, dict) or case.get("format") != FORMAT:
            raise MisconfiguredError(f"{file} is not a case of format {FORMAT}. Write it again with `callgrade cases`, or remove it.")
        yield case


def run(settings: Settings, folder: Path | None) -> int:
    """`callgrade cases`: write new cases, then test the rules on every case; 1 when a case is not met."""
    preflight.check_models(settings, job="text")
    folder = folder or settings.site / "cases"
    for file in write_new(settings, folder):
        print(f"new: {file}")
    outcomes = [replay(case, settings) for case in read_cases(folder)]
    for outcome in outcomes:
        if not outcome.is_met:
            said = f"{outcome.verdict} ({outcome.explanation})"
            print(
                f"not met: {outcome.case_id} {outcome.centre_id} {outcome.criterion_id}: expected {outcome.expected}, the rules say {said}"
            )
    missed = sum(not outcome.is_met for outcome in outcomes)
    print(f"{len(outcomes)} cases in {folder}, {len(outcomes) - missed} met, {missed} not met.")
    return 1 if missed else 0


def _turns(published: Published, call_id: str) -> list[Turn]:
    """The turns with their words, personal data as placeholders even where it was stored readable."""
    personal = published.rows("select turn_no, kind, start_s, end_s from personal_data where call_id = ?", call_id)
    words: dict[int, list[Token]] = {}
    for word in published.rows("select * from words where call_id = ? order by turn_no, word_no", call_id):
        own = words.setdefault(word["turn_no"], [])
        hidden = next(
            (p for p in personal if p["turn_no"] == word["turn_no"] and p["start_s"] < word["end_s"] and word["start_s"] < p["end_s"]), None
        )
        token = Token(f"[{hidden['kind'].upper()}]" if hidden else word["text"], word["start_s"], word["end_s"], word["probability"])
        if hidden and own and own[-1].text == token.text:
            own[-1] = replace(own[-1], end_s=token.end_s)
        else:
            own.append(token)
    rows = published.rows("select * from turns where call_id = ? order by turn_no", call_id)
    return [Turn(call_id, tokens=tuple(words.get(row["turn_no"], ())), **{name: row[name] for name in _TURN}) for row in rows]


def _anonymous(turns: Sequence[Turn]) -> list[Turn]:
    """The turns with a common name in place of operators' own names, which are readable elsewhere.

    Masking the operator's words as if they were a client's finds names; every capitalised operator word that a dictionary lists as a name
    is one too.
    """
    masked, _ = redact_turns([replace(turn, role="client") for turn in turns])
    found = []
    for before, after in zip(turns, masked, strict=True):
        if before.role != "operator":
            found.append(replace(after, role=before.role))
            continue
        name = _STAND_IN.get(before.language, _STAND_IN["en"])
        known = set(before.tokens)
        tokens = [
            replace(t, text=name + _end(before, t))
            if (t not in known and t.text == "[NAME]") or _is_first_name(t.text, before.language)
            else t
            for t in after.tokens
        ]
        found.append(replace(before, tokens=tuple(tokens)))
    return found


def _is_first_name(text: str, language: str) -> bool:
    word = text.strip('.,;:!?…«»"()')
    if not word[:1].isupper() or word.startswith("["):
        return False
    return languages.is_first_name(word.lower(), language)


def _end(turn: Turn, token: Token) -> str:
    """The punctuation after the hidden words."""
    hidden = [t.text for t in turn.tokens if token.start_s <= t.start_s and t.end_s <= token.end_s]
    return hidden[-1][-1] if hidden and hidden[-1][-1:] in ".,?!" else ""


def _turn(case_id: str, row: Mapping[str, Any]) -> Turn:
    tokens = tuple(Token(str(text), start_s, end_s, probability) for text, start_s, end_s, probability in row["words"])
    return Turn(case_id, tokens=tokens, **{name: row[name] for name in _TURN})
