"""`math`: functions and constants on floats.

Source: flux.md §13.
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Callable

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Null, UInt, Value, kind_of
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("math")
PACKAGE.values.update(
    {
        "pi": math.pi,
        "e": math.e,
        "phi": (1 + math.sqrt(5)) / 2,
        "sqrt2": math.sqrt(2),
        "sqrte": math.sqrt(math.e),
        "sqrtpi": math.sqrt(math.pi),
        "sqrtphi": math.sqrt((1 + math.sqrt(5)) / 2),
        "ln2": math.log(2),
        "log2e": 1 / math.log(2),
        "ln10": math.log(10),
        "log10e": 1 / math.log(10),
        "maxfloat": 1.7976931348623157e308,
        "smallestNonzeroFloat": 5e-324,
        "maxint": (1 << 63) - 1,
        "minint": -(1 << 63),
        "maxuint": UInt((1 << 64) - 1),
    }
)


def _number(call: Call, name: str) -> float | None:
    """A float argument; None for null."""
    value = call.value(name)
    if isinstance(value, Null):
        return None
    if not isinstance(value, float):
        raise InvalidInput(f"type conflict: float != {kind_of(value)}")
    return value


def _guarded(function: Callable[..., float], *arguments: float) -> float:
    """What Go's functions give where Python's raise: infinities and NaN."""
    try:
        return function(*arguments)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def _define(name: str, function: Callable[..., float], *parameters: str) -> None:
    def run(call: Call) -> Value:
        numbers = [n for n in (_number(call, p) for p in parameters) if n is not None]
        if len(numbers) < len(parameters):
            return Null("float")
        return float(_guarded(function, *numbers))

    PACKAGE.function(" ".join(parameters), name)(run)


def round_half_away(x: float) -> float:
    """To the nearest whole number, halves away from zero."""
    if not math.isfinite(x):
        return x
    whole = math.trunc(x)
    if abs(x - whole) >= 0.5:
        whole += 1 if x > 0 else -1
    return math.copysign(float(whole), x)


def _even(x: float) -> float:
    return math.copysign(float(round(x)), x) if math.isfinite(x) else x


def _keeping(function: Callable[[float], int]) -> Callable[[float], float]:
    """Whole numbers as floats; what is not finite stays, and so does the sign of zero."""
    return lambda x: math.copysign(float(function(x)), x) if math.isfinite(x) else x


def _log(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: -math.inf if x == 0 else function(x)


def _log1p(x: float) -> float:
    return -math.inf if x == -1 else math.log1p(x)


def _sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0 else math.nan


def _dim(x: float, y: float) -> float:
    return max(x - y, 0.0) if not math.isnan(x - y) else math.nan


def _gamma(x: float) -> float:
    if x == 0:
        return math.copysign(math.inf, x)
    return math.gamma(x)


def _power(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
    except ValueError:
        return math.inf if x == 0 else math.nan


def _remainder(x: float, y: float) -> float:
    return math.nan if y == 0 or math.isinf(x) else math.remainder(x, y)


def _mod(x: float, y: float) -> float:
    return math.nan if y == 0 or math.isinf(x) else math.fmod(x, y)


def _larger(x: float, y: float) -> float:
    return math.nan if math.isnan(x) or math.isnan(y) else max(x, y)


def _smaller(x: float, y: float) -> float:
    return math.nan if math.isnan(x) or math.isnan(y) else min(x, y)


def _exp_overflow(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: _guarded(function, x)


def _sinh(x: float) -> float:
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(math.inf, x)


def _erfinv(x: float) -> float:
    """The inverse of erf by Newton's method from a rational start."""
    if abs(x) > 1 or math.isnan(x):
        return math.nan
    if abs(x) == 1:
        return math.copysign(math.inf, x)
    a = 0.147
    log = math.log(1 - x * x)
    half = 2 / (math.pi * a) + log / 2
    guess = math.copysign(math.sqrt(math.sqrt(half * half - log / a) - half), x)
    for _ in range(4):
        guess -= (math.erf(guess) - x) / (2 / math.sqrt(math.pi) * math.exp(-guess * guess))
    return guess


