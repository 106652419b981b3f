"""The structure of the project: folders, sizes, names, imports and documentation, checked on the tree itself."""

from __future__ import annotations

import argparse
import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipelines import __main__ as command
from pipelines.cli.schema import schema
from pipelines.core.settings import ROOT

FOLDERS = {".ci", "dags", "docs", "models", "notebooks", "pipelines", "requirements", "sql", "tests"}
FILES = {".airflowignore", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "pyproject.toml"}
FORBIDDEN_NAMES = {"utils", "common", "base", "helpers", "interfaces", "domain", "hooks", "plugins"}
HEAVY = {"torch", "torchaudio", "pyannote", "faster_whisper", "ctranslate2", "transformers"}
TEXT = {".py", ".yaml", ".yml", ".sql", ".md", ".toml", ".txt", ".csv", ".html", ".css", ".js", ".j2", ".cfg", ".sh", ""}
DOCS = "\n".join(file.read_text(encoding="utf-8") for file in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])


def tracked() -> list[Path]:
    """Every file that belongs to the project, committed or about to be."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def text_files() -> Iterator[tuple[str, str]]:
    for file in tracked():
        if file.suffix in TEXT and "tests/calls/audio" not in str(file):
            yield str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")


def test_the_top_level_is_the_one_of_the_design() -> None:
    top = {file.relative_to(ROOT).parts[0] for file in tracked()}
    assert top <= FOLDERS | FILES
    assert top >= FILES | FOLDERS - {"notebooks"}


def test_no_file_is_longer_than_a_reader_follows() -> None:
    long = {
        name: text.count("\n")
        for name, text in text_files()
        if Path(name).suffix in {".py", ".yaml", ".sql"} and not name.startswith("tests/calls/") and text.count("\n") > 400
    }
    assert not long


def test_no_line_of_a_page_is_longer_than_a_line_of_code() -> None:
    """Of templates, styles and scripts, which no formatter here knows; the icon is one address."""
    long = {
        name: [line for line in text.splitlines() if len(line) > 140 and "data:image/svg+xml," not in line]
        for name, text in text_files()
        if Path(name).suffix in {".html", ".css", ".js"}
    }
    assert not {name: lines for name, lines in long.items() if lines}


def test_every_name_says_what_is_inside() -> None:
    names = {part for file in tracked() for part in (*file.relative_to(ROOT).parts[:-1], file.stem)}
    assert not names & FORBIDDEN_NAMES


def retired_words(of_variables: bool = False) -> set[str]:
    """The words of the glossary's first table, or of its second one for variables."""
    section = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").partition("## Words that")[2].partition("\n## ")[0]
    first, _, second = section.partition("In names of variables")
    rows = re.findall(r"^\| ([a-z, ]+) \| [a-z, ]+ \|$", second if of_variables else first, re.M)
    return {word for row in rows if row != "not" for word in row.split(", ")}


