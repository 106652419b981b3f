from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.centres.profile import load_centre
from pipelines.core.records import Hold, Interval, Procedure, Turn, Verdict
from pipelines.score.abuse import find_abuse
from pipelines.score.call_context import Case
from pipelines.score.compliance import judge, points_of
from pipelines.score.procedure import judge_procedure
from pipelines.score.speech_acts import find_acts
from pipelines.score.topic import judge_client_type, judge_topic
from tests.score.spoken import audio_of, call_of, sentiments_of, turns_of

GOOD = [
    ("operator", "Добрый день, Иркутскэнергосбыт, оператор Анна, слушаю вас."),
    ("client", "Здравствуйте, хочу передать показания счётчика."),
    ("operator", "Назовите, пожалуйста, номер лицевого счёта."),
    ("client", "Двенадцать тридцать четыре."),
    ("operator", "Показания приняты. В следующий раз можно передать через личный кабинет. Остались ещё вопросы?"),
    ("client", "Нет, спасибо."),
    ("operator", "Спасибо за звонок, до свидания."),
]


def verdicts(
    centre: str,
    turns: Sequence[Turn],
    holds: Sequence[Hold] = (),
    sentiments: dict[str, str] | None = None,
    speech: Sequence[Interval] = (),
    **call: object,
) -> dict[str, Verdict]:
    profile, one = load_centre(centre), call_of(centre, **call)
    acts, abuse = find_acts(turns, profile), find_abuse(turns, profile)
    procedure: Procedure = judge_procedure(one, turns, abuse, acts, profile.procedure)
    topic = judge_topic(one, turns, profile, acts)
    said = sentiments_of(turns, **(sentiments or {}))
    kind = judge_client_type(turns, topic, abuse, said, profile)
    case = Case(
        one, profile, tuple(turns), tuple(acts), tuple(abuse), procedure, tuple(said), tuple(holds), topic, kind,
        audio_of(turns).duration_s, tuple(speech),
    )  # fmt: skip
    return {v.criterion_id: v for v in judge(case)}


def test_a_good_call_passes_and_every_pass_quotes_its_turn() -> None:
    turns = turns_of(*GOOD)
    got = verdicts("irkutsk", turns)
    for name in (
        "greeting",
        "company_named",
        "operator_named",
        "client_identified",
        "solution_given",
        "self_service_offered",
        "anything_else",
        "farewell",
    ):
        assert got[name].verdict == "pass", name
        turn = next(t for t in turns if t.turn_no == got[name].turn_no)
        assert (got[name].quote or "?") in turn.displayed_text
        assert turn.start_s <= (got[name].start_s or 0) < (got[name].end_s or 0) <= turn.end_s + 0.01
    assert {got[n].verdict for n in ("hold_announced", "abuse_procedure", "night_rule", "redirected", "callback_reason")} == {"na"}
    assert not [v for v in got.values() if v.verdict == "fail"]


def test_a_fail_by_absence_shows_what_was_searched() -> None:
    turns = turns_of(("operator", "Слушаю вас, говорите."), *GOOD[1:])
    greeting = verdicts("irkutsk", turns)["greeting"]
    assert (greeting.verdict, greeting.quote, greeting.role, greeting.points) == ("fail", None, "operator", 0.0)
    assert greeting.start_s == 0.0 and greeting.end_s == pytest.approx(turns[2].end_s)


@pytest.mark.parametrize("how", [{"heard": 0.3}, {"role_confidence": 0.4}])
def test_words_badly_recognised_or_ascribed_are_never_failed(how: dict[str, float]) -> None:
    turns = turns_of(("operator", "Мгм слушаю."), ("client", "Что-то со счётом."), ("operator", "Ну вот так вот."), **how)
    assert not [v for v in verdicts("irkutsk", turns).values() if v.verdict == "fail"]


