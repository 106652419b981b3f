from __future__ import annotations

import re
from datetime import date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from babel import Locale

from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import ROOT, Settings
from pipelines.i18n.wording import FOLDER, LANGUAGES, clock, wording
from pipelines.queries.call_details import parts_of
from pipelines.reports import static_pages
from pipelines.reports.templating import TEMPLATES
from tests.web.conftest import HOSTILE
from tests.web.made_calls import load_and_publish, some_calls


class Page(HTMLParser):
    """The links, ids and words of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.path, self.links, self.ids, self.tags, self.words = path, [], set(), [], ""
        self._inside = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.tags.append(tag)
        values = dict(attrs)
        self.links += [v for k in ("href", "src") if (v := values.get(k)) and not v.startswith("data:")]
        self.ids |= {v for v in [values.get("id")] if v}

    def handle_data(self, data: str) -> None:
        if self._inside not in ("style", "script"):
            self.words += " " + data.strip()


def every_page(scorecards: Path) -> list[Page]:
    return [Page(file) for file in sorted(scorecards.rglob("*.html"))]


def test_there_is_a_page_for_the_overview_each_centre_operator_and_graded_call(scorecards: Path) -> None:
    assert (scorecards / "index.html").exists()
    assert {f.stem for f in (scorecards / "centres").iterdir()} == {"irkutsk", "kredo", "kyiv", "motiv", "odesa"}
    assert {f.stem for f in (scorecards / "operators" / "kyiv").iterdir()} == {"op-1", "op-2"}
    assert {"kyiv-1", "kyiv-2", "irkutsk-2", "motiv-1"} <= {f.stem for f in (scorecards / "calls").iterdir()}


def test_every_link_leads_to_a_page_a_clip_or_a_place_that_is_there(scorecards: Path) -> None:
    all_pages = {page.path.resolve(): page for page in every_page(scorecards)}
    for page in all_pages.values():
        for link in page.links:
            path, _, place = link.partition("#")
            target = (page.path.parent / path).resolve() if path else page.path.resolve()
            assert target.is_file(), f"{page.path.name}: {link}"
            if place:
                assert place in all_pages[target].ids, f"{page.path.name}: {link}"


def test_a_page_needs_nothing_from_anywhere_else(scorecards: Path) -> None:
    for page in every_page(scorecards):
        text = page.path.read_text(encoding="utf-8")
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text)
        assert not re.search(r"url\(\s*['\"]?(?:https?:)?//|@import", text)
        assert "default-src 'none'" in text


def test_what_a_client_says_can_never_become_part_of_the_page(scorecards: Path) -> None:
    hostile = next(page for page in every_page(scorecards) if "alert(1)" in page.words)
    text = hostile.path.read_text(encoding="utf-8")
    assert HOSTILE not in text
    assert HOSTILE in hostile.words
    assert "{{ 7*7 }}" in hostile.words  # shown as said, not reckoned
    assert hostile.tags.count("script") == 1
    assert "img" not in hostile.tags
    assert hostile.path.parent == scorecards / "calls"
    for page in every_page(scorecards):
        assert "<b>" not in page.path.read_text(encoding="utf-8").replace("<b></b>", "").split("odesa/2")[-1][:4]


def test_ids_become_safe_file_names_that_never_meet() -> None:
    names = ["a", "A", "a/b", "a_b", "../a", "..", ".a", "щ", "ш", "a" * 300, "a" * 301, "con:", ""]
    made = [static_pages.safe_name(name) for name in names]
    assert len({name.lower() for name in made}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,95}", name) for name in made)


def test_unsure_is_displayed_as_to_be_reviewed_and_never_as_a_fail(scorecards: Path) -> None:
    text = (scorecards / "calls" / "kyiv-1.html").read_text(encoding="utf-8")
    unsure = text[text.index('id="criterion-anything_else"') :].split("</li>")[0]
    assert "на перевірку" in unsure
    assert "fail" not in unsure
    assert "/10" not in unsure  # no points are displayed for an undecided criterion


def test_each_quote_leads_to_its_turn(scorecards: Path) -> None:
    page = (scorecards / "calls" / "kyiv-2.html").read_text(encoding="utf-8")
    passed = page[page.index('id="criterion-abuse_procedure"') :].split("</li>")[0]
    assert 'href="#turn-3"' in passed
    assert "Прошу без образ," in passed


def test_the_procedure_is_drawn_with_its_times_and_what_was_missing(scorecards: Path) -> None:
    calmed = Page(scorecards / "calls" / "kyiv-2.html").words
    assert "Попередження" in calmed and "клієнт припинив грубити" in calmed
    hung_up = (scorecards / "calls" / "irkutsk-2.html").read_text(encoding="utf-8")
    steps = re.findall(r'<li class="(\w+)">.*?<b>(.*?)</b>', hung_up[hung_up.index('class="states row"') :].split("</ol>")[0], re.S)
    assert ("missing", "Предупреждение") in steps
    assert ("missing", "Конец звонка") in steps


def test_personal_data_shows_as_chips(scorecards: Path) -> None:
    text = (scorecards / "calls" / "kyiv-1.html").read_text(encoding="utf-8")
    assert "[ACCOUNT]" not in re.sub(r"<title>.*?</title>", "", text, flags=re.S)
    assert re.search(r'<span class="chip" lang="uk">особовий рахунок</span>', text)


def test_no_page_shows_what_an_operator_feels(scorecards: Path) -> None:
    w = wording("uk")
    for page in (scorecards / "operators").rglob("*.html"):
        words = Page(page).words.lower()
        assert not any(w.label("sentiments", name) in words for name in ("negative", "positive"))
    for call in (scorecards / "calls").glob("*.html"):
        turns = re.findall(r'<li class="operator" id="turn.*?</li>', call.read_text(encoding="utf-8"), re.S)
        assert turns
        assert not any(wording(code).label("sentiments", "negative") in turn for turn in turns for code in LANGUAGES)


def test_what_could_not_be_graded_is_listed_with_its_reason(scorecards: Path) -> None:
    assert "Файл kyiv-9.wav порожній" in Page(scorecards / "centres" / "kyiv.html").words
    assert "xyz" in Page(scorecards / "index.html").words


def test_a_centre_speaks_its_language_and_answers_its_questions(scorecards: Path) -> None:
    irkutsk, odesa, kredo = (Page(scorecards / "centres" / f"{name}.html") for name in ("irkutsk", "odesa", "kredo"))
    assert "ночной регламент" in irkutsk.words and "Показания счётчика, которые всё ещё принимают операторы" in irkutsk.words
    assert "не в ту компанію" in odesa.words
    assert "Запросы на подключение" in kredo.words
    motiv = (scorecards / "centres" / "motiv.html").read_text(encoding="utf-8")
    assert '<html lang="ru"' in motiv  # its first language


def test_clips_are_played_from_the_folder_beside_the_pages(scorecards: Path) -> None:
    page = Page(scorecards / "calls" / "kyiv-2.html")
    sounds = [link for link in page.links if link.endswith(".ogg")]
    assert sounds
    assert all(link.startswith("../../clips/") for link in sounds)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_things(language: str) -> None:
    english, other = (yaml.safe_load((FOLDER / f"{code}.yaml").read_text(encoding="utf-8")) for code in ("en", language))
    assert {group: set(values) for group, values in other.items()} == {group: set(values) for group, values in english.items()}
    for key, text in english["text"].items():
        assert places(text) == places(other["text"][key]), key


def places(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("file", sorted((FOLDER / "pages").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_page_has_texts_in_all_languages(file: Path) -> None:
    page = yaml.safe_load(file.read_text(encoding="utf-8"))
    for key, texts in [pair for group in (page.get("text", {}), *page.get("groups", {}).values()) for pair in group.items()]:
        assert set(texts) == set(LANGUAGES), key
        forms = [one for text in texts.values() for one in (text.values() if isinstance(text, dict) else [text])]
        assert all(isinstance(text, str) and text for text in forms), key
        assert len({tuple(places(text)) for text in forms}) == 1, key
        for language, text in texts.items():
            if isinstance(text, dict):
                whole = {Locale(language).plural_form(n) for n in range(1000)}
                assert set(text) == whole, f"{key} in {language}: {whole}"


def test_the_strings_are_those_that_templates_and_code_use() -> None:
    said = set(yaml.safe_load((FOLDER / "en.yaml").read_text(encoding="utf-8"))["text"])
    for file in (FOLDER / "pages").glob("*.yaml"):
        said |= set(yaml.safe_load(file.read_text(encoding="utf-8")).get("text", {}))
    code = ROOT / "pipelines"  # alerts speak the languages of the pages too
    text = "\n".join(file.read_text(encoding="utf-8") for file in [*TEMPLATES.rglob("*.html"), *code.rglob("*.py")])
    used = set(re.findall(r"""\bw\(\s*["'](\w+)["']\s*[,)]""", text)) | set(re.findall(r"""self\(["'](\w+)["']\)""", text))
    assert used <= said
    named = set(re.findall(r"""["'](\w+)["']""", text))  # keys that code passes on, such as a page's place in the navigation
    first, last = (
        tuple(re.findall(pattern, text)) for pattern in (r"""\bw\(\s*f?"(\w+_)(?:" [~+]|\{)""", r"""~ "(_\w+)"\)""")
    )  # keys put together in a template
    built = {key for key in said if key.startswith(first) or key.endswith(last) or key in named or key.removesuffix("_hint") in named}
    assert said - built <= used


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_can_be_written_in_any_of_the_languages(site: Settings, tmp_path: Path, language: str) -> None:
    elsewhere = site.with_(warehouse=tmp_path / "site.duckdb")
    elsewhere.snapshot.parent.mkdir(parents=True)
    elsewhere.snapshot.hardlink_to(site.snapshot)
    index = static_pages.publish_pages(elsewhere, language)
    assert f'<html lang="{language}"' in index.read_text(encoding="utf-8")


