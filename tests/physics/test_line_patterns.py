"""Which lines each frame measures, by the pattern of the configuration."""

import pytest
import torch
from step.config.study import load_config
from step.config.tasks import LinePattern
from step.errors import InputError
from step.physics.forward_models import build_forward_model
from step.physics.masks import equispaced_mask, line_masks


def masks(kind: str, seed: int = 0, frames: int = 12, lines: int = 64, decay: float = 2.0) -> torch.Tensor:
    return line_masks(frames, lines, 8, 4, LinePattern(kind=kind, seed=seed, decay=decay))


def test_equispaced_lines_are_the_papers_in_every_frame():
    assert torch.equal(masks("equispaced"), equispaced_mask(64, 8, 4).expand(12, 64))


def test_interleaved_lines_move_by_one_and_are_all_measured_after_as_many_frames_as_the_acceleration():
    outer = masks("interleaved")
    outer[:, 30:34] = False
    assert torch.equal(outer[0].nonzero()[:, 0], torch.tensor([0, 8, 16, 24, 40, 48, 56]))
    assert torch.equal(outer[1].nonzero()[:, 0], torch.tensor([1, 9, 17, 25, 41, 49, 57]))
    assert torch.equal(outer[8], outer[0])
    assert masks("interleaved", frames=8).any(dim=0).all()
    assert not masks("interleaved", frames=7).any(dim=0).all()


@pytest.mark.parametrize("kind", ["random", "variable_density"])
def test_random_lines_are_as_many_as_equispaced_ones_others_in_each_frame_and_the_same_by_their_seed(kind):
    found = masks(kind)
    assert (found.sum(1) == equispaced_mask(64, 8, 4).sum()).all()
    assert found[:, 30:34].all()
    assert len(found.unique(dim=0)) == 12
    assert torch.equal(found, masks(kind, seed=0))
    assert not torch.equal(found, masks(kind, seed=1))


@pytest.mark.slow
def test_the_density_of_lines_falls_towards_the_edge_with_the_power_of_the_pattern():
    def density(decay: float) -> torch.Tensor:
        return masks("variable_density", frames=1000, decay=decay).double().mean(0)

    flat, steep = density(0.0), density(3.0)
    assert torch.allclose(flat[:30], torch.tensor(7 / 60, dtype=torch.float64), atol=0.04)
    assert steep[20] > 2 * steep[8] > 4 * steep[2]


def test_more_lines_than_there_are_are_refused():
    with pytest.raises(InputError, match="cannot have acceleration 8 and 4 central lines"):
        masks("random", lines=6)


def test_the_tasks_beyond_the_paper_have_their_lines_and_coils():
    config = load_config()
    interleaved, coils = (
        build_forward_model(config.measurement_of(task), (12, 2, 48, 48)) for task in ("mri8_interleaved", "mri8_coils")
    )
    pattern = config.tasks["mri8_interleaved"].measurement.pattern
    assert torch.equal(interleaved.mask, line_masks(12, 48, 8, 12, pattern))
    assert torch.equal(coils.mask, interleaved.mask)
    assert coils.coil_maps.shape == (8, 48, 48)
    assert torch.allclose(coils.coil_maps.abs().square().sum(0), torch.tensor(1.0))
    assert coils.maps_are_estimated
    strongest = coils.coil_maps.abs().flatten(1).argmax(dim=1)
    assert len(strongest.unique()) == 8  # each coil sees another place best
