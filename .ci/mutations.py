"""The changes that `mutants.py` makes: one place of a module's syntax tree at a time.

Left as they are: docstrings, annotations, decorators, imports, what is only for type checkers, what
errors say, and whether `zip` checks lengths.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_NAMES = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "mean": "sum",
    "sum": "mean",
    "zeros": "ones",
    "ones": "zeros",
    "zeros_like": "ones_like",
    "ones_like": "zeros_like",
    "square": "abs",
    "BICUBIC": "BILINEAR",
    "startswith": "endswith",
    "endswith": "startswith",
}
"""Functions and methods that are called, and attributes, by what takes their place."""
_UNTOUCHED = (ast.Raise, ast.Import, ast.ImportFrom, ast.Assert)


@dataclass(frozen=True)
class Mutant:
    """A module with one change.

    Attributes:
        make: Makes the whole module, with the places of the original.
        line: Where the statement with the change begins.
        end: Its last line; of a compound one that of its head.
        old: The statement, or the head of a compound one.
        new: The same with the change.
    """

    make: Callable[[], ast.Module]
    line: int
    end: int
    old: str
    new: str


Change = Callable[[ast.AST], ast.AST | None]
"""Makes what takes a node's place, of a copy of it; None takes the statement out."""


def mutants_of(source: str) -> list[Mutant]:
    """All mutants of a module, in the order of its lines."""
    tree = ast.parse(source)
    found = []
    for index, whole in enumerate(tree.body):
        for place, statement, change in _places(whole):
            old, new = _head(statement), _head(_changed(statement, place, change))
            if new != old:
                make = partial(_module, tree, index, place, change)
                found.append(Mutant(make, statement.lineno, _end(statement), old, new))
    return found


def _module(tree: ast.Module, index: int, place: ast.AST, change: Change) -> ast.Module:
    """A module where a node of its statement at ``index`` is changed."""
    changed = ast.fix_missing_locations(_changed(tree.body[index], place, change))
    return ast.Module([*tree.body[:index], changed, *tree.body[index + 1 :]], type_ignores=[])


def _changed(whole: ast.stmt, place: ast.AST, change: Change) -> ast.stmt:
    """A copy of a statement where one node is changed."""
    copied = copy.deepcopy(whole)
    twins = dict(zip(ast.walk(whole), ast.walk(copied), strict=True))
    changed: ast.stmt = _Replace(twins[place], change).visit(copied)
    return changed


class _Replace(ast.NodeTransformer):
    """Puts what ``change`` makes in the place of one node."""

    def __init__(self, place: ast.AST, change: Change) -> None:
        self._wanted, self._change = place, change

    def visit(self, node: ast.AST) -> ast.AST:
        if node is not self._wanted:
            return super().visit(node)
        made = self._change(node) or ast.Pass()
        return made if made is node else ast.copy_location(made, node)


def _end(statement: ast.stmt) -> int:
    """The last line of a statement's head."""
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or 0
    return max(statement.lineno, last)


def _head(statement: ast.AST) -> str:
    """A statement in words, without the body of a compound one."""
    bare = copy.copy(statement)
    if hasattr(bare, "body"):
        bare.body = [ast.Expr(ast.Constant(...))]
        for name in ("orelse", "finalbody", "handlers", "decorator_list"):
            if hasattr(bare, name):
                setattr(bare, name, [])
    return ast.unparse(ast.fix_missing_locations(bare))


def _places(whole: ast.stmt) -> Iterator[tuple[ast.AST, ast.stmt, Change]]:
    """Each node of a statement that is changed, the innermost statement of it, and the change."""
    pending: list[tuple[ast.AST, ast.stmt]] = [(whole, whole)]
    while pending:
        node, statement = pending.pop()
        if isinstance(node, ast.stmt):
            statement = node
        if isinstance(node, _UNTOUCHED) or (isinstance(node, ast.If) and _typing_only(node)):
            continue
        for change in _changes(node):
            yield node, statement, change
        pending += [(child, statement) for child in reversed(_children(node))]


def _children(node: ast.AST) -> list[ast.AST]:
    """The nodes below one that may be changed."""
    skipped = {"annotation", "returns", "decorator_list", "bases"}
    if isinstance(node, ast.JoinedStr):
        return []
    found: list[ast.AST] = []
    for name, value in ast.iter_fields(node):
        if name not in skipped:
            values = value if isinstance(value, list) else [value]
            found += [one for one in values if isinstance(one, ast.AST)]
    return [one for one in found if not (isinstance(one, ast.keyword) and one.arg == "strict")]


def _typing_only(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _changes(node: ast.AST) -> Iterator[Change]:
    """What is done to a node."""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARISONS:
            yield _set("ops", [_COMPARISONS[type(operator)]()])
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in _OPERATORS:
            yield _set("op", _OPERATORS[type(operator)]())
        case ast.BoolOp(op=operator):
            yield _set("op", ast.Or() if isinstance(operator, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield lambda one: one.operand  # type: ignore[attr-defined, no-any-return]
        case ast.IfExp():
            yield lambda one: ast.IfExp(one.test, one.orelse, one.body)  # type: ignore[attr-defined]
        case ast.Constant(value=bool() as value):
            yield _set("value", not value)
        case ast.Constant(value=int() as value):
            yield _set("value", value + 1)
        case ast.Constant(value=float() as value):
            yield _set("value", value * 0.8 if value else 1.0)
        case ast.Call(keywords=[*_, last]) if last.arg not in (None, "asked", "hint", "strict"):
            yield _without_last
        case ast.Expr(value=ast.Call()):
            yield lambda one: None
        case ast.If():
            yield _set("test", ast.Constant(False))
        case ast.Return(value=ast.AST()):
            yield _set("value", ast.Constant(None))
        case ast.Continue():
            yield lambda one: ast.Break()
    if isinstance(node, ast.Attribute) and node.attr in _NAMES:
        yield _set("attr", _NAMES[node.attr])
    if isinstance(node, ast.Name) and node.id in _NAMES:
        yield _set("id", _NAMES[node.id])


def _set(name: str, value: object) -> Change:
    def change(node: ast.AST) -> ast.AST:
        setattr(node, name, value)
        return node

    return change


def _without_last(node: ast.AST) -> ast.AST:
    node.keywords.pop()  # type: ignore[attr-defined]
    return node
