"""A number that remembers how it was made: what `autodiff_course.graph` records, as Python runs."""

from __future__ import annotations

from numbers import Real

from autodiff_course import _rules

__all__ = ["Scalar"]


def _apply(operation, rule, operands, values, nodes=slice(None)):
    """Record the result of a rule, with an edge to each operand in the slice `nodes`."""
    node = object.__new__(Scalar)  # without the checks of Scalar(...): this value is computed
    try:
        # float(): a NumPy float32 would pull the result down to its own precision.
        result = rule(*map(float, values))
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        shown = f" {operation} ".join(map(repr, values))
        what = shown if len(values) == 2 else f"{operation} of {shown}"
        # The last argument: some of Python's own errors begin with an error number.
        raise type(error)(f"{what}: {error.args[-1]}") from None
    node.operation, node.operands, node.name = operation, operands, None
    node.value, node.parents, node.local_derivatives = result[0], operands[nodes], result[1:][nodes]
    return node


def _unary_operator(operation, rule):
    def operator(self):
        return _apply(operation, rule, (self,), (self.value,))

    operator.__doc__ = f"Record {operation} of this number."
    return operator


def _binary_operators(operation, rule, with_a_scalar=None):
    """Return the method for ``self op other`` and the one for ``other op self``.

    `with_a_scalar` is the rule where the second operand is no constant, if that is another.
    """
    with_a_scalar = with_a_scalar or rule
    first, second = slice(1), slice(1, 2)

    def operator(self, other):
        if isinstance(other, Scalar):
            return _apply(operation, with_a_scalar, (self, other), (self.value, other.value))
        if type(other) is float or isinstance(other, Real):  # the first is the faster one
            return _apply(operation, rule, (self, other), (self.value, other), first)
        return NotImplemented

    def reflected(self, other):
        if type(other) is float or isinstance(other, Real):
            return _apply(operation, with_a_scalar, (other, self), (other, self.value), second)
        return NotImplemented

    return operator, reflected


class Scalar:
    """A real number that remembers the operation and the operands it came from.

    Supports ``+ - * / **``, unary minus and ``abs`` with numbers on either side, and the methods
    ``exp``, ``log``, ``sqrt``, ``sin``, ``cos``, ``tanh`` and ``relu``. The same Python function
    therefore runs on a `Scalar` and on a `torch.Tensor`.

    Parameters
    ----------
    value : int or float
        The number; kept as a Python float (float64).
    name : str, optional
        What pictures and tables call this node.

    Attributes
    ----------
    value : float
        The primal value.
    operation : str
        ``"+"``, ``"sin"``, ...; empty for an input.
    operands : tuple of Scalar, int or float
        What the operation was applied to, in order, constants included.
    parents : tuple of Scalar
        The operands that are nodes. A node used twice stands here twice.
    local_derivatives : tuple of float
        One per parent: the derivative of this value with respect to that operand alone.
    name : str or None
        May be set later, for example with `named`.

    Raises
    ------
    TypeError
        If `value` is not a real number.
    ValueError, ZeroDivisionError, OverflowError
        By an operation outside its domain or the range of a float (``log`` of 0, division by 0,
        ``0 ** -1``, ``exp(1000)``). The message names the operation and its operands.

    Notes
    -----
    Where a derivative does not exist the convention is that of PyTorch: 0 for ``relu`` and ``abs``
    at 0, infinity for ``sqrt`` and for ``x ** p`` with 0 < p < 1 at 0, 0 for ``x ** 0``, and 0 for
    the exponent of ``0 ** y``. Where a function or a power has no finite value PyTorch goes on with
    NaN or infinity; here an error is raised. Sums, products and quotients that are too large become
    infinite, as all floats do.

    Each operation costs its own arithmetic plus that of its local derivatives, at once.

    Examples
    --------
    >>> from autodiff_course.graph import gradient
    >>> a, b = Scalar(2.0, name="a"), Scalar(1.0, name="b")
    >>> e = (a + b) * (b + 1)
    >>> e
    Scalar(6.0, operation='*')
    >>> gradient(e, (a, b))
    (2.0, 5.0)
    """

    __slots__ = ("local_derivatives", "name", "operands", "operation", "parents", "value")

    def __init__(self, value: float, name: str | None = None) -> None:
        if not isinstance(value, Real):
            raise TypeError(f"value must be an int or a float, got {type(value).__name__}")
        self.value = float(value)
        self.operation = ""
        self.operands = self.parents = self.local_derivatives = ()
        self.name = name

    def named(self, name: str) -> Scalar:
        """Set `name` and return the same node, so that a line can make it and name it.

        Examples
        --------
        >>> (Scalar(2.0) * 3).named("y")
        Scalar(6.0, name='y', operation='*')
        """
        self.name = name
        return self

    def __repr__(self) -> str:
        name = f", name={self.name!r}" if self.name else ""
        operation = f", operation={self.operation!r}" if self.operation else ""
        return f"Scalar({self.value!r}{name}{operation})"

    __add__, __radd__ = _binary_operators("+", _rules.add)
    __sub__, __rsub__ = _binary_operators("-", _rules.subtract)
    __mul__, __rmul__ = _binary_operators("*", _rules.multiply)
    __truediv__, __rtruediv__ = _binary_operators("/", _rules.divide)
    __pow__, __rpow__ = _binary_operators("**", _rules.power, _rules.power_with_a_scalar)
    __neg__ = _unary_operator("neg", _rules.negate)
    __abs__ = _unary_operator("abs", _rules.absolute)
    exp = _unary_operator("exp", _rules.exp)
    log = _unary_operator("log", _rules.log)
    sqrt = _unary_operator("sqrt", _rules.sqrt)
    sin = _unary_operator("sin", _rules.sin)
    cos = _unary_operator("cos", _rules.cos)
    tanh = _unary_operator("tanh", _rules.tanh)
    relu = _unary_operator("relu", _rules.relu)