def test_a_second_run_writes_nothing_and_pages_of_gone_calls_are_removed(settings: Settings) -> None:
    load_and_publish(settings, some_calls())
    static_pages.publish_pages(settings)
    gone = settings.scorecards / "calls" / "erased-1.html"
    gone.write_text("an erased call", encoding="utf-8")
    before = {file: file.stat().st_mtime_ns for file in settings.scorecards.rglob("*.html")}
    static_pages.publish_pages(settings)
    after = {file: file.stat().st_mtime_ns for file in settings.scorecards.rglob("*.html")}
    assert not gone.exists()
    assert after == {file: at for file, at in before.items() if file != gone}


def test_publishing_writes_the_pages_of_changed_calls_and_looks_at_no_others(settings: Settings) -> None:
    first, *others = some_calls()
    load_and_publish(settings, others)
    static_pages.publish_pages(settings, only_changed=True)
    before = sorted(file.name for file in (settings.scorecards / "calls").iterdir())
    for file in (settings.scorecards / "calls").iterdir():
        file.write_text("not looked at", encoding="utf-8")
    load_and_publish(settings, [first])
    static_pages.publish_pages(settings, only_changed=True)
    texts = {file.name: file.read_text(encoding="utf-8") for file in (settings.scorecards / "calls").iterdir()}
    written = [name for name, text in texts.items() if text != "not looked at"]
    assert len(before) == len(texts) - 1 and len(written) == 1 and written[0] not in before
    assert "kyiv-1" in (settings.scorecards / "centres" / "kyiv.html").read_text(encoding="utf-8")
    (settings.scorecards / ".written.json").unlink()  # as after another version: the rules they were made by are unknown
    static_pages.publish_pages(settings, only_changed=True)
    assert "not looked at" not in {file.read_text(encoding="utf-8") for file in (settings.scorecards / "calls").iterdir()}


