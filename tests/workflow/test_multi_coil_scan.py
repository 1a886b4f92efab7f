"""A scanner's undersampled file of several coils, to samples, mean, spread, NIfTI and DICOM in one command."""

import json

import nibabel
import numpy as np
import pydicom
import pytest
from ismrmrd_files import header, lines_of, noise_scan, write_ismrmrd
from marked_heart import OBLIQUE, draw, places_of_affine, places_of_dicom
from project_copy import ONE_THREAD
from step.io.reconstructions import read_measurement, read_summary
from tiny_priors import SHAPE, write_tiny_prior

FRAMES, COILS, SAMPLES = SHAPE[0], 8, 96
NOISE = 0.02


def write_scan(path, n_lines: int) -> None:
    """Write an interleaved cine of `n_lines` lines, readout oversampled, with noise scans."""
    generator = np.random.default_rng(0)
    shape = (n_lines, SAMPLES)
    images = np.stack([draw(OBLIQUE, shape, pulse) for pulse in np.linspace(0, 1, FRAMES)])
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    angles = 2 * np.pi * np.arange(COILS) / COILS
    maps = np.stack([np.exp(-((y - np.sin(a)) ** 2) - (2 * x - np.cos(a)) ** 2) for a in angles])
    axes = (-2, -1)
    kspace = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(maps[:, None] * images, axes=axes)), axes=axes)
    std = NOISE * np.sqrt(n_lines * SAMPLES)
    noise = std * generator.standard_normal((*kspace.shape, 2)).view(complex)[..., 0]
    silence = std * generator.standard_normal((COILS, 1000, 2)).view(complex)[..., 0]
    mask = (np.arange(n_lines) + np.arange(FRAMES)[:, None]) % 3 == 0
    field = [side * n for side, n in zip(OBLIQUE.pixel_mm, shape, strict=True)]
    lines = lines_of(kspace + noise, mask, frame="repetition")
    for line in lines:
        line.position[:], line.read_dir[:], line.phase_dir[:] = OBLIQUE.centre_mm, OBLIQUE.along_x, OBLIQUE.along_y
    write_ismrmrd(path, header(shape, field), [noise_scan(silence), *lines])


@pytest.mark.study
def test_an_undersampled_cine_of_eight_coils_goes_from_the_scanners_file_to_nifti_and_dicom(project_copy, tmp_path):
    observations = {}
    for n_lines in (204, 246):
        write_scan(tmp_path / f"scan{n_lines}.h5", n_lines)
        data = {"format": "kspace", "file": str(tmp_path / f"scan{n_lines}.h5"), "mask": None, "slice": 0, "of": {}}
        data |= {"first_frame": 0, "outside": {"scale": "estimate"}, "pixel_mm": None, "frame_s": None}
        entry = {"task": "mri8", "method": "bis", "samples": 2, "samples_per_job": 2, "data": data}
        observations[f"scan{n_lines}"] = entry
    study = {
        "results": "results/coils",
        "data": {"mri": {"frames": FRAMES, "window_stride": FRAMES, "crop": 48, "scale": "peak"}},
        "priors": {"mri": {"pretrained": str(write_tiny_prior(tmp_path / "prior"))}},
        "methods": {"bis": {"prior": "joint"}},
        "observations": observations,
    }
    overlays = ("config/miniature.yaml", project_copy.overlay("coils", json.dumps(study)))
    folders = {n_lines: f"results/coils/observations/scan{n_lines}" for n_lines in (204, 246)}
    wanted = [f"{folders[204]}/scan204.h5", f"{folders[246]}/export"]
    run = project_copy.snakemake(*wanted, *ONE_THREAD, overlays=overlays)
    assert run.status == 0, run.stdout + run.stderr
    for n_lines, folder in folders.items():
        measurement = read_measurement(project_copy.folder / folder / f"scan{n_lines}.h5")
        # Pixels of 15 mm in place of 5: a third of the lines.
        assert measurement["kspace"].shape == (FRAMES, COILS, n_lines // 3, 16)
        assert measurement["coil_maps"].shape == (FRAMES, COILS, n_lines // 3, 16)
    made = project_copy.folder / folders[246]
    assert {"mean", "std"} <= set(read_summary(made / "posterior.h5"))
    for name in ("mean", "std", "sample000", "sample001"):
        volume = nibabel.load(made / f"export/{name}.nii.gz")
        image = pydicom.dcmread(made / f"export/{name}.dcm")
        groups = image.SharedFunctionalGroupsSequence[0]
        in_dicom = places_of_dicom(
            groups.PlanePositionSequence[0].ImagePositionPatient,
            groups.PlaneOrientationSequence[0].ImageOrientationPatient,
            groups.PixelMeasuresSequence[0].PixelSpacing,
            (16, 16),
        )
        np.testing.assert_allclose(places_of_affine(volume.affine, (16, 16)), in_dicom, atol=1e-3)
        np.testing.assert_allclose(in_dicom[8, 8], OBLIQUE.centre_mm, atol=1e-3)
        slope = float(groups.PixelValueTransformationSequence[0].RescaleSlope)
        pixels = volume.get_fdata()[:, :, 0].transpose(2, 1, 0)
        np.testing.assert_allclose(image.pixel_array * slope, pixels, atol=slope)
        assert pixels.max() > 0
