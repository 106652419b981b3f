"""The records that the steps exchange: frozen dataclasses, with units in their field names.

Every record has a `call_id`. Times are seconds from the start of the recording (`_s`), levels are decibels (`_db`), calendar times end
in `_at`. Each record class maps one to one to a staged Parquet file (see `staging`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pipelines.core.printable import printable
from pipelines.core.rejections import Reason, Status

Role = Literal["operator", "client", "unknown"]
Medium = Literal["recording", "transcript"]
VerdictName = Literal["pass", "fail", "na", "unsure"]


@dataclass(frozen=True, slots=True)
class Call:
    """One row of the call log joined to its recording, as accepted by intake."""

    call_id: str
    centre_id: str
    recording: str  # absolute path while staged; never stored in the warehouse
    recording_sha256: str
    size_bytes: int
    started_at: datetime | None  # time zone aware
    direction: str = "inbound"  # inbound | callback | outbound
    line: str | None = None
    queue: str | None = None
    ivr_path: str | None = None
    operator_id: str | None = None
    operator_tenure: str | None = None
    client_ref: str | None = None
    wait_s: float | None = None
    disconnect_party: str = "unknown"  # operator | client | system | unknown: from the exchange, never guessed
    operator_channel: int | None = None
    language: str | None = None  # as in the log; None when it has none
    extra_json: str = "{}"  # unknown columns of the log
    medium: Medium = "recording"  # what was delivered; `recording` is the path of either


@dataclass(frozen=True, slots=True)
class Rejection:
    """A received item that cannot be graded, and why; counted in every denominator."""

    call_id: str  # unique; generated from the row or the file where the log has none
    step: str  # intake | audio | transcribe | diarize | turns | redact | score | load
    status: Status
    reason: str  # one plain English sentence: what is wrong, where, what to do
    centre_id: str | None = None
    recording: str | None = None  # file name only
    recording_sha256: str | None = None
    reason_key: str | None = None  # the same as a key of `rejections` with its values; None in records of older versions
    reason_values: str | None = None  # JSON

    @classmethod
    def because(
        cls, reason: Reason, step: str, call_id: str, centre_id: str | None, recording: str | None, recording_sha256: str | None
    ) -> Rejection:
        """A rejection with a reason. `recording` is a file name."""
        return cls(
            call_id, step, reason.status, reason.text(), centre_id, recording, recording_sha256, reason.key.value, reason.values_json
        )

    @classmethod
    def of_call(cls, call: Call, step: str, reason: Reason) -> Rejection:
        """The rejection of a call of a batch by a step."""
        return cls.because(reason, step, call.call_id, call.centre_id, Path(call.recording).name, call.recording_sha256)

    def __post_init__(self) -> None:
        """Escape invisible characters: id, reason and file name may come from outside, and are shown to people."""
        for name in ("call_id", "reason", "recording"):
            value = getattr(self, name)
            object.__setattr__(self, name, value and printable(value))


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of one audio track."""

    track: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Hold:
    """A stretch in which the client waits: nobody speaks, or music plays."""

    start_s: float
    end_s: float
    kind: Literal["silence", "music"]


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """Acoustic facts of a recording, before any language model."""

    call_id: str
    duration_s: float
    sample_rate_hz: int
    codec: str
    channels: int  # as in the file
    tracks: int  # 1 for mono and for doubled mono, 2 for true stereo
    speech: tuple[Interval, ...]  # speech per track, leaked cross-talk removed
    holds: tuple[Hold, ...]
    level_hop_s: float
    level_db: tuple[tuple[float, ...], ...]  # [tracks][frames] RMS level in dBFS


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word on one track."""

    call_id: str
    track: int
    start_s: float
    end_s: float
    text: str  # with its punctuation, trimmed
    probability: float
    language: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A diarization interval with its speaker (an RTTM line); speakers are local to the call."""

    call_id: str
    track: int
    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Token:
    """One unit of a turn's text: a word, or a placeholder such as [ACCOUNT] for masked words."""

    text: str
    start_s: float
    end_s: float
    probability: float
    raw: str | None = None  # the masked word; only with --keep-text raw


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says until another speaks."""

    call_id: str
    turn_no: int  # 1, 2, ... in order of start_s
    track: int
    speaker: str
    role: Role
    role_confidence: float
    start_s: float
    end_s: float
    tokens: tuple[Token, ...]
    language: str
    asr_confidence: float
    voice_level_db: float | None  # relative to the same speaker's median; a level, never an emotion
    raised_voice: bool
    overlap_s: float  # how long this turn overlaps other people's turns
    interrupts: bool  # it began while another person was speaking and took the floor

    @property
    def text(self) -> str:
        """The text for analysis: personal data always masked (after the redact step)."""
        return " ".join(t.text for t in self.tokens)

    @property
    def displayed_text(self) -> str:
        """The text for display: as `text`, with unmasked words where they were stored."""
        return self.quote(0, len(self.tokens))

    def quote(self, first: int, last: int) -> str:
        """The displayed words of tokens first..last-1; a literal substring of `displayed_text`."""
        return " ".join(t.raw or t.text for t in self.tokens[first:last])


@dataclass(frozen=True, slots=True)
class CallRoles:
    """The roles of a call's speakers, with confidence."""

    call_id: str
    role_confidence: float
    explanation: str
    is_mapping_suspect: bool  # the words suggest that the log has the wrong operator channel


