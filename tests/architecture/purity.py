"""Reads a module's source and says where it would reach outside itself: the clock, chance, files, the network."""

import ast
from collections.abc import Iterator

# What a pure module may import, by its first name, or its first two within domicile. Whatever is not here is refused.
IMPORTS = frozenset(
    {
        "__future__", "abc", "base64", "bisect", "cel_expr_python", "collections", "contextlib", "copy", "dataclasses", "datetime", "decimal",
        "enum", "fnmatch", "fractions",
        "functools", "google", "graphlib", "hashlib", "heapq", "itertools", "json", "kserve", "math", "operator", "pydantic",
        "pydantic_core", "re", "string", "textwrap", "types", "typing", "typing_extensions", "yaml",
        "domicile.api", "domicile.decision", "domicile.fence", "domicile.importing", "domicile.placement", "domicile.residency", "domicile.rollout", "domicile.serving",
    }
)  # fmt: skip

# What of a package that is not pure as a whole may be imported, for who looks at all of the record.
RECORDS = frozenset(
    {"domicile.audit", "domicile.evidence.dsse", "domicile.evidence.ranges", "domicile.evidence.records"}
)

# Builtins and methods that read a clock, chance or the world, whatever they are called on. `datetime.now` is refused by
# `now`, `os.environ` by its import and by its name.
CALLS = frozenset({"open", "input", "print", "breakpoint", "exec", "eval", "__import__", "import_module"})
ATTRIBUTES = frozenset(
    {
        "now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "environ", "getenv", "urandom",
        "uuid1", "uuid4", "read_text", "write_text", "read_bytes", "write_bytes", "sleep",
    }
)  # fmt: skip


def impurities(source: str, more: frozenset[str] = frozenset()) -> Iterator[str]:
    """Each place that is not pure, as `line: what`. `more` are modules that may be imported beside the usual ones."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield from _import(node.lineno, alias.name, more)
            case ast.ImportFrom(module=module, names=names, level=level):
                if level:
                    yield f"{node.lineno}: relative import"
                elif module in _WHOLE:
                    for alias in names:
                        yield from _import(node.lineno, f"{module}.{alias.name}", more)
                else:
                    yield from _import(node.lineno, module or "", more)
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                yield f"{node.lineno}: calls {name}()"
            # Passing `datetime.now` on is as impure as calling it; a field that is called so (`seen.now`) is a value.
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if (
                attribute in ATTRIBUTES and owner in MODULES
            ):
                yield f"{node.lineno}: uses {owner}.{attribute}"
            case ast.Call(func=ast.Attribute(attr=attribute)) if attribute in ATTRIBUTES - {"time"}:
                yield f"{node.lineno}: calls .{attribute}()"
            case ast.AsyncFunctionDef(name=name):
                yield f"{node.lineno}: {name} is async: what is pure waits for nothing"


MODULES = frozenset({"datetime", "date", "time", "os", "uuid", "random", "Path", "dt"})


_WHOLE = frozenset({"domicile", "domicile.evidence"})
"""Packages of which it counts what is imported from them."""


def _import(line: int, name: str, more: frozenset[str]) -> Iterator[str]:
    parts = name.split(".")
    known = ".".join(parts[:2]) if parts[0] == "domicile" else parts[0]
    if known not in IMPORTS and known not in more and name not in more:
        yield f"{line}: imports {name}"
