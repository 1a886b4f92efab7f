"""Tables next to the paper's: what is marked, what is explained, and that every format holds together."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest
from step.config.study import load_config
from step.errors import InputError
from step.io.tables import read_table
from step.metrics.catalogue import AUTHORS, BY_NAME
from step.tables.costs import SAMPLING, SampledTask, add_costs, cost_document
from step.tables.differences import stars
from step.tables.document import Cell, Document, Part, as_latex, as_markdown, title_of, write_document
from step.tables.methods import method_document, ranks
from step.tables.paper import read_paper_scores, read_paper_settings
from step.tables.task_table import COLUMNS, arrange
from step.tables.training import TRAINING, TrainedDomain, training_document

RESOURCES = Path(__file__).parents[2] / "resources"
METHODS = ["bis", "bilinear", "step_video", "step_joint", "my_own"]
METRICS = ("psnr", "ssim", "lpips", "d_psnr", "d_ssim", "fvd", "data_misfit", "difference_correlation")
ORACLE = "truth (oracle), TV-L1"


@pytest.fixture(scope="module")
def paper() -> dict:
    return read_paper_scores(read_table(RESOURCES / "paper_tables.csv"), "paper_tables.csv")


def metrics_row(method: str, psnr: float, **others: str) -> dict[str, str]:
    """Return a row of a task's table, in which only the PSNR tells methods apart."""
    row = {"method": method, "videos": "8", "frames": "12"}
    row |= {"optical_flow": "", "lpips_weights": "VGG16", "fvd_weights": ""}
    row |= {"remarks": "no FVD: I3D cannot be obtained", "fvd": "", "fvd_low": "", "fvd_high": ""}
    row |= {name: "" for metric in AUTHORS for name in (metric.name, f"{metric.name}_std")}
    for metric in (one.name for one in COLUMNS if one.name != "fvd"):
        row |= {metric: "0.5", f"{metric}_std": "0.25"}
        column = f"{metric}_minus_step_joint"
        row |= {column: "-0.125", f"{column}_se": "0.5", f"{column}_p": "0.0001", f"{column}_p_holm": "0.0005"}
    return row | {"psnr": str(psnr)} | others


@pytest.fixture
def rows() -> list[dict[str, str]]:
    return [
        metrics_row("dirty", 40.0, psnr_minus_step_joint_p_holm="", difference_correlation="nan"),
        metrics_row("bis", 20.0),
        metrics_row("bilinear", 25.0, optical_flow=ORACLE, psnr_minus_step_joint_p_holm="0.02"),
        metrics_row("step_video", 28.125, lpips="", lpips_std="", lpips_minus_step_joint=""),
        metrics_row("step_joint", 30.0),
        metrics_row("my_own", 21.0),
    ]


def document_of(rows, paper, task="blackhole", model="vlbi"):
    return method_document("Table 1", [arrange(task, model, rows, METHODS, "metrics.csv")], paper, "step_joint")


def line_of(part: Part, name: str) -> tuple[Cell, ...]:
    [line] = [line for line in part.lines if line[0].text == name]
    return line


def test_the_paper_s_tables_are_complete_and_transcribed(paper):
    rows = read_table(RESOURCES / "paper_tables.csv")
    assert [sum(row["table"] == name for row in rows) for name in ("table1", "table4")] == [2 * 9 * 7, 9 * 7]
    assert {len(scores) for scores in paper.values()} == {7}
    assert paper["blackhole", "step_joint"]["psnr"] == ("30.28", "2.71")
    assert paper["mri8", "step_video"]["data_misfit"] == ("8.817", "0.650")
    assert paper["mri8", "step_video"]["fvd"] == ("75.27", "")
    assert paper["mri6", "integral"]["lpips"] == ("0.082", "0.012")
    assert paper["mri6", "step_joint"]["fvd"] == ("98.15", "")
    assert paper["blackhole", "gp_warp"]["d_psnr"] == ("29.21", "1.24")


