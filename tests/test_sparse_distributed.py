"""Several processes give the same Hessian as one, and if one fails, all of them say so.

The processes are this file run as a script: each does everything there is to do in its rank and
writes down what came of it. The tests then look at the notes.
"""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from autodiff_course.sparse import prepare_hessian, prepare_jacobian
from autodiff_course.sparse.distributed import distribute

RANKS = 3
GROUP_SECONDS = 20  # after so long without an answer, a rank gives the others up
GONE = 3  # the exit status of the rank that ends too early
SECONDS = 60  # after so long a process is stuck
BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "distributed_hessian.py"


def surface(x):  # nine points in the stencil: 9 colours
    a, b = x[1:, 1:] - x[:-1, :-1], x[1:, :-1] - x[:-1, 1:]
    return (1 + a**2 + b**2).sqrt().sum()


def masked(x, scale):  # 1 colour
    return (scale * x**3).sum()


def arrowhead(x):  # 2 colours
    return ((x[0] * x) ** 2 + x**4).sum()


def arrow(x):  # a Jacobian with one full row and one full column
    return torch.cat([(x**2).sum()[None], x[0] * x[1:].sin()])


def linear(x):  # no entry, no colour
    return x.sum()


def dense(x):  # as many colours as variables, and matrix products
    return (x @ torch.cos(torch.outer(x, x)) @ x).exp()


def several(p):  # x as a dict
    return (p["a"] ** 2).sum() * p["b"].sin()


