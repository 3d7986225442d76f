from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest

from clemkit.errors import AxisError, FormatError
from clemkit.volumes.source import AxesSource, BlockCache, RawSource, arrange


@pytest.fixture
def stack(rng):
    return rng.integers(0, 1000, (2, 3, 5, 7, 11)).astype(">u2")  # t c z y x


@pytest.mark.parametrize(
    "key",
    [
        ...,
        (1,),
        (slice(None), 2),
        (0, slice(1, 4), slice(None, None, 3), slice(2, 9)),
        (..., -1),
        (slice(0, 0), slice(None)),
        (-2, -1, -7, -11),
        (slice(1, 3), 4, slice(6, 2), slice(1, None, 2)),
    ],
)
def test_axes_source_indexes_like_numpy(stack, key):
    source = AxesSource(stack, "tczyx", time=1)
    np.testing.assert_array_equal(source[key], stack[1][key])
    assert np.asarray(source[key]).dtype == np.dtype("u2")  # native byte order


def test_axes_source_permutes_and_adds_z(rng):
    picture = rng.integers(0, 9, (11, 13, 3))
    source = AxesSource(picture, "yxc")
    assert source.shape == (3, 1, 11, 13)
    np.testing.assert_array_equal(np.asarray(source)[2, 0], picture[..., 2])


@pytest.mark.parametrize("key", [(0, 0, 0, 0, 0), (slice(None, None, -1),)])
def test_axes_source_refuses_odd_keys(stack, key):
    with pytest.raises(AxisError):
        AxesSource(stack, "tczyx")[key]


def test_axes_source_checks_bounds(stack):
    with pytest.raises(IndexError, match="index 5 is outside axis 1 of extent 5"):
        AxesSource(stack[0], "czyx")[0, 5]


def test_arrange_keeps_what_fits(cube):
    assert arrange(cube, "zyx") is cube
    assert arrange(cube, "xyz").shape == (13, 11, 7)


def test_raw_source_reads_pickles_and_checks(tmp_path, cube):
    path = tmp_path / "voxels.raw"
    path.write_bytes(b"head" + cube.astype(">i4").tobytes())
    source = RawSource(path, cube.shape, ">i4", 4)
    source.check()
    np.testing.assert_array_equal(source[2:5, 1, ::2], cube[2:5, 1, ::2])
    assert source[0].dtype == np.dtype("i4")
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again[...], cube)
    path.write_bytes(b"head" + cube.tobytes())
    with pytest.raises(FormatError, match="truncated: expected 4008 bytes; found 1005"):
        RawSource(path, cube.shape, ">i4", 4).check()


def test_cache_is_bounded_and_keeps_the_recent():
    cache = BlockCache(limit=300)
    made: list[int] = []

    def block(n: int) -> np.ndarray:
        made.append(n)
        return np.full(100, n, np.uint8)

    for n in (1, 2, 3, 1, 4, 1, 2):  # 2 was the oldest when 4 came
        assert cache.get(n, lambda n=n: block(n))[0] == n
    assert made == [1, 2, 3, 4, 2]
    big = cache.get("big", lambda: np.zeros(1000, np.uint8))
    assert big.size == 1000
    assert made == [1, 2, 3, 4, 2]
    cache.get("big", lambda: block(9))
    assert made[-1] == 9  # too large to keep


def test_cache_between_threads():
    cache = BlockCache(limit=4000)
    wrong: list[int] = []

    def work() -> None:
        got = [cache.get(n % 50, lambda n=n: np.full(100, n % 50, "u1"))[0] for n in range(200)]
        wrong.extend(n for n, value in enumerate(got) if value != n % 50)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache._held <= 4000
