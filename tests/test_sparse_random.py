"""Random programs: no entry is missed, no number wrong, nothing fails where PyTorch does not."""

import numpy as np

from fuzz_sparse import Report, compare
from random_programs import Program

PROGRAMS = 300
ONCE_FAILED = 413582490  # a product adds a part that the recording of the gradient has placed


def test_random_programs_agree_with_dense_hessians():
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")  # pytest shows it if the test fails
    report = Report()
    for number in range(PROGRAMS):
        compare(seed + number, report)
    assert not report.faults, (seed, report.faults)
    assert report.programs > 0.8 * PROGRAMS
    assert report.entries > 5 * PROGRAMS  # they do have second derivatives


def test_a_part_that_comes_from_the_gradient_is_added_as_it_is():
    names = ["empty_sum", "maximum", "copysign", "take", "argmax_mask"]
    assert Program.random(ONCE_FAILED).names == names, "another seed must draw this program"
    report = Report()
    compare(ONCE_FAILED, report)
    assert not report.faults