def test_a_point_is_not_decided_by_words_that_were_half_guessed() -> None:
    turns = turns_of(*GOOD, heard=0.2, role_confidence=0.7)
    got = verdicts("irkutsk", turns)
    assert {got[name].verdict for name in ("greeting", "farewell", "anything_else")} == {"unsure"}
    assert got["farewell"].quote and got["farewell"].points == 0
    assert got["farewell"].explanation == "Something similar was heard, but not clearly enough to decide."


def test_account_information_before_the_question_fails_with_its_quote() -> None:
    turns = turns_of(GOOD[0], ("client", "Сколько там у меня?"), ("operator", "У вас задолженность тысяча двести рублей."), GOOD[-1])
    got = verdicts("irkutsk", turns)["client_identified"]
    assert got.verdict == "fail" and "задолженность" in (got.quote or "")


def test_nobody_is_failed_for_not_asking_when_no_information_was_given() -> None:
    turns = turns_of(GOOD[0], ("client", "До скольки вы работаете?"), ("operator", "Офис работает с восьми до пяти."), GOOD[-1])
    assert verdicts("irkutsk", turns)["client_identified"].verdict == "na"


def test_a_hold_is_announced_and_thanked_for() -> None:
    said = [*GOOD[:4], ("operator", "Подождите минутку, пожалуйста."), ("operator+15", "Спасибо за ожидание. Показания приняты."), GOOD[-1]]
    turns = turns_of(*said)
    hold = Hold(turns[4].end_s + 0.5, turns[5].start_s - 0.5, "music")
    got = verdicts("irkutsk", turns, [hold])
    assert (got["hold_announced"].verdict, got["hold_thanked"].verdict) == ("pass", "pass")
    silent = turns_of(*GOOD[:4], ("operator", "Так."), ("operator+15", "Показания приняты."), GOOD[-1])
    got = verdicts("irkutsk", silent, [Hold(silent[4].end_s + 0.5, silent[5].start_s - 0.5, "music")])
    assert (got["hold_announced"].verdict, got["hold_thanked"].verdict) == ("fail", "fail")
    assert got["hold_announced"].end_s == pytest.approx(silent[4].end_s + 0.5, abs=0.01)


ABUSED = [
    GOOD[0],
    ("client", "Ты тупая сволочь, верни деньги!"),
    ("operator", "Прошу вас не оскорблять меня, иначе я буду вынуждена завершить разговор."),
    ("client", "Пошла ты, дура!"),
    ("operator", "Я вас предупреждала. Разговор завершаю, до свидания."),
]


def test_an_operator_who_follows_the_procedure_loses_nothing() -> None:
    turns = turns_of(*ABUSED)
    got = verdicts("irkutsk", turns, disconnect_party="operator", sentiments={"t2": "negative", "t4": "negative"})
    assert got["abuse_procedure"].verdict == "pass"
    assert got["abuse_procedure"].turn_no == 3 and "оскорблять" in (got["abuse_procedure"].quote or "")
    assert not [v.criterion_id for v in got.values() if v.verdict == "fail"]


def test_hanging_up_without_a_warning_fails_with_the_evidence() -> None:
    turns = turns_of(*ABUSED[:2], ("operator", "Ясно."), ABUSED[3])
    got = verdicts("irkutsk", turns, disconnect_party="operator")["abuse_procedure"]
    assert got.verdict == "fail" and got.quote and got.turn_no in (2, 4)


def test_nobody_is_blamed_when_the_exchange_does_not_say_who_hung_up() -> None:
    got = verdicts("irkutsk", turns_of(*ABUSED[:4]), disconnect_party="unknown")["abuse_procedure"]
    assert got.verdict in ("unsure", "na")


def test_the_night_rule_is_asked_at_night_in_irkutsk_only() -> None:
    at = {"started_at": __import__("datetime").datetime.fromisoformat("2025-03-03T22:00:00+08:00")}
    turns = turns_of(
        GOOD[0],
        ("client", "Проверьте мой платёж, деньги не дошли."),
        ("operator", "Ночью мы принимаем только аварии, звоните утром с восьми."),
        GOOD[-1],
    )
    assert verdicts("irkutsk", turns, **at)["night_rule"].verdict == "pass"
    assert verdicts("irkutsk", turns_of(*GOOD), **at)["night_rule"].verdict in ("fail", "unsure")  # few calls at night were measured
    assert verdicts("irkutsk", turns_of(*GOOD))["night_rule"].verdict == "na"
    assert verdicts("kyiv", turns_of(*GOOD), **at)["night_rule"].verdict == "na"


