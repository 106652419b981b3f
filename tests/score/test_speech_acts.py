from __future__ import annotations

import pytest

from pipelines.centres.profile import load_centre
from pipelines.score.speech_acts import SURE, find_acts
from tests.score.spoken import turns_of

CENTRE = {"ru": "irkutsk", "uk": "kyiv", "hu": "motiv", "en": "kredo"}

SAID = [
    ("ru", "greeting", "Утро доброе, вас приветствует контактный центр."),
    ("ru", "company", "Вы позвонили в Иркутскэнергосбыт, добрый день."),
    ("ru", "company", "Иркутск энерго сбыт, слушаю вас."),
    ("ru", "self_name", "Специалист Валентина на линии, слушаю вас."),
    ("ru", "self_name", "Добрый день, Иркутскэнергосбыт, Геннадий, слушаю."),
    ("ru", "self_name", "Здравствуйте, меня зовут [NAME], чем помочь?"),
    ("ru", "identify", "Будьте добры, подскажите номер вашего лицевого счёта."),
    ("ru", "identify", "Для начала уточните адрес, по которому оформлен договор."),
    ("ru", "identify", "Как ваша фамилия и по какому адресу проживаете?"),
    ("ru", "identify", "Продиктуйте мне кодовое слово."),
    ("ru", "empathy", "Мне искренне жаль, что вы столкнулись с этим."),
    ("ru", "empathy", "Простите за доставленные неудобства."),
    ("ru", "empathy", "Прекрасно понимаю ваше возмущение."),
    ("ru", "hold_ask", "Оставайтесь, пожалуйста, на линии, мне нужно свериться с базой."),
    ("ru", "hold_ask", "Могу я попросить вас подождать пару минут?"),
    ("ru", "hold_thanks", "Благодарю вас за терпение, вот что удалось узнать."),
    ("ru", "hold_thanks", "Спасибо большое, что остались на линии."),
    ("ru", "anything_else", "Могу ли я быть ещё чем-нибудь полезна?"),
    ("ru", "anything_else", "У вас остались какие-либо вопросы?"),
    ("ru", "anything_else", "Ещё что-то подсказать вам?"),
    ("ru", "farewell", "Всего наилучшего, хорошего вечера вам."),
    ("ru", "farewell", "Рада была помочь, до свиданья!"),
    ("ru", "self_service", "Кстати, то же самое можно сделать в мобильном приложении."),
    ("ru", "self_service", "Показания принимает наш голосовой помощник в любое время."),
    ("ru", "warn_abuse", "Пожалуйста, не нужно меня оскорблять, в противном случае мне придётся положить трубку."),
    ("ru", "warn_abuse", "Воздержитесь от нецензурных выражений, иначе разговор будет прекращён."),
    ("ru", "warn_abuse", "Ещё одно оскорбление, и я вынуждена буду завершить звонок."),
    ("ru", "end_notice", "К сожалению, вынуждена завершить разговор, всего доброго."),
    ("ru", "end_notice", "Вы продолжаете ругаться, поэтому я заканчиваю этот разговор."),
    ("ru", "night_notice", "В ночное время мы регистрируем только аварии, по счетам звоните после восьми утра."),
    ("ru", "redirect", "Этим занимается сетевая компания, обратитесь, пожалуйста, туда по телефону."),
    ("ru", "callback_intro", "Вы просили вам перезвонить по поводу замены счётчика."),
    ("ru", "callback_intro", "Звоню по вашему обращению насчёт перерасчёта."),
    ("ru", "forbidden", "Это не входит в мои обязанности, это не моё дело."),
    ("ru", "forbidden", "Успокойтесь, женщина."),
    ("ru", "forbidden", "А я что могу сделать?"),
    ("ru", "forbidden", "Откуда я знаю, когда включат."),
    ("ru", "discloses", "У вас задолженность тысяча двести рублей за март."),
    ("uk", "greeting", "Доброго вечора, вітаємо вас."),
    ("uk", "company", "Ви зателефонували до Київських енергетичних послуг."),
    ("uk", "self_name", "Мене звати Богдана, слухаю вас уважно."),
    ("uk", "self_name", "Оператор Соломія, чим можу бути корисна?"),
    ("uk", "identify", "Будьте ласкаві, продиктуйте номер особового рахунку."),
    ("uk", "identify", "Скажіть, будь ласка, на кого оформлений договір."),
    ("uk", "identify", "Яка у вас адреса?"),
    ("uk", "empathy", "Щиро вибачаюся за цю ситуацію."),
    ("uk", "empathy", "Мені справді шкода, що так трапилося."),
    ("uk", "hold_ask", "Побудьте, будь ласка, на лінії, я уточню в колег."),
    ("uk", "hold_ask", "Зачекайте хвилиночку."),
    ("uk", "hold_thanks", "Дякую вам за терпіння."),
    ("uk", "anything_else", "Чим ще можу вам допомогти?"),
    ("uk", "anything_else", "Чи будуть у вас інші питання?"),
    ("uk", "farewell", "Усього найкращого, гарних вихідних!"),
    ("uk", "warn_abuse", "Прошу вас утриматися від образ, інакше я буду змушений припинити розмову."),
    ("uk", "warn_abuse", "Не кричіть на мене, будь ласка, бо я покладу слухавку."),
    ("uk", "end_notice", "Я вас попереджала, тому припиняю розмову."),
    ("uk", "redirect", "Це до оператора системи розподілу, зверніться до ДТЕК."),
    ("uk", "callback_intro", "Телефоную щодо вашого звернення про перерахунок."),
    ("uk", "forbidden", "Це не моя справа, самі розбирайтеся."),
    ("uk", "forbidden", "Заспокойтеся вже."),
    ("uk", "self_service", "Показання зручно передавати через застосунок або чат-бот."),
    ("hu", "greeting", "Üdvözlöm, jó reggelt kívánok."),
    ("hu", "company", "A Motiv ügyfélszolgálatát hívta."),
    ("hu", "self_name", "Jó napot, Katalin vagyok, miben segíthetek?"),
    ("hu", "identify", "Megadná kérem az ügyfélszámát és a kódszót?"),
    ("hu", "empathy", "Elnézését kérem a kellemetlenségért."),
    ("hu", "hold_ask", "Egy kis türelmet kérek, utánanézek."),
    ("hu", "hold_thanks", "Köszönöm a türelmét."),
    ("hu", "anything_else", "Segíthetek még valamiben?"),
    ("hu", "farewell", "További szép napot, viszonthallásra."),
    ("hu", "warn_abuse", "Kérem, ne káromkodjon, különben kénytelen leszek megszakítani a hívást."),
    ("hu", "end_notice", "Ezért a beszélgetést most befejezem."),
    ("en", "greeting", "Hello and welcome."),
    ("en", "company", "You're through to Kredo Telecom."),
    ("en", "self_name", "Hello, you're speaking with Marina, how can I help?"),
    ("en", "identify", "Can I take your account number, please?"),
    ("en", "identify", "Could you confirm the address for me?"),
    ("en", "empathy", "I do apologise for the trouble."),
    ("en", "hold_ask", "Would you mind holding while I check that?"),
    ("en", "hold_thanks", "Thanks for holding."),
    ("en", "anything_else", "Is there something else you'd like to ask?"),
    ("en", "farewell", "Have a lovely afternoon, bye bye."),
    ("en", "warn_abuse", "Please don't use that language, otherwise I'll have to end the call."),
    ("en", "end_notice", "I have warned you, so I am ending this call now."),
    ("en", "forbidden", "Calm down, that's not my job."),
]

