"""What the residency engine costs: CPU seconds of one core, and counts that do not depend on the machine.

.venv/bin/python bench/residency.py [change hard one growth hostile] [--runs 3] [--svg docs/performance.svg]
"""

import argparse
import gc
import random
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import plot
import world

from domicile import residency
from domicile.residency import verdict
from domicile.residency.cel import expression

SERIES = {
    "models": (1_000, 2_000, 5_000, 10_000),
    "clusters": (25, 50, 100, 200, 400),
    "policies": (10, 20, 40, 80),
}
USUAL = {"models": 2_000, "clusters": 50, "policies": 20}

TEXT = "a" * 1024
LARGEST: dict[str, Any] = {
    "cluster": {
        "certifications": [{"name": f"{'😀' * 60}{n}", "level": 3, "scope": TEXT} for n in range(64)],
        "contracts": [{"kind": f"{'k' * 60}{n}", "reference": TEXT} for n in range(64)],
        "registries": [{"host": f"r{n}.example", "jurisdiction": "SG"} for n in range(64)],
    },
    "model": {"name": "m", "dataClasses": ["customer.pii"]},
    "policy": {"name": "p"},
    "hub": {},
    "now": world.NOW,
}
"""The largest facts that there can be: lists of 64, texts of 1,024 characters."""
EACH = "cluster.certifications.exists(a, cluster.contracts.exists(b, {}))"


HOSTILE = {
    "usual": world.EXPRESSIONS[0],
    "64 x 64 comparisons": EACH.format("a.scope == b.kind"),
    "64 x 64 comparisons of objects": "cluster.contracts.exists(a, cluster.contracts.exists(b, a != a))",
    "filters in filters": "cluster.contracts.filter(a, cluster.contracts.filter(b, a.kind == b.kind).size() > 0).size() > 0",
    "64 short texts searched in long ones": "cluster.contracts.exists(a, a.reference.contains(a.kind))",
    "64 simple patterns": "cluster.certifications.exists(a, a.name.matches('(a|b)*c'))",
    "64 patterns of 16 optional parts": "cluster.certifications.exists(a, a.name.matches('" + "(.?)" * 16 + "z'))",
    "64 x 64 x 64 comparisons": EACH.format("cluster.registries.exists(c, c.host == a.name)"),
    "64 x 64 comparisons of whole lists": EACH.format("cluster.certifications == cluster.certifications"),
    "64 x 64 searches": EACH.format("a.scope.contains(b.reference)"),
    "64 x 64 simple patterns": EACH.format("a.scope.matches('(a|b)*c')"),
    "one large pattern": "model.name.matches('(a?){900}b')",
    "texts joined": "cluster.contracts.exists(a, a.kind + a.kind == '')",
}


