"""No statement of the console is put together while somebody asks: what he says can only go in as a parameter.

A function may put a statement together of text that stands in the code, and says so: all that it takes is ``LiteralString``.
"""

import ast
import re
from pathlib import Path

import pytest

import console

_FOLDER = Path(console.__path__[0])
_STATEMENT = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\s")


def _states(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and _STATEMENT.search(node.value) is not None


def _is_put_together(node: ast.AST) -> bool:
    match node:
        case ast.JoinedStr(values=parts):
            return any(map(_states, parts)) and any(isinstance(part, ast.FormattedValue) for part in parts)
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
            return _states(left) or _states(right)
        case ast.Call(func=ast.Attribute(value=text, attr="format")):
            return _states(text)
    return False


def _takes_the_codes_own_text(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    given = function.args
    if given.vararg or given.kwarg:
        return False
    names = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return all(isinstance(each.annotation, ast.Name) and each.annotation.id == "LiteralString" for each in names)


def loose(source: str) -> list[int]:
    """The lines on which a function puts together a statement of who knows what."""
    functions = [each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    judged = [each for each in functions if not _takes_the_codes_own_text(each)]
    return sorted({node.lineno for each in judged for node in ast.walk(each) if isinstance(node, ast.expr) and _is_put_together(node)})


@pytest.mark.parametrize(
    "put_together",
    [
        'f"SELECT * FROM users WHERE name = {name}"',
        '"DELETE FROM users WHERE name = " + name',
        '"UPDATE %s " % name',
        '"SELECT {}".format(name)',
    ],
)
def test_a_loose_statement_is_found(put_together: str) -> None:
    assert loose(f"async def find(name: str) -> str:\n    return {put_together}\n") == [2]
    assert loose(f"name = 'users'\n_FIND = {put_together}\n") == []
    assert loose(f"def scoped(name: LiteralString) -> LiteralString:\n    return {put_together}\n") == []


def test_the_console_has_none() -> None:
    found = {str(path.relative_to(_FOLDER)): loose(path.read_text()) for path in _FOLDER.rglob("*.py") if "node_modules" not in path.parts}
    assert "desk/search_sql.py" in found
    assert {path: lines for path, lines in found.items() if lines} == {}