def test_the_paper_s_settings_are_those_of_its_study():
    rows = read_table(RESOURCES / "paper_settings.csv")
    assert [sum(row["table"] == name for row in rows) for name in ("table2", "table3")] == [2 * 11, 2 * 20]
    config = load_config()
    sampling = read_paper_settings(rows, "table2", "paper_settings.csv")
    training = read_paper_settings(rows, "table3", "paper_settings.csv")
    for task in ("blackhole", "mri8"):
        sampler, domain = config.tasks[task].sampler, config.tasks[task].domain
        assert float(sampling[domain, "step_size_squared"]) == sampler.mcmc.step_size_squared
        assert float(sampling[domain, "damping"]) == sampler.mcmc.damping
        assert int(sampling[domain, "ode_evaluations"]) == sampler.annealing.levels * sampler.ode.steps
        assert int(sampling[domain, "decoder_evaluations"]) == sampler.annealing.levels * sampler.mcmc.steps
        assert training[domain, "autoencoder_block_channels"] == str(
            list(config.priors[domain].autoencoder.block_channels)
        )
        assert int(training[domain, "images"]) == config.video_format(domain).images
        assert int(training[domain, "joint_epochs"]) == config.priors[domain].joint.optimisation.epochs
    assert (sampling["mri", "seconds_per_sample"], training["mri", "joint_hours"]) == ("332", "22.8")


def test_every_row_of_the_paper_s_settings_has_a_row_in_our_tables():
    for table, settings in (("table2", SAMPLING), ("table3", TRAINING)):
        paper = read_paper_settings(read_table(RESOURCES / "paper_settings.csv"), table, "paper_settings.csv")
        assert {row for _, row in paper} <= {setting.key for setting in settings}


def test_best_and_second_best_of_the_methods_are_marked_references_never(rows, paper):
    part = document_of(rows, paper).parts[0]
    psnr = {line[0].text: line[1] for line in part.lines if len(line) > 1}
    assert psnr["STeP (image-video joint)"] == Cell("30.00 (0.25)", "best")
    assert psnr["STeP (video only)"] == Cell("28.12 (0.25)", "second")
    assert psnr["dirty video"] == Cell("40.00 (0.25)", "plain")
    assert psnr["BIS"].look == "plain"


def test_chi_squares_with_the_covariance_stand_beside_the_papers_misfit_unranked(rows, paper):
    assert not any("covariance" in header for header in document_of(rows, paper).parts[0].columns)
    measured = [row | {"chi2_closure_phase_full": "1.04", "chi2_closure_phase_full_std": "0.1"} for row in rows]
    part = document_of(measured, paper).parts[0]
    assert part.columns[-1] == "χ² of closure phases, with covariance"
    assert line_of(part, "BIS")[-1] == Cell("1.04 (0.10)", "plain")
    assert line_of(part, "BIS, in the paper")[-1] == Cell("–", "paper")
    assert any(note.startswith("χ² with covariance") for note in part.notes)


def test_smaller_is_better_for_distances_and_the_misfit_and_ties_share_a_rank():
    rows = [metrics_row(name, 1.0, data_misfit=value) for name, value in (("a", "1.2"), ("b", "1.1"), ("c", "1.1"))]
    assert ranks(rows, BY_NAME["data_misfit"]) == {"a": 3, "b": 1, "c": 1}
    assert ranks([*rows, metrics_row("d", 1.0, ssim="nan")], BY_NAME["ssim"]) == {"a": 1, "b": 1, "c": 1}
    assert ranks(rows, BY_NAME["fvd"]) == {}
    assert [metric.name for metric in COLUMNS if metric.better == "lower"] == ["lpips", "fvd", "data_misfit"]


