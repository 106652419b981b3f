"""Summaries of calls: two sentences, each proven by a quote under the same rules as an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pipelines.core.printable import printable
from pipelines.core.records import SummarySentence, Turn
from pipelines.questions import language_model as lm
from pipelines.questions import prompt
from pipelines.questions.answers import GivenSummary, Quote, find_quote, schema_of
from pipelines.questions.asking import Asker, RepairError, Spent
from pipelines.questions.language_model import NoAnswerError
from pipelines.turns.call_language import language_of_most_words

SUMMARY = "(summary)"  # stands for the criterion in the costs of a summary; no criterion has this id
MOST_SENTENCES = 2


async def summarise(asker: Asker, call_id: str, turns: Sequence[Turn], spent: Spent) -> list[SummarySentence]:
    """The proven sentences of a summary, at most two. Raises NoAnswerError where there is none."""
    if not any(turn.tokens for turn in turns):
        raise NoAnswerError(lm.NO_QUOTE)
    try:
        async with asyncio.timeout(asker.longest_s):
            return await _proven(asker, call_id, turns, spent)
    except TimeoutError:
        raise NoAnswerError(lm.LATE) from None


async def _proven(asker: Asker, call_id: str, turns: Sequence[Turn], spent: Spent) -> list[SummarySentence]:
    def checked(given: GivenSummary) -> list[tuple[str, Quote]]:
        found = [(one.text, find_quote(one.quote, turns, None, one.turn)) for one in given.sentences[:MOST_SENTENCES]]
        kept = [(text, quote) for text, quote in found if quote is not None]
        if not kept:
            raise RepairError(lm.NO_QUOTE, prompt.repair(lm.NO_QUOTE, role="operator or the client"))
        return kept

    sentences: list[SummarySentence] = []
    asked = prompt.summarise(turns, language_of_most_words(turns) or "en")
    for text, quote in await asker.ask(asked, GivenSummary, schema_of(GivenSummary), checked, spent):
        try:
            await asker.prove(prompt.claim_of_sentence(text), "yes", quote, spent)
        except NoAnswerError as error:
            if error.is_final:
                continue
            raise
        tokens = quote.turn.tokens[quote.first : quote.last]
        sentences.append(
            SummarySentence(
                call_id=call_id,
                sentence_no=len(sentences) + 1,
                text=printable(" ".join(text.split())),
                turn_no=quote.turn.turn_no,
                quote=quote.turn.quote(quote.first, quote.last),
                start_s=round(tokens[0].start_s, 3),
                end_s=round(max(token.end_s for token in tokens), 3),
            )
        )
    if not sentences:
        raise NoAnswerError(lm.UNPROVEN)
    return sentences
