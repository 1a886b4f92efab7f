"""Table 5: our modes in the paper's rows, then the paper's own; what is said of one mode, and of what was presumed."""

import argparse
import csv
from pathlib import Path

import pytest
from step.cli.stages import open_stage
from step.config.study import load_config
from step.errors import InputError
from step.io.tables import read_table, write_table
from step.tables.document import Cell, as_html, as_latex, as_markdown
from step.tables.modes import (
    ModesTableSettings,
    check_modes,
    feature_label,
    mode_document,
    read_paper_modes,
    say_criterion,
    select,
)

PAPER = Path(__file__).parents[2] / "resources" / "paper_modes.csv"
CRITERION = "the criterion of several"


def mode_row(mode: int, samples: int, **others: object) -> dict[str, str]:
    row = {"mode": mode, "samples": samples, "share": samples / 20, "share_low": samples / 20 - 0.1}
    row |= {"share_high": samples / 20 + 0.125, "representative": 3, "data_misfit": 1.0261, "data_misfit_std": 0.0142}
    row |= {"data_misfit_representative": 1.031, "chi2_closure_phase": 1.04512, "chi2_log_closure_amplitude": 1.007}
    row |= {"chi2_flux": 0.5, "radius_uas": 26.25, "rotation_rate_deg_per_h": -77.5, "asymmetry": 0.31}
    row |= {"rotation_sense": "clockwise", "contains_truth": True, "stability": 0.97} | others
    return {name: str(value) for name, value in row.items()}


@pytest.fixture
def rows() -> list[dict[str, str]]:
    return [mode_row(0, 14), mode_row(1, 6, rotation_sense="unclear", contains_truth=False, data_misfit=1.2)]


@pytest.fixture(scope="module")
def paper() -> dict:
    return read_paper_modes(read_table(PAPER), "paper_modes.csv")


def lines_of(part) -> dict[str, list[str]]:
    return {line[0].text: [cell.text for cell in line[1:]] for line in part.lines}


def test_the_papers_third_row_is_the_unified_statistic_of_the_other_two(paper):
    for mode in ("1", "2", "3"):
        closures = [float(paper[f"chi2_{kind}"][mode]) for kind in ("closure_phase", "log_closure_amplitude")]
        unified = sum(max(value, 1 / value) for value in closures) / 2
        assert unified == pytest.approx(float(paper["data_misfit"][mode]), abs=6e-4)


def test_our_modes_have_the_papers_rows_first_and_are_numbered_from_one(rows, paper):
    ours, _ = mode_document(rows, paper, CRITERION, 0.95, 5).parts
    assert ours.columns == ("Statistic", "Mode 1", "Mode 2")
    lines = lines_of(ours)
    assert list(lines)[:4] == [
        "χ² of closure phases (χ²_cp)",
        "χ² of log closure amplitudes (χ²_camp)",
        "χ² of the light curve",
        "Data misfit",
    ]
    assert lines["χ² of closure phases (χ²_cp)"] == ["1.045", "1.045"]
    assert lines["Data misfit"] == ["1.026 ± 0.014", "1.200 ± 0.014"]
    assert lines["Share"] == ["70 % [60, 82]", "30 % [20, 42]"]
    assert lines["Radius [µas]"] == ["26.250", "26.250"]
    assert lines["Rotation rate [degree/h]"] == ["−77.500", "−77.500"]
    assert lines["Sense of rotation"] == ["clockwise", "unclear"]
    assert lines["Contains the truth"] == ["yes", "no"]
    assert lines["Stability"] == ["0.970", "0.970"]


def test_the_papers_modes_follow_in_its_look_as_it_prints_them(rows, paper):
    _, theirs = mode_document(rows, paper, CRITERION, 0.95, 5).parts
    assert theirs.columns == ("Statistic", "Mode 1", "Mode 2", "Mode 3")
    assert theirs.lines[0][1:] == (Cell("1.045", "paper"), Cell("0.987", "paper"), Cell("1.084", "paper"))
    assert lines_of(theirs)["Data misfit"] == ["1.026", "1.007", "1.143"]
    assert any("names of its rows are lost" in note and "presumed" in note for note in theirs.notes)


def test_the_notes_say_samples_criterion_and_how_rotation_counts(rows, paper):
    part = mode_document(rows, paper, CRITERION, 0.95, 5).parts[0]
    assert part.caption.startswith("2 modes among 20 posterior samples")
    notes = " ".join(part.notes)
    assert "When there are several modes: the criterion of several." in notes
    assert "95 %" in notes
    assert "positive rotation rate is counter-clockwise" in notes


def test_one_mode_is_said_plainly(paper):
    part = mode_document([mode_row(0, 20)], paper, CRITERION, 0.95, 5).parts[0]
    assert part.caption.startswith("One mode among 20 posterior samples")
    assert part.notes[0].startswith("One mode was found")
    assert "interval" not in " ".join(part.notes)


