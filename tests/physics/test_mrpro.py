"""Our operators and maps against those of mrpro, where it is installed (extra `[mri]`)."""

import pytest
import torch
from step.physics.coil_maps import strongest_of_patches
from test_coil_encoding import COLUMNS, LINES, maps_of, measured, model, moving_mask, normal_numbers

mrpro = pytest.importorskip("mrpro")


def test_the_forward_model_of_coils_and_its_adjoint_are_mrpros():
    from mrpro.operators import FastFourierOp, SensitivityOp

    forward = model(5)
    measurement = measured(forward, torch.float32)
    video = normal_numbers(2, 2, 3, 2, LINES, COLUMNS, dtype=torch.float32)
    image = torch.complex(video[:, :, 0], video[:, :, 1])[:, :, None, None]  # their axes: other, coil, z, y, x
    transform, sensitivity = FastFourierOp(dim=(-2, -1)), SensitivityOp(maps_of(5, torch.complex64)[None, :, None])
    mask = moving_mask()[:, None, None, :, None]
    (coil_images,) = sensitivity(image)
    theirs = mask * transform(coil_images)[0]
    ours = forward._measured(forward.forward(video, measurement), measurement)
    assert (theirs[:, :, :, 0] - ours).norm() < 1e-4 * ours.norm()
    (back,) = sensitivity.adjoint(transform.adjoint(measurement["kspace"][:, :, :, None])[0])
    ours_back = forward.backprojection(measurement)
    assert (torch.view_as_real(back[:, :, 0, 0]).movedim(-1, 2) - ours_back).norm() < 1e-4 * ours_back.norm()


def test_the_maps_are_mrpros_by_walsh():
    from mrpro.algorithms.csm import walsh

    smooth = maps_of(5) * (2 + normal_numbers(3, LINES, COLUMNS))
    images = smooth + 0.01 * torch.view_as_complex(normal_numbers(4, *smooth.shape, 2))
    theirs = walsh(images[:, None].to(torch.complex64), 5)[:, 0]
    ours = strongest_of_patches(images).to(torch.complex64)
    inner = (slice(None), slice(3, -3), slice(3, -3))  # they fill patches beyond the edge with zeros
    assert ((theirs.conj() * ours).sum(0).abs()[inner[1:]] - 1).abs().max() < 1e-4
