"""From metrics per video, features, costs and models to the tables, by the stages' own command lines."""

import csv
from pathlib import Path

import numpy as np
import pytest
from step.__main__ import main
from step.config.settings import dump_settings, parse_settings
from step.config.study import Config, load_config
from step.io.features import VideoFeatures, missing_features, write_features
from step.io.tables import read_table, write_table
from step.metrics import catalogue
from step.tables import costs, methods, metrics, training

METRICS = tuple(metric.name for metric in catalogue.METRICS)

RESOURCES = Path(__file__).parents[2] / "resources"
SCORES, SETTINGS = ("--paper", str(RESOURCES / "paper_tables.csv")), ("--paper", str(RESOURCES / "paper_settings.csv"))
VIDEOS = [f"video{number:03d}" for number in range(4)]
REASON = "I3D cannot be obtained: no network; give a file with weights.i3d"
ORACLE = "truth (oracle), TV-L1"


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config()


def settings_of(stage, config: Config, *names: str) -> list[str]:
    settings = stage.select(config, *names)
    assert parse_settings(dump_settings(settings), stage.Settings) == settings
    return ["--settings", dump_settings(settings)]


def write_method(folder: Path, method: str, number: int, missing: str = "") -> None:
    """Write the metrics per video of one method and its features, or the reason why it has none."""
    rows = []
    for video in VIDEOS:
        generator = np.random.default_rng([number, int(video[-1])])
        row = {"video": video, **{metric: 20 + number + generator.normal() for metric in METRICS}}
        flow = ORACLE if method in ("bilinear", "bicubic", "nearest", "integral", "gp_warp") else ""
        row |= {"optical_flow": flow, "lpips_weights": "" if missing else "VGG16", "remark": ""}
        rows.append(row | ({"lpips": None, "remark": f"no LPIPS: {missing}"} if missing else {}))
    write_table(folder / f"{method}.csv", rows)
    values = np.random.default_rng(number).normal(size=(len(VIDEOS), 6)).astype(np.float32)
    described = VideoFeatures(tuple(VIDEOS), values, 12, "I3D of Kinetics-400", "")
    write_features(folder / f"{method}.h5", missing_features(missing) if missing else described)


def tabulate_task(config: Config, folder: Path, task: str, missing: str = "") -> int:
    methods = [*config.methods, "dirty"]
    for number, method in enumerate([*methods, "truth"]):
        write_method(folder, method, number, missing)
    arguments = ["--inputs", *(str(folder / f"{method}.csv") for method in methods)]
    arguments += ["--features", *(str(folder / f"{method}.h5") for method in methods)]
    arguments += ["--true-features", str(folder / "truth.h5"), "--methods", *methods, "--references", "dirty"]
    arguments += ["--paired-with", "step_joint", "--output", str(folder / "metrics.csv")]
    return main(["table", "metrics", *settings_of(metrics, config, task), *arguments])


def outputs(folder: Path, name: str) -> list[str]:
    return ["--output", *(str(folder / f"{name}{suffix}") for suffix in (".csv", ".md", ".tex"))]


@pytest.mark.slow
def test_the_table_of_all_methods_is_made_of_files_alone(config, tmp_path):
    tasks = []
    for task in config.tables["table1"]:
        (tmp_path / task).mkdir()
        assert tabulate_task(config, tmp_path / task, task) == 0
        tasks += ["--task", task, str(tmp_path / task / "metrics.csv")]
    arguments = [*tasks, *SCORES, "--paired-with", "step_joint", *outputs(tmp_path, "table1")]
    assert main(["table", "methods", *settings_of(methods, config, "table1"), *arguments]) == 0
    text = (tmp_path / "table1.md").read_text()
    assert text.startswith("# Table 1")
    assert text.count("STeP (image-video joint), in the paper") == 2
    assert "Bilinear†" in text
    assert "1 at best" in text
    assert r"\begin{tabular}" in (tmp_path / "table1.tex").read_text()
    rows = read_table(tmp_path / "table1.csv")
    assert {row["task"] for row in rows} == {"blackhole", "mri8"}
    assert sum(row["kind"] == "paper" for row in rows) == 2 * 9 * 7


@pytest.mark.slow
def test_without_weights_cells_are_empty_and_the_table_says_why(config, tmp_path, capsys):
    assert tabulate_task(config, tmp_path, "mri6", missing=REASON) == 0
    assert REASON in capsys.readouterr().err
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for column in ("lpips", "lpips_std", "lpips_minus_step_joint", "lpips_minus_step_joint_p", "fvd", "fvd_low"):
        assert {row[column] for row in rows} == {""}
    assert {row["frames"] for row in rows} == {str(config.video_format("mri").frames)}
    arguments = ["--task", "mri6", str(tmp_path / "metrics.csv"), *SCORES, "--paired-with", "step_joint"]
    settings = settings_of(methods, config, "table4")
    assert main(["table", "methods", *settings, *arguments, *outputs(tmp_path, "table4")]) == 0
    assert f"no LPIPS: {REASON}; no FVD: {REASON} (all rows)" in (tmp_path / "table4.tex").read_text().replace(
        r"\_", "_"
    )


@pytest.mark.slow
def test_the_same_seed_gives_the_same_table(config, tmp_path):
    texts = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        assert tabulate_task(config, tmp_path / name, "mri6") == 0
        texts.append((tmp_path / name / "metrics.csv").read_text())
    assert texts[0] == texts[1]


