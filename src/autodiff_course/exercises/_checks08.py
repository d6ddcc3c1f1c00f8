"""What answers to the exercises of notebook 08 are tried on, and which way they must go."""

from __future__ import annotations

from numbers import Integral

from . import _cases08 as inputs
from . import _wrong08 as wrong
from . import _wrong08_numbers as wrong_numbers
from ._landscapes08 import landscapes
from .ex08 import (
    arrow_jacobian,
    from_the_leaves,
    greedy_colors,
    hubs_apart,
    is_star,
    newton,
    pattern_by_hand,
    pays_from,
    trace,
    where_to_read,
)


def _leaves(one, what):
    """Ask that the caller's data are left as they were."""
    one.method(f"The result is right, but {what} changed. Make new ones.")(
        lambda call: call.unchanged
    )


# pattern_by_hand

pattern_by_hand.add_mistakes(
    "5·x₂ is linear: its second derivative is 0, so row 2 and column 2 are empty.",
    lambda: [[1, 1, 0, 0], [1, 1, 0, 1], [0, 0, 1, 0], [0, 1, 0, 1]],
    "sin(x₁·x₃) also curves along x₁ and along x₃ alone: see the diagonal.",
    lambda: [[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]],
    "Differentiate sin(x₁·x₃) twice by x₁: −x₃²·sin(x₁·x₃). See entry (1, 1).",
    lambda: [[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1]],
    "Differentiate sin(x₁·x₃) twice by x₃: −x₁²·sin(x₁·x₃). See entry (3, 3).",
    lambda: [[1, 1, 0, 0], [1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]],
    "The diagonal is empty. A variable can also meet itself: x₀²·x₁ curves along x₀ alone.",
    lambda: [[0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]],
    "x₀²·x₁ curves along x₀ alone as well: its second derivative is 2·x₁.",
    lambda: [[0, 1, 0, 0], [1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1]],
    "A Hessian is symmetric: entry (i, j) comes with entry (j, i).",
    lambda: [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1]],
    "x₀ and x₃ never meet in one term, though both meet x₁.",
    lambda: [[1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1]],
    "A pattern says only whether an entry can be non-zero: write 1, not the factor before it.",
    lambda: [[2, 2, 0, 0], [2, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1]],
)


# trace

trace.cases(inputs.recordings)
trace.random_cases(inputs.random_recordings)
_leaves(trace, "the steps are")
trace.add_mistakes(
    "A move takes element step.source[i], not element i.",
    wrong.trace_unmoved,
    "step.source[i] says where element i comes from; you use it as the place where it goes.",
    wrong.trace_moved_the_other_way,
    "An elementwise operation joins element i with element i, not with all others. If you mean "
    "that, do all elements share one set, as in `[set()] * n`?",
    wrong.trace_joins_all,
    "A result depends on what any of its operands depends on: the union, not the intersection.",
    wrong.trace_intersections,
    "A constant depends on no variable: its sets are empty.",
    wrong.trace_constants,
    "Of an elementwise operation only the first operand was followed.",
    wrong.trace_first_operand,
    "An operand with one element serves every i: x₀·x has as many elements as x.",
    wrong.trace_without_broadcast,
    "An operand with one element serves every i: of that one, take element 0 and not element i.",
    wrong.trace_beyond_one_element,
    "A sum depends on all elements of its operand: join all their sets.",
    wrong.trace_sums_not_joined,
    "Return the sets of the last step alone: they belong to the gradient.",
    wrong.trace_everything,
    "In a move, source 0 is the first element. Only None is a zero: ask `is None`.",
    wrong.trace_zero_for_none,
    "`|=` changes the operand's own set, which later steps read again. Make a new set: `a | b`.",
    wrong.trace_shared_sets,
)


# greedy_colors