def test_a_callback_gives_its_reason() -> None:
    turns = turns_of(
        ("client", "Алло?"), ("operator", "Добрый день, это Анна, Иркутскэнергосбыт. Вы заказывали обратный звонок."), *GOOD[1:]
    )
    assert verdicts("irkutsk", turns, direction="callback")["callback_reason"].verdict == "pass"
    assert verdicts("irkutsk", turns_of(*GOOD), direction="callback")["callback_reason"].verdict in ("fail", "unsure")


def test_a_farewell_is_not_due_when_the_client_has_the_last_word_and_hangs_up() -> None:
    turns = turns_of(*GOOD[:4], ("operator", "Показания приняты."), ("client", "Спасибо, до свидания."))
    assert verdicts("irkutsk", turns)["farewell"].verdict == "na"
    assert verdicts("irkutsk", turns, disconnect_party="operator")["farewell"].verdict == "fail"
    assert verdicts("irkutsk", turns, disconnect_party="unknown")["farewell"].verdict == "unsure"


def test_rude_words_of_the_operator_fail_with_their_quote() -> None:
    turns = turns_of(*GOOD[:4], ("operator", "Откуда я знаю, это не моя работа."), GOOD[-1])
    got = verdicts("irkutsk", turns)["no_forbidden_words"]
    assert got.verdict == "fail" and (got.quote or "?") in turns[4].text


def test_kredo_asks_for_a_good_impression_when_the_client_called_upset() -> None:
    lines = [
        ("operator", "Добрый день, Кредо-Телеком, Олег."),
        ("client", "Опять интернет пропал, безобразие!"),
        ("operator", "Извините, сейчас исправлю."),
        ("client", "Ну вот, спасибо."),
    ]
    turns = turns_of(*lines)
    assert verdicts("kredo", turns, sentiments={"t2": "negative", "t4": "positive"})["good_impression"].verdict == "pass"
    assert verdicts("kredo", turns, sentiments={"t2": "negative", "t4": "negative"})["good_impression"].verdict == "fail"
    assert verdicts("kredo", turns)["good_impression"].verdict == "na"


def test_motiv_asks_for_the_code_word() -> None:
    asked = turns_of(
        ("operator", "Здравствуйте, Мотив, оператор Антон на линии."),
        ("client", "Скажите, какой у меня баланс и за что списали деньги?"),
        ("operator", "Назовите кодовое слово."),
        ("client", "Берёза."),
    )
    assert verdicts("motiv", asked)["code_word_asked"].verdict == "pass"


def test_unsure_stays_out_of_the_score_and_lowers_the_coverage() -> None:
    got = verdicts("irkutsk", turns_of(*GOOD, heard=0.3))
    won, decided, applicable = points_of(got.values())
    assert won <= decided <= applicable
    assert all(v.points == 0 for v in got.values() if v.verdict in ("unsure", "na", "fail"))
    assert all(v.max_points == 0 for v in got.values() if v.verdict == "na")


def test_every_decided_point_has_evidence(calls_folder: Path) -> None:
    from tests.spoken import references

    seen = 0
    for reference in references(calls_folder):
        turns = turns_of(*[(t["role"], t["text"]) for t in reference["turns"]], language=reference["language"])
        for verdict in verdicts(reference["centre"], turns, direction=reference["direction"]).values():
            if verdict.verdict in ("pass", "fail"):
                seen += 1
                assert verdict.start_s is not None and verdict.end_s is not None and verdict.end_s > verdict.start_s
                if verdict.quote:
                    assert verdict.quote in next(t.displayed_text for t in turns if t.turn_no == verdict.turn_no)
    assert seen > 100
