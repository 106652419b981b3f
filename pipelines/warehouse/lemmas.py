"""Maps every spoken word form to its lemma, so that SQL finds a word in all its forms."""

from __future__ import annotations

import duckdb
import polars as pl

from models.languages.language import LANGUAGES, lemma


def _read_words(db: duckdb.DuckDBPyConnection) -> None:
    db.execute(
        """create or replace temp table touched_words as
            select call_no, call_block(call_no) as block, turn_no, language, unnest(string_split(plain_text(text), ' ')) as form
            from core.turns
            semi join (select call_no from core.calls where call_block(call_no) in (select block from touched_blocks)) as c using (call_no)"""
    )


def create(db: duckdb.DuckDBPyConnection) -> None:
    """Create an empty lexicon."""
    db.execute("create table intermediate.lexicon (form varchar, language varchar, lemma varchar)")
    _read_words(db)


def learn(db: duckdb.DuckDBPyConnection) -> bool:
    """Add the new word forms of the blocks in the temporary table `touched_blocks`.

    Returns whether the table `touched_words` has words.
    """
    _read_words(db)
    new = db.execute(
        "select distinct form, language from touched_words where form <> '' except select form, language from intermediate.lexicon order by all"
    ).fetchall()
    rows = [(form, language, lemma(form, language) if language in LANGUAGES else form) for form, language in new]
    db.register("learned", pl.DataFrame(rows, schema={"form": pl.String, "language": pl.String, "lemma": pl.String}, orient="row"))
    db.execute("insert into intermediate.lexicon select form, language, plain_text(lemma) from learned")
    db.unregister("learned")
    return db.execute("select 1 from touched_words where form <> '' limit 1").fetchone() is not None