NOT_SAID = [
    ("ru", "forbidden", "Вы не знаете номер договора? Ничего, найдём по адресу."),
    ("ru", "forbidden", "Прошу вас не ругаться, иначе я завершу разговор."),
    ("ru", "forbidden", "Подскажите, пожалуйста, кто вам это сказал?"),
    ("ru", "empathy", "Правильно понимаю, вы хотите сменить тариф?"),
    ("ru", "empathy", "Извините, не расслышала, повторите."),
    ("ru", "end_notice", "Если вы не прекратите, я завершу разговор."),
    ("ru", "farewell", "Добрый день, слушаю вас."),
    ("ru", "company", "Сейчас посмотрю ваш счёт."),
    ("ru", "warn_abuse", "Завершить регистрацию можно на сайте."),
    ("uk", "forbidden", "Не переживайте, зараз перевіримо."),
    ("uk", "end_notice", "Якщо образи триватимуть, я припиню розмову."),
    ("uk", "identify", "Я записала вашу заявку."),
    ("hu", "end_notice", "Ha így folytatja, befejezem a hívást."),
    ("en", "end_notice", "If you go on, I will end this call."),
    ("en", "forbidden", "Please don't worry, we'll sort it out."),
]


def acts_in(language: str, text: str) -> set[str]:
    turns = turns_of(("operator", text), language=language)
    return {a.act for a in find_acts(turns, load_centre(CENTRE[language])) if a.confidence >= SURE}


@pytest.mark.parametrize(("language", "act", "text"), SAID)
def test_what_operators_say_is_recognised_in_words_of_their_own(language: str, act: str, text: str) -> None:
    if act == "farewell":
        turns = turns_of(*[("operator", "Да."), ("client", "Ага.")] * 2, ("operator", text), language=language)
        assert act in {a.act for a in find_acts(turns, load_centre(CENTRE[language])) if a.confidence >= SURE}
    else:
        assert act in acts_in(language, text)


@pytest.mark.parametrize(("language", "act", "text"), NOT_SAID)
def test_what_only_sounds_like_it_is_not_taken_for_it(language: str, act: str, text: str) -> None:
    assert act not in acts_in(language, text)


def test_an_act_names_the_very_words() -> None:
    turns = turns_of(("client", "Алло."), ("operator", "Так, хорошо. Назовите, пожалуйста, номер лицевого счёта."))
    act = next(a for a in find_acts(turns, load_centre("irkutsk")) if a.act == "identify")
    assert "лицевого" in turns[1].quote(act.first, act.last)
    assert "хорошо" not in turns[1].quote(act.first, act.last)


def test_a_company_name_broken_by_recognition_is_found() -> None:
    assert "company" in acts_in("ru", "Здравствуйте, Иркуцк энергозбыт, слушаю вас.")


def test_clients_do_no_acts_of_the_operator() -> None:
    assert find_acts(turns_of(("client", "Здравствуйте, меня зовут Анна.")), load_centre("irkutsk")) == []