def test_pages_without_anything_published_say_what_to_do(settings: Settings) -> None:
    with pytest.raises(MisconfiguredError, match="callgrade grade"):
        static_pages.publish_pages(settings)


def test_an_empty_warehouse_has_a_page_for_people_too(settings: Settings) -> None:
    load_and_publish(settings, [])
    assert "Nothing has been graded yet" in static_pages.publish_pages(settings).read_text(encoding="utf-8")


def test_text_is_cut_into_words_marks_and_chips_without_losing_any() -> None:
    text = "Рахунок [ACCOUNT] і ви ідіоти [усі] [NAME]"
    parts = parts_of(text, ["ви ідіоти", "немає"])
    assert [p["chip"] for p in parts if p["chip"]] == ["ACCOUNT", "NAME"]
    assert [p["text"] for p in parts if p["mark"]] == ["ви ідіоти"]
    assert "".join(f"[{p['text']}]" if p["chip"] else p["text"] for p in parts) == text


def test_numbers_are_written_as_the_language_does() -> None:
    assert wording("en").number(12345.6, 1) == "12,345.6"
    assert wording("ru").number(12345.6, 1) == "12\u00a0345,6"
    assert wording("en").signed(-0.5) == "−0.5"
    assert [wording(code).pct(1234.5, 1) for code in LANGUAGES] == ["1\u00a0234,5\u00a0%", "1\u00a0234,5%", "1\u00a0234,5%", "1,234.5%"]
    assert (clock(65), clock(3671), clock(None)) == ("1:05", "1:01:11", "–")
    with pytest.raises(MisconfiguredError, match=r"de\.yaml"):
        wording("de")


@pytest.mark.parametrize(
    ("language", "at", "month", "days"),
    [
        ("ru", "05.09.2026, 09:07", "сентябрь 2026\u00a0г.", "05.09.2026–12.09.2026"),
        ("uk", "05.09.2026, 09:07", "вересень 2026\u00a0р.", "05.09.2026 – 12.09.2026"),
        ("hu", "2026. 09. 05. 9:07", "2026. szeptember", "2026. 09. 05–12."),
        ("en", "5 Sept 2026, 09:07", "September 2026", "5–12 Sept 2026"),
    ],
)
def test_dates_are_written_as_the_language_does(language: str, at: str, month: str, days: str) -> None:
    w, moment = wording(language), datetime(2026, 9, 5, 9, 7)
    assert (w.time(moment), w.month(moment), w.period(moment.date(), date(2026, 9, 12))) == (at, month, days)
    assert at.startswith(w.date(moment)) and at.endswith(w.hour(moment))
    assert w.period(moment.date(), moment.date()) == w.date(moment)
    assert w.date(None) == w.period(None, None) == w("no_date")


def test_a_count_takes_the_form_that_its_number_asks_for() -> None:
    assert wording("en")("rest_row", n=1) == "1 abusive call"
    assert [wording("ru")("rest_row", n=n) for n in (1, 2, 5, 21)] == [
        "1 звонка с грубостью подряд", "2 звонков с грубостью подряд", "5 звонков с грубостью подряд", "21 звонка с грубостью подряд",
    ]  # fmt: skip