def test_a_table_of_another_domain_has_its_own_rows_and_says_nothing_of_rotation(paper):
    row = mode_row(0, 20, data_misfit=2.5e-5, data_misfit_std=1e-6, contains_truth="", brightness=0.2, chi2_kspace=1.5)
    row |= {"contraction_phase_deg": "30"}
    dropped = ("closure", "flux", "radius", "rotation", "asymmetry")
    row = {name: value for name, value in row.items() if not any(word in name for word in dropped)}
    part = mode_document([row], paper, CRITERION, 0.95, 5).parts[0]
    lines = lines_of(part)
    assert lines["χ² of k-space"] == ["1.500"]
    assert lines["Data misfit"] == ["2.50e−05 ± 1.00e−06"]
    assert lines["Contains the truth"] == ["unknown"]
    assert lines["Brightness"] == ["0.200"]
    assert lines["Contraction phase [degree]"] == ["30.000"]
    assert not any(word in " ".join((*lines, *part.notes)) for word in ("rotation", "north"))


@pytest.mark.parametrize(("size", "trusted"), [(40.0, True), (3.2, False)])
def test_weighted_samples_give_probabilities_and_are_said_to_be_too_few_to_trust(paper, size, trusted):
    weighted = {"shares_are": "probabilities", "effective_size": size, "smallest_share": 0.1, "share_error": 0.04}
    part = mode_document([mode_row(0, 15, **weighted), mode_row(1, 5, **weighted)], paper, CRITERION, 0.95, 5).parts[0]
    lines, notes = lines_of(part), " ".join(part.notes)
    assert "Probability" in lines
    assert "Share" not in lines
    assert "Effective size" not in lines
    assert ("cannot be trusted" in notes) != trusted
    assert f"Effective size {size:.1f}" in notes
    assert "with a share of 10 % or more" in notes
    assert "which is not the mode's probability" not in notes


def test_a_tempered_posterior_is_named_so(paper):
    part = mode_document([mode_row(0, 15, likelihood_power=0.04)], paper, CRITERION, 0.95, 5).parts[0]
    assert "Likelihood power" not in lines_of(part)
    assert "Of a tempered posterior, not of the posterior" in " ".join(part.notes)
    assert "the likelihood has the power 0.04, as if all errors were 5 times as large" in " ".join(part.notes)


def test_a_features_label_has_its_unit():
    assert feature_label("rotation_rate_deg_per_frame") == "Rotation rate [degree/frame]"
    assert feature_label("position_angle_deg") == "Position angle [degree]"
    assert feature_label("width_pixel") == "Width [pixel]"
    assert feature_label("asymmetry") == "Asymmetry"


def test_all_formats_hold_together(rows, paper):
    document = mode_document(rows, paper, CRITERION, 0.95, 5)
    latex = as_latex(document)
    assert r"$\chi$$^2$\_cp" in latex
    assert latex.isascii() or set(filter(lambda c: not c.isascii(), latex)) <= {"µ"}
    assert "| Data misfit | *1.026* | *1.007* | *1.143* |" in as_markdown(document)
    assert "<i>1.143</i>" in as_html(document)


def run(folder: Path, rows: list[dict[str, str]]) -> None:
    write_table(folder / "modes.csv", rows)
    parser = argparse.ArgumentParser()
    stage = open_stage("table modes")
    stage.add_arguments(parser)
    files = [str(folder / f"table5{suffix}") for suffix in (".csv", ".md", ".tex", ".html")]
    words = ["--table", str(folder / "modes.csv"), "--paper", str(PAPER), "--output", *files]
    settings = {"max_modes": 6, "fewest_samples": 5, "evidence": 10, "gap_level": 0.05, "least_stability": 0.8}
    stage.run(parser.parse_args(words), ModesTableSettings(**settings, interval=0.95))


def test_the_stage_writes_every_value_of_both(rows, tmp_path):
    run(tmp_path, rows)
    with (tmp_path / "table5.csv").open(newline="") as file:
        values = {(row["source"], row["mode"], row["statistic"]): row["value"] for row in csv.DictReader(file)}
    assert values["ours", "2", "data_misfit"] == "1.2"
    assert values["ours", "1", "chi2_closure_phase"] == "1.04512"
    assert values["paper", "3", "data_misfit"] == "1.143"
    text = (tmp_path / "table5.md").read_text()
    assert "a mixture of 2 to 6 Gaussians is the lowest" in text
    assert "at the level 0.05" in text


def test_what_is_no_table_of_modes_is_refused(rows, tmp_path):
    with pytest.raises(InputError, match="has no column stability; run the modes stage again"):
        check_modes([{name: value for name, value in rows[0].items() if name != "stability"}], "modes.csv")
    with pytest.raises(InputError, match=r"paper\.csv has no column row"):
        read_paper_modes([{"mode": "1", "value": "2"}], "paper.csv")
    with pytest.raises(InputError, match="share of mode 0 is 'much', no number"):
        run(tmp_path, [mode_row(0, 20, share="much")])
    assert not (tmp_path / "table5.md").exists()


def test_the_criterion_of_the_notes_is_the_studys():
    settings = select(load_config())
    text = say_criterion(settings)
    modes = load_config().modes
    for value in (modes.max_modes, modes.evidence, modes.gap_level, modes.least_stability, modes.fewest_samples):
        assert f" {value:g}" in text
