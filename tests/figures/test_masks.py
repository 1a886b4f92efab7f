"""The picture of the sampling masks (the paper's Fig. 9)."""

import numpy as np
from step.config.study import load_config
from step.figures.masks import plot_masks, select, write_mask_data
from step.io.tables import read_table
from step.physics.masks import equispaced_mask

MASKS = {"mri8": equispaced_mask(192, 8, 12).numpy(), "mri6": equispaced_mask(192, 6, 24).numpy()}


def test_each_mask_is_plotted_with_its_lines_counted_and_its_axes_named():
    panels = plot_masks(MASKS).axes
    assert [axes.get_title().splitlines()[1] for axes in panels] == [
        "35 of 192 lines measured",
        "52 of 192 lines measured",
    ]
    for axes, mask in zip(panels, MASKS.values(), strict=True):
        assert np.array_equal(axes.images[0].get_array()[:, 7], mask)
        assert axes.get_xlabel().startswith("frequency encoding kx")
        assert axes.get_ylabel().startswith("phase encoding ky")


def test_the_zero_frequency_is_plotted_at_zero():
    mask = np.zeros(8, bool)
    mask[4] = True
    [axes] = plot_masks({"centre": mask}).axes
    left, right, lower, upper = axes.images[0].get_extent()
    assert (left, right, lower, upper) == (-4.5, 3.5, 3.5, -4.5)  # line 4 covers ky from -0.5 to 0.5


def test_the_data_next_to_the_picture_are_the_masks(tmp_path):
    write_mask_data(MASKS, tmp_path / "masks.csv")
    rows = read_table(tmp_path / "masks.csv")
    measured = np.array([int(row["measured"]) for row in rows if row["mask"] == "mri6"], bool)
    assert np.array_equal(measured, MASKS["mri6"])
    assert [row["ky"] for row in rows[:2]] == ["-96", "-95"]


def test_lines_that_change_are_plotted_over_time_and_have_frames_in_the_table(tmp_path):
    changing = np.eye(6, 16, dtype=bool)
    masks = {"still": MASKS["mri8"][:16], "changing": changing}
    still, moving = plot_masks(masks).axes
    assert np.array_equal(moving.images[0].get_array(), changing.T)
    assert moving.get_title().splitlines()[1] == "1 of 16 lines measured per frame"
    assert still.get_xlabel().startswith("frequency encoding kx")
    write_mask_data(masks, tmp_path / "masks.csv")
    rows = [row for row in read_table(tmp_path / "masks.csv") if row["mask"] == "changing"]
    measured = np.array([int(row["measured"]) for row in rows], bool).reshape(6, 16)
    assert np.array_equal(measured, changing)
    assert [row["frame"] for row in rows[15:17]] == ["0", "1"]


def test_the_masks_of_a_study_are_those_of_its_tasks_and_not_of_tasks_that_no_target_has():
    config = load_config()
    assert [task.task for task in select(config, "mri").tasks] == ["mri8", "mri6"]
    alone = config.model_copy(update={"targets": config.targets.model_copy(update={"all": ("mri8_coils",)})})
    assert [task.task for task in select(alone, "mri").tasks] == ["mri8_coils"]
    nothing = config.model_copy(update={"targets": config.targets.model_copy(update={"all": ("blackhole",)})})
    assert len(select(nothing, "mri").tasks) == 4