@pytest.mark.slow
def test_files_that_do_not_go_with_the_methods_are_refused(config, tmp_path, capsys):
    write_method(tmp_path, "bis", 0)
    files = ["--inputs", str(tmp_path / "bis.csv"), "--features", str(tmp_path / "bis.h5")]
    arguments = [*files, "--true-features", str(tmp_path / "bis.h5"), "--output", str(tmp_path / "metrics.csv")]
    settings = settings_of(metrics, config, "mri8")
    assert main(["table", "metrics", *settings, *arguments, "--methods", "bis", "bcs"]) == 1
    assert "give --methods one name per file" in capsys.readouterr().err
    arguments += ["--methods", "bis", "--references"]
    assert main(["table", "metrics", *settings, *arguments]) == 0
    settings = settings_of(methods, config, "table4")
    task = ["--task", "mri8", str(tmp_path / "metrics.csv")]
    assert main(["table", "methods", *settings, *task, *SCORES, *outputs(tmp_path, "table4")]) == 1
    assert "table4 has the tasks ['mri6'], given are ['mri8']" in capsys.readouterr().err


def cost_arguments(config: Config, folder: Path) -> list[str]:
    row = {"videos": 1, "samples": 1, "seconds": 3.5, "peak_memory_gb": 1.25, "device": "CPU", "threads": 1}
    row |= {"decoder_evaluations": 1060.0, "denoiser_evaluations": 1460}
    arguments = []
    for task in config.targets.all:
        for method in config.methods:
            files = [folder / task / method / f"{shard}-cost.csv" for shard in ("000", "001")]
            for file in files:
                write_table(file, [row])
            arguments += ["--cost", task, method, *map(str, files)]
    return arguments


def test_the_table_of_costs(config, tmp_path, capsys):
    settings, given = settings_of(costs, config), cost_arguments(config, tmp_path)
    assert main(["table", "costs", *settings, *given, *SETTINGS, *outputs(tmp_path, "table2")]) == 0
    rows = {(row["column"], row["method"], row["row"]): row for row in read_table(tmp_path / "table2.csv")}
    assert rows["mri6", "step_joint", "seconds_per_sample"]["ours"] == "3.5"
    assert (
        rows["mri6", "step_joint", "denoiser_evaluations"] | {"ours": "1460", "paper": ""}
        == rows["mri6", "step_joint", "denoiser_evaluations"]
    )
    assert rows["blackhole", "step_joint", "memory"]["paper"] == "48"
    assert "Time per sample" in (tmp_path / "table2.md").read_text()
    assert main(["table", "costs", *settings, *given[:5], *SETTINGS, *outputs(tmp_path, "table2")]) == 1
    assert "there are no costs of mri6" in capsys.readouterr().err
    assert main(["table", "costs", *settings, "--cost", "knee", "bis", "x", *SETTINGS, *outputs(tmp_path, "t")]) == 1
    assert "--cost knee bis" in capsys.readouterr().err
    twice = [*given[:5], *given[:5]]
    assert main(["table", "costs", *settings, *twice, *SETTINGS, *outputs(tmp_path, "t")]) == 1
    assert (
        f"--cost names {' '.join(given[1:3])}, {' '.join(given[1:3])}; give each cost once" in capsys.readouterr().err
    )
    assert main(["table", "costs", *settings, *given[:3], *SETTINGS, *outputs(tmp_path, "t")]) == 1
    assert f"--cost {' '.join(given[1:3])} has no file" in capsys.readouterr().err


def test_the_table_of_training(config, tmp_path, capsys):
    networks = []
    for domain in ("mri", "blackhole"):
        for network in ("joint", "autoencoder", "image", "video"):  # in any order
            parameters = {"image": 1, "autoencoder": 2**21}.get(network, 2**22)
            record = {"network": network, "parameters": parameters, "videos": 5, "images": 7, "steps": 3}
            folder = tmp_path / domain / network
            write_table(folder / "training.csv", [record | {"hours": 0.125, "device": "1 x CPU, 1 threads"}])
            networks += ["--network", domain, network, str(folder)]
    settings = settings_of(training, config)
    assert main(["table", "training", *settings, *networks, *SETTINGS, *outputs(tmp_path, "table3")]) == 0
    rows = {(row["column"], row["row"]): row for row in read_table(tmp_path / "table3.csv")}
    assert rows["mri", "denoiser_parameters"]["ours"] == "4"
    assert rows["mri", "autoencoder_parameters"]["ours"] == "2"
    assert (rows["blackhole", "images"]["ours"], rows["blackhole", "images"]["paper"]) == ("7", "50000")
    assert "# Table 3" in (tmp_path / "table3.md").read_text()
    assert main(["table", "training", *settings, *networks[:4], *SETTINGS, *outputs(tmp_path, "table3")]) == 1
    assert "there is no network of blackhole" in capsys.readouterr().err


def test_a_table_is_chosen_by_its_name(config, tmp_path, capsys):
    arguments = ["--task", "mri6", "x.csv", *SCORES, *outputs(tmp_path, "t")]
    assert main(["table", "methods", "--config", "config/demo.yaml", "--table", "table9", *arguments]) == 1
    assert "--table is 'table9'; the study has table1, table4" in capsys.readouterr().err