def _atanh(x: float) -> float:
    return math.copysign(math.inf, x) if abs(x) == 1 else math.atanh(x)


_UNARY: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "acos": math.acos,
    "acosh": math.acosh,
    "asin": math.asin,
    "asinh": math.asinh,
    "atan": math.atan,
    "atanh": _atanh,
    "cbrt": lambda x: (
        math.copysign(abs(x) ** (1 / 3), x)
        if round(abs(x) ** (1 / 3)) ** 3 != abs(x)
        else math.copysign(float(round(abs(x) ** (1 / 3))), x)
    ),
    "ceil": _keeping(math.ceil),
    "cos": math.cos,
    "cosh": _exp_overflow(math.cosh),
    "erf": math.erf,
    "erfc": math.erfc,
    "erfinv": _erfinv,
    "erfcinv": lambda x: _erfinv(1 - x),
    "exp": math.exp,
    "exp2": lambda x: _power(2.0, x),
    "expm1": math.expm1,
    "floor": _keeping(math.floor),
    "gamma": _gamma,
    "log": _log(math.log),
    "log10": _log(math.log10),
    "log1p": _log1p,
    "log2": _log(math.log2),
    "logb": lambda x: -math.inf if x == 0 else float(math.frexp(x)[1] - 1),
    "round": round_half_away,
    "roundtoeven": _even,
    "sin": math.sin,
    "sinh": _sinh,
    "sqrt": _sqrt,
    "tan": math.tan,
    "tanh": math.tanh,
    "trunc": _keeping(math.trunc),
}
for _name, _function in _UNARY.items():
    _define(_name, _function, "x")
for _name, _binary, _parameters in (
    ("atan2", math.atan2, ("y", "x")),
    ("copysign", math.copysign, ("x", "y")),
    ("dim", _dim, ("x", "y")),
    ("hypot", math.hypot, ("p", "q")),
    ("mMax", _larger, ("x", "y")),
    ("mMin", _smaller, ("x", "y")),
    ("mod", _mod, ("x", "y")),
    ("nextafter", math.nextafter, ("x", "y")),
    ("pow", _power, ("x", "y")),
    ("remainder", _remainder, ("x", "y")),
):
    _define(_name, _binary, *_parameters)


