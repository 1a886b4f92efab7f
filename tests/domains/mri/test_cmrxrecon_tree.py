from pathlib import Path

import pytest
from step.domains.mri.cmrxrecon_tree import find_raw_files
from step.errors import InputError

VIEWS = ("sax", "lax")


def touch(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()


def names(root: Path, exclude=(), views=VIEWS) -> list[tuple[str, str, str]]:
    return [(raw.subject, raw.view, raw.file) for raw in find_raw_files(root, exclude, views)]


@pytest.mark.parametrize(
    "folder",
    [
        "ChallengeData/SingleCoil/Cine/TrainingSet/FullSample/P007",
        "ChallegeData/SingleCoil/SingleCoil/cine/trainingset/fullsample/p007",
        "a/b/MultiCoil/Cine/TrainingSet/FullSample/P007",
        "TrainingSet/FULLSAMPLE/P7",
    ],
)
def test_a_patient_is_found_in_every_kind_of_tree(tmp_path, folder):
    touch(tmp_path, f"{folder}/cine_sax.mat", f"{folder}/CINE_LAX.mat")
    assert [(subject, view) for subject, view, _ in names(tmp_path)] == [
        ("TrainingSet-P007", "sax"),
        ("TrainingSet-P007", "lax"),
    ]


def test_a_root_inside_the_tree_names_the_same_patients(tmp_path):
    touch(tmp_path, "TestSet/FullSample/P001/cine_sax.mat")
    assert [subject for subject, *_ in names(tmp_path / "TestSet/FullSample")] == ["TestSet-P001"]


def test_undersampled_files_masks_and_other_scans_are_left_out(tmp_path):
    touch(
        tmp_path,
        "TrainingSet/FullSample/P001/cine_sax.mat",
        "TrainingSet/AccFactor04/P001/cine_sax.mat",
        "TrainingSet/AccFactor04/P001/cine_sax_mask.mat",
        "TrainingSet/FullSample/P001/T1map.mat",
        "TrainingSet/FullSample/P001/.cine_lax.mat.17.part",
    )
    assert [file for *_, file in names(tmp_path)] == ["TrainingSet/FullSample/P001/cine_sax.mat"]


def test_the_same_number_at_two_centres_or_scanners_is_two_patients(tmp_path):
    tree = "MultiCoil/Cine/TrainingSet/FullSample"
    for place in ("Center001/UIH_30T_umr780", "Center001/Siemens_15T_Avanto", "Center002/UIH_30T_umr780"):
        touch(tmp_path, f"{tree}/{place}/P001/cine_sax.mat")
    assert [subject for subject, *_ in names(tmp_path)] == [
        "TrainingSet-Center001-Siemens_15T_Avanto-P001",
        "TrainingSet-Center001-UIH_30T_umr780-P001",
        "TrainingSet-Center002-UIH_30T_umr780-P001",
    ]


def test_the_same_number_in_two_sets_is_two_patients(tmp_path):
    touch(tmp_path, *(f"{s}/FullSample/P001/cine_sax.mat" for s in ("TrainingSet", "TestSet", "ValidationSet")))
    assert {subject for subject, *_ in names(tmp_path)} == {
        "TestSet-P001",
        "TrainingSet-P001",
        "ValidationSet-P001",
    }


def test_single_coil_is_preferred_to_multi_coil_and_the_log_says_so(tmp_path, caplog):
    caplog.set_level("INFO")
    touch(tmp_path, *(f"{c}/TrainingSet/FullSample/P001/cine_sax.mat" for c in ("MultiCoil", "SingleCoil")))
    assert [file for *_, file in names(tmp_path)] == ["SingleCoil/TrainingSet/FullSample/P001/cine_sax.mat"]
    assert "using SingleCoil/" in caplog.text
    assert "not MultiCoil/" in caplog.text


@pytest.mark.parametrize("pattern", ["P002/cine_lax.mat", "TrainingSet/*/P002/*_lax.mat", "*P002/cine_l*"])
def test_an_exclude_pattern_leaves_out_just_what_it_names(tmp_path, pattern):
    touch(tmp_path, *(f"TrainingSet/FullSample/P00{p}/cine_{v}.mat" for p in (1, 2) for v in VIEWS))
    assert [(subject[-1], view) for subject, view, _ in names(tmp_path, (pattern,))] == [
        ("1", "sax"),
        ("1", "lax"),
        ("2", "sax"),
    ]


def test_only_the_views_asked_for_are_found(tmp_path):
    touch(tmp_path, *(f"TrainingSet/FullSample/P001/cine_{v}.mat" for v in VIEWS))
    assert [view for _, view, _ in names(tmp_path, views=("lax",))] == ["lax"]


def test_linked_folders_are_followed_once_and_never_in_circles(tmp_path):
    touch(tmp_path, "store/TrainingSet/FullSample/P001/cine_sax.mat")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/link").symlink_to(tmp_path / "store")
    (tmp_path / "store/TrainingSet/circle").symlink_to(tmp_path / "store")
    assert len(names(tmp_path / "raw")) == 1


@pytest.mark.parametrize("exists", [False, True])
def test_missing_data_end_in_one_line_with_folder_key_and_source(tmp_path, exists):
    root = tmp_path / "nowhere"
    if exists:
        root.mkdir()
    with pytest.raises(InputError) as caught:
        find_raw_files(root, (), VIEWS)
    message = str(caught.value)
    assert "\n" not in message
    for part in (str(root), "data.mri.root", "https://cmrxrecon.github.io", "signed form"):
        assert part in message


def test_a_tree_that_is_excluded_altogether_says_how_much_was_left_out(tmp_path):
    touch(tmp_path, "TrainingSet/FullSample/P001/cine_sax.mat")
    with pytest.raises(InputError, match=r"1 left out by data\.mri\.exclude"):
        find_raw_files(tmp_path, ("*",), VIEWS)