greedy_colors.cases(inputs.orders)
greedy_colors.random_cases(inputs.random_orders)
greedy_colors.add_mistakes(
    "Two columns must also differ if both have an entry in some third row: look at the rows that "
    "column j meets, and at all columns in them.",
    wrong.only_neighbours,
    "`order` is ignored: that is the natural order each time.",
    wrong.natural_order,
    "colors[j] must be the colour of column j. Yours stand in the order of `order`.",
    wrong.in_order_of_coloring,
    "Every column got a colour of its own: use an old one where you can.",
    wrong.all_different,
    "The colours should count from 0. (Or does `colors` begin with zeros? Then columns not yet "
    "coloured already count as colour 0.)",
    wrong.counted_from_one,
    "That is one colour more than the largest around. Take the first one that is free.",
    wrong.one_more_than_the_largest,
    "Columns without a colour count as colour 0 with you. Begin with None, and leave None out.",
    wrong.zeros_to_begin_with,
    "Colour 0 is a colour too: where you ask `if color`, ask `if color is not None`.",
    wrong.zero_is_no_color,
    "Row j itself is left out. Where column j has an entry in row j, it meets the columns there, "
    "and these need no diagonal entry of their own.",
    wrong.own_row_left_out,
    "You used the rule of the graph, which assumes a full diagonal. Here a row may lack its own "
    "column, and only shared rows count.",
    wrong.by_distance,
)


# where_to_read

where_to_read.cases(inputs.star_colorings)
where_to_read.random_cases(inputs.random_star_colorings)
where_to_read.add_mistakes(
    "Symmetry is not used: in a row where a colour comes twice, read the mirror image.",
    wrong.own_row_always,
    "All entries are read from their mirror image. Look at the own row first.",
    wrong.mirror_always,
    "The mirror image of (i, j) stands in row j in the colour of column i: (j, colors[i]).",
    wrong.mirror_in_own_color,
    "Is the colour of j alone among the columns of row i? You count it among all columns.",
    wrong.counted_everywhere,
    "The columns of a row are to come from left to right.",
    wrong.unsorted_columns,
    "A set has no order: go through `sorted(row)`.",
    wrong.in_the_order_of_the_set,
    "The pair of the mirror image is (j, colors[i]): row j, in the colour of column i.",
    wrong.row_of_the_column,
    "Which colour is alone where? Count the colour of column j in row i, not in row j.",
    wrong.counted_in_the_other_row,
    "B has a column for each colour: the pair is (i, colors[j]), not (i, j).",
    wrong.columns_for_colors,
    "Both places may hold the entry alone. The own row comes first, then the mirror image.",
    wrong.mirror_first,
    "Of a colour that comes twice in a row no column can be read there, the first one no more than "
    "the others: count before you read.",
    wrong.first_of_each_color,
    "The second number is a colour: the mirror image is read at (j, colors[i]), not at (j, i).",
    wrong.mirror_by_column,
)


# is_star

is_star.cases(inputs.colorings)
is_star.random_cases(inputs.random_colorings)
is_star.add_mistakes(
    "That asks only whether neighbours differ. Look at the paths of four vertices too.",
    wrong.neighbours_differ,
    "That asks whether vertices at distance 2 differ. A star may have leaves of one colour: the "
    "four vertices of a path are all different.",
    wrong.is_distance2,
    "Paths are looked at, but not whether neighbours differ.",
    wrong.paths_alone,
    "Two neighbours in one colour are wrong by themselves, without any path of four.",
    wrong.paths_in_two_colors_at_most,
    "The ends of a path may be neighbours as well: a cycle of four holds paths over four vertices.",
    wrong.paths_without_cycles,
    "A path of four along ascending numbers only: a path may turn back to smaller ones.",
    wrong.ascending_paths,
    "A path may end at smaller numbers than its middle has: leave out `k > i` and `l > j`.",
    wrong.paths_with_larger_ends,
    "Order one pair of a path, its middle or its ends, not both: some paths are left out.",
    wrong.paths_with_ascending_ends_and_middle,
    "i itself is among the columns of rows[i]: leave it out before you compare neighbours.",
    wrong.not_even_itself,
    "Count the colours of each path by itself: two colours in the whole graph may be enough.",
    wrong.three_colors_in_all,
)


# hubs_apart