def test_the_paper_s_row_is_right_below_ours_and_says_that_it_is_the_paper_s(rows, paper):
    part = document_of(rows, paper).parts[0]
    names = [line[0].text for line in part.lines]
    assert part.caption.startswith("Black hole: mean over videos")
    assert names[:5] == ["BIS", "BIS, in the paper", "Bilinear†", "Bilinear, in the paper", "STeP (video only)"]
    line = line_of(part, "BIS, in the paper")
    assert {cell.look for cell in line} == {"paper"}
    texts = ["23.79 (1.41)", "0.718 (0.047)", "0.179 (0.031)", "29.26 (1.51)", "0.938 (0.015)", "1429.42"]
    assert [cell.text for cell in line[1:]] == [*texts, "1.719 (1.277)", "–"]
    assert names[-3:] == ["my own", "References, which are not ranked", "dirty video"]
    assert any("not this study's" in note for note in part.notes)


def as_authors(rows) -> list[dict[str, str]]:
    """Return the rows of a heart's table, which has PSNR and SSIM in the authors' convention too."""
    values = {"psnr_authors": "24.5", "psnr_authors_std": "1.5", "ssim_authors": "0.75", "ssim_authors_std": "0.05"}
    return [row | values for row in rows]


def test_the_papers_psnr_and_ssim_of_hearts_stand_in_columns_of_their_own_convention(rows, paper):
    document = document_of(as_authors(rows), paper, task="mri8", model="mri")
    scores, differences = document.parts
    titles = ["PSNR ↑", "PSNR ↑, as the authors scale", "SSIM ↑", "SSIM ↑, as the authors scale", "LPIPS ↓"]
    assert list(scores.columns[1:6]) == titles
    assert [cell.text for cell in line_of(scores, "BIS")[1:5]] == [
        "20.00 (0.25)",
        "24.50 (1.50)",
        "0.500 (0.250)",
        "0.750 (0.050)",
    ]
    mean, std = paper["mri8", "bis"]["psnr"]
    assert [cell.text for cell in line_of(scores, "BIS, in the paper")[1:3]] == ["–", f"{mean} ({std})"]
    assert any(note.startswith("As the authors scale: both channels of each video") for note in scores.notes)
    assert list(differences.columns[1:3]) == ["PSNR ↑", "SSIM ↑"]
    of_paper = {row["metric"]: row["mean"] for row in document.rows if (row["method"], row["kind"]) == ("bis", "paper")}
    assert of_paper["psnr_authors"] == mean
    assert "psnr" not in of_paper
    for text in (as_markdown(document), as_latex(document)):
        assert text.count("as the authors scale") == 2


def test_no_table_without_the_papers_rows_or_of_black_holes_has_the_authors_columns(rows, paper):
    for document in (document_of(as_authors(rows), paper, task="brain", model="mri"), document_of(rows, paper)):
        assert "as the authors scale" not in as_markdown(document)
        assert not {row["metric"] for row in document.rows} & {metric.name for metric in AUTHORS}


def test_a_task_that_the_paper_lacks_has_no_paper_rows(rows, paper):
    document = document_of(rows, paper, task="brain", model="mri")
    text = as_markdown(document)
    assert "in the paper" not in text
    assert "paper" not in {row["kind"] for row in document.rows}
    assert document.parts[0].columns[7] == "Data misfit ↓"


def test_oracles_are_marked_and_explained(rows, paper):
    part = document_of(rows, paper).parts[0]
    assert line_of(part, "Bilinear†")
    assert sum("†" in line[0].text for line in part.lines) == 1
    assert any(note.startswith("† noise moved with the optical flow of the truth") for note in part.notes)
    assert f"Optical flow of Bilinear: {ORACLE}." in part.notes
    plain = [row | {"optical_flow": ""} for row in rows]
    assert "†" not in as_markdown(document_of(plain, paper))


