"""Typical wrong answers where notebook 09 has constraints, and what is said of each."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import splu

from .ex09 import active_step, kkt_step, low_rank_solve

# kkt_step


@kkt_step.mistake("That is the step without the condition: a·s = q does not hold.")
def _without_the_condition(solve, a, r, q):
    return solve(r), 0.0


@kkt_step.mistake("Your step has a·s = 0. It is to be q.")
def _without_q(solve, a, r, q):
    return kkt_step.reference(solve, a, r, 0.0)


@kkt_step.mistake("a·s = q holds, but m has the wrong sign: S·s + m·a = r.")
def _wrong_sign_of_m(solve, a, r, q):
    s, m = kkt_step.reference(solve, a, r, q)
    return s, -m


@kkt_step.mistake(
    "a·s = q does not hold: put your s back in. Check the sign of q in the formula of m."
)
def _wrong_sign_of_q(solve, a, r, q):
    return kkt_step.reference(solve, a, r, -q)


@kkt_step.mistake(
    "S·s + m·a is not r: put s and m back in. Check the sign of m in s = S⁻¹r − m·S⁻¹a."
)
def _adds_the_response(solve, a, r, q):
    without, response = solve(r), solve(a)
    m = (a @ without - q) / (a @ response)
    return without + m * response, m


@kkt_step.mistake("Subtract m·S⁻¹a from S⁻¹r, not m·a: all of r − m·a goes through the solve.")
def _without_the_second_solve(solve, a, r, q):
    without, response = solve(r), solve(a)
    m = (a @ without - q) / (a @ response)
    return without - m * a, m


@kkt_step.mistake("The sign of m is the other one in both places, so a·s is not q: put s back in.")
def _m_from_minus(solve, a, r, q):
    without, response = solve(r), solve(a)
    m = -(a @ without - q) / (a @ response)
    return without - m * response, m


@kkt_step.mistake("Divide by a·S⁻¹a, not by a·a: it is S⁻¹a that m moves s by.")
def _divided_by_a_a(solve, a, r, q):
    without, response = solve(r), solve(a)
    m = (a @ without - q) / (a @ a)
    return without - m * response, m


@kkt_step.mistake("Return both, the vector s and then the number m.")
def _step_alone(solve, a, r, q):
    return kkt_step.reference(solve, a, r, q)[0]


@kkt_step.mistake("The vector s comes first, then the number m.")
def _number_first(solve, a, r, q):
    return kkt_step.reference(solve, a, r, q)[::-1]


# low_rank_solve


@low_rank_solve.mistake("The term c·u·uᵀ is lost: that is S⁻¹b.")
def _without_the_term(solve, u, c, b):
    return solve(b)


@low_rank_solve.mistake("The correction has the wrong sign.")
def _wrong_sign(solve, u, c, b):
    return 2 * solve(b) - low_rank_solve.reference(solve, u, c, b)


@low_rank_solve.mistake("Divide by 1 + c·(u·S⁻¹u): you seem to have left out the 1.")
def _without_the_one(solve, u, c, b):
    without, response = solve(b), solve(u)
    return without - response * ((u @ without) / (u @ response))


@low_rank_solve.mistake("A factor c is missing in the numerator.")
def _without_c(solve, u, c, b):
    without, response = solve(b), solve(u)
    return without - response * ((u @ without) / (1 + c * (u @ response)))


@low_rank_solve.mistake("A factor c is missing in the denominator, 1 + c·(u·S⁻¹u).")
def _without_c_below(solve, u, c, b):
    without, response = solve(b), solve(u)
    return without - response * (c * (u @ without) / (1 + u @ response))


@low_rank_solve.mistake("The denominator is 1 + c·(u·S⁻¹u), with a plus.")
def _minus_below(solve, u, c, b):
    without, response = solve(b), solve(u)
    return without - response * (c * (u @ without) / (1 - c * (u @ response)))


@low_rank_solve.mistake("The denominator 1 + c·(u·S⁻¹u) is missing.")
def _without_a_denominator(solve, u, c, b):
    without, response = solve(b), solve(u)
    return without - response * (c * (u @ without))


@low_rank_solve.mistake("c is missing in both places, above and in 1 + c·(u·S⁻¹u).")
def _without_any_c(solve, u, c, b):
    return low_rank_solve.reference(solve, u, 1.0, b)


@low_rank_solve.mistake("The correction runs along S⁻¹u, not along u.")
def _along_u(solve, u, c, b):
    without, response = solve(b), solve(u)
    return without - u * (c * (u @ without) / (1 + c * (u @ response)))


# active_step


@active_step.mistake(
    "That is the step of the whole film, set to 0 where active: H·s = −g no longer holds beside "
    "these points. Leave their columns out before you solve."
)
def _overwritten(H, g, active):
    return np.where(active, 0.0, splu(H.tocsc()).solve(-g))


@active_step.mistake(
    "With g = 0 in the active rows their unknowns move all the same, since their neighbours do."
)
def _gradient_cut(H, g, active):
    return splu(H.tocsc()).solve(np.where(active, 0.0, -g))


@active_step.mistake(
    "First g = 0 and then s = 0 where active: in the solve between, these unknowns still moved. "
    "Leave their columns out before you solve."
)
def _both_cut(H, g, active):
    return np.where(active, 0.0, _gradient_cut(H, g, active))


@active_step.mistake("The sign of g: H·s = −g.")
def _wrong_sign_of_g(H, g, active):
    return -active_step.reference(H, g, active)


@active_step.mistake("True in `active` means that s is 0 there. You have exchanged the two.")
def _exchanged(H, g, active):
    return active_step.reference(H, g, ~active) if active.any() else 0 * g


@active_step.mistake("Return n numbers, with the zeros of the active unknowns in their places.")
def _free_numbers_only(H, g, active):
    return active_step.reference(H, g, active)[~active]
