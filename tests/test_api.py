"""The Python interface: what a notebook does in ten lines, and that it is what the command line does."""

import argparse
import json

import h5py
import nibabel
import numpy as np
import pytest
import step
import torch
import yaml
from astropy.io import fits
from documented_code import blocks
from one_coil import PAPERS_LINES
from step.cli import sample as sample_stage
from step.config.methods import FrameNoise, Method
from step.config.sampling import SampleSettings
from step.config.tasks import MeasurementOfDomain
from step.io.prior_folders import PriorFacts
from step.io.reconstructions import read_reconstructions, write_measurement
from step.physics.mri import CartesianMri
from step.plugins import LIBRARY
from tiny_priors import SHAPE, write_tiny_prior

PROJECT = LIBRARY.parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_prior(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def video():
    return torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def physics():
    return CartesianMri.equispaced(rows=16, acceleration=4, acs_lines=4, noise_level=0.02)


@pytest.fixture(scope="module")
def measurement(physics, video):
    return physics.measure(video, seed=0)


@pytest.fixture(scope="module")
def posterior(folder, physics, measurement):
    return step.sample(step.load_prior(folder), physics, measurement, samples=3)


@pytest.mark.slow
def test_the_ten_lines_of_the_documentation(folder, video):
    prior = step.load_prior(folder)
    physics = step.CartesianMri.equispaced(rows=prior.rows, acceleration=4, acs_lines=4, noise_level=0.02)
    y = physics.measure(video, seed=0)
    posterior = step.sample(prior, physics, y, samples=2)
    assert posterior.samples.shape == (2, *prior.shape)
    assert np.isfinite(posterior.samples).all()
    assert "<video" in posterior.show()._repr_html_()


@pytest.mark.slow
def test_the_notebook_of_the_documentation(folder, tmp_path, monkeypatch):
    cells = json.loads((PROJECT / "docs/reconstruct.ipynb").read_text())["cells"]
    monkeypatch.setenv("STEP_PRIOR", str(folder))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert names["posterior"].samples.shape == (4, *SHAPE)
    assert sorted(path.name for path in tmp_path.glob("*")) == ["nifti", "posterior.h5"]


@pytest.mark.slow
def test_generated_videos_do_not_depend_on_how_many_there_are(folder):
    prior = step.load_prior(folder)
    videos = step.generate(prior, samples=2, seed=5)
    assert videos.shape == (2, *SHAPE)
    assert torch.equal(step.generate(prior, seed=5)[0], videos[0])
    assert not torch.allclose(videos[0], videos[1])


@pytest.mark.slow
def test_generated_videos_are_decoded_as_many_frames_at_once_as_is_asked_for(folder, monkeypatch):
    prior, seen = step.load_prior(folder), []
    decode = prior.decode
    monkeypatch.setattr(prior, "decode", lambda latent: seen.append(latent.shape[:2]) or decode(latent))
    step.generate(prior, samples=2)
    assert set(seen) == {(1, 1)}
    seen.clear()
    step.generate(prior, samples=2, frames_at_once=2)
    assert set(seen) == {(1, 2), (1, 1)}  # of three frames


@pytest.mark.slow
def test_samples_are_those_of_the_command_line_bit_for_bit(folder, tmp_path, measurement, physics):
    prior = step.load_prior(folder)
    settings = SampleSettings(
        seed=7,
        task="hearts",
        domain="mri",
        architecture="unet",
        method=Method(prior="joint", noise=FrameNoise(source="independent"), sampler="daps"),
        measurement=MeasurementOfDomain(
            model="mri", acceleration=4, acs_lines=4, noise_level=0.02, geometry={}, **PAPERS_LINES
        ),
        sampler=step.daps(prior).settings,
        own=None,
    )
    arrays = {name: array[0].numpy() for name, array in measurement.items()}
    write_measurement(tmp_path / "video000.h5", arrays, {})
    parser = argparse.ArgumentParser()
    sample_stage.add_arguments(parser)
    files = ["--autoencoder", folder / "autoencoder", "--denoiser", folder / "joint"]
    files += ["--measurements", tmp_path / "video000.h5", "--samples", "0", "3", "--output", tmp_path / "samples.h5"]
    sample_stage.run(parser.parse_args(list(map(str, files))), settings)
    by_stage = read_reconstructions([tmp_path / "samples.h5"])["video000"]
    here = step.sample(prior, physics, measurement, samples=3, seed=7, stream=("hearts", "video000"))
    assert np.array_equal(here.samples, by_stage.samples)
    assert np.array_equal(here.trace["misfit"], by_stage.trace["misfit"])
    # Fewer samples are the first of more.
    assert np.array_equal(
        step.sample(prior, physics, measurement, 1, 7, stream=("hearts", "video000")).samples, here.samples[:1]
    )


@pytest.mark.slow
def test_seeds_and_streams_give_other_samples(folder, physics, measurement):
    prior = step.load_prior(folder)
    first, *others = [
        step.sample(prior, physics, measurement, **words).samples for words in ({}, {"seed": 1}, {"stream": ("a",)})
    ]
    assert all(not np.allclose(first, other) for other in others)


@pytest.mark.slow
def test_mean_spread_misfit_and_chi_squares_are_those_of_the_samples(posterior, physics, measurement):
    assert np.allclose(posterior.mean, posterior.samples.mean(axis=0), atol=1e-6)
    assert np.allclose(posterior.spread, posterior.samples.std(axis=0), atol=1e-6)
    assert posterior.weights.tolist() == pytest.approx([1 / 3] * 3)
    for number, one in enumerate(posterior.samples):
        of_one = torch.from_numpy(one)[None]
        assert posterior.misfit[number] == pytest.approx(physics.misfit(of_one, measurement).item())
        chi_square = physics.chi_squares(of_one, measurement)["kspace"].item()
        assert posterior.chi_squares["kspace"][number] == pytest.approx(chi_square)


@pytest.mark.slow
def test_weights_count_in_mean_and_spread(posterior):
    fields = {name: getattr(posterior, name) for name in posterior.__dataclass_fields__}
    weighted = step.Posterior(**fields | {"weights": np.array([0.5, 0.25, 0.25])})
    doubled = np.concatenate([posterior.samples, posterior.samples[:1]])
    assert np.allclose(weighted.mean, doubled.mean(axis=0), atol=1e-6)
    assert np.allclose(weighted.spread, doubled.std(axis=0), atol=1e-6)


@pytest.mark.slow
def test_a_posterior_is_written_for_others(posterior, tmp_path):
    posterior.to_hdf5(tmp_path / "posterior.h5")
    with h5py.File(tmp_path / "posterior.h5") as file:
        assert np.array_equal(file["video/samples"], posterior.samples)
        assert np.array_equal(file["video/trace/weight"][:, 0], posterior.weights)
    files = posterior.to_nifti(tmp_path / "nifti", pixel_mm=1.5, frame_s=0.05)
    assert [file.name for file in files] == ["mean.nii.gz", "spread.nii.gz", *(f"sample00{n}.nii.gz" for n in range(3))]
    magnitude = np.linalg.norm(posterior.mean, axis=1)
    assert np.allclose(nibabel.load(files[0]).get_fdata()[:, :, 0].transpose(2, 1, 0), magnitude, atol=1e-5)
    assert posterior.show().save(tmp_path / "posterior.gif").stat().st_size > 1000
    with pytest.raises(step.InputError, match="videos of mri are not on the sky; write them with to_nifti"):
        posterior.to_fits(tmp_path, "Sgr A*", 17.76, -29.0, 230e9, 57850, 12.5)


@pytest.mark.slow
def test_a_posterior_on_the_sky_is_written_as_fits_frames_in_jansky(tmp_path):
    rng = np.random.default_rng(0)
    facts = PriorFacts(
        domain="blackhole",
        frames=3,
        channels=1,
        rows=8,
        columns=8,
        display="unit_range",
        geometry={"field_of_view_uas": 128.0, "cadence_s": 360.0},
        brightness={"mean": 20.0, "std": 2.0},
        sampler={},
    )
    posterior = step.Posterior(
        samples=rng.uniform(-1, 1, (2, 3, 1, 8, 8)).astype(np.float32),
        weights=np.array([0.75, 0.25]),
        misfit=np.ones(2),
        chi_squares={},
        facts=facts,
        frames_with_data=np.ones(3, bool),
        seconds=0.0,
    )
    folders = posterior.to_fits(tmp_path, "Sgr A*", 17.76, -29.0, 230e9, 57850, 12.5, flux_jy=2.0)
    assert [folder.name for folder in folders] == ["mean", "spread", "sample000", "sample001"]
    videos = {}
    for folder in folders:
        files = [fits.open(file)[0] for file in sorted(folder.glob("*.fits"))]
        videos[folder.name] = np.array([file.data[::-1] for file in files])
        assert files[1].header["CDELT2"] == pytest.approx(16 / 3.6e9)  # microarcsecond to degree
        assert files[1].header["BUNIT"] == "JY/PIXEL"
    for name in ("mean", "sample000", "sample001"):
        assert videos[name].sum(axis=(1, 2)).mean() == pytest.approx(2)
    per_brightness = videos["mean"] / ((posterior.mean[:, 0] + 1) / 2)
    assert np.allclose(videos["spread"], per_brightness * posterior.spread[:, 0] / 2, rtol=1e-5)
    with pytest.raises(step.InputError, match="videos of blackhole are no complex images; write them with to_fits"):
        posterior.to_nifti(tmp_path)
    assert posterior.show().frames.shape[0] == 3


@pytest.mark.slow
def test_the_sampler_is_the_priors_a_configurations_or_changed_by_its_keys(folder, tmp_path):
    prior = step.load_prior(folder)
    assert step.daps(prior).settings.annealing.levels == 2
    assert step.daps(prior, changes={"annealing.levels": 5, "frames_per_chunk": 1}).settings.annealing.levels == 5
    demo = yaml.safe_load((PROJECT / "config" / "demo.yaml").read_text())["tasks"]["blackhole"]["sampler"]
    assert step.daps("config/demo.yaml", "blackhole").settings.annealing.levels == demo["annealing"]["levels"]
    assert step.daps([], "mri8").settings.annealing.sigma_max == 100
    for key in ("annealing.level", "mcmc", "mcmc.steps.more", "levels"):
        with pytest.raises(step.InputError, match=f"no setting '{key}'" if key != "mcmc" else "sampler: mcmc"):
            step.daps(prior, changes={key: 3})
    with pytest.raises(step.InputError, match=r"sampler: annealing\.levels"):
        step.daps(prior, changes={"annealing.levels": 0})
    with pytest.raises(step.InputError, match="task is 'mri7'; the study has mri8"):
        step.daps("config/demo.yaml", "mri7")


@pytest.mark.slow
def test_what_does_not_fit_is_one_line(folder, physics, measurement):
    prior = step.load_prior(folder)
    with pytest.raises(step.InputError, match="samples is 0; ask for 1 or more"):
        step.sample(prior, physics, measurement, samples=0)
    twice = {name: torch.cat([array, array]) for name, array in measurement.items()}
    with pytest.raises(step.InputError, match="of 2 videos; give one at a time"):
        step.sample(prior, physics, twice)
    short = {name: array[:, :2] for name, array in measurement.items()}
    with pytest.raises(step.InputError, match=r"the measurement holds .*2 x"):
        step.sample(prior, physics, short)


def test_all_names_are_there_and_no_other():
    assert all(getattr(step, name) is not None for name in step.__all__)
    assert set(step.__all__) <= set(dir(step))
    with pytest.raises(AttributeError, match="no attribute 'load_priors'"):
        step.load_priors  # noqa: B018


@pytest.mark.slow
def test_a_prior_that_does_not_say_what_it_is_of_is_refused_whatever_the_sampler(folder, physics, measurement):
    from step.models.prior import load_prior

    whole = step.load_prior(folder)
    bare = load_prior(folder / "autoencoder", folder / "joint", "mri", "unet")
    with pytest.raises(step.InputError, match="not from a complete folder, so it does not say what it is of"):
        step.sample(bare, physics, measurement, sampler=step.daps(whole))


@pytest.fixture(scope="module")
def weighted(folder, physics, measurement):
    changes = {"weighted.particles": 3, "weighted.resample_below": 1.0, "annealing.levels": 3, "mcmc.steps": 2}
    prior = step.load_prior(folder)
    return step.sample(prior, physics, measurement, 6, sampler=step.weighted_daps(prior, changes=changes))


@pytest.mark.slow
def test_samples_with_weights_have_them_and_the_record_of_how_they_came(weighted, tmp_path):
    assert weighted.weights.sum() == pytest.approx(1)
    assert {"power", "effective_size", "resampled"} <= set(weighted.trace)
    assert (np.nanmax(weighted.trace["power"], axis=1) == 1).all()  # islands may differ in their number of levels
    assert weighted.ancestors.max() < 6
    assert 1 <= weighted.effective_size <= len(np.unique(weighted.ancestors)) + 1e-9
    weighted.to_hdf5(tmp_path / "posterior.h5")
    [kept] = read_reconstructions([tmp_path / "posterior.h5"]).values()
    assert np.array_equal(kept.ancestors, weighted.ancestors)
    assert kept.weights == pytest.approx(weighted.weights)


@pytest.mark.slow
def test_the_weighted_lines_of_how_sure_is_it(folder, physics, measurement):
    [program] = blocks(PROJECT / "docs/how-sure.md", "python")
    names = {"step": step, "prior": step.load_prior(folder), "physics": physics, "y": measurement}
    exec(program, names)
    assert names["posterior"].weights.shape == (8,)


@pytest.mark.slow
def test_the_weighted_sampler_is_the_configurations(folder):
    prior = step.load_prior(folder)
    files = [PROJECT / "config/demo.yaml", PROJECT / "config/weighted.yaml"]
    of_prior, of_file = step.weighted_daps(prior), step.weighted_daps(files, "mri8", {"weighted.particles": 7})
    assert of_prior.settings == step.daps(prior).settings
    assert of_file.settings == step.daps(files, "mri8").settings
    assert (of_prior.weighting.model_copy(update={"particles": 7}), of_file.particles) == (of_file.weighting, 7)


@pytest.mark.slow
def test_a_weighted_sampler_that_cannot_be_built_says_why(folder, physics, measurement):
    prior = step.load_prior(folder)
    with pytest.raises(step.InputError, match=r"the sampler has no setting 'weighted\.particle'"):
        step.weighted_daps(prior, changes={"weighted.particle": 3})
    with pytest.raises(step.InputError, match=r"tasks.mri8.samplers has no 'weighted'; overlay config/weighted.yaml"):
        step.weighted_daps(PROJECT / "config/demo.yaml", "mri8")
    sampler = step.weighted_daps(prior, changes={"weighted.particles": 3})
    with pytest.raises(step.InputError, match="samples 0 to 3 are no whole islands of 3 particles"):
        step.sample(prior, physics, measurement, 4, sampler=sampler)