def test_empty_cells_are_explained_and_undefined_ones_too(rows, paper):
    scores, differences = document_of(rows, paper).parts
    assert line_of(scores, "STeP (video only)")[3] == Cell("–")
    assert line_of(scores, "BIS")[6] == Cell("–")
    assert "no FVD: I3D cannot be obtained (all rows)." in scores.notes
    assert line_of(scores, "dirty video")[8] == Cell("undefined")
    assert any(note.startswith("undefined: a video stands still") for note in scores.notes)
    assert line_of(differences, "STeP (video only)")[3] == Cell("–")
    assert any(note.startswith("–: not measured") for note in differences.notes)


def test_the_fvd_stands_with_its_interval(rows, paper):
    values = {"fvd": "170.666", "fvd_low": "150.1", "fvd_high": "190.25", "fvd_weights": "I3D"}
    caveat = "FVD of 8 videos in 400 dimensions is biased upwards; compare rows only"
    part = document_of([row | values | {"remarks": caveat} for row in rows], paper).parts[0]
    assert line_of(part, "BIS")[6].text == "170.67 [150.10, 190.25]"
    assert f"{caveat} (all rows)." in part.notes
    assert "Weights of FVD: I3D." in part.notes


def test_a_small_misfit_keeps_its_digits(rows, paper):
    small = [row | {"data_misfit": "0.00012345", "data_misfit_std": "0.00001"} for row in rows]
    part = document_of(small, paper, task="mri8", model="mri").parts[0]
    assert line_of(part, "BIS")[7].text == "0.000123 (0.000010)"


def test_a_misfit_of_nearly_nothing_is_a_power_of_ten_and_its_difference_has_the_usual_digits(rows, paper):
    column = "data_misfit_minus_step_joint"
    tiny = {"data_misfit": "2.18e-10", "data_misfit_std": "1.85e-10", column: "-18.2586976", f"{column}_se": "3.4344"}
    scores, differences = document_of([row | tiny for row in rows], paper).parts
    assert line_of(scores, "BIS")[7].text == "2.2e−10 (1.9e−10)"
    assert line_of(differences, "BIS")[6].text.startswith("−18.259 ± 3.434")


def test_differences_have_stars_and_references_none(rows, paper):
    part = document_of(rows, paper).parts[1]
    assert "sign-flip permutation test" in part.caption
    assert "8 videos" in part.caption
    assert line_of(part, "BIS")[1].text == "−0.12 ± 0.50***"
    assert line_of(part, "Bilinear†")[1].text == "−0.12 ± 0.50*"
    assert line_of(part, "dirty video")[1].text == "−0.12 ± 0.50"
    assert "STeP (image-video joint)" not in [line[0].text for line in part.lines]
    assert [stars(p) for p in (None, 0.05, 0.049, 0.0099, 0.0009)] == ["", "", "*", "**", "***"]


def test_marks_that_so_few_videos_cannot_get_are_named(rows, paper):
    # Eight videos: 2 of 256 signs, for four methods 8 / 256 = 0.031.
    notes = document_of(rows, paper).parts[1].notes
    assert [note for note in notes if "p of 0.031, corrected for 4 methods: too few videos for **, ***." in note]
    many = [row | {"videos": "20"} for row in rows]
    assert not any("too few videos" in note for note in document_of(many, paper).parts[1].notes)


def test_markdown_has_the_same_number_of_cells_in_every_row_of_a_table(rows, paper):
    text = as_markdown(document_of(rows, paper))
    tables = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.M)
    assert len(tables) == 2
    for table in tables:
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(counts) == 1
    assert "**30.00 (0.25)**" in text
    assert "<u>28.12 (0.25)</u>" in text
    assert "*BIS, in the paper*" in text


def check_latex(text: str) -> None:
    """Hold that `text` has no character that LaTeX lacks, that braces and environments close, and cells are equal."""
    assert text.isascii()
    bare = re.sub(r"\\[\\{}%&_#$]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") > 0
    for tabular in re.findall(r"\\begin\{tabular\}\{(l+)\}(.*?)\\end\{tabular\}", text, flags=re.S):
        for line in tabular[1].splitlines():
            if line.endswith(r"\\") and r"\multicolumn" not in line:
                assert len(re.findall(r"(?<!\\)&", line)) == len(tabular[0]) - 1


