from __future__ import annotations

import numpy as np
import pytest

from clemkit.testing.psf import point_spread

VOXEL = (200.0, 90.0, 100.0)


def spot(kind, widening=0.0, z=20):
    image = np.zeros((41, 61, 57), dtype=np.float32)
    image[z, 30, 28] = 1000.0
    return point_spread(kind, 125.0, 350.0, widening).blur(image, VOXEL)


def moments(image):
    weight = image / image.sum()
    index = np.indices(image.shape)
    mean = np.array([(weight * i).sum() for i in index])
    centred = index - mean[:, None, None, None]
    return mean, np.sqrt(np.array([(weight * c**2).sum() for c in centred])) * VOXEL


def test_gaussian_has_the_stated_widths():
    image = spot("gaussian")
    mean, sigma = moments(image)
    np.testing.assert_allclose(mean, [20, 30, 28], atol=1e-3)
    # an integral over the section adds one twelfth of its square
    assert sigma[0] == pytest.approx(np.hypot(350.0, 200.0 / np.sqrt(12)), rel=0.01)
    np.testing.assert_allclose(sigma[1:], 125.0, rtol=0.02)


@pytest.mark.parametrize("kind", ["gaussian", "asymmetric", "haze"])
def test_light_is_neither_made_nor_lost(kind):
    assert spot(kind).sum() == pytest.approx(1000.0, rel=0.03)


def test_tail_is_one_sided():
    image = spot("asymmetric")
    behind, before = image[24:].sum(), image[:17].sum()
    assert behind > 3 * before
    assert moments(image)[0][0] > 20.3


def test_haze_reaches_far_sideways():
    far = {kind: spot(kind)[:, :, 45:].sum() for kind in ("gaussian", "asymmetric", "haze")}
    assert far["haze"] > 10 * far["asymmetric"] >= far["gaussian"]


def test_deep_sections_are_blurrier():
    shallow = moments(spot("gaussian", 0.5, z=6))[1]
    deep = moments(spot("gaussian", 0.5, z=34))[1]
    assert deep[1] > 1.15 * shallow[1]
