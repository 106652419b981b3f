"""Writes the generated parts of docs/architecture.md and docs/glossary.md: the import graph, the packages, the classes.

`make docs` writes them; `make lint` runs this with `--check`, which fails when one of them is out of date.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
TOPS = ("dags", "pipelines", "models")
_BEGIN, _END = "<!-- written by make docs: {} -->", "<!-- end -->"


def packages() -> dict[str, str]:
    """Name → first line of the docstring, of each package and each top-level module."""
    found = {}
    for top in TOPS:
        for path in sorted((ROOT / top).iterdir()):
            file = path / "__init__.py" if path.is_dir() else path
            if file.suffix == ".py" and file.is_file() and path.name != "__init__.py":
                found[f"{top}.{path.stem}"] = _first_line(ast.parse(file.read_text(encoding="utf-8")))
    return found


def picture(names: Mapping[str, str]) -> str:
    """A Mermaid flow chart of the imports, without transitive edges; the Dags and the models are one node each."""
    sys.path.insert(0, str(ROOT))  # grimp resolves packages like an import
    graph = grimp.build_graph(*TOPS, cache_dir=None)
    boxes = sorted({_box(name) for name in names})
    arrows = {
        (importer, imported)
        for module in graph.modules
        for other in graph.find_modules_directly_imported_by(module)
        if (importer := _box(module)) != (imported := _box(other)) and {importer, imported} <= set(boxes)
    }
    below = {box: _reached(box, arrows) for box in boxes}
    shown = [(a, b) for a, b in sorted(arrows) if not any(b in below[c] for x, c in arrows if x == a and c != b)]
    lines = [f"  {a.replace('.', '_')}[{_label(a)}] --> {b.replace('.', '_')}[{_label(b)}]" for a, b in shown]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def table(names: Mapping[str, str]) -> str:
    """The table of packages with their descriptions."""
    return "\n".join(["| package | what it does |", "|---|---|", *(f"| `{_path(name)}` | {line} |" for name, line in names.items())])


def classes() -> str:
    """Every public class, by package, with the first line of its docstring."""
    lines = ["| class | module | what it is |", "|---|---|---|"]
    for module, node in sorted(_public_classes(), key=lambda pair: (pair[1].name.lower(), pair[0])):
        lines.append(f"| `{node.name}` | `{module}` | {_first_line(node)} |")
    return "\n".join(lines)


def _public_classes() -> Iterator[tuple[str, ast.ClassDef]]:
    for top in TOPS:
        for file in sorted((ROOT / top).rglob("*.py")):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removeprefix("pipelines.")
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    yield module, node


def _first_line(node: ast.Module | ast.ClassDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0].replace("|", "\\|")


def _box(module: str) -> str:
    top, _, rest = module.partition(".")
    return f"{top}.{rest.partition('.')[0]}" if top == "pipelines" and rest else top


def _label(box: str) -> str:
    return box.removeprefix("pipelines.")


def _path(name: str) -> str:
    place = Path(*name.split("."))
    return f"{place}/" if (ROOT / place).is_dir() else f"{place}.py"


def _reached(box: str, arrows: set[tuple[str, str]]) -> set[str]:
    found: set[str] = set()
    waiting = [b for a, b in arrows if a == box]
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += [b for a, b in arrows if a == name]
    return found


def written(text: str, part: str, content: str) -> str:
    """The text with the content between the marks of a part replaced."""
    before, begin, rest = text.partition(_BEGIN.format(part))
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(f"The marks of the part {part!r} are missing.")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def main() -> int:
    """Write the parts, or with `--check` report which document is out of date; returns the exit status."""
    names = packages()
    parts = {
        "architecture.md": {"imports": picture(names), "packages": table(names)},
        "glossary.md": {"packages": table(names), "classes": classes()},
    }
    stale = []
    for name, contents in parts.items():
        path = ROOT / "docs" / name
        old = new = path.read_text(encoding="utf-8")
        for part, content in contents.items():
            new = written(new, part, content)
        if new != old:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(new, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"Out of date: docs/{', docs/'.join(stale)}. Run `make docs`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
