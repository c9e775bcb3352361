"""Run many trials, and say which seeds went wrong: ``python -m property_tests.seeds``.

``--from 0 --count 10000 --faults all`` on two processes. A failing seed is told with
the length of the shortest prefix of its history that shows it, and with how few of the
owner's requests are enough; ``--show SEED`` prints the end of that prefix. Exit code 1:
something was wrong.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator

import attrs

from orchestrator.core.steps import Step
from orchestrator.simulation.profiles import PROFILES
from property_tests.trials import Trial, Verdict, draw_trial, tried

SHOWN = 12
EVERY_S = 10.0


@attrs.frozen(kw_only=True)
class Result:
    seed: int
    steps: int
    boots: int
    prefix: int | None
    wrong: tuple[str, ...]


def one(job: tuple[int, str]) -> Result:
    seed, profile = job
    verdict = tried(draw_trial(seed, profile))
    boots = 0 if verdict.run is None else verdict.run.boots
    return Result(
        seed=seed,
        steps=verdict.steps,
        boots=boots,
        prefix=verdict.first_wrong_step,
        wrong=tuple(verdict.wrong[:3]),
    )


def fewest(trial: Trial) -> Trial:
    """Drop every request that is not needed for something to be wrong."""
    for place in reversed(range(len(trial.requests))):
        rest = trial.requests[:place] + trial.requests[place + 1 :]
        shorter = attrs.evolve(trial, requests=rest)
        if tried(shorter).wrong:
            trial = shorter
    return trial


def show(seed: int, profile: str) -> Verdict:
    """Print the end of the shortest prefix of a seed."""
    steps: list[Step] = []
    trial = fewest(draw_trial(seed, profile))
    verdict = tried(trial, on_step=steps.append)
    print(f"seed {seed}, {len(trial.requests)} requests: {verdict.wrong[:3]}")
    end = verdict.first_wrong_step or len(steps)
    for step in steps[max(0, end - SHOWN) : end]:
        print(f"  {step.event}\n      -> {step.commands}")
        for before, after in step.pairs():
            print(f"      {before and before.phase}\n   => {after and after.phase}")
    return verdict


def results(jobs: list[tuple[int, str]], processes: int) -> Iterator[Result]:
    with multiprocessing.Pool(processes) as pool:
        yield from pool.imap_unordered(one, jobs, chunksize=4)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--faults", choices=sorted(PROFILES), default="all")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--show", type=int)
    asked = parser.parse_args()
    if asked.show is not None:
        return bool(show(asked.show, asked.faults).wrong)
    seeds = range(asked.first, asked.first + asked.count)
    jobs = [(seed, asked.faults) for seed in seeds]
    began = told = time.monotonic()
    done = steps = boots = 0
    failing: list[Result] = []
    for result in results(jobs, asked.processes):
        done, steps, boots = done + 1, steps + result.steps, boots + result.boots
        if result.wrong:
            failing.append(result)
            print(f"seed {result.seed}: step {result.prefix}: {result.wrong}")
        if time.monotonic() - told > EVERY_S:
            told = time.monotonic()
            print(f"{done}/{len(jobs)} seeds, {steps} steps, {len(failing)} failing")
        sys.stdout.flush()
    took = time.monotonic() - began
    print(
        f"{done} seeds of {asked.faults}: {steps} steps, {boots} operators,"
        f" {len(failing)} failing, {took:.0f} s"
    )
    for result in failing:
        trial = fewest(draw_trial(result.seed, asked.faults))
        requests = [request for _, request in trial.requests]
        print(f"seed {result.seed}: {result.wrong[0]}; requests needed: {requests}")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
