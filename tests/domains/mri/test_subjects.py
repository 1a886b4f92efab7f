import subprocess
import sys

import pytest
from step.config.study import BASE_CONFIG, load_config
from step.domains.mri.ingest import find_files
from step.errors import InputError


@pytest.fixture
def mri():
    data = load_config(BASE_CONFIG).data["mri"]
    return lambda **changes: data.model_copy(update=changes)


def test_simulated_subjects_need_no_folder(mri, tmp_path):
    subjects = sorted(find_files(mri(source="simulation", root=tmp_path / "nowhere")))
    assert len(subjects) == 300
    assert subjects[0] == "TrainingSet-P001"


def test_subjects_of_a_tree_are_its_patients(mri, tmp_path):
    for patient in ("P002", "P001"):
        for view in ("sax", "lax"):
            path = tmp_path / f"TrainingSet/FullSample/{patient}/cine_{view}.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    assert sorted(find_files(mri(source="cmrxrecon", root=tmp_path))) == ["TrainingSet-P001", "TrainingSet-P002"]


@pytest.mark.parametrize("source", ["cmrxrecon", "cine_archive"])
def test_a_missing_root_is_named_with_its_key(mri, tmp_path, source):
    with pytest.raises(InputError, match=r"no folder .*nowhere \(data\.mri\.root\)"):
        find_files(mri(source=source, root=tmp_path / "nowhere"))


@pytest.mark.slow
def test_planning_the_workflow_loads_nothing_heavy():
    modules = "step.domains.mri.ingest, step.cli.ingest, step.cli.simulate, step.cli.prepare, step.cli.split"
    heavy = ("torch", "h5py", "scipy", "pydicom")
    program = f"import sys; sys.path[:0] = {sys.path}; import {modules}; print(sys.modules.keys() & {set(heavy)})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
