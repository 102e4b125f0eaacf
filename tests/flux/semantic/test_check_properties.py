"""Whatever parses is either checked or refused in words; renaming and formatting change neither."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flux.trees import files

from fluxkeep.errors import Internal, InvalidInput
from fluxkeep.flux.semantic.check import check
from fluxkeep.flux.semantic.signatures import find_predeclared
from fluxkeep.flux.semantic.types import Basic, Collection, Dictionary, Record, Type, Var, show
from fluxkeep.flux.semantic.unify import Unifier
from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.formatter import format_file
from fluxkeep.flux.syntax.parser import parse

names = st.sampled_from(["a", "b", "c"])


def types(depth: int = 2) -> st.SearchStrategy[Type]:
    basic = st.sampled_from([Basic("int"), Basic("string"), Basic("float")])
    if depth == 0:
        return basic
    inner = types(depth - 1)
    return st.one_of(
        basic,
        st.builds(lambda: Var(0)),
        inner.map(lambda element: Collection("array", element)),
        st.builds(Dictionary, inner, inner),
        st.builds(
            lambda fields, open_: Record(tuple(fields.items()), Var(0) if open_ else None),
            st.dictionaries(names, inner, max_size=3),
            st.booleans(),
        ),
    )


def verdict(file: ast.File) -> dict[str, str] | str:
    """The types of a script's names, or why it is refused, without places."""
    try:
        return {name: show(t) for name, t in check(file).types.items()}
    except (InvalidInput, Internal) as error:
        return re.sub(r"@[0-9:-]+", "@", error.message)


@settings(max_examples=300)
@given(files())
def test_any_script_is_checked_or_refused_and_its_text_likewise(file: ast.File) -> None:
    assert verdict(parse(format_file(file))) == verdict(file)


@given(types(), types())
def test_types_that_unify_are_the_same_afterwards(one: Type, other: Type) -> None:
    if Unifier().unify(one, other):
        return
    # Once made the same, nothing is left to do, in either direction.
    assert Unifier().unify(one, other) == []
    assert Unifier().unify(other, one) == []


@given(types())
def test_a_type_unifies_with_itself(one: Type) -> None:
    assert Unifier().unify(one, one) == []


@given(st.sampled_from(["filter", "map", "reduce", "from", "aggregateWindow", "contains"]))
def test_using_a_library_name_leaves_its_description_as_it_was(name: str) -> None:
    described = find_predeclared(name)
    assert described is not None
    before = show(described)
    check(parse(f"x = {name}\ny = [x]\nz = (f={name}) => f"))
    assert show(described) == before