@PACKAGE.function("f sign")
def isInf(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Infinite, of a sign where one is given."""
    number, sign = call.float("f"), call.int("sign")
    return math.isinf(number) and (sign == 0 or (number > 0) == (sign > 0))


@PACKAGE.function("f")
def isNaN(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Not a number."""
    return math.isnan(call.float("f"))


@PACKAGE.function("")
def NaN(call: Call) -> Value:  # noqa: N802, ARG001 - Flux's name
    """Not a number."""
    return math.nan


@PACKAGE.function("sign")
def mInf(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Infinity of a sign."""
    return math.inf if call.int("sign") >= 0 else -math.inf


@PACKAGE.function("x")
def signbit(call: Call) -> Value:
    """Negative, or negative zero."""
    return math.copysign(1.0, call.float("x")) < 0


@PACKAGE.function("n")
def pow10(call: Call) -> Value:
    """A power of ten."""
    return _power(10.0, float(call.int("n")))


@PACKAGE.function("frac exp")
def ldexp(call: Call) -> Value:
    """A fraction by a power of two."""
    return _guarded(lambda: math.ldexp(call.float("frac"), call.int("exp")))


@PACKAGE.function("f")
def frexp(call: Call) -> Value:
    """The fraction and the power of two."""
    fraction, exponent = math.frexp(call.float("f"))
    return {"frac": fraction, "exp": exponent}


@PACKAGE.function("x")
def ilogb(call: Call) -> Value:
    """The binary exponent."""
    number = call.float("x")
    if number == 0:
        return -(1 << 31)
    if not math.isfinite(number):
        return (1 << 31) - 1
    return math.frexp(number)[1] - 1


@PACKAGE.function("x")
def lgamma(call: Call) -> Value:
    """The logarithm of gamma, and its sign."""
    number = call.float("x")
    value = _guarded(math.lgamma, number)
    negative = number < 0 and math.floor(number) % 2 == 1
    return {"lgamma": value, "sign": -1 if negative else 1}


@PACKAGE.function("f")
def modf(call: Call) -> Value:
    """The whole part and the fraction."""
    fraction, whole = math.modf(call.float("f"))
    return {"int": whole, "frac": fraction}


@PACKAGE.function("x")
def sincos(call: Call) -> Value:
    """Sine and cosine."""
    number = call.float("x")
    return {"sin": _guarded(math.sin, number), "cos": _guarded(math.cos, number)}


@PACKAGE.function("f")
def float64bits(call: Call) -> Value:
    """The bits of a float."""
    return UInt(struct.unpack("<Q", struct.pack("<d", call.float("f")))[0])


@PACKAGE.function("b")
def float64frombits(call: Call) -> Value:
    """The float of bits."""
    value = call.value("b")
    if not isinstance(value, UInt):
        raise InvalidInput(f"expected uint but found {kind_of(value)} (argument b)")
    number: float = struct.unpack("<d", struct.pack("<Q", int(value)))[0]
    return number


def _bessel_first(order: int, x: float) -> float:
    """The Bessel function of the first kind by its integral; Simpson's rule is exact to rounding here."""
    if x == 0:
        return 1.0 if order == 0 else 0.0
    steps = 400 + 8 * int(abs(x) + abs(order))
    width = math.pi / steps
    weights = (1.0 if i in (0, steps) else 4.0 if i % 2 else 2.0 for i in range(steps + 1))
    terms = [w * math.cos(order * i * width - x * math.sin(i * width)) for i, w in enumerate(weights)]
    return math.fsum(terms) * width / 3 / math.pi


def _bessel_second(order: int, x: float) -> float:
    """The Bessel function of the second kind: a periodic integral and one that falls off fast."""
    if x < 0 or math.isnan(x):
        return math.nan
    if x == 0:
        return -math.inf
    steps = 4000
    width = math.pi / steps
    first = math.fsum(
        (1.0 if i in (0, steps) else 4.0 if i % 2 else 2.0) * math.sin(x * math.sin(i * width) - order * i * width)
        for i in range(steps + 1)
    )
    # Beyond this bound the integrand is below the smallest difference that a float shows.
    bound = math.asinh(750 / x) + 1
    height = bound / steps
    sign = -1 if order % 2 else 1
    second = 0.0
    for i in range(steps + 1):
        t = i * height
        fall = _guarded(math.sinh, t) * x
        if fall > 700:
            break
        weight = 1.0 if i == 0 else 4.0 if i % 2 else 2.0
        second += weight * (math.exp(order * t) + sign * math.exp(-order * t)) * math.exp(-fall)
    return first * width / 3 / math.pi - second * height / 3 / math.pi


for _name, _order_function, _order in (
    ("j0", _bessel_first, 0),
    ("j1", _bessel_first, 1),
    ("y0", _bessel_second, 0),
    ("y1", _bessel_second, 1),
):
    _define(_name, functools.partial(_order_function, _order), "x")


@PACKAGE.function("n x")
def jn(call: Call) -> Value:
    """The Bessel function of the first kind, of any order."""
    return _bessel_first(call.int("n"), call.float("x"))


@PACKAGE.function("n x")
def yn(call: Call) -> Value:
    """The Bessel function of the second kind, of any order."""
    return _bessel_second(call.int("n"), call.float("x"))
