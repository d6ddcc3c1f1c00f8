"""The exercises of the course: one module per notebook, ``ex01`` for notebook 01 and so on.

In a notebook::

    from autodiff_course.exercises import ex01

    ex01.sum_over_paths.check(my_sum_over_paths)   # right? and if not, where and why
    ex01.sum_over_paths.hint()                     # the next hint
    ex01.sum_over_paths.solution()                 # the solution that the tests run

How the exercises are written is described in `autodiff_course.exercises.framework`.
"""

from autodiff_course.exercises.asking import ask

__all__ = ["ask"]