def test_latex_escapes_and_closes(rows, paper):
    odd = [row | {"remarks": "50 % of a_b & {c} #1 $2 ~ ^ \\d"} for row in rows]
    text = as_latex(document_of(odd, paper))
    check_latex(text)
    assert r"50 \% of a\_b \& \{c\} \#1 \$2 \textasciitilde{} \textasciicircum{} \textbackslash{}d" in text
    assert r"\textbf{30.00 (0.25)}" in text
    assert r"\underline{28.12 (0.25)}" in text
    assert r"\textcolor{gray}{\textit{BIS, in the paper}}" in text
    assert r"\toprule" in text


def test_markdown_escapes_what_would_break_it():
    part = Part("a_b", ("x|y", "z"), ((Cell("1|2"), Cell("*")),), ("<b>",))
    text = as_markdown(Document("t", (part,), ()))
    assert "| x\\|y | z |\n| --- | --- |\n| 1\\|2 | \\* |" in text
    assert "\\<b\\>" in text


def test_csv_has_one_value_a_row_and_says_whose_it_is(rows, paper, tmp_path):
    document = document_of(rows, paper)
    write_document(document, [tmp_path / "table1.csv"])
    with (tmp_path / "table1.csv").open(newline="") as file:
        values = list(csv.DictReader(file))
    assert {(row["method"], row["kind"]) for row in values} == {
        *((method, "ours") for method in METHODS),
        ("dirty", "reference"),
        *((method, "paper") for method in METHODS if method != "my_own"),
    }
    [ours] = [row for row in values if (row["method"], row["kind"], row["metric"]) == ("bilinear", "ours", "psnr")]
    assert (ours["mean"], ours["std"], ours["rank"], ours["p_holm"], ours["optical_flow"]) == (
        "25.0",
        "0.25",
        "3",
        "0.02",
        ORACLE,
    )
    [theirs] = [row for row in values if (row["method"], row["kind"], row["metric"]) == ("bis", "paper", "fvd")]
    assert (theirs["mean"], theirs["std"], theirs["rank"]) == ("1429.42", "", "")


def test_another_format_a_missing_row_and_a_missing_column_are_refused(rows, paper, tmp_path):
    with pytest.raises(InputError, match=r"no tables can be written as t\.docx"):
        write_document(document_of(rows, paper), [tmp_path / "t.docx"])
    with pytest.raises(InputError, match=r"metrics\.csv has no row bis"):
        document_of(rows[2:], paper)
    with pytest.raises(InputError, match=r"metrics\.csv has no column psnr; tabulate the task blackhole again"):
        document_of([{"method": "bis"}], paper)
    with pytest.raises(InputError, match="no column psnr_minus_bcs"):
        method_document("t", [arrange("blackhole", "vlbi", rows, METHODS, "m")], paper, "bcs")


def test_a_table_of_the_paper_is_called_as_in_the_paper():
    assert (title_of("table4"), title_of("my_tasks")) == ("Table 4", "my tasks")


def cost_row(videos: int, seconds: float, memory: float) -> dict[str, str]:
    row = {"videos": videos, "samples": 2, "seconds": seconds, "peak_memory_gb": memory, "device": "CPU"}
    row |= {"threads": 1, "decoder_evaluations": 1500.0, "denoiser_evaluations": 2000}
    return {name: str(value) for name, value in row.items()}


def test_costs_of_jobs_add_up_per_sample():
    cost = add_costs([cost_row(4, 80, 1.5), cost_row(1, 40, 2.5)], "cost")
    assert cost.seconds_per_sample == 12  # 120 s of 10 samples
    assert (cost.memory_gb, cost.device) == (2.5, "CPU, threads: 1")
    assert (cost.decoder_evaluations, cost.denoiser_evaluations) == (1500, 2000)
    with pytest.raises(InputError, match="cost has no seconds"):
        add_costs([{"videos": "1", "samples": "1"}], "cost")
    with pytest.raises(InputError, match="seconds in cost is 'x'"):
        add_costs([cost_row(1, 1, 1) | {"seconds": "x"}], "cost")


