"""Answers that real readers hand in to the exercises of notebook 04."""

import pytest
import torch

from autodiff_course.exercises import ex04


def _message(one, answer):
    result = one.check(answer)
    assert not result
    return result.message


# scaled_backward


def test_the_rule_is_the_one_that_autograd_finds():
    def by_autograd(x, s, needs, adjoint):
        leaves = x.detach().requires_grad_(), s.detach().requires_grad_()
        found = torch.autograd.grad(leaves[1] * leaves[0] ** 2, leaves, adjoint)
        return tuple(g if asked else None for g, asked in zip(found, needs, strict=True))

    assert ex04.scaled_backward.check(by_autograd)


def test_the_adjoint_belongs_to_the_sweep():
    def in_place(x, s, needs, adjoint):
        by_s = (adjoint * x**2).sum() if needs[1] else None
        return adjoint.mul_(2 * s * x) if needs[0] else None, by_s

    assert "belongs to the sweep" in _message(ex04.scaled_backward, in_place)


def test_a_plain_number_for_s_and_one_of_length_one_are_told_apart():
    def answer(shape):
        def rule(x, s, needs, adjoint):
            by_x, by_s = ex04.scaled_backward.reference(x, s, needs, adjoint)
            return by_x, None if by_s is None else shape(by_s)

        return rule

    assert ".item()" in _message(ex04.scaled_backward, answer(torch.Tensor.item))
    message = _message(ex04.scaled_backward, answer(lambda s: s.reshape(1)))
    assert "not one of length 1" in message


# straight_through


def test_the_weights_of_the_caller_do_not_require_grad_afterwards():
    def answer(w, x, y):
        w.requires_grad_()
        ((w + (w.round() - w).detach()) * x - y).square().mean().backward()
        return w.grad.clone()

    assert "The caller's w requires grad now" in _message(ex04.straight_through, answer)


def test_the_detach_trick_is_right_and_plain_rounding_and_floor_are_recognised():
    def by(rounding):
        def answer(w, x, y):
            w = w.detach().requires_grad_()
            (((rounding(w)) * x - y) ** 2).mean().backward()
            return w.grad

        return answer

    assert ex04.straight_through.check(by(lambda w: w + (w.round() - w).detach()))
    assert _message(ex04.straight_through, by(torch.round)).startswith("All zero")
    floor = by(lambda w: w + (w.floor() - w).detach())
    assert _message(ex04.straight_through, floor).startswith("floor is not round")


# node_of


def _node(backward, keep=None, apply=True):
    """Make an answer of a backward rule."""

    class Answer(torch.autograd.Function):
        @staticmethod
        def forward(x, w, f, step):
            return f(x, w)

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, w, ctx.f, ctx.step = inputs
            ctx.save_for_backward(x, w, output)
            if keep:
                setattr(ctx, keep, output)

    Answer.backward = staticmethod(backward)
    return lambda f, x, w, step: Answer.apply(x, w, f, step) if apply else f(x, w)


def _difference(ctx, adjoint, shifted=lambda w: w.detach().clone(), down=0, again=False):
    x, w, start = ctx.saved_tensors
    by_w = []
    for i in range(len(w)):
        high, low = shifted(w), w.detach().clone()
        high[i] += ctx.step
        low[i] -= down * ctx.step
        below = ctx.f(x, low) if down or again else start
        by_w.append((adjoint * (ctx.f(x, high) - below) / ((1 + down) * ctx.step)).sum())
        if shifted is _shared:
            high[i] -= ctx.step
    return torch.stack(by_w)


def _shared(w):
    return w.detach()


def _surrogate(f, x, w, step):
    """Return the right value with the right gradient, and without a Function."""
    start, eye = f(x, w), step * torch.eye(len(w), dtype=w.dtype)
    slopes = torch.stack([(f(x, w.detach() + e) - start) / step for e in eye])
    return start + (w - w.detach()) @ slopes


def _rule(**options):
    return lambda ctx, adjoint: (None, _difference(ctx, adjoint, **options), None, None)


def test_a_function_is_right_and_in_the_older_form_it_is_told_so():
    class Older(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w, f, step):
            output = f(x, w)
            ctx.save_for_backward(x, w, output)
            ctx.f, ctx.step = f, step
            return output

        backward = staticmethod(_rule())

    assert ex04.node_of.check(_node(_rule()))
    result = ex04.node_of.check(lambda f, x, w, step: Older.apply(x, w, f, step))
    assert result.status == "other way" and "older form" in result.message


