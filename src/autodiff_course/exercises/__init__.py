"""The exercises of the course: one module per notebook, ``ex01`` for notebook 01 and so on.

In a notebook::

    from autodiff_course.exercises import check_all, ex01, progress

    ex01.sum_over_paths.task                       # what is asked
    ex01.sum_over_paths.check(my_sum_over_paths)   # right? and if not, where and why
    ex01.sum_over_paths.hint()                     # the next hint
    ex01.sum_over_paths.solution()                 # the solution that the tests run
    add_up = ex01.sum_over_paths.use(my_sum_over_paths)  # yours if it is right, else the course's

    check_all(ex01)                                # every exercise of this notebook
    progress()                                     # every exercise of the course

How the exercises are written is described in `autodiff_course.exercises.framework`, drills in
`autodiff_course.exercises.drills`.
"""

from .overview import check_all, progress

__all__ = ["check_all", "progress"]
