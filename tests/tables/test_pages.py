"""The results of a study in pages: what is written between the marks, and that nothing else is touched."""

import pytest
from step.__main__ import main
from step.config.settings import dump_settings
from step.config.study import load_config
from step.io.tables import write_table
from step.metrics.catalogue import AUTHORS
from step.tables import pages
from step.tables.task_table import COLUMNS

METHODS = ["bis", "bcs", "step_video", "step_joint"]
PAGE = """# Results

Hearts:

<!-- results:mri8 -->
old numbers
<!-- /results -->

All of them, and what is | in the | way:

<!-- all results:mri8 -->
<!-- /results -->
The end.
"""


def row_of(method: str, psnr: float) -> dict[str, str]:
    row = {"method": method, "videos": "16", "frames": "12", "optical_flow": "", "lpips_weights": "", "fvd_weights": ""}
    row |= {name: "" for metric in AUTHORS for name in (metric.name, f"{metric.name}_std")}
    row |= {"remarks": "", "fvd": "120.4", "fvd_low": "100", "fvd_high": "150"}
    row |= {name: "0.5" for metric in COLUMNS if metric.name != "fvd" for name in (metric.name, f"{metric.name}_std")}
    paired = {"psnr_minus_step_joint": str(psnr - 30), "psnr_minus_step_joint_se": "0.25"}
    return row | paired | {"psnr_minus_step_joint_p": "0.01", "psnr_minus_step_joint_p_holm": "0.02", "psnr": str(psnr)}


@pytest.fixture
def settings() -> str:
    chosen = {"methods": tuple(METHODS), "short": ("bis", "step_joint")}
    return dump_settings(pages.select(load_config()).model_copy(update=chosen))


@pytest.fixture
def table(tmp_path):
    rows = [row_of(name, 25.0 + number) for number, name in enumerate(METHODS[:-1])]
    rows += [row_of("step_joint", 30.0)]
    rows += [row_of("static", 40.0) | {"difference_correlation": "nan", "psnr_minus_step_joint_p_holm": ""}]
    write_table(tmp_path / "metrics.csv", rows)
    return tmp_path / "metrics.csv"


def fill(settings: str, table, page) -> int:
    arguments = ["--task", "mri8", str(table), "--pages", str(page), "--paired-with", "step_joint"]
    return main(["table", "pages", "--settings", settings, *arguments])


def cells_of(text: str, method: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith(f"| `{method}` ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_short_table_has_the_methods_of_the_tour_and_the_whole_one_all_of_them(settings, table, tmp_path):
    page = tmp_path / "results.md"
    page.write_text(PAGE)
    assert fill(settings, table, page) == 0
    text = page.read_text()
    short, whole = cells_of(text, "step_joint")
    assert short == ["`step_joint`", "30.00 (0.50)", "0.500 (0.500)", "0.50 (0.50)", "0.500 (0.500)", "0.500 (0.500)"]
    assert whole[6] == "120.40 [100.00, 150.00]"
    assert whole[-2:] == ["–", "–"]
    assert [len(cells_of(text, name)) for name in ("bis", "bcs", "step_video", "static")] == [2, 1, 1, 2]
    [bcs] = cells_of(text, "bcs")
    assert bcs[-2:] == ["−4.00 ± 0.25", "0.020"]
    static, whole_static = cells_of(text, "static")
    assert static[4] == "undefined"
    assert whole_static[-2:] == ["+10.00 ± 0.25", "–"]
    assert text.count("16 test videos of 12 frames") == 2


def test_what_is_outside_the_marks_stays_and_a_second_time_changes_nothing(settings, table, tmp_path):
    page = tmp_path / "results.md"
    page.write_text(PAGE)
    fill(settings, table, page)
    text = page.read_text()
    assert "old numbers" not in text
    assert "what is | in the | way:\n" in text
    assert text.startswith("# Results\n\nHearts:\n\n<!-- results:mri8 -->\n")
    assert text.endswith("<!-- /results -->\nThe end.\n")
    fill(settings, table, page)
    assert page.read_text() == text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# Nothing\n", ["has no place for results", "<!-- results:TASK -->"]),
        (PAGE.replace("<!-- /results -->\nThe end", "The end"), ["without an end", "<!-- /results -->"]),
        (PAGE.replace("<!-- all results:mri8", "<!-- all results:mri6"), ["the task mri6", "--task"]),
    ],
    ids=["no place", "no end", "another task"],
)
def test_a_page_that_cannot_be_filled_is_one_line_and_stays_as_it_was(settings, table, tmp_path, capsys, text, says):
    page = tmp_path / "results.md"
    page.write_text(text)
    assert fill(settings, table, page) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert [part for part in [*says, str(page)] if part not in said] == []
    assert page.read_text() == text


def test_a_page_that_is_not_there_is_one_line(settings, table, tmp_path, capsys):
    assert fill(settings, table, tmp_path / "missing.md") == 1
    assert "no page" in capsys.readouterr().err