def numbers(*shape, dtype=torch.float64, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# name: function, x, and how the matrix of one process is met: "bits", or only "close" where one
# process takes several colours at once and sums inside f may be added up in another order.
FUNCTIONS = {
    "surface": (surface, numbers(20, 20), "bits"),
    "large surface": (surface, numbers(230, 230), "bits"),
    "float32": (surface, numbers(20, 20, dtype=torch.float32), "bits"),
    "arrowhead": (arrowhead, numbers(30), "bits"),
    "one colour": (lambda x: masked(x, 2.0), numbers(5), "bits"),
    "one variable": (arrowhead, numbers(1), "bits"),
    "no colour": (linear, numbers(5), "bits"),
    "several tensors": (several, {"a": numbers(4), "b": numbers(1)[0]}, "close"),
    "dense": (dense, numbers(7), "close"),
}


# --- What a rank does -----------------------------------------------------------------------------


def compare(shared, x, one, how):
    matrix = shared(x)
    same = (matrix.indices == one.indices).all() and (matrix.indptr == one.indptr).all()
    if how == "bits":
        return bool(same and matrix.data.tobytes() == one.data.tobytes())
    return bool(same and np.allclose(matrix.data, one.data, rtol=1e-13, atol=1e-13))


def outcome(function, *arguments, **keywords):
    try:
        function(*arguments, **keywords)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def everything(rank):
    """Make the comparisons and the mistakes of one rank, and return what came of them."""
    notes = {"same": {}, "colors": {}, "products": {}}
    groups = {size: dist.new_group(list(range(size))) for size in range(1, RANKS + 1)}
    for name, (f, x, how) in FUNCTIONS.items():
        prepared = prepare_hessian(f, x)
        one = prepared(x)
        notes["products"][name] = prepared.products
        for size, group in groups.items():
            if rank < size:
                shared = distribute(prepared, group)
                both = [compare(shared, x, one, how) for _ in range(2)]
                notes["same"][f"{name}, {size}"] = all(both)
                notes["colors"][f"{name}, {size}"] = list(shared.my_colors)
    for direction in ("columns", "rows", "both"):
        jacobian = prepare_jacobian(arrow, numbers(30), direction=direction)
        shared = distribute(jacobian)
        notes[f"jacobian, {direction}"] = compare(
            shared, 2 * numbers(30), jacobian(2 * numbers(30)), "close"
        )
    f, x, _ = FUNCTIONS["surface"]
    prepared = prepare_hessian(f, x, output="torch")
    shared = distribute(prepared)
    notes["torch"] = torch.equal(shared(x).to_dense(), prepared(x).to_dense())
    # One rank after the other makes a mistake. In between, and afterwards, all works as before.
    for wrong in range(RANKS):
        notes[f"wrong shape in {wrong}"] = outcome(shared, x[1:] if rank == wrong else x)
        notes[f"other x in {wrong}"] = outcome(shared, x + 1 if rank == wrong else x)
        other = prepare_hessian(f, x, method="acyclic" if rank == wrong else "distance2")
        notes[f"other colours in {wrong}"] = outcome(distribute, other)
        notes[f"after mistake {wrong}"] = torch.equal(shared(x).to_dense(), prepared(x).to_dense())
    two = outcome(shared, x[:, 1:] if rank else x)
    notes["two wrong"] = two
    scaled = distribute(prepare_hessian(masked, x[0], args=(x[1],)))
    notes["other args"] = outcome(scaled, x[0], (x[2],) if rank == 2 else (x[1],))
    notes["same args"] = bool(np.allclose(scaled(x[0], (x[2],)).diagonal(), 6 * x[0] * x[2]))
    notes["outside"] = outcome(distribute, prepared, groups[1]) if rank else ""
    return notes


def disappear(rank):
    """Let the last rank end without a word while the others wait for it."""
    shared = distribute(prepare_hessian(arrowhead, numbers(3)))
    if rank == RANKS - 1:
        os._exit(GONE)
    return outcome(shared, numbers(3))


# --- Starting the ranks ---------------------------------------------------------------------------


def run_together(commands):
    """Run several commands at once, and return (exit status, what was printed) of each."""
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    processes = [subprocess.Popen(command, env=one_thread, **pipes) for command in commands]
    try:
        printed = [process.communicate(timeout=SECONDS)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [(p.returncode, text) for p, text in zip(processes, printed, strict=True)]


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    commands = [[sys.executable, __file__, str(rank), str(folder)] for rank in range(RANKS)]
    ended = run_together(commands)
    assert [status for status, _ in ended] == [0] * (RANKS - 1) + [GONE], ended
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(RANKS)]


def main():
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    dist.init_process_group(
        "gloo",
        init_method=f"{(folder / 'meeting').as_uri()}",
        rank=rank,
        world_size=RANKS,
        timeout=timedelta(seconds=GROUP_SECONDS),
    )
    path = folder / f"{rank}.json"
    found = everything(rank)
    path.write_text(json.dumps(found))
    path.write_text(json.dumps(found | {"left alone": disappear(rank)}))
    sys.stdout.flush()
    os._exit(0)  # a group that lost a member may take long to clear up


# --- The tests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("size", range(1, RANKS + 1))
def test_the_matrix_is_that_of_one_process(notes, name, size):
    assert [n["same"][f"{name}, {size}"] for n in notes[:size]] == [True] * size


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("size", range(1, RANKS + 1))
def test_every_colour_is_computed_once_and_the_work_is_even(notes, name, size):
    shares = [n["colors"][f"{name}, {size}"] for n in notes[:size]]
    assert sum(shares, []) == list(range(notes[0]["products"][name]))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_there_were_more_ranks_than_colours(notes):
    counts = {sum(len(n["colors"][f"{name}, {RANKS}"]) for n in notes) for name in FUNCTIONS}
    assert {0, 1, 2, 9} <= counts


def test_the_result_can_be_a_torch_tensor(notes):
    assert all(n["torch"] for n in notes)


@pytest.mark.parametrize("direction", ["columns", "rows", "both"])
def test_a_jacobian_is_shared_too(notes, direction):
    assert [n[f"jacobian, {direction}"] for n in notes] == [True] * RANKS


@pytest.mark.parametrize("wrong", range(RANKS))
def test_if_one_rank_raises_all_do_and_name_it(notes, wrong):
    for rank, n in enumerate(notes):
        kind = "ValueError" if rank == wrong else f"RuntimeError: rank {wrong} failed: ValueError"
        assert n[f"wrong shape in {wrong}"].startswith(f"{kind}: x: prepared for shape (20, 20)")


def test_if_two_ranks_raise_both_are_named(notes):
    assert notes[1]["two wrong"].startswith("ValueError: x: prepared")
    assert "rank 1 failed" in notes[0]["two wrong"] and "rank 2 failed" in notes[0]["two wrong"]


@pytest.mark.parametrize("wrong", range(RANKS))
def test_other_numbers_in_one_rank_are_noticed(notes, wrong):
    for n in notes:
        found = n[f"other x in {wrong}"]
        assert found.startswith("RuntimeError: every rank must be given the same x and args")
        assert f"rank {wrong if wrong else '1, 2'} differ" in found


def test_other_arguments_in_one_rank_are_noticed(notes):
    assert all("rank 2 differ" in n["other args"] for n in notes)
    assert all(n["same args"] for n in notes)


@pytest.mark.parametrize("wrong", range(RANKS))
def test_another_preparation_in_one_rank_is_noticed(notes, wrong):
    for n in notes:
        found = n[f"other colours in {wrong}"]
        assert found.startswith("ValueError: prepared: every rank must prepare the same matrix")


@pytest.mark.parametrize("wrong", range(RANKS))
def test_after_an_error_the_next_hessian_is_right(notes, wrong):
    assert all(n[f"after mistake {wrong}"] for n in notes)


def test_a_rank_outside_the_group_is_told(notes):
    assert {n["outside"] for n in notes[1:]} == {"ValueError: group: this rank is not in it"}


def test_a_rank_that_ends_leaves_nobody_waiting(notes):
    for n in notes[:-1]:
        assert n["left alone"].startswith("RuntimeError: a rank of the group ended")


def test_without_a_process_group():
    prepared = prepare_hessian(arrowhead, numbers(3))
    with pytest.raises(ValueError, match="init_process_group"):
        distribute(prepared)
    with pytest.raises(TypeError, match="prepare_hessian"):
        distribute(arrowhead)


KEEPS_NO_GROUP = """
import sys, torch, torch.distributed as dist
from autodiff_course.sparse import prepare_hessian
from autodiff_course.sparse.distributed import distribute
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
group = dist.group.WORLD
before = sys.getrefcount(group)
x = torch.ones(3)
distribute(prepare_hessian(lambda x: (x**4).sum(), x))(x)
print(sys.getrefcount(group) - before)
dist.destroy_process_group()
"""


def test_nothing_keeps_the_group_alive():
    # A group that outlives destroy_process_group may abort the process when Python ends.
    ((status, printed),) = run_together([[sys.executable, "-c", KEEPS_NO_GROUP]])
    assert status == 0, printed
    assert printed.splitlines()[-1] == "0"  # before it, gloo may say whom it is connected to


def test_the_script_runs_under_torchrun():
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node", "2", str(BENCHMARK), "--grid", "20"]
    ((status, printed),) = run_together([command])
    assert status == 0, printed
    assert "2 ranks" in printed and "identical to that of one process: True" in printed


if __name__ == "__main__":
    main()
