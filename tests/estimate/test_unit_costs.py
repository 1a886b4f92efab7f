"""From measured jobs to what others will take, and the table that comes with the project."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from step.config.study import BASE_CONFIG, load_config
from step.errors import InputError
from step.estimate.graph import Job
from step.estimate.study import study_work
from step.estimate.unit_costs import (
    BEYOND,
    ESTIMATED,
    MEASURED,
    Estimate,
    Machine,
    UnitCost,
    as_rows,
    measured_costs,
    read_unit_costs,
)
from step.estimate.work import GFLOP, MEGAPIXEL, Work
from step.io.tables import write_table

DOCS = Path(__file__).parents[2] / "docs"


def cost(stage: str, work: float, seconds: float, of: str = "mri", unit: str = MEGAPIXEL, machine: str = "cpu"):
    return UnitCost(machine, stage, of, work, unit, seconds, 1, MEASURED, f"{machine} {work:g}")


def seconds(machine: Machine, stage: str, work: float, of: str = "mri", unit: str = MEGAPIXEL) -> float | None:
    return machine.estimate(stage, Work(of, work, unit)).seconds


def test_between_and_beyond_two_measured_amounts_a_job_lies_on_their_line():
    machine = Machine("cpu", [cost("evaluate", 10, 14), cost("evaluate", 1, 5)])
    assert [seconds(machine, "evaluate", work) for work in (1, 4, 10, 100)] == pytest.approx([5, 8, 14, 104])


def test_a_larger_job_never_takes_less_and_none_less_than_nothing():
    machine = Machine(
        "cpu", [cost("evaluate", 1, 9), cost("evaluate", 10, 6), cost("sample", 1, 1), cost("sample", 9, 90)]
    )
    assert seconds(machine, "evaluate", 50) == 9
    assert seconds(machine, "sample", 0) == 0


def test_about_the_same_amount_measured_twice_has_no_slope():
    machine = Machine("cpu", [cost("sample", 100, 20, unit=GFLOP), cost("sample", 110, 40, unit=GFLOP)])
    assert seconds(machine, "sample", 210, unit=GFLOP) == pytest.approx(60)


def test_of_one_amount_networks_are_in_proportion_and_all_else_is_marked():
    machine = Machine("cpu", [cost("sample", 10, 5, unit=GFLOP), cost("modes", 1, 5)])
    assert seconds(machine, "sample", 1, unit=GFLOP) == 0.5
    assert machine.estimate("modes", Work("mri", 1000, MEGAPIXEL)) == (
        found := machine.estimate("modes", Work("mri", 3, MEGAPIXEL))
    )
    assert (found.seconds, found.basis) == (5, BEYOND)
    assert machine.estimate("modes", Work("mri", 1.5, MEGAPIXEL)).basis == MEASURED


def test_networks_far_larger_than_the_measured_ones_and_others_are_as_fast_as_samples():
    table = [cost("sample", 100, 20, unit=GFLOP), cost("generate", 0.1, 9, unit=GFLOP)]
    machine = Machine("cpu", table)
    assert machine.estimate("generate", Work("mri", 50, GFLOP)) == Estimate(9 + 10, BEYOND, "cpu 100")
    assert machine.estimate("tune", Work("mri", 50, GFLOP)) == Estimate(10, BEYOND, "cpu 100")
    assert machine.estimate("train", Work("mri video", 50, GFLOP)) == Estimate(10, BEYOND, "cpu 100")
    assert Machine("cpu", table[1:]).estimate("tune", Work("mri", 50, GFLOP)).seconds is None


def test_what_was_not_measured_is_not_known_and_other_domains_stand_in():
    machine = Machine("cpu", [cost("evaluate", 1, 5)])
    assert seconds(machine, "summarise", 1) is None
    assert seconds(machine, "evaluate", 1, of="ultrasound") == 5


def test_a_gpu_s_machine_has_networks_of_its_own_and_the_processor_s_other_stages():
    table = [
        cost("sample", 10, 50, unit=GFLOP),
        cost("evaluate", 1, 5),
        cost("sample", 10, 1, unit=GFLOP, machine="h200"),
    ]
    machine = Machine("h200", table)
    assert seconds(machine, "sample", 10, unit=GFLOP) == 1
    assert seconds(machine, "evaluate", 1) == 5
    assert seconds(machine, "optical_flow", 1) is None
    with pytest.raises(InputError, match="no unit costs of a machine 'abacus'; there are cpu, h200"):
        Machine("abacus", table)


def test_a_table_of_a_run_has_the_median_of_jobs_that_are_alike_and_reads_as_it_was_written(tmp_path):
    work = study_work(load_config())
    jobs = [
        Job("evaluate", "evaluate", {"task": task, "row": "bcs"}, (), False, 0, 100.0, 100.0 + took)
        for task, took in (("mri8", 3), ("mri6", 5), ("mri8", 40), ("blackhole", 7))
    ]
    found = measured_costs([*jobs, replace(jobs[0], began_s=None)], work, "cpu", "a run")
    assert [(row.of, row.seconds, row.jobs) for row in found] == [("blackhole", 7, 1), ("mri", 5, 3)]
    write_table(tmp_path / "costs.csv", as_rows(found))
    assert read_unit_costs(tmp_path / "costs.csv") == [replace(row, work=float(f"{row.work:.5g}")) for row in found]
    (tmp_path / "costs.csv").write_text("machine,stage\ncpu,sample\n")
    with pytest.raises(InputError, match=r"costs\.csv is no table of unit costs"):
        read_unit_costs(tmp_path / "costs.csv")


def test_the_gpu_s_rows_are_of_the_paper_s_samples_and_say_what_the_benchmarks_say():
    rows = {(row.stage, row.of): row for row in read_unit_costs() if row.machine == "h200"}
    page = (DOCS / "benchmarks.md").read_text()
    sampled = re.search(r"\| `tensorfloat32`, sampled \| \| (\d+) \| [\d.]+ \| \| (\d+), from 4 of 25 levels", page)
    assert sampled
    assert [rows["sample", domain].seconds for domain in ("mri", "blackhole")] == [
        float(text) for text in sampled.groups()
    ]
    work = study_work(load_config(BASE_CONFIG))
    for task, domain in (("mri8", "mri"), ("blackhole", "blackhole")):
        job = Job("sample", "sample", {"task": task, "method": "step_joint", "shard": "000"}, (), True)
        assert rows["sample", domain].work == pytest.approx(work.of(job).amount, rel=1e-4)
    trained = [row for (stage, _), row in rows.items() if stage == "train"]
    assert {row.basis for row in trained} == {ESTIMATED}
    assert all("no training was timed on a GPU" in row.source for row in trained)
