"""The documentation's page of costs."""

import re
from pathlib import Path

import pytest
from step.errors import InputError
from step.estimate.page import EstimatedStudy, study_table, unit_table, write_into_page
from step.estimate.study import StageEstimate, StudyEstimate
from step.estimate.unit_costs import read_unit_costs

PAGE = Path(__file__).parents[2] / "docs/what-it-costs.md"


def test_the_page_has_the_committed_unit_costs():
    [shown] = re.findall(r"<!-- costs:units -->\n\n(.*?)\n<!-- /costs -->", PAGE.read_text(), re.DOTALL)
    assert shown == unit_table(read_unit_costs())


def test_a_study_s_row_has_its_hours_and_its_end():
    stages = (StageEstimate("sample", 4, 7200.0, 0, 0, ()), StageEstimate("evaluate", 2, 1800.0, 0, 0, ()))
    row = study_table([EstimatedStudy("a study", StudyEstimate("h200", 9, 3, stages, 4000.0), 12.3)]).splitlines()[-1]
    assert row == "| a study | h200 | 9, 3 of them on GPUs | 6 | 2 h | 0.5 h | 1 h 6 min | 12 GB |"


def test_tables_are_written_between_their_marks_and_nowhere_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- costs:units -->\nold\n<!-- /costs -->\nafter\n")
    for _ in range(2):
        write_into_page(page, {"units": "| new |\n"})
        assert page.read_text() == "before\n<!-- costs:units -->\n\n| new |\n\n<!-- /costs -->\nafter\n"
    with pytest.raises(InputError, match=r"page\.md has places for \['units'\]; give it one for each of"):
        write_into_page(page, {"studies": ""})
