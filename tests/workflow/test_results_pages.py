"""A finished study writes its tables into the pages that show them."""

import csv

OVERLAYS = ("config/miniature.yaml",)
README = "# A title\n\n<!-- results:mri8 -->\nold\n<!-- /results -->\n\nThe end.\n"
RESULTS = "# Results\n\n<!-- all results:blackhole -->\n<!-- /results -->\n"


def test_a_study_fills_the_places_of_its_results_and_only_these(miniature):
    (miniature.folder / "docs").mkdir()
    pages = {"README.md": README, "docs/results.md": RESULTS}
    for name, text in pages.items():
        (miniature.folder / name).write_text(text)
    run = miniature.snakemake("results_pages", overlays=OVERLAYS)
    assert run.status == 0, run.stdout + run.stderr
    readme, results = ((miniature.folder / name).read_text() for name in pages)
    assert readme.startswith("# A title\n\n<!-- results:mri8 -->\n")
    assert readme.endswith("<!-- /results -->\n\nThe end.\n")
    assert "old" not in readme
    with (miniature.folder / "results/miniature/mri8/metrics.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    [line] = [line for line in readme.splitlines() if line.startswith("| `step_joint` ")]
    assert f"{float(rows['step_joint']['psnr']):.2f} (" in line.replace("−", "-")
    assert all(f"| `{name}` |" in results for name in ("bis", "gp_warp", "dirty", "vae"))
    again = miniature.snakemake("results_pages", overlays=OVERLAYS)
    assert again.status == 0
    assert (miniature.folder / "README.md").read_text() == readme
