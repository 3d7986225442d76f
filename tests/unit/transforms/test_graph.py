"""The transform graph: best paths, combined errors, and loops that show a wrong registration."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from clemkit.errors import ArgumentError, NotFoundError, SpaceMismatchError
from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine, BSpline, compose, numerical_inverse
from clemkit.transforms.graph import GraphEdge, TransformGraph
from clemkit.transforms.path_error import path_error

LM, CT, EM, OTHER = (Space(name) for name in ("lm", "ct", "em", "other"))
SHAPES = {LM: (11, 17, 19), CT: (13, 15, 21), EM: (7, 11, 13), OTHER: (9, 8, 10)}
VOXELS = {LM: (250.0, 100.0, 120.0), CT: (210.0, 180.0, 160.0), EM: (50.0, 8.0, 10.0),
          OTHER: (90.0, 70.0, 60.0)}  # fmt: skip


def grid(space: Space) -> Grid:
    """Return a grid around the common point (500, 900, 1000) of all spaces."""
    extent = np.array(SHAPES[space]) * np.array(VOXELS[space])
    start = np.array([500.0, 900.0, 1000.0]) - extent / 2 + np.array(VOXELS[space]) / 2
    return Grid(
        space=space, shape_zyx=SHAPES[space], voxel_size_zyx_nm=VOXELS[space],
        origin_zyx_nm=tuple(start),
    )  # fmt: skip


def true_map(rng, source: Space, target: Space, place: dict[Space, np.ndarray]) -> Affine:
    matrix = np.linalg.inv(place[target]) @ place[source]
    return Affine(matrix, source=source, target=target)


@pytest.fixture
def place(rng):
    """A pose of each space in one world, nearly the identity about the common point."""
    found = {}
    for space in SHAPES:
        linear = np.eye(3) + rng.normal(0, 0.03, (3, 3))
        centre = np.array([500.0, 900.0, 1000.0])
        matrix = np.eye(4)
        matrix[:3, :3] = linear
        matrix[:3, 3] = centre - linear @ centre + rng.normal(0, 10, 3)
        found[space] = matrix
    return found


def edge(name, forward, median=30.0, shift=(0.0, 0.0, 0.0), **more) -> GraphEdge:
    moved = Affine.from_parts(np.eye(3), shift, source=forward.target, target=forward.target)
    forward = compose(forward, moved)
    return GraphEdge(
        name=name, forward=forward, backward=forward.inverse(), median_nm=median,
        source_grid=grid(forward.source), target_grid=grid(forward.target), **more,
    )  # fmt: skip


@pytest.fixture
def consistent(rng, place):
    pairs = {"a": (EM, CT), "b": (CT, LM), "c": (EM, LM), "d": (OTHER, EM), "e": (CT, OTHER)}
    return TransformGraph(
        tuple(edge(name, true_map(rng, *ends, place)) for name, ends in pairs.items())
    )


def test_the_best_path_has_the_smallest_sum_of_squares(rng, place):
    def of(median_direct):
        return TransformGraph((
            edge("em-ct", true_map(rng, EM, CT, place), 30.0),
            edge("ct-lm", true_map(rng, CT, LM, place), 40.0),
            edge("em-lm", true_map(rng, EM, LM, place), median_direct),
        ))  # fmt: skip

    assert of(49.0).path(EM, LM).names == ("em-lm",)
    assert of(51.0).path(EM, LM).names == ("em-ct", "ct-lm")
    assert [p.names for p in of(51.0).paths(EM, LM)] == [("em-ct", "ct-lm"), ("em-lm",)]
    assert of(51.0).path(LM, EM).names == ("ct-lm", "em-ct")


@pytest.mark.parametrize("doubt", [{"is_trusted": False, "median": 1.0}, {"median": math.nan}])
def test_a_doubtful_registration_is_the_last_choice(rng, place, doubt):
    graph = TransformGraph((
        edge("em-ct", true_map(rng, EM, CT, place), 300.0),
        edge("ct-lm", true_map(rng, CT, LM, place), 400.0),
        edge("em-lm", true_map(rng, EM, LM, place), **doubt),
    ))  # fmt: skip
    assert graph.path(EM, LM).names == ("em-ct", "ct-lm")
    assert graph.path(EM, LM).is_trusted
    assert not graph.paths(EM, LM)[1].is_trusted


def test_composition_goes_either_way_along_an_edge(consistent, place, rng):
    points = grid(EM).points()[::97]
    direct = true_map(rng, EM, LM, place).apply_points(points)
    for way in consistent.paths(EM, LM):
        assert np.allclose(way.transform().apply_points(points), direct, atol=1e-6)
        assert way.transform().source == EM
        assert way.transform().target == LM
    same = consistent.transform(EM, EM)
    assert np.array_equal(same.apply_points(points), points)


def test_errors_add_in_squares_through_the_local_scale():
    double = Affine.from_parts(2 * np.eye(3), np.zeros(3), source=CT, target=LM)
    plain = Affine.identity(EM, CT)
    graph = TransformGraph((
        GraphEdge(name="a", forward=plain, backward=plain.inverse(), median_nm=30.0,
                  low_nm=20.0, high_nm=50.0, source_grid=grid(EM)),
        GraphEdge(name="b", forward=double, backward=double.inverse(), median_nm=80.0,
                  low_nm=60.0, high_nm=100.0),
    ))  # fmt: skip
    found = graph.expected_error(EM, LM)
    assert found.median_nm == pytest.approx(math.hypot(60, 80))
    assert dict(found.contributions) == pytest.approx({"a": 60.0, "b": 80.0})
    up = math.hypot(math.hypot(100, 80) - 100, math.hypot(60, 100) - 100)
    down = math.hypot(100 - math.hypot(40, 80), 100 - math.hypot(60, 60))
    assert (found.low_nm, found.high_nm) == pytest.approx((100 - down, 100 + up))
    back = graph.expected_error(LM, EM)  # the same error, seen in a frame half as large
    assert back.median_nm == pytest.approx(50)


def test_one_edge_keeps_its_own_interval(rng, place):
    plain = Affine.identity(EM, CT)
    one = GraphEdge(name="a", forward=plain, backward=plain.inverse(), median_nm=30.0,
                    low_nm=11.0, high_nm=77.0, p90_nm=90.0, source_grid=grid(EM))  # fmt: skip
    found = TransformGraph((one,)).expected_error(EM, CT)
    assert (found.low_nm, found.median_nm, found.high_nm, found.p90_nm) == pytest.approx(
        (11, 30, 77, 90)
    )


def test_independent_normal_errors_combine_as_stated(rng):
    """The medians of sums of isotropic normal errors are those that the graph predicts."""
    sigmas = (40.0, 25.0)
    factor = 1.5381722544550522  # median of a chi variable with three degrees of freedom
    total = sum(rng.normal(0, s, (200_000, 3)) for s in sigmas)
    seen = float(np.median(np.linalg.norm(total, axis=1)))
    first, then = Affine.identity(EM, CT), Affine.identity(CT, LM)
    graph = TransformGraph(tuple(
        GraphEdge(name=str(t.source), forward=t, backward=t.inverse(), median_nm=s * factor,
                  source_grid=grid(t.source))
        for t, s in zip((first, then), sigmas, strict=True)
    ))  # fmt: skip
    found = graph.expected_error(EM, LM)
    assert found.median_nm == pytest.approx(seen, rel=0.01)
    assert found.p90_nm == pytest.approx(
        float(np.percentile(np.linalg.norm(total, axis=1), 90)), rel=0.01
    )


def test_consistent_loops_close(consistent):
    found = consistent.loop_closures()
    assert len(found) == 2  # 5 edges, 4 spaces, 1 part
    for loop in found:
        assert loop.samples > 10
        assert loop.max_nm < 1e-6
        assert not loop.is_open
        assert loop.suspects == ()


def test_a_planted_wrong_edge_is_named(rng, place, consistent):
    others = tuple(e for e in consistent.edges if e.name != "a")
    wrong = edge("a", true_map(rng, EM, CT, place), shift=(0.0, 400.0, 0.0))
    graph = TransformGraph((*others, wrong))
    open_loops = [loop for loop in graph.loop_closures() if loop.is_open]
    assert open_loops
    for loop in open_loops:
        assert loop.suspects == ("a",)
        assert loop.median_nm == pytest.approx(400, rel=0.2)
        assert "suspect: a" in loop.sentence()


def test_a_wrong_edge_that_leads_far_away_is_found_too(rng, place, consistent):
    others = tuple(e for e in consistent.edges if e.name != "a")
    wrong = edge("a", true_map(rng, EM, CT, place), shift=(0.0, 1e5, 0.0))
    found = TransformGraph((*others, wrong)).loop_closures()
    assert {loop.suspects for loop in found if loop.is_open} == {("a",)}


def test_one_loop_alone_cannot_tell_which_edge_is_wrong(rng, place):
    graph = TransformGraph((
        edge("em-ct", true_map(rng, EM, CT, place)),
        edge("ct-lm", true_map(rng, CT, LM, place), shift=(400.0, 0.0, 0.0)),
        edge("em-lm", true_map(rng, EM, LM, place)),
    ))  # fmt: skip
    (loop,) = graph.loop_closures()
    assert loop.is_open
    assert set(loop.suspects) == {"em-ct", "ct-lm", "em-lm"}
    assert "one more registration" in loop.sentence()


def test_the_limit_holds_its_level(rng):
    """Loops of correct registrations with one error each exceed the 90 % limit in 10 %."""
    factor, open_count, draws = 1.5381722544550522, 0, 300
    for _ in range(draws):
        edges = []
        for name, (a, b) in {"a": (EM, CT), "b": (CT, LM), "c": (LM, EM)}.items():
            t = Affine.from_parts(np.eye(3), rng.normal(0, 20, 3), source=a, target=b)
            edges.append(GraphEdge(name=name, forward=t, backward=t.inverse(),
                                   median_nm=20 * factor, source_grid=grid(a)))  # fmt: skip
        open_count += TransformGraph(tuple(edges)).loop_closures(0.9)[0].is_open
    assert 0.05 < open_count / draws < 0.15


def test_the_order_of_edges_changes_nothing(consistent):
    def told(graph):
        loops = [(x.edges, x.spaces, x.median_nm, x.p95_nm) for x in graph.loop_closures()]
        ways = [p.names for p in graph.paths(LM, OTHER)]
        return loops, ways, graph.expected_error(LM, OTHER).median_nm

    wanted = told(consistent)
    for order in list(permutations(consistent.edges))[::29]:
        assert told(TransformGraph(order)) == wanted


def test_parallel_registrations_of_one_pair_are_a_loop(rng, place):
    graph = TransformGraph((
        edge("first", true_map(rng, EM, CT, place)),
        edge("second", true_map(rng, EM, CT, place), shift=(0.0, 0.0, 33.0)),
    ))  # fmt: skip
    (loop,) = graph.loop_closures()
    assert loop.edges == ("first", "second")
    assert 25 < loop.median_nm < 45
    assert not loop.is_open


def test_certified_inverses_take_part(rng, place):
    lattice = Grid(space=EM, shape_zyx=(6, 6, 6), voxel_size_zyx_nm=(120.0, 40.0, 50.0),
                   origin_zyx_nm=(200.0, 800.0, 870.0))  # fmt: skip
    bend = BSpline(rng.normal(0, 1.5, (6, 6, 6, 3)), lattice, EM, EM)
    forward = compose(bend, true_map(rng, EM, CT, place))
    back = numerical_inverse(forward, domain=grid(EM), tolerance_nm=0.01)
    bent = GraphEdge(name="bent", forward=forward, backward=back, median_nm=5.0,
                     source_grid=grid(EM), target_grid=grid(CT))  # fmt: skip
    graph = TransformGraph((
        bent,
        edge("ct-lm", true_map(rng, CT, LM, place), 5.0),
        edge("em-lm", compose(true_map(rng, EM, LM, place)), 5.0),
    ))  # fmt: skip
    (loop,) = graph.loop_closures()
    assert 0.1 < loop.median_nm < 5  # what the bend is
    assert graph.expected_error(LM, EM).samples > 10
    points = grid(EM).points()[::77]
    there = graph.paths(EM, LM)[1].transform().apply_points(points)
    again = graph.paths(LM, EM)[1].transform().apply_points(there)
    assert np.allclose(again, points, atol=0.02)


def test_images_that_share_no_place_are_said_to(rng, place):
    far = Grid(space=OTHER, shape_zyx=(3, 4, 5), voxel_size_zyx_nm=(9.0, 8.0, 7.0),
               origin_zyx_nm=(9e5, 0.0, 0.0))  # fmt: skip
    to_far = Affine.identity(CT, OTHER)
    graph = TransformGraph((
        edge("em-ct", true_map(rng, EM, CT, place)),
        GraphEdge(name="far", forward=to_far, backward=to_far.inverse(), median_nm=10.0,
                  target_grid=far),
    ))  # fmt: skip
    assert graph.expected_error(EM, OTHER).samples == 0
    way = graph.path(EM, OTHER)
    assert path_error(graph, way, grid(EM).points()[::50]).samples > 0


def test_what_does_not_fit_is_refused(rng, place):
    plain = Affine.identity(EM, CT)
    with pytest.raises(SpaceMismatchError, match="backward"):
        GraphEdge(name="x", forward=plain, backward=plain)
    with pytest.raises(ArgumentError, match="two spaces"):
        GraphEdge(name="x", forward=Affine.identity(EM, EM), backward=Affine.identity(EM, EM))
    with pytest.raises(ArgumentError, match="error_space"):
        GraphEdge(name="x", forward=plain, backward=plain.inverse(), error_space=LM)
    with pytest.raises(ArgumentError, match="low_nm"):
        GraphEdge(name="x", forward=plain, backward=plain.inverse(), median_nm=1.0, low_nm=2.0)
    one = GraphEdge(name="x", forward=plain, backward=plain.inverse())
    with pytest.raises(ArgumentError, match="more than once"):
        TransformGraph((one, one))
    graph = TransformGraph((one,))
    with pytest.raises(NotFoundError, match="space among"):
        graph.path(EM, LM)
    with pytest.raises(NotFoundError, match="an edge among x"):
        graph.edge("y")
    far = Affine.identity(LM, OTHER)
    apart = graph.with_edge(GraphEdge(name="y", forward=far, backward=far.inverse()))
    with pytest.raises(NotFoundError, match="reached from em: ct, em"):
        apart.path(EM, LM)
    with pytest.raises(ArgumentError, match="grid"):
        graph.expected_error(EM, CT)
    with pytest.raises(ArgumentError, match="level"):
        graph.loop_closures(1.0)
