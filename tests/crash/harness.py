"""Kills each scene many times, runs it again to completion, and compares the result with that of an undisturbed run."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash import killing, scenes
from tests.crash.killing import Call, Fault
from tests.crash.made_day import SAID

AGAIN = 0.15  # how often the run that follows a kill is killed as well
FULL = 0.1  # how often the disk is full instead


@dataclass(slots=True)
class Prepared:
    """A scene that waits to begin, and what it comes to when nobody disturbs it."""

    scene: scenes.Scene
    before: Path
    expected: dict[str, str]
    calls: tuple[Call, ...]
    took_s: float
    largest: int  # bytes of the largest file


@dataclass(slots=True)
class Tally:
    """What came of many faults."""

    killed: Counter[str] = field(default_factory=Counter)  # by scene and kind
    parts: Counter[str] = field(default_factory=Counter)  # where the kills hit
    missed: int = 0  # the run ended before its fault
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind}: {n}" for kind, n in sorted(self.killed.items()))
        return f"{self.killed.total()} disturbed ({kinds}); {self.missed} ended before; {len(self.wrong)} wrong"


class Harness:
    """Scenes prepared in one folder, ready to be disturbed. Children are forked from this process, which must have no work in threads."""

    def __init__(self, folder: Path, names: tuple[str, ...] = tuple(scenes.SCENES)) -> None:
        self.folder = folder
        self.recordings = folder / "recordings"
        self.recordings.mkdir()
        scenes.warm_up()
        self.prepared = [self._prepare(scenes.SCENES[name]) for name in names]

    def disturb(self, prepared: Prepared, fault: Fault, second: Fault | None, tally: Tally) -> None:
        """Run a scene with a fault (and perhaps the run after it with another), then to its end; what is wrong then goes to the tally."""
        name = f"{prepared.scene.name}, {fault}" + (f", then {second}" if second else "")
        run = scenes.copy(prepared.before, self.folder / "run")
        work = self._work(prepared.scene, run)
        for one in (fault, second):
            if one is None:
                continue
            died = killing.run(work, self.folder / "said", one)
            if not died.killed and one.kind != "full":
                tally.missed += 1
                return
            if one.kind == "full" and died.error:
                tally.wrong.append(f"{name}: a full disk is told by a traceback:\n{died.error}")
            tally.killed[f"{prepared.scene.name}/{one.kind}"] += 1
            part = killing.part_hit(one, prepared.calls) if one is fault else None  # the run after it makes other calls
            if part:
                tally.parts[part] += 1
        self._compare(f"{name}, run again", killing.run(work, self.folder / "said"), run, prepared, tally)

    def cut_short(self, prepared: Prepared, kind: str, tally: Tally) -> None:
        """Cut a file of every staged batch short before the scene begins: the step that wrote it must be done again."""
        run = scenes.copy(prepared.before, self.folder / "run")
        for file in run.rglob(f"{kind}.parquet"):  # and what the step of the same name has rejected
            os.truncate(file, file.stat().st_size // 2)

        def work() -> Any:
            scenes.HEARS_AGAIN.update(SAID)
            return prepared.scene.work(self.recordings, run)

        self._compare(f"{prepared.scene.name}, {kind} cut short", killing.run(work, self.folder / "said"), run, prepared, tally)

    def at_once(self, prepared: Prepared, tally: Tally) -> None:
        """Run the scene in two processes at the same time: they wait for each other where they must."""
        run = scenes.copy(prepared.before, self.folder / "run")

        def work() -> int:
            other = os.fork()
            status = prepared.scene.work(self.recordings, run)
            if other == 0:
                os._exit(status)
            return status + os.waitstatus_to_exitcode(os.waitpid(other, 0)[1])

        self._compare(f"{prepared.scene.name}, twice at once", killing.run(work, self.folder / "said"), run, prepared, tally)

    def _compare(self, name: str, ended: killing.Died, run: Path, prepared: Prepared, tally: Tally) -> None:
        if ended.error or ended.gave != 0:
            tally.wrong.append(f"{name}: the run failed:\n{ended.error}{ended.printed}")
            return
        found = killing.run(lambda: scenes.outcome(run), self.folder / "said")
        wrong = [found.error] if found.error else scenes.differences(found.gave, prepared.expected)
        if wrong:
            tally.wrong.append("\n  ".join([f"{name}:", *wrong]))

    def random_faults(self, random_: random.Random) -> Iterator[tuple[Prepared, Fault, Fault | None]]:
        """Faults without end, over all scenes; each scene is given as much time as another."""
        while True:
            (prepared,) = random_.choices(self.prepared, [1 / one.took_s for one in self.prepared])
            given = prepared.calls, prepared.took_s, prepared.largest
            if random_.random() < FULL:
                yield prepared, Fault("full", int(prepared.largest ** random_.uniform(0.2, 1))), None
            else:
                second = killing.any_fault(random_, *given) if random_.random() < AGAIN else None
                yield prepared, killing.any_fault(random_, *given), second

    def _prepare(self, scene: scenes.Scene) -> Prepared:
        before = self.folder / f"before {scene.name}"
        if scene.after_day_one:
            scenes.copy(self._day_one_graded(), before)
        else:
            before.mkdir()
        self._prepared(scene.prepare, before)
        run = scenes.copy(before, self.folder / "run")
        died = self._done(lambda: (self._work(scene, run)(), scenes.JUDGED))
        status, judged = died.gave
        if status != 0:
            raise AssertionError(f"{scene.name} does not come to its end: {died.printed}")
        scenes.JUDGED.update(judged)
        expected = self._done(lambda: scenes.outcome(run)).gave
        largest = max(file.stat().st_size for file in run.rglob("*") if file.is_file())
        shutil.rmtree(run)
        return Prepared(scene, before, expected, died.calls, died.took_s, largest)

    def _day_one_graded(self) -> Path:
        graded = self.folder / "day one graded"
        if not graded.exists():
            graded.mkdir()
            self._prepared(scenes.day_one_graded, graded)
        return graded

    def _prepared(self, prepare: Callable[[Path, Path], None] | None, folder: Path) -> None:
        if prepare is not None:
            scenes.JUDGED.update(self._done(lambda: (prepare(self.recordings, folder), scenes.JUDGED)).gave[1])

    def _work(self, scene: scenes.Scene, run: Path) -> Callable[[], Any]:
        return lambda: scene.work(self.recordings, run)

    def _done(self, work: Callable[[], Any]) -> killing.Died:
        died = killing.run(work, self.folder / "said")
        if died.error:
            raise AssertionError(died.error)
        return died
