"""NDJSON to batches of rows: one object a line, numbers read as the texts they stand for."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import orjson

from services.api.ingest import attributes
from services.api.ingest.batch import CHARS, ROWS, Batch
from services.api.ingest.columns import ATTRIBUTES, KINDS, shape_of, unknown
from services.api.ingest.foreign import Shape, hint
from services.api.ingest.lines import Lines
from services.api.ingest.looks import refuse_array, refuse_delimited
from services.api.ingest.plan import Options
from services.shared.errors import InvalidError, MalformedError

NUMBERS = frozenset({"value", "timestamp", "position"})
JSON = {bool: "a boolean", float: "a fraction", list: "a list", dict: "an object"}


class JsonRows:
    """Looks at the first object at once; InvalidError when its keys are unknown."""

    def __init__(self, lines: Lines, *, kind: str, options: Options) -> None:
        self._lines = lines
        self._kind = KINDS[kind]
        self._ignore = options.ignore_unknown
        text = iter(lines)
        first = next(text, None)
        if first is None:
            raise MalformedError("The file is empty.", code="EMPTY_FILE")
        names = self._names(first)
        self._shape = shape_of(self._kind, options.preset, names, line=first)
        self._texts = self._shape.texts if self._shape and "text" not in options.mapping else ()
        picks = {**_picks(self._shape, names), **options.mapping}
        columns = [name for name in self._kind.columns if not (self._texts and name == "text")]
        self._keys = [(name, picks.get(name, name)) for name in columns]
        self._known = {key for _, key in self._keys}
        self._places = [(place, *pair) for place, pair in enumerate(self._keys)]
        told = ("text",) if self._texts else ()
        self.columns = (*columns, *told) + ((ATTRIBUTES,) if self._kind.open else ())
        self._refuse_unknown(names)
        self._text = enumerate(chain([first], text), start=1)

    def batches(self) -> Iterator[Batch]:
        """Yield the rows, some thousand at a time."""
        batch, stop = Batch(self.columns), self._lines.chars + CHARS
        for number, line in self._text:
            self._take(batch, number, line)
            if len(batch) >= ROWS or self._lines.chars >= stop:
                yield batch
                batch, stop = Batch(self.columns), self._lines.chars + CHARS
        yield batch

    def _names(self, line: str) -> list[str]:
        """Return the keys of the first object; none where the first line is no object."""
        refuse_array(line)
        try:
            first = orjson.loads(line)
        except orjson.JSONDecodeError:
            refuse_delimited(line)
            return []  # told with its line number, like any other
        return list(first) if type(first) is dict else []

    def _refuse_unknown(self, names: Sequence[str]) -> None:
        others = [key for key in names if key not in self._known]
        if others and not (self._kind.open or self._ignore or self._shape):
            raise unknown(self._kind, others, names)
        keys = {name: key for name, key in self._keys if name in self._kind.required}
        missing = next((name for name, key in keys.items() if names and key not in names), None)
        way = hint(self._kind.name, names) if missing and self._shape is None else ""
        if way:
            detail = f"The first object has no {missing}.{way}"
            raise InvalidError(detail, code="MISSING_COLUMN")

    def _take(self, batch: Batch, number: int, line: str) -> None:
        code = self._lines.fault(number, number)
        if code is not None:
            batch.reject(number, code, line, detail=self._lines.told(code))
            return
        try:
            batch.add(number, self._row(orjson.loads(line)))
        except orjson.JSONDecodeError as error:
            if line.strip():
                detail = f"The line is no JSON: {error.msg}.{_hint(line)}"
                batch.reject(number, "MALFORMED_JSON", line, detail=detail)
        except InvalidError as error:
            batch.reject(number, error.code, line, detail=error.detail)

    def _row(self, found: object) -> Sequence[str | None]:
        if not isinstance(found, dict):
            raise InvalidError("The line is no JSON object.", code="MALFORMED_JSON")
        row: list[str | None] = [None] * len(self._keys)
        for place, name, key in self._places:
            if key in found:
                value = found[key]
                row[place] = value if value is None or type(value) is str else _text(name, value)
        if self._shape is not None:
            row = [None if value in self._shape.nothing else value for value in row]
            found = self._shape.tidy(found)
        if self._texts:
            row.append(attributes.text_of(found.get(key) for key in self._texts))
        others = {key: found[key] for key in found if key not in self._known}
        if self._kind.open:
            row.append(attributes.pack({} if self._ignore else others))
        elif others and not (self._ignore or self._shape):
            raise unknown(self._kind, list(others), list(found))
        return row


def _picks(shape: Shape | None, names: Sequence[str]) -> Mapping[str, str]:
    """Return column → key: of several the first that the first object has, else the first."""
    if shape is None:
        return {}
    return {
        column: next((key for key in keys if key in names), keys[0])
        for column, keys in shape.picks.items()
    }


def _hint(line: str) -> str:
    if "NaN" in line or "Infinity" in line:
        return " JSON has no NaN and no Infinity; null stands for no value."
    return ""


def _text(name: str, value: object) -> str:
    if type(value) is int or (type(value) is float and name in NUMBERS):
        return str(value)
    wanted = "a number or a string" if name in NUMBERS else "a string or an integer"
    raise InvalidError(f"{name} is {JSON[type(value)]}, not {wanted}.", code="WRONG_TYPE")