@pytest.mark.parametrize(
    ("symbol", "words", "answer"),
    [
        ("✗", "Function by its apply", _node(None, apply=False)),
        ("≈", "No Function of yours", _surrogate),
        ("✗", "returns 1 of 4 values", _node(lambda c, a: _difference(c, a))),
        ("✗", "returns 2 of 4 values", _node(lambda c, a: (None, _difference(c, a)))),
        ("✗", "None in every place", _node(lambda c, a: (None, None, None, None))),
        ("✗", "stands in place 1", _node(lambda c, a: (_difference(c, a), None, None, None))),
        ("✗", "raised AttributeError: ", _node(lambda c, a: c.nothing)),
        ("✗", "PyTorch refuses", _node(lambda c, a: (None, a.new_ones(7), None, None))),
        (
            "✗",
            "zeros for x",
            _node(lambda c, a: (torch.zeros_like(a), _difference(c, a), None, None)),
        ),
        ("✗", "w was changed", _node(_rule(shifted=_shared))),
        (
            "✗",
            "The adjoint is lost",
            _node(lambda c, a: (None, _difference(c, torch.ones_like(a)), None, None)),
        ),
        ("✗", "not the forward difference", _node(_rule(down=1))),
        ("✗", "went through float32", _node(_rule(shifted=lambda w: w.detach().float()))),
        ("≈", "backward calls f at w again", _node(_rule(again=True))),
        ("≈", "A tensor is an attribute of ctx", _node(_rule(), keep="output")),
    ],
)
def test_a_node_with_a_wrong_backward_is_told_what_is_wrong(symbol, words, answer):
    assert words in _message(ex04.node_of, answer)
    assert repr(ex04.node_of.check(answer)).startswith(symbol)


def test_a_node_that_reads_the_outer_weights_or_differs_on_the_way_forward_is_told_so():
    def captured(f, x, w, step):
        rule = _node(lambda ctx, adjoint: (None, slope(ctx, adjoint), None, None))

        def slope(ctx, adjoint):
            start, eye = ctx.saved_tensors[2], step * torch.eye(len(w), dtype=w.dtype)
            return torch.stack(
                [(adjoint * (f(x, w.detach() + e) - start) / step).sum() for e in eye]
            )

        return rule(f, x.clone(), w.clone(), step)

    def early(f, x, w, step):
        class Early(torch.autograd.Function):
            @staticmethod
            def forward(x, w):
                return f(x, w)

            @staticmethod
            def setup_context(ctx, inputs, output):
                x, w = inputs
                eye = step * torch.eye(len(w), dtype=w.dtype)
                ctx.save_for_backward(torch.stack([(f(x, w + e) - output) / step for e in eye]))

            @staticmethod
            def backward(ctx, adjoint):
                return None, ctx.saved_tensors[0] @ adjoint

        return Early.apply(x, w)

    assert "silently changed" in _message(ex04.node_of, captured)
    assert "on the way forward" in _message(ex04.node_of, early)


# central_slopes


@pytest.mark.parametrize("alias", [lambda w: w, torch.Tensor.detach, lambda w: w.data])
def test_every_alias_of_the_weights_is_a_leak(alias):
    def answer(f, w, step):
        tensor, slopes = alias(w), []
        for i in range(len(w)):
            tensor[i] += step
            above = f(tensor)
            tensor[i] -= 2 * step
            slopes.append((above - f(tensor)) / (2 * step))
            tensor[i] += step
        return slopes

    assert _message(ex04.central_slopes, answer).startswith("The caller's tensor was changed.")


def test_unit_vectors_times_the_step_are_right():
    def answer(f, w, step):
        eye = step * torch.eye(len(w), dtype=w.dtype)
        return torch.tensor([(f(w + e) - f(w - e)) / (2 * step) for e in eye], dtype=w.dtype)

    assert ex04.central_slopes.check(answer)
    for unlike in (torch.Tensor.float, torch.Tensor.tolist):
        message = _message(ex04.central_slopes, lambda *given, to=unlike: to(answer(*given)))
        assert message.startswith("Return a tensor like w")


def test_values_that_go_through_float32_lose_their_digits():
    def answer(f, w, step):
        eye = step * torch.eye(len(w))
        high, low = (torch.tensor([f(w + sign * e) for e in eye]) for sign in (1, -1))
        return ((high - low) / (2 * step)).to(w.dtype)

    assert "went through float32" in _message(ex04.central_slopes, answer)


# best_step


@pytest.mark.parametrize("scheme", ["forward", "central"])
def test_no_other_step_has_a_lower_bound(scheme):
    def bound(h):
        return h / 2 + 2 * accuracy / h if scheme == "forward" else h**2 / 6 + accuracy / h

    for accuracy in (1e-3, 1e-6, 2.0**-52):
        best = ex04.best_step.reference(accuracy, scheme)
        assert all(bound(best) < bound(best * factor) for factor in (0.5, 0.9, 1.1, 2.0))


def test_a_numeric_minimum_is_right():
    def answer(accuracy, scheme):
        def slope(h):
            bend = -2 * accuracy / h**2 if scheme == "forward" else -accuracy / h**2
            return bend + (0.5 if scheme == "forward" else h / 3)

        low, high = 1e-9, 1.0
        while high > low * (1 + 1e-8):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if slope(middle) < 0 else (low, middle)
        return high

    assert ex04.best_step.check(answer)
    assert not ex04.best_step.check(lambda a, s: 1.01 * answer(a, s))


