"""The page with which a report opens."""

import re

import numpy as np
import pytest
from PIL import Image
from step.config.study import load_config
from step.errors import InputError
from step.figures.movies import write_movie
from step.io.tables import write_table
from step.metrics.catalogue import AUTHORS
from step.tables import front_page
from step.tables.front_page import Files, FrontPageSettings
from step.tables.task_table import COLUMNS, spread_columns

SCORES = {"bcs": 25.0, "step_joint": 27.5, "total_variation": 29.0}


@pytest.fixture
def files(tmp_path):
    write_movie(np.zeros((3, 8, 12, 3), np.uint8), tmp_path / "animation.webp")
    Image.new("RGB", (8, 8)).save(tmp_path / "comparison.png")
    columns = [column for metric in (*COLUMNS, *AUTHORS) for column in (metric.name, *spread_columns(metric.name))]
    texts = dict.fromkeys(("videos", "frames", "optical_flow", "lpips_weights", "fvd_weights", "remarks"), "")
    rows = [{"method": name, **dict.fromkeys(columns, score), **texts} for name, score in SCORES.items()]
    write_table(tmp_path / "metrics.csv", rows)
    given = {name: {"mri8": tmp_path / name} for name in ("animation.webp", "metrics.csv", "comparison.png")}
    return Files(given["animation.webp"], given["metrics.csv"], given["comparison.png"], tmp_path / "page.html")


SETTINGS = FrontPageSettings(methods=("bis", "bcs", "step_joint"), models={"mri8": "cartesian_mri"})


def test_the_page_holds_animation_table_and_picture_in_this_order(files):
    front_page.tabulate(files, SETTINGS)
    page = files.output.read_text()
    found = re.findall(r"data:image/webp|<table|data:image/png", page)
    assert found == ["data:image/webp", "<table", "data:image/png"]
    assert "MRI (8×)" in page


def test_the_best_method_is_bold_and_no_reference_is(files):
    front_page.tabulate(files, SETTINGS)
    page = files.output.read_text()
    assert "<b>27.50</b>" in page
    assert "<b>29" not in page
    # What is better when it is lower has its best in the other row.
    assert "<b>25.00" in page


def test_a_task_without_an_animation_is_refused_by_name(files):
    without = Files({}, files.table, files.comparison, files.output)
    with pytest.raises(InputError, match="--animation names no file of the task mri8"):
        front_page.tabulate(without, SETTINGS)
    assert not files.output.exists()


def test_it_depends_on_the_tasks_that_it_shows_alone():
    config = load_config()
    targets = config.targets.model_copy(update={"all": ("mri6",)})
    changed = config.model_copy(update={"targets": targets})
    assert list(front_page.select(changed, "study").models) == ["mri6"]
    assert front_page.select(changed, "tour") == front_page.select(config, "tour")