@dataclass
class Counts:
    """What was made."""

    evaluations: int = 0
    results: int = 0
    verdicts: int = 0


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds, of one core: nothing here has a second thread."""
    gc.collect()
    begun = time.process_time()
    work()
    return time.process_time() - begun


def best(runs: int, work: Callable[[], object]) -> float:
    """The least of several: others use the machine too."""
    return min(cpu(work) for _ in range(runs))


@contextmanager
def counted() -> Iterator[Counts]:
    """Counts what is made. Times taken meanwhile mean nothing."""
    counts = Counts()

    def counting(of: type, method: str, name: str) -> Any:
        real = getattr(of, method)

        def instead(*args: Any, **named: Any) -> Any:
            setattr(counts, name, getattr(counts, name) + 1)
            return real(*args, **named)

        return mock.patch.object(of, method, instead)

    evaluates = "on" if hasattr(expression.Expression, "on") else "evaluate"
    with (
        counting(expression.Expression, evaluates, "evaluations"),
        counting(verdict.Result, "__init__", "results"),
        counting(verdict.Lawful, "__init__", "verdicts"),
        counting(verdict.Unlawful, "__init__", "verdicts"),
    ):
        yield counts


def judge_all(law: residency.Law, questions: list[residency.Question]) -> residency.Engine:
    """What the hub does when a policy changes: a new engine, and every model."""
    engine = residency.Engine(law)
    for question in questions:
        engine.judge(question)
    return engine


def change(runs: int, **shape: Any) -> tuple[float, Counts]:
    """Every model after one policy was changed."""
    made = world.world(**shape)
    law, questions = made.after_one_change(), made.questions()
    seconds = best(runs, lambda: judge_all(law, questions))
    with counted() as counts:
        judge_all(law, questions)
    return seconds, counts


def tell_change(runs: int) -> None:
    """The realistic shape."""
    made = world.world(models=10_000, clusters=200, policies=20)
    engine = residency.Engine(made.law)
    applying = [len(engine.policies_for(model)) + len(_audits(engine, model)) for model in made.models]
    print(f"10,000 models x 200 clusters x 20 policies, of which {sum(applying) / len(applying):.1f} apply to a model")
    seconds, counts = change(runs, models=10_000, clusters=200, policies=20)
    print(f"  one policy changed: {seconds:.2f} s; {_told(counts)}; at most {_memory()} MB")


def tell_hard(runs: int, sample: int = 200) -> None:
    """Rules that tell every model from every other: a sample, since nothing of the rules is shared."""
    made = world.world(models=10_000, clusters=200, policies=20, hard=True)
    law = made.after_one_change()
    questions = random.Random(4).sample(made.questions(), 2 * sample)
    few = best(runs, lambda: judge_all(law, questions[:sample]))
    more = best(runs, lambda: judge_all(law, questions))
    with counted() as counts:
        judge_all(law, questions)
    each = (more - few) / sample
    print(f"hard: {2 * sample} of 10,000 models: {more:.2f} s; {_told(counts)}; at most {_memory()} MB")
    print(f"  {each * 1000:.1f} ms for each further model, so about {few + each * (10_000 - sample):.0f} s for all")


def tell_one(runs: int) -> None:
    """One model on 200 clusters."""
    made = world.world(models=2_000, clusters=200, policies=20)
    first = made.questions()[0]
    print("one model x 200 clusters x 20 policies")
    print(f"  cold, law and facts not yet read: {best(runs, lambda: judge_all(made.law, [first])) * 1000:.1f} ms")
    engine = judge_all(made.law, made.questions())
    ahead = [replace(first, asked=world.one_more(number)) for number in range(200 * runs)]
    alike = [q for q in ahead if _kept(engine, q)]
    others = [q for q in ahead if not _kept(engine, q)]
    for name, questions in (("warm, others fare alike", alike), ("warm, a new combination", others)):
        times = sorted(cpu_once(engine, question) for question in questions)
        if times:
            print(f"  {name}: {times[len(times) // 2] * 1000:.3f} ms (median of {len(times)})")
    again = [replace(q, members=tuple(replace(m) for m in q.members)) for q in alike[:200]]
    times = sorted(cpu_once(engine, question) for question in again)
    print(f"  warm, the members an equal tuple and not the same: {times[len(times) // 2] * 1000:.3f} ms")


def cpu_once(engine: residency.Engine, question: residency.Question) -> float:
    """CPU seconds of one judgement."""
    begun = time.process_time()
    engine.judge(question)
    return time.process_time() - begun


def tell_growth(runs: int, svg: str | None) -> None:
    """One of models, clusters and policies varied at a time."""
    charts: list[plot.Chart] = []
    print(f"growth, one varied at a time from {USUAL}\n  {'':9} {'number':>7} {'CPU s':>7}")
    for name, numbers in SERIES.items():
        points: list[tuple[float, float]] = []
        for number in numbers:
            seconds, counts = change(runs, **{**USUAL, name: number})
            points.append((number, seconds))
            print(f"  {name:9} {number:>7,} {seconds:>7.3f}   {_told(counts)}")
        fixed = ", ".join(f"{value:,} {other}" for other, value in USUAL.items() if other != name)
        charts.append(plot.Chart(fixed, name, points))
    if svg:
        Path(svg).write_text(plot.svg(charts))


def tell_hostile(runs: int) -> None:
    """One evaluation on the largest facts."""
    print("expressions on the largest facts")
    for name, source in HOSTILE.items():
        compiled = expression.compiled(source)
        if isinstance(compiled, expression.Invalid):
            print(f"  {name:36} refused: {compiled.why}")
            continue
        seconds = best(runs, lambda made=compiled: made.evaluate(LARGEST))
        answer = compiled.evaluate(LARGEST)
        print(f"  {name:36} {seconds * 1000:9.2f} ms  {answer if isinstance(answer, bool) else answer.why}")


def _kept(engine: residency.Engine, question: residency.Question) -> bool:
    """Whether a model that fares alike has been judged. It looks inside: there is no other way to tell them apart."""
    inside: Any = engine
    sitting = inside._at(question)
    classes, covered = inside._covered(question.asked)
    try:
        return inside._project(question.asked, classes, covered, sitting).key in sitting.kept
    except TypeError:
        return inside._project(question.asked, classes, covered).key in sitting.kept


def _audits(engine: residency.Engine, model: residency.Asked) -> tuple[Any, ...]:
    inside: Any = engine
    return inside._covered(model)[1].audits


def _told(counts: Counts) -> str:
    return f"{counts.evaluations:,} evaluations, {counts.results:,} results, {counts.verdicts:,} verdicts"


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """All of it, or what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = ("change", "hard", "one", "growth", "hostile")
    parser.add_argument("what", nargs="*", default=every, help=f"of {', '.join(every)}; all where none is named")
    parser.add_argument("--runs", type=int, default=3, help="of each measurement; the least counts")
    parser.add_argument("--svg", help="where to write the plot of the growth")
    args = parser.parse_args()
    if unknown := set(args.what) - set(every):
        parser.error(f"{', '.join(sorted(unknown))}: not one of {', '.join(every)}")
    if "change" in args.what:
        tell_change(args.runs)
    if "hard" in args.what:
        tell_hard(args.runs)
    if "one" in args.what:
        tell_one(args.runs)
    if "growth" in args.what:
        tell_growth(args.runs, args.svg)
    if "hostile" in args.what:
        tell_hostile(args.runs)


if __name__ == "__main__":
    main()