@dataclass(frozen=True, slots=True)
class PersonalData:
    """Where personal data was said, so that clips can be beeped; its content is not stored."""

    call_id: str
    turn_no: int
    kind: str  # account | card | phone | name | address | passport | email | code_word | birth_date
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class TurnSentiment:
    """The sentiment of one turn, judged by its words."""

    call_id: str
    turn_no: int
    sentiment: Literal["negative", "neutral", "positive"]
    confidence: float


@dataclass(frozen=True, slots=True)
class Finding:
    """Something noticed in a call, with its position and quote."""

    call_id: str
    kind: str  # abuse | forbidden_phrase | personal_data | raised_voice | interruption | dead_air | dropped_speech | channel_mapping
    role: Role
    turn_no: int | None
    start_s: float
    end_s: float
    quote: str | None
    severity: str | None = None  # abuse: profanity | insult | threat
    target: str | None = None  # abuse: operator | company | client | other
    confidence: float = 1.0
    detector: str = ""


# In the order of a call. What would blame somebody (forbidden words, personal data disclosed) is a finding or a criterion, never here.
SPEECH_ACTS = (
    "greeting", "company", "self_name", "offer_help", "callback_intro", "identify", "clarify", "empathy", "hold_ask", "hold_thanks", "solution",
    "self_service", "redirect", "night_notice", "warn_abuse", "end_notice", "anything_else", "thanks", "farewell",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SpeechAct:
    """A speech act of the operator in one turn; at most one row per turn and act."""

    call_id: str
    turn_no: int
    act: str  # one of SPEECH_ACTS
    role: Role  # operator, or unknown
    start_s: float
    end_s: float
    quote: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Procedure:
    """The outcome of the warn-before-hang-up rule in one call."""

    call_id: str
    outcome: str
    warned_at_s: float | None
    ended_notice_at_s: float | None
    confidence: float
    explanation: str  # in English
    explanation_json: str = "{}"  # the same as a key of the string tables with its values


@dataclass(frozen=True, slots=True)
class Verdict:
    """One criterion of one scorecard applied to one call. A pass or fail always has start_s and end_s, and a quote unless it fails by absence."""

    call_id: str
    scorecard_id: str
    scorecard_version: str
    criterion_id: str
    verdict: VerdictName
    confidence: float
    points: float
    max_points: float
    quote: str | None
    role: Role | None
    turn_no: int | None
    start_s: float | None
    end_s: float | None
    explanation: str  # in English
    explanation_json: str = "{}"  # the same as a key of the string tables with its values


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """The answer of a language model to the question of one criterion in one call, with its cost.

    `answer` is None where there is none that counts; `problem` then has the reason, see `questions.language_model`. The evidence is
    the tokens `first_token` to `last_token` - 1 of one turn.
    """

    call_id: str
    criterion_id: str
    answer: Literal["yes", "no", "not_applicable"] | None
    turn_no: int | None
    first_token: int | None
    last_token: int | None
    problem: str | None
    http_status: int | None  # of the server, where that is the problem
    is_final: bool  # False: the question was not answered for a reason that may pass, such as an unreachable server
    model: str  # empty where none is configured
    prompt_version: str
    question_version: str
    transcript_version: str  # digest of the masked turns that the model was given
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class SummarySentence:
    """One sentence of a call's summary, with the words of one turn that prove it."""

    call_id: str
    sentence_no: int
    text: str
    turn_no: int
    quote: str  # as displayed, see `Turn.quote`
    start_s: float  # of the quote
    end_s: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A scorecard applied to a call. `score_pct` is None when nothing could be decided."""

    call_id: str
    scorecard_id: str
    scorecard_version: str
    score_pct: float | None
    is_auto_fail: bool
    auto_fail_reason: str | None
    coverage_pct: float
    needs_review: bool
    auto_fail_criterion_id: str | None = None


@dataclass(frozen=True, slots=True)
class CallMetrics:
    """The metrics of one conversation, and its topic. Durations in seconds, ratios 0 to 1."""

    call_id: str
    language: str
    topic: str
    topic_confidence: float
    client_type: str
    client_type_confidence: float
    handling_time_s: float
    operator_talk_ratio: float | None
    client_talk_ratio: float | None
    overlap_ratio: float
    dead_air_s: float
    hold_s: float
    operator_words_per_min: float | None
    client_words_per_min: float | None
    interruptions_by_operator: int
    interruptions_by_client: int
    client_sentiment_start: float | None  # -1 to 1, mean of the first third of the client's turns
    client_sentiment_end: float | None
    asr_confidence: float
    speech_model: str
    scored_by: str


@dataclass(frozen=True, slots=True)
class Clip:
    """A short piece of a call for training, cut around one verdict, with personal data beeped."""

    clip_id: str
    call_id: str
    criterion_id: str
    kind: Literal["good_example", "to_improve"]
    start_s: float
    end_s: float
    quote: str | None
    path: str  # relative to the folder beside the warehouse (`Settings.site`)
    masked: bool  # True: something in it was beeped
    expires_at: datetime
