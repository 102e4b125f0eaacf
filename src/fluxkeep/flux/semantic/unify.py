"""Making two types one, and what is said when they cannot be.

`unify(expected, actual)` fills variables so that both become the same type, goes
on after a mismatch, and returns the faults in the order found. Faults keep
types, not texts, because a message shows what is known when checking has ended.

Source: flux.md §4, §9; recorded answers in tests/golden/flux.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.semantic.types import (
    DYNAMIC,
    KINDS,
    Basic,
    Collection,
    Dictionary,
    Function,
    Names,
    Record,
    Type,
    Var,
    resolve,
    row,
    walk,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not fit; `argument` names the argument of a call in which it was found."""

    argument: str = ""

    def text(self) -> str:
        """The message."""
        suffix = f" (argument {self.argument})" if self.argument else ""
        return self._cause() + suffix

    def _cause(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Mismatch(Fault):
    """Two types that are different."""

    expected: Type = DYNAMIC
    actual: Type = DYNAMIC

    def _cause(self) -> str:
        names = Names()
        return f"expected {names.show_classed(self.expected)} but found {names.show_classed(self.actual)}"


@dataclass(frozen=True, slots=True)
class Incapable(Fault):
    """A type that cannot do what is asked of it."""

    type: Type = DYNAMIC
    kind: str = ""

    def _cause(self) -> str:
        return f"{Names().show_classed(self.type)} is not {self.kind}"


@dataclass(frozen=True, slots=True)
class Endless(Fault):
    """A type that would contain itself."""

    variable: Type = DYNAMIC
    type: Type = DYNAMIC

    def _cause(self) -> str:
        names = Names()
        return f"recursive types not supported {names.show(self.variable)} != {names.show(self.type)}"


@dataclass(frozen=True, slots=True)
class Wording(Fault):
    """A message that needs no types."""

    message: str = ""

    def _cause(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class UnexpectedArgument(Fault):
    """An argument that the function does not take; `name` is that argument, `others` those it would."""

    name: str = ""
    others: tuple[str, ...] = ()

    def _cause(self) -> str:
        quoted = [f"`{name}`" for name in self.others]
        hint = f" (Expected {quoted[0]})" if len(quoted) == 1 else ""
        if len(quoted) > 1:
            hint = f" (Expected one of {', '.join(quoted[:-1])} or {quoted[-1]})"
        return f"found unexpected argument {self.name}{hint}"


TOO_LARGE = "the types of the script are too large to check"

STEPS_MAX = 200_000
"""Pairs of types that one script may compare. A script of ordinary size takes some thousands; types that contain
themselves many times over, which a few lines can make, would take longer than anybody waits."""


class Unifier:
    """Makes types one, for one script."""

    def __init__(self) -> None:
        self._steps = 0

    def _step(self) -> None:
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise InvalidInput(TOO_LARGE)

    def unify(self, expected: Type, actual: Type) -> list[Fault]:
        """Fill variables so that both types are the same; what does not fit is returned."""
        self._step()
        expected, actual = resolve(expected), resolve(actual)
        if expected is actual:
            return []
        if isinstance(expected, Var):
            return self._bind(expected, actual)
        if isinstance(actual, Var):
            return self._bind(actual, expected)
        match expected, actual:
            case Basic(), Basic():
                return [] if expected.name == actual.name else [Mismatch(expected=expected, actual=actual)]
            case Collection(), Collection():
                faults: list[Fault] = []
                if expected.kind != actual.kind:
                    faults.append(Mismatch(expected=expected, actual=actual))
                return faults + self.unify(expected.element, actual.element)
            case Dictionary(), Dictionary():
                return self.unify(expected.key, actual.key) + self.unify(expected.value, actual.value)
            case Record(), Record():
                return self._unify_records(expected, actual)
            case (Record(), Basic()) | (Basic(), Record()) if DYNAMIC in (expected, actual):
                return self._unify_with_dynamic(expected, actual)
            case Function(), Function():
                return [fault for _, fault in self.unify_functions(expected, actual)]
        return [Mismatch(expected=expected, actual=actual)]

    def constrain(self, t: Type, kind: str) -> list[Fault]:
        """Require that a type can do something; a variable will have to."""
        self._step()
        t = resolve(t)
        match t:
            case Var():
                t.kinds |= {kind}
                return []
            case Basic(name=name) if kind in KINDS[name]:
                return []
            case Record() if kind == "Record":
                return []
            case Record() if kind == "Equatable":
                fields, tail = row(t)
                if tail is not None:
                    tail.kinds |= {kind}
                return [fault for _, item in fields for fault in self.constrain(item, kind)]
            case Collection(kind="array", element=element) if kind == "Equatable":
                return self.constrain(element, kind)
            case Collection(kind="vector", element=element):
                return self.constrain(element, kind)
        return [Incapable(type=t, kind=kind)]

    def _bind(self, variable: Var, t: Type) -> list[Fault]:
        if isinstance(t, Var):
            t.kinds |= variable.kinds
            t.level = min(t.level, variable.level)
            variable.ref = t
            return []
        if self._occurs(variable, t):
            return [Endless(variable=variable, type=t)]
        variable.ref = t
        return [fault for kind in sorted(variable.kinds) for fault in self.constrain(t, kind)]

    def _occurs(self, variable: Var, t: Type) -> bool:
        """Whether the variable stands in the type; by the way, what does is as shallow as the variable."""
        for current in walk(t):
            self._step()
            if current is variable:
                return True
            if isinstance(current, Var):
                current.level = min(current.level, variable.level)
        return False

    def _unify_records(self, expected: Record, actual: Record) -> list[Fault]:
        wanted, wanted_tail = row(expected)
        found, found_tail = row(actual)
        by_label: dict[str, list[Type]] = {}
        for label, item in found:
            by_label.setdefault(label, []).append(item)
        faults: list[Fault] = []
        missing: list[tuple[str, Type]] = []
        for label, item in wanted:
            others = by_label.get(label)
            if others:
                faults += self.unify(item, others.pop(0))
            else:
                missing.append((label, item))
        # What is left for a label are its inner, hidden fields: the last ones in the row.
        left = {label: len(items) for label, items in by_label.items()}
        extra: list[tuple[str, Type]] = []
        for label, item in reversed(found):
            if left[label]:
                left[label] -= 1
                extra.append((label, item))
        extra.reverse()

        if wanted_tail is found_tail:
            if wanted_tail is not None and (missing or extra):
                return [*faults, Mismatch(expected=expected, actual=actual)]
            faults += [Wording(message=f"found unexpected label {label}") for label, _ in extra]
            return faults + [Wording(message=f"record is missing label {label}") for label, _ in missing]

        level = min(tail.level for tail in (wanted_tail, found_tail) if tail is not None)
        rest = Var(level) if wanted_tail is not None and found_tail is not None else None
        if wanted_tail is not None:
            faults += self._bind(wanted_tail, _rest_of(extra, rest))
        else:
            faults += [Wording(message=f"found unexpected label {label}") for label, _ in extra]
        if found_tail is not None and resolve(found_tail) is found_tail:
            faults += self._bind(found_tail, _rest_of(missing, rest))
        elif missing:
            faults += [Wording(message=f"record is missing label {label}") for label, _ in missing]
        return faults

    def _unify_with_dynamic(self, expected: Type, actual: Type) -> list[Fault]:
        """A record of which only members that were asked for are known may turn out to be dynamic; so are they."""
        record = expected if isinstance(expected, Record) else actual
        assert isinstance(record, Record)
        fields, tail = row(record)
        if tail is None:
            return [Mismatch(expected=expected, actual=actual)]
        return [fault for _, item in fields for fault in self.unify(item, DYNAMIC)]

    def unify_functions(self, expected: Function, actual: Function) -> list[tuple[str, Fault]]:
        """As `unify`, each fault with the name of the argument it is about; an empty name is the whole function.

        `expected` is the function that is called or a parameter's type, `actual` the
        call or the function passed: it may leave out optional arguments, and as a
        function it may have further optional ones.
        """
        wanted, given = dict(expected.required), dict(actual.required)
        match expected.pipe, actual.pipe:
            case (name, item), (other, value):
                if "<-" not in (name, other) and name != other:
                    message = f"inconsistent pipe arguments, expected {name} but found {other}"
                    return [("", Wording(message=message))]
                wanted[name], given[name] = item, value
            case ("<-", _), None:
                return [("", Wording(message="missing pipe argument"))]
            case (name, item), None:
                wanted[name] = item
            case None, ("<-", _):
                return [("", Wording(message="missing pipe argument"))]
            case None, (other, value):
                given[other] = value
        faults: list[tuple[str, Fault]] = []
        known = wanted.keys() | expected.optional.keys()
        others = tuple(sorted(known - given.keys() - actual.optional.keys()))
        for name in sorted(given.keys() - known):
            faults.append((name, UnexpectedArgument(name=name, others=others)))
        given = {**actual.optional, **given}
        for name in sorted(wanted):
            if name in given:
                faults += [(name, _within(name, fault)) for fault in self.unify(wanted[name], given[name])]
            else:
                faults.append(("", Wording(message=f"missing required argument {name}")))
        for name in sorted(expected.optional.keys() & given.keys()):
            faults += [(name, _within(name, fault)) for fault in self.unify(expected.optional[name], given[name])]
        return faults + [("", fault) for fault in self.unify(expected.result, actual.result)]


def _rest_of(fields: list[tuple[str, Type]], tail: Var | None) -> Type:
    return tail if tail is not None and not fields else Record(tuple(fields), tail)


def _within(name: str, fault: Fault) -> Fault:
    """The outermost argument is the one to name: it is the one that stands in the call."""
    return replace(fault, argument=name)
