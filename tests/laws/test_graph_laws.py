"""What must hold for every graph of registrations, and for every plane, whatever the numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clemkit.evaluation.block_face import fit_plane
from clemkit.evaluation.trimming import block_frame, knife_setting, trimming_target
from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine, compose
from clemkit.transforms.graph import GraphEdge, TransformGraph
from clemkit.transforms.path_error import path_error

LAW = settings(
    max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def rotation(rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def world_graph(rng: np.random.Generator, spaces: int, edges: int) -> TransformGraph:
    """A connected graph of registrations that all agree, between randomly placed spaces."""
    names = [Space(f"s{k}") for k in range(spaces)]
    place = {}
    for name in names:
        matrix = np.eye(4)
        matrix[:3, :3] = rotation(rng) @ np.diag(rng.uniform(0.7, 1.4, 3))
        matrix[:3, 3] = rng.normal(0, 100, 3)
        place[name] = matrix
    joined = [(names[k], names[int(rng.integers(k))]) for k in range(1, spaces)]
    while len(joined) < edges:
        a, b = rng.choice(spaces, 2, replace=False)
        joined.append((names[a], names[b]))
    found = []
    for number, (a, b) in enumerate(joined):
        t = Affine(np.linalg.inv(place[b]) @ place[a], source=a, target=b)
        grids = [
            Grid(space=s, shape_zyx=(31, 33, 35), voxel_size_zyx_nm=(300.0, 310.0, 290.0),
                 origin_zyx_nm=(-4600.0, -5000.0, -4900.0))
            for s in (a, b)
        ]  # fmt: skip
        found.append(
            GraphEdge(name=f"e{number}", forward=t, backward=t.inverse(), source_grid=grids[0],
                      target_grid=grids[1], median_nm=float(rng.uniform(10, 300)))
        )  # fmt: skip
    return TransformGraph(tuple(found))


@LAW
@given(seeds, st.integers(2, 5))
def test_every_way_through_a_consistent_graph_is_the_same_map(rng, spaces):
    graph = world_graph(rng, spaces, spaces + 2)
    one, other = graph.spaces[0], graph.spaces[-1]
    points = rng.uniform(-3000, 3000, (20, 3))
    ways = [way.transform().apply_points(points) for way in graph.paths(one, other)]
    assert all(np.allclose(way, ways[0], atol=1e-6) for way in ways)
    back = graph.transform(other, one).apply_points(ways[0])
    assert np.allclose(back, points, atol=1e-6)


@LAW
@given(seeds, st.integers(2, 4))
def test_a_consistent_graph_has_as_many_closing_loops_as_surplus_edges(rng, spaces):
    graph = world_graph(rng, spaces, spaces + 1)
    loops = graph.loop_closures()
    assert len(loops) == len(graph.edges) - spaces + 1
    for loop in loops:
        assert loop.samples
        assert loop.max_nm < 1e-5
        assert not loop.is_open


@LAW
@given(seeds)
def test_a_path_is_the_composition_of_its_edges(rng):
    graph = world_graph(rng, 4, 5)
    path = graph.path(graph.spaces[0], graph.spaces[-1])
    points = rng.uniform(-3000, 3000, (9, 3))
    step_by_step = points
    for step in path.steps():
        step_by_step = step.apply_points(step_by_step)
    assert np.allclose(path.transform().apply_points(points), step_by_step, atol=1e-6)
    assert np.allclose(compose(*path.steps()).apply_points(points), step_by_step, atol=1e-6)


@LAW
@given(seeds)
def test_more_edges_never_make_the_best_way_cost_more(rng):
    graph = world_graph(rng, 4, 6)
    one, other = graph.spaces[0], graph.spaces[-1]
    fewer = TransformGraph(graph.edges[:3])
    squares = [sum(e.median_nm**2 for e in g.path(one, other).edges) for g in (graph, fewer)]
    assert squares[0] <= squares[1] + 1e-9
    ranked = [sum(e.median_nm**2 for e in way.edges) for way in graph.paths(one, other)]
    assert ranked == sorted(ranked)


@LAW
@given(seeds)
def test_the_error_of_a_way_is_between_its_largest_part_and_their_sum(rng):
    graph = world_graph(rng, 4, 4)
    path = graph.path(graph.spaces[0], graph.spaces[-1])
    found = path_error(graph, path)
    parts = [value for _, value in found.contributions]
    assert max(parts) <= found.median_nm * (1 + 1e-9)
    assert found.median_nm <= sum(parts) * (1 + 1e-9)
    assert found.low_nm <= found.median_nm <= found.high_nm


@LAW
@given(seeds)
def test_trimming_numbers_do_not_depend_on_where_the_scan_lies(rng):
    """Turn and move scan, face, edge, target and plane together: every number stays."""
    face = rng.uniform(-1, 1, (6, 3)) * [300.0, 40_000.0, 50_000.0]
    edge = np.array([[0.0, 30_000.0, -35_000.0], [0.0, 33_000.0, 36_000.0]])
    target = np.array([40_000.0, 5000.0, -9000.0])
    wanted = target + rng.uniform(-1, 1, (8, 3)) * [4000.0, 20_000.0, 20_000.0]
    turn, move = rotation(rng), rng.normal(0, 1e5, 3)

    def numbers(place):
        out = place(np.array([[-1.0, 0, 0]]))[0] - place(np.zeros((1, 3)))[0]
        plane = fit_plane(place(face), towards_zyx=out, sigma_nm=500.0)
        frame = block_frame(plane, edge_zyx_nm=place(edge))
        cut = fit_plane(place(wanted), towards_zyx=out, sigma_nm=700.0)
        found = trimming_target(frame, place(target[None])[0], median_error_nm=900.0, wanted=cut)
        setting = knife_setting(frame, cut)
        lengths = (found.depth_nm, found.right_nm, found.up_nm, found.approach_nm)
        values = [v for f in lengths for v in (f.value, f.low, f.high)]
        return [*values, *(1e4 * v for f in (setting.tilt_deg, setting.knife_deg)
                           for v in (f.value, f.low, f.high))]  # fmt: skip

    here = numbers(lambda points: points)
    there = numbers(lambda points: points @ turn.T + move)
    assert np.allclose(here, there, atol=0.05)