def words_of_name(name: str) -> set[str]:
    return set(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_"))


def test_no_folder_and_no_table_has_a_retired_name() -> None:
    retired = retired_words() | {"made", "said", "store"}
    named = {part for file in tracked() for part in file.relative_to(ROOT).parts[:-1]}
    named |= {file.stem for file in tracked() if file.relative_to(ROOT).parts[:2] in {("sql", "intermediate"), ("sql", "marts")}}
    assert {"intermediate", "lemma_index"} <= named
    assert not {name for name in named if retired & set(name.lower().split("_"))}


def test_no_name_uses_a_word_that_the_glossary_retired() -> None:
    retired = retired_words()
    assert {"room", "visit", "told"} <= retired
    found = set()
    for name, text in text_files():
        if name.endswith(".py") and name.split("/")[0] in {"dags", "models", "pipelines"}:
            names = [part for part in name.removesuffix(".py").split("/")]
            names += [n.name for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
            found |= {f"{name}: {n}" for n in names if retired & words_of_name(n)}
    assert not found


def test_no_variable_uses_a_figurative_word() -> None:
    retired = retired_words(of_variables=True)
    assert {"heard", "mood", "told"} <= retired
    found = set()
    for name, text in text_files():
        if name.endswith(".py") and name.split("/")[0] in {"dags", "models", "pipelines"}:
            nodes = list(ast.walk(ast.parse(text)))
            names = [n.arg for n in nodes if isinstance(n, ast.arg)]
            names += [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
            found |= {f"{name}: {n}" for n in names if retired & words_of_name(n)}
    assert not found


def test_every_module_says_in_one_line_why_it_exists() -> None:
    silent = [
        name for name, text in text_files()
        if name.endswith(".py") and name.split("/")[0] in {"dags", "models", "pipelines"} and text.strip() and not ast.get_docstring(ast.parse(text))
    ]  # fmt: skip
    assert not silent


def test_no_host_and_no_path_of_a_machine_stands_in_the_tree() -> None:
    machine_path = re.compile(r"(?<![\w.])/(?:home|Users|tmp/w|work|opt|root)/\w+")
    index_host = re.compile(r"(?:pypi|pythonhosted|huggingface|hf)\.(?:org|co)\b|--(?:extra-)?index-url|--find-links")
    found = [
        (name, match.group())
        for name, text in text_files()
        if name not in {"LICENSE", "tests/test_project.py"}
        for match in [*machine_path.finditer(text), *index_host.finditer(text)]
    ]
    assert not found


def test_only_the_dags_import_airflow_and_only_the_models_a_model_library() -> None:
    wrong = []
    for name, text in text_files():
        top = name.split("/")[0]
        if not name.endswith(".py") or top not in {"dags", "models", "pipelines"}:
            continue
        for node in ast.walk(ast.parse(text)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for module in modules:
                package = module.split(".")[0]
                is_heavy = package in HEAVY and not module.startswith("pyannote.core")  # intervals, no model
                if (package == "airflow" and top != "dags") or (is_heavy and top != "models"):
                    wrong.append(f"{name}: {module}")
    assert not wrong


def test_nothing_loads_a_model_library_before_a_model_is_needed() -> None:
    """The command and the Dags have to start at once."""
    program = f"import sys, pipelines.flow, pipelines.__main__, pipelines.quality.recognition; print(sorted({HEAVY!r} - {{'pyannote'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_package_that_the_code_imports_is_declared_and_pinned() -> None:
    """What merely comes along with another package may leave with it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stated = project["dependencies"] + [name for extra in project["optional-dependencies"].values() for name in extra]
    declared = {_canonical(re.split(r"[<>=!~ ;[]", requirement)[0]) for requirement in stated}
    locked = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "requirements").glob("*.txt"))
    pinned = {_canonical(name) for name in re.findall(r"^([\w.-]+)==", locked, re.M)}
    known = importlib.metadata.packages_distributions()
    imported = set()
    for name, text in text_files():
        if name.endswith(".py") and name.split("/")[0] in {"dags", "models", "pipelines", "tests"}:
            for node in ast.walk(ast.parse(text)):
                imported |= {alias.name.split(".")[0] for alias in node.names} if isinstance(node, ast.Import) else set()
                imported |= {node.module.split(".")[0]} if isinstance(node, ast.ImportFrom) and node.module and not node.level else set()
    undeclared = {
        package for package in imported - set(sys.stdlib_module_names) - {"dags", "models", "pipelines", "tests"}
        if package in known and not {_canonical(distribution) for distribution in known[package]} & (declared | {"apache-airflow-core"})
    }  # fmt: skip
    assert not undeclared
    assert declared <= pinned


def _canonical(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def _commands() -> dict[str, argparse.ArgumentParser]:
    actions = command.build_parser()._subparsers._group_actions  # type: ignore[union-attr]  # argparse offers no public way
    return dict(actions[0].choices)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(_commands()))
def test_every_command_and_each_of_its_options_is_documented(name: str) -> None:
    options = {o for action in _commands()[name]._actions for o in action.option_strings if o.startswith("--") and o != "--help"}
    assert f"callgrade {name}" in DOCS
    assert not {option for option in options if option not in DOCS}


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    read = {
        name
        for file, text in text_files()
        if file.startswith(("pipelines/", "models/"))
        for name in re.findall(r"CALLGRADE_[A-Z_]+\b", text)
    }
    read |= set(schema("settings")["properties"])
    documented = set(re.findall(r"CALLGRADE_[A-Z_]+\b", DOCS))
    assert read - {"CALLGRADE_"} == documented


def test_every_view_is_documented() -> None:
    views = {file.stem for file in (ROOT / "sql" / "marts").glob("*.sql")}
    assert views
    assert not {view for view in views if not re.search(rf"`{view}`|^#+ {view}$", DOCS, re.M)}


def test_every_criterion_is_documented() -> None:
    criteria = yaml.safe_load((ROOT / "pipelines" / "centres" / "criteria.yaml").read_text(encoding="utf-8"))
    names = list(criteria.get("criteria", criteria))
    assert names
    assert not {str(n["id"] if isinstance(n, dict) else n) for n in names if f"`{n['id'] if isinstance(n, dict) else n}`" not in DOCS}


def test_every_dag_and_pool_is_documented() -> None:
    from dags.rules import POOLS

    dags = {
        name
        for file in ("call_quality", "housekeeping")
        for name in re.findall(r"^(\w+)\(\)$", (ROOT / "dags" / f"{file}.py").read_text(encoding="utf-8"), re.M)
    }
    assert len(dags) == 7
    assert not {name for name in dags | set(POOLS) if f"`{name}`" not in DOCS}