def test_the_powers_alone_are_recognised():
    message = _message(ex04.best_step, lambda a, s: a ** (0.5 if s == "forward" else 1 / 3))
    assert message.startswith("The right powers")


# recursive_node


def _recursive(backward, keep=False):
    class Answer(torch.autograd.Function):
        @staticmethod
        def forward(x, f, step):
            return f(x)

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.f, ctx.step = inputs
            ctx.save_for_backward(x)
            if keep:
                ctx.x = x

    Answer.backward = staticmethod(lambda ctx, adjoint: backward(Answer.apply, ctx, adjoint))
    return lambda f, x, step: Answer.apply(x, f, step)


def _between(evaluate, ctx, adjoint, low=-1.0, inner=lambda x: x):
    x, h = inner(ctx.saved_tensors[0]), ctx.step
    slope = (evaluate(x + h, ctx) - evaluate(x + low * h, ctx)) / ((1 - low) * h)
    return adjoint * slope, None, None


def _through(apply, part=1.0):
    return lambda x, ctx: apply(x, ctx.f, part * ctx.step)


@pytest.mark.parametrize(
    ("words", "backward"),
    [
        (None, lambda go, c, a: _between(_through(go), c, a)),
        ("backward must call apply", lambda go, c, a: _between(lambda x, c: c.f(x), c, a)),
        (
            "not the central difference",
            lambda go, c, a: _between(_through(go), c, a, low=0.0),
        ),
        ("returns 1 of 3 values", lambda go, c, a: a),
        ("raised AttributeError: ", lambda go, c, a: c.nothing),
        ("The adjoint is lost", lambda go, c, a: _between(_through(go), c, torch.ones_like(a))),
        ("not detached", lambda go, c, a: _between(_through(go), c, a, inner=torch.Tensor.detach)),
        ("Do not detach it", lambda go, c, a: _between(_through(go), c, a.detach())),
        ("the same step", lambda go, c, a: _between(_through(go, 1e-3), c, a)),
        ("the forward one", lambda go, c, a: _between(_through(go), c, a, low=0.0)),
    ],
)
def test_the_recursive_backward_is_judged_by_both_derivatives(words, backward):
    if words is None:
        assert ex04.recursive_node.check(_recursive(backward))
    else:
        assert words in _message(ex04.recursive_node, _recursive(backward))
        assert ex04.recursive_node.check(_recursive(backward)).status == "wrong"


def test_a_recursive_answer_that_reads_the_outer_point_or_goes_two_deep_is_told_so():
    def captured(f, x, step):
        rule = _recursive(lambda go, c, a: _between(_through(go), c, a, inner=lambda _: x))
        return rule(f, x, step)

    def two_deep(f, x, step):
        inner = _recursive(lambda go, c, a: _between(lambda x, c: c.f(x), c, a))
        outer = _recursive(lambda go, c, a: _between(lambda x, c: inner(f, x, step), c, a))
        return outer(f, x, step)

    assert "the x of the outer function" in _message(ex04.recursive_node, captured)
    assert "no right third one" in _message(ex04.recursive_node, two_deep)


def test_a_recursive_answer_that_keeps_a_tensor_as_an_attribute_is_told_so():
    right = _recursive(lambda go, c, a: _between(_through(go), c, a), keep=True)
    assert "A tensor is an attribute of ctx" in _message(ex04.recursive_node, right)


def test_a_recursive_answer_without_a_function_is_told_so():
    def taylor(f, x, step):
        at, by = x.detach(), x - x.detach()
        low, here, high = f(at - step), f(at), f(at + step)
        return here + by * (high - low) / (2 * step) + by**2 * (high - 2 * here + low) / step**2 / 2

    assert "No Function of yours" in _message(ex04.recursive_node, taylor)


# agrees


def test_gradcheck_at_its_defaults_is_too_loose_and_a_tight_one_is_right():
    def answer(function, x, **tolerances):
        x = x.detach().requires_grad_()
        return torch.autograd.gradcheck(function, (x,), raise_exception=False, **tolerances)

    assert "the tolerances of gradcheck" in _message(ex04.agrees, answer)
    assert ex04.agrees.check(lambda f, x: answer(f, x, rtol=1e-6, atol=1e-6, eps=1e-5))


def test_a_check_leaves_the_point_of_the_caller_alone():
    def answer(function, x):
        x.requires_grad_()
        return ex04.agrees.reference(function, x)

    assert "The caller's x requires grad now" in _message(ex04.agrees, answer)


# training_calls


def test_calls_may_be_counted_one_by_one():
    def answer(weights, steps, scheme):
        return sum(1 + weights * (2 if scheme == "central" else 1) for _ in range(steps))

    assert ex04.training_calls.check(answer)


def test_drills_have_an_answer():
    for one in (ex04.drill_difference, ex04.drill_backward, ex04.drill_calls):
        assert "✎" in str(one())
