"""Whether a document is what its JSON schema says, and if not, where it first is not.

As much of JSON Schema (draft 2020-12) as the schema of this package uses. A schema becomes a
function, once; each function tells what is wrong with a value, in words, or nothing.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Check", "compiled"]

Check = Callable[[Any], "Wrong | None"]
Wrong = tuple[str, str]  # where, what

TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "object": (dict, "an object"),
    "array": (list, "a list"),
    "string": (str, "a text"),
    "number": ((int, float), "a number"),
    "integer": (int, "a whole number"),
    "boolean": (bool, "true or false"),
    "null": (type(None), "null"),
}
IGNORED = {"$schema", "$defs", "title", "description"}


def compiled(schema: Mapping[str, Any]) -> Check:
    """Return a function that says where and how a document departs from a schema.

    Raises
    ------
    KeyError
        If the schema has a word that is not known here.

    Examples
    --------
    >>> check = compiled({"type": "array", "items": {"type": "integer", "minimum": 0}})
    >>> check([1, 2]), check([1, -2]), check({})
    (None, ('[1]', 'it is at least 0; got -2'), ('', 'it is a list; got an object'))
    """
    known: dict[str, Check] = {}
    definitions: Mapping[str, Any] = schema.get("$defs", {})

    def check_of(part: Mapping[str, Any]) -> Check:
        if "$ref" in part:
            name = part["$ref"].rpartition("/")[2]
            if name not in known:
                known[name] = lambda value: known[name](value)  # it may refer to itself
                known[name] = check_of(definitions[name])
            return known[name]
        if unknown := set(part) - _KNOWN:
            raise KeyError(f"compiled: a schema has words that are known here; got {unknown}")
        checks = [make(part, check_of) for words, make in _WORDS if words & set(part)]
        if len(checks) == 1:
            return checks[0]

        def every(value: Any) -> Wrong | None:
            for check in checks:
                wrong = check(value)
                if wrong is not None:
                    return wrong
            return None

        return every

    return check_of(schema)


CheckOf = Callable[[Mapping[str, Any]], Check]


def _type(part: Mapping[str, Any], check_of: CheckOf) -> Check:
    wanted, name = TYPES[part["type"]]
    counts_truth = part["type"] == "boolean"

    def check(value: Any) -> Wrong | None:
        if isinstance(value, wanted) and (counts_truth or not isinstance(value, bool)):
            return None
        return "", f"it is {name}; got {_shown(value)}"

    return check


def _const(part: Mapping[str, Any], check_of: CheckOf) -> Check:
    return _enum({"enum": [part["const"]]}, check_of)


def _enum(part: Mapping[str, Any], check_of: CheckOf) -> Check:
    known = part["enum"]
    words = " or ".join(map(repr, known)) if len(known) < 3 else ", ".join(map(repr, known))

    def check(value: Any) -> Wrong | None:
        if any(value == each and type(value) is type(each) for each in known):  # 1 is not true
            return None
        return "", f"it is {words}; got {_shown(value)}"

    return check


def _minimum(part: Mapping[str, Any], check_of: CheckOf) -> Check:
    least = part["minimum"]
    return lambda value: None if value >= least else ("", f"it is at least {least}; got {value}")


def _any_of(part: Mapping[str, Any], check_of: CheckOf) -> Check:
    checks = list(map(check_of, part["anyOf"]))

    def check(value: Any) -> Wrong | None:
        found: list[Wrong] = []
        for each in checks:
            wrong = each(value)
            if wrong is None:
                return None
            found.append(wrong)
        # What came nearest failed furthest inside.
        return max(found, key=lambda wrong: len(wrong[0]))

    return check


def _properties(part: Mapping[str, Any], check_of: CheckOf) -> Check:
    inside = {name: check_of(each) for name, each in part.get("properties", {}).items()}
    required = part.get("required", ())
    others = part.get("additionalProperties", True)
    other = check_of(others) if isinstance(others, dict) else None

    def check(value: Any) -> Wrong | None:
        for name in required:
            if name not in value:
                return "", f"it has {name!r}; got {', '.join(map(repr, value)) or 'nothing'}"
        for name, each in value.items():
            found = inside.get(name, other)
            if found is None:
                if others is False:
                    return "", f"it has only {', '.join(map(repr, inside))}; got {name!r} too"
                continue
            wrong = found(each)
            if wrong is not None:
                return f".{name}{wrong[0]}", wrong[1]
        return None

    return check


def _items(part: Mapping[str, Any], check_of: CheckOf) -> Check:
    first = list(map(check_of, part.get("prefixItems", ())))
    rest = check_of(part["items"]) if isinstance(part.get("items"), dict) else None
    least, most = part.get("minItems", 0), part.get("maxItems", math.inf)

    def check(value: Any) -> Wrong | None:
        if not least <= len(value) <= most:
            counted = f"{least} to {most}" if most < math.inf else f"at least {least}"
            return "", f"it has {counted} items; got {len(value)}"
        for k, each in enumerate(value):
            found = first[k] if k < len(first) else rest
            wrong = None if found is None else found(each)
            if wrong is not None:
                return f"[{k}]{wrong[0]}", wrong[1]
        return None

    return check


# Words that are looked at together, in this order.
_WORDS: tuple[tuple[set[str], Callable[[Mapping[str, Any], CheckOf], Check]], ...] = (
    ({"type"}, _type),
    ({"const"}, _const),
    ({"enum"}, _enum),
    ({"minimum"}, _minimum),
    ({"anyOf"}, _any_of),
    ({"properties", "required", "additionalProperties"}, _properties),
    ({"items", "prefixItems", "minItems", "maxItems"}, _items),
)
_KNOWN = IGNORED.union(*(words for words, _ in _WORDS))


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return TYPES["object" if isinstance(value, dict) else "array"][1]
    text = "null" if value is None else repr(value)
    return text if len(text) < 40 else f"{text[:36]}…"
