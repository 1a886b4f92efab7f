import re

import pytest
from step.errors import InputError
from step.figures.run_summary import JobTimes, machine, read_job_times, run_summary_page

HEAD = "s\th:m:s\tmax_rss\tcpu_time\n"


def benchmark(folder, name: str, *rows: str) -> None:
    file = folder / f"{name}.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(HEAD + "".join(f"{row}\n" for row in rows))


def test_jobs_of_one_stage_are_added_up_and_the_longest_is_known(tmp_path):
    benchmark(tmp_path, "blackhole/sample/bis-000", "60.0\t0:01:00\t500.0\t59")
    benchmark(tmp_path, "blackhole/sample/bis-001", "30.0\t0:00:30\t700.0\t29")
    benchmark(tmp_path, "blackhole/train/joint", "90.0\t0:01:30\t-\t89")
    benchmark(tmp_path, "posteriors/flare/sample-003", "5.0\t0:00:05\t100.0\t4")
    times = {(stage.of, stage.stage): stage for stage in read_job_times(tmp_path)}
    assert times["blackhole", "sample"] == JobTimes("blackhole", "sample", 2, 90.0, 60.0, 700.0)
    assert times["posteriors: flare", "sample"].seconds == 5.0
    assert times["blackhole", "training of joint"].jobs == 1


def test_a_file_that_is_no_benchmark_is_one_clear_line(tmp_path):
    (tmp_path / "notes.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(InputError, match=r"notes\.tsv is no benchmark"):
        read_job_times(tmp_path)


def test_the_page_says_times_versions_and_configuration_and_fetches_nothing():
    times = [JobTimes("mri8", "sample", 2, 90.0, 60.0, 700.0), JobTimes("mri", "split", 1, 30.0, 30.0, float("nan"))]
    page = run_summary_page(machine(), times, "name: <b>not bold</b>\n")
    assert "2.0 minutes of all jobs together" in page
    assert "name: &lt;b&gt;not bold&lt;/b&gt;" in page
    assert re.search(r"<th>torch</th><td>\d", page)
    assert re.search(r"mri8</td><td>sample</td><td class='number'>2</td><td class='number'>1.5</td>", page)
    assert not re.search(r"(src|href)=", page)
