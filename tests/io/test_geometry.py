import nibabel
import numpy as np
import pytest
from step.io.geometry import Geometry

AXIAL = Geometry((2.0, 1.5), 8.0, (10.0, 20.0, 30.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def test_the_reference_pixel_is_at_the_centre_and_the_first_one_half_a_field_of_view_before_it():
    np.testing.assert_allclose(AXIAL.first_pixel_mm((4, 6)), [10 - 3 * 1.5, 20 - 2 * 2, 30])
    # Left and posterior are minus right and anterior.
    np.testing.assert_allclose(AXIAL.affine((4, 6)) @ [3, 2, 0, 1], [-10, -20, 30, 1])
    assert nibabel.aff2axcodes(AXIAL.affine((4, 6))) == ("L", "P", "S")
    np.testing.assert_allclose(np.diag(AXIAL.affine((4, 6))), [-1.5, -2, 8, 1])


def test_attributes_keep_what_is_known_and_nothing_else():
    assert Geometry.from_attributes(AXIAL.to_attributes()) == AXIAL
    assert Geometry.from_attributes(Geometry().to_attributes()) == Geometry()
    assert not Geometry(pixel_mm=(1, 1)).is_placed
    assert Geometry().with_pixel(2.0).pixel_mm == (2, 2)
    assert AXIAL.with_pixel(9.0) == AXIAL


@pytest.mark.parametrize(
    ("geometry", "says"),
    [
        (Geometry((1.0, 0.0)), "above 0 mm"),
        (Geometry(thickness_mm=-1.0), "above 0 mm"),
        (Geometry(centre_mm=(0.0, np.nan, 0.0)), "not finite"),
        (Geometry(along_x=(1.0, 0.0, 0.0), along_y=(0.6, 0.8, 0.0)), "right angles"),
        (Geometry(along_x=(2.0, 0.0, 0.0), along_y=(0.0, 1.0, 0.0)), "unit length"),
    ],
)
def test_what_is_no_geometry_is_said(geometry, says):
    assert says in geometry.fault()
    assert AXIAL.fault() is None