hubs_apart.cases(inputs.hubs)
_leaves(hubs_apart, "the rows are")
hubs_apart.add_mistakes(
    "The hubs are still in the rows of the others, so any two columns meet there.",
    wrong.hubs_still_there,
    "You emptied the hubs' own rows; take the hubs out of the rows of the others as well.",
    wrong.hubs_in_the_rows_of_others,
    "The hubs left the rows of the others, but their own rows are still full: empty them too.",
    wrong.hubs_with_full_rows,
    "The colours of the others begin at 0, where the hubs' colours are. Count on from len(hubs).",
    wrong.hubs_share_colors,
    "The hubs share one colour. Two hubs with a common neighbour may not.",
    wrong.hubs_in_one_color,
    "The hubs come last. Hub number h is to get the colour h.",
    wrong.hubs_last,
    "Hub number h is the one at place h of the list `hubs`: do not sort them.",
    wrong.hubs_sorted,
    "A hub's colour is its place in the list `hubs`, not its number as a vertex.",
    wrong.hubs_by_vertex,
    "It is not enough to colour the hubs first: they must leave the rows of the others.",
    wrong.hubs_merely_first,
)


# from_the_leaves

from_the_leaves.cases(inputs.trees)
from_the_leaves.random_cases(inputs.random_trees)
_leaves(from_the_leaves, "the edges or the sums are")
from_the_leaves.add_mistakes(
    "What is known must be taken off the sum at the other end before the next leaf is read.",
    wrong_numbers.nothing_subtracted,
    "What is known must be taken off the sum at the other end before the next leaf is read.",
    wrong_numbers.nothing_subtracted_one_by_one,
    "The values come in the order in which they were found. Return them in the order of `edges`.",
    wrong_numbers.in_order_found,
    "The values come in the order in which they were found. Return them in the order of `edges`.",
    wrong_numbers.in_order_found_one_by_one,
    "One pass through the edges is not enough: an edge may become a leaf's only later. Go on.",
    wrong_numbers.one_pass,
    "One pass through the edges is not enough: an edge may become a leaf's only later. Go on.",
    wrong_numbers.one_pass_with_gaps,
    "One pass through the edges is not enough: an edge may become a leaf's only later. Go on.",
    wrong_numbers.one_pass_appended,
    "One pass through the edges is not enough: an edge may become a leaf's only later. Go on.",
    wrong_numbers.one_pass_in_a_dict,
    "Is one end of the edge a leaf yet? Go through the edges again and again, not once.",
    wrong_numbers.one_pass_without_asking,
    "Is one end of the edge a leaf yet? Go through the edges again and again, not once.",
    wrong_numbers.one_pass_by_the_first_ends,
    "The values need not be whole numbers: round nothing, and make no array of ints.",
    wrong_numbers.values_rounded,
    "The values need not be whole numbers: round nothing, and make no array of ints.",
    wrong_numbers.sums_cut_to_ints,
    "Only one end of each edge was looked at. The leaf may be either of the two.",
    wrong_numbers.first_end_only,
    "Only one end of each edge was looked at. The leaf may be either of the two.",
    wrong_numbers.second_end_only,
    "Only one end of each edge was looked at. The leaf may be either of the two.",
    wrong_numbers.first_end_only_with_zeros,
)


@from_the_leaves.method(
    "The values are right, but by solving a system. Walk: each leaf tells one value at once."
)
def _walks(call):
    in_c = ("linalg_lstsq", "linalg_solve", "linalg_pinv", "linalg_inv", "linalg_solve_ex")
    packages = ("numpy.linalg", "scipy.linalg", "scipy.sparse.linalg", "scipy.optimize")
    return not call.calls_of(*in_c) + sum(call.calls_in(one) for one in packages)


# arrow_jacobian

arrow_jacobian.cases(inputs.arrows)
arrow_jacobian.add_mistakes(
    "J is not symmetric: its first row needs a product of its own, a pull.",
    wrong_numbers.arrow_by_symmetry,
    "Row 0 of that product is a sum of many entries, not the entry (0, 0).",
    wrong_numbers.arrow_with_a_mixed_corner,
    "push gives columns and pull gives rows: yours are the other way round.",
    wrong_numbers.arrow_transposed,
    "A push of all ones holds column 0 as well. Push (0, 1, …, 1), or take column 0 off.",
    wrong_numbers.arrow_with_all_ones,
    "The corner (0, 0) is in the column and in the row: yours holds it twice.",
    wrong_numbers.arrow_with_the_corner_twice,
)


