"""Random programs: no entry is missed, no number wrong, nothing fails where PyTorch does not."""

import numpy as np

from fuzz_sparse import Report, compare

PROGRAMS = 300


def test_random_programs_agree_with_dense_hessians():
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")  # pytest shows it if the test fails
    report = Report()
    for number in range(PROGRAMS):
        compare(seed + number, report)
    assert not report.faults, (seed, report.faults)
    assert report.programs > 0.8 * PROGRAMS
    assert report.entries > 5 * PROGRAMS  # they do have second derivatives