def test_settings_and_costs_stand_beside_the_paper_s():
    config = load_config()
    paper = read_paper_settings(read_table(RESOURCES / "paper_settings.csv"), "table2", "paper_settings.csv")
    costs = {name: add_costs([cost_row(1, seconds, 1.5)], name) for name, seconds in (("bis", 8), ("step_joint", 24))}
    tasks = [
        SampledTask(name, config.tasks[name].domain, config.tasks[name].sampler, costs)
        for name in ("mri8", "blackhole")
    ]
    document = cost_document("Table 2", tasks, "step_joint", paper)
    settings, times = document.parts
    assert settings.columns == ("", "MRI (8×)", "MRI (8×), in the paper", "Black hole", "Black hole, in the paper")
    # The paper's study is the one in config.yaml, so that its settings agree.
    for name in ("scaling factor γ", "step size square η", "diffusion model NFE, PF-ODE alone", "final time"):
        _, mri, of_paper, hole, hole_of_paper = (cell.text for cell in line_of(settings, name)[:5])
        assert (float(mri), float(hole)) == (float(of_paper), float(hole_of_paper))
    assert [cell.text for cell in line_of(settings, "time per sample [s]")[1:]] == ["12", "332", "12", "645"]
    assert line_of(settings, "time per sample [s]")[2].look == "paper"
    assert [cell.text for cell in line_of(times, "BIS")[1:]] == ["4", "–", "4", "–"]
    assert [cell.text for cell in line_of(times, "STeP (image-video joint)")[1:]] == ["12", "332", "12", "645"]
    check_latex(as_latex(document))
    assert {"column": "mri8", "method": "bis", "row": "seconds_per_sample", "ours": "4.0", "paper": ""} in document.rows


def test_training_stands_beside_the_paper_s():
    config = load_config()
    paper = read_paper_settings(read_table(RESOURCES / "paper_settings.csv"), "table3", "paper_settings.csv")
    record = {"videos": "600", "images": "40000", "steps": "9", "hours": "1.25", "device": "1 x CPU, 1 threads"}
    records = {"autoencoder": record | {"network": "autoencoder", "parameters": "15458123"}}
    records |= {"image": record | {"network": "image", "parameters": "100"}}
    records |= {"joint": record | {"network": "joint", "parameters": "138047896"}}
    domain = TrainedDomain("blackhole", 64, 256, 648, 50000, 23, config.priors["blackhole"], records)
    document = training_document("Table 3", [domain], paper)
    [part] = document.parts
    shown = {row["row"]: (row["ours"], row["paper"]) for row in document.rows}
    assert shown["resolution"] == ("256x256", "256x256")
    note = "at most 648 videos and 50,000 images are allowed, which are upper bounds: 23 units of the data are held out"
    assert any(note in line for line in part.notes)
    assert shown["images"] == ("40000", "50000")  # what it was trained on, not what it was allowed
    assert shown["autoencoder_parameters"] == ("14.74", "14.8")
    assert shown["denoiser_parameters"] == ("131.7", "131.7")
    assert shown["joint_hours"] == ("1.25", "13.7")
    assert shown["video_hours"] == ("", "")  # no such network in this study
    assert shown["autoencoder_block_channels"][0] == shown["autoencoder_block_channels"][1]
    assert part.columns == ("", "Black hole", "Black hole, in the paper")
    check_latex(as_latex(document))
    pretrained = config.priors["blackhole"].model_copy(update={"pretrained": "priors/holes"})
    [part] = training_document("Table 3", [replace(domain, priors=pretrained, videos=0)], paper).parts
    assert any("Black hole: the prior is pretrained, so that images, videos" in line for line in part.notes)
    assert not any("at most" in line for line in part.notes)