@arrow_jacobian.method(
    "The matrix is right, but it took more than three products. Columns 1 to n − 1 can share one."
)
def _three_products(call):
    push, pull, _ = call.arguments
    return call.calls_of(push) + call.calls_of(pull) <= 3


# pays_from

pays_from.cases(inputs.prices)
pays_from.random_cases(inputs.random_prices)


@pays_from.method("The number is to be an int, as Hessians are counted: return `int(…)`.")
def _counts(call):
    return call.value is None or isinstance(call.value, Integral)


pays_from.add_mistakes(
    "At that number both take the same time. Cheaper is less time.",
    wrong_numbers.pays_at_equality,
    "The prepared method takes `each` for every Hessian as well.",
    wrong_numbers.pays_without_each,
    "That is not a whole number: Hessians are counted.",
    wrong_numbers.pays_in_fractions,
    "Where a Hessian of the prepared method takes no less, it never pays: return None.",
    wrong_numbers.pays_always,
    "You divide by other − each: where the two are equal it is 0, and preparing never pays.",
    wrong_numbers.pays_by_zero,
    "None means never; here some number of Hessians is enough. (Or is a `return` missing?)",
    wrong_numbers.pays_never,
    "Rounding to the nearest goes too far up for some: 2.75 Hessians are reached by the third.",
    wrong_numbers.pays_rounded,
)


# newton

newton.cases(landscapes)
_leaves(newton, "x is")


@newton.method(
    "Not every step calls `solve`. Use the one you were given: with 100,002 variables another may "
    "fill the memory."
)
def _solves(call):
    return call.calls_of(call.arguments[3]) >= len(call.value[1])


newton.add_mistakes(
    "No line search: t is 1 in each step. Halve it until f falls enough.",
    wrong_numbers.newton_without_search,
    "gᵀs is not negative there, so s leads uphill or along the level: take s = -g.",
    wrong_numbers.newton_uphill,
    "gᵀs is not negative there, so s leads uphill or along the level: take s = -g.",
    wrong_numbers.newton_uphill_without_end,
    "Where gᵀs is exactly 0, s leads along the level: take s = -g there too.",
    wrong_numbers.newton_along_the_level,
    "That is descent along -g. Solve with the Hessian.",
    wrong_numbers.newton_by_descent,
    "That step has the wrong sign: s solves Hs = -g.",
    wrong_numbers.newton_backwards,
    "Your s leads uphill, so -g is taken instead of it. Does s solve Hs = -g?",
    wrong_numbers.newton_sign_forgotten,
    "That took one step only. Go on until the gradient is small.",
    wrong_numbers.newton_one_step,
    "Your loop ends after a number of steps. Go on until the gradient is small.",
    wrong_numbers.newton_of_a_dozen_steps,
    "Return x and the list of all t.",
    wrong_numbers.newton_without_lengths,
    "That is the length of the gradient. The largest element, in magnitude, is asked for.",
    wrong_numbers.newton_by_the_norm,
    "An element of the gradient may be large and negative: compare magnitudes.",
    wrong_numbers.newton_without_magnitude,
    "Any fall is taken. f must fall by at least 1e-4 · t · |gᵀs|.",
    wrong_numbers.newton_with_any_fall,
    "The fall that you ask for is too large, or too small: it is 1e-4 · t · |gᵀs|.",
    wrong_numbers.newton_with_a_hundredth,
    "A shorter step need not fall as far: t belongs into the test, 1e-4 · t · gᵀs.",
    wrong_numbers.newton_without_t_in_the_test,
    "After s = -g the slope gᵀs is another one: compute it again.",
    wrong_numbers.newton_with_the_old_slope,
    "The search ends too soon: steps down to t = 1e-9 are to be tried.",
    wrong_numbers.newton_that_gives_up_early,
    "You searched below t = 1e-9: give up there, and return what you have.",
    wrong_numbers.newton_that_gives_up_late,
    "Where no t >= 1e-9 makes f fall enough, stop and return: your loop goes on.",
    wrong_numbers.newton_steps_anyway,
    "Where no t >= 1e-9 makes f fall enough, stop and return: your loop goes on.",
    wrong_numbers.newton_without_a_limit,
)
