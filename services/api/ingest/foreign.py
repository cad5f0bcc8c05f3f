"""The files of other systems: what gives each away, and which of their fields is which column.

MovieLens 100k, 1M and the later CSVs (their READMEs), Gorse's feedback, users and items (the names
of its API and of its older CSVs), RecBole's atomic files, Amazon reviews and products of 2014, 2018
and 2023. A shape is data; `tidy` and `find` are all that is done with it.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
"""The flags at the end of a line of u.item, in their order."""
GATHERED = "genres"
"""Where the names of the flags that are set go."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One kind of file: told by names in its header, or by its first line where it has none."""

    mapping: str
    title: str
    kind: str
    names: tuple[frozenset[str], ...] = ()  # any of these sets is in the header
    line: re.Pattern[str] | None = None
    headers: tuple[str, ...] = ()  # the names that a file without a header lacks
    delimiter: str | None = None  # of fields that are never quoted; None: CSV
    typed: bool = False  # headers end in :token, :float and the like
    picks: Mapping[str, tuple[str, ...]]  # column -> its headers, the first that is there
    texts: tuple[str, ...] = ()  # headers that make the text, a line each
    lists: frozenset[str] = frozenset()  # headers whose words stand between bars
    flags: tuple[str, ...] = ()  # headers that hold 0 or 1, gathered
    nothing: frozenset[str] = frozenset()  # what stands for no value

    def header(self, name: str) -> str:
        """Return a header as the rest of the shape names it."""
        return name.rpartition(":")[0] or name if self.typed else name

    def fit(self, names: Collection[str], line: str) -> int:
        """Return how many names give the file away; its first line counts for all of them."""
        if self.line is not None and self.line.fullmatch(line):
            return len(self.headers)
        return max((len(given) for given in self.names if given <= set(names)), default=0)

    def tidy(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Return a profile's fields with lists as lists and flags gathered."""
        found = {name: value for name, value in fields.items() if name not in self.flags}
        if self.flags:
            found[GATHERED] = [name for name in self.flags if fields.get(name) == "1"]
        for name in self.lists & found.keys():
            value = found[name]
            if isinstance(value, str) and not value.startswith(("[", "{")):
                found[name] = value.split("|")
        return found


_RATING = {
    "user_id": ("userId",),
    "item_id": ("movieId",),
    "value": ("rating",),
    "timestamp": ("timestamp",),
}
_MOVIE, _PERSON = {"id": ("movieId",)}, {"id": ("userId",)}
_RATED = ("userId", "movieId", "rating", "timestamp")


def _movielens() -> Iterator[Shape]:
    yield Shape(
        mapping="movielens", kind="interactions", title="MovieLens' ratings.csv",
        names=(frozenset({"userId", "movieId", "rating"}),), picks=_RATING,
    )  # fmt: skip
    yield Shape(
        mapping="movielens", kind="interactions", title="MovieLens' u.data", headers=_RATED,
        line=re.compile(r"\d+\t\d+\t[0-5](\.\d)?\t\d{9,10}\s*"), delimiter="\t", picks=_RATING,
    )  # fmt: skip
    yield Shape(
        mapping="movielens", kind="interactions", title="MovieLens' ratings.dat", headers=_RATED,
        line=re.compile(r"\d+::\d+::[0-5](\.\d)?::\d{9,10}\s*"), delimiter="::", picks=_RATING,
    )  # fmt: skip
    yield Shape(
        mapping="movielens", kind="items", title="MovieLens' movies.csv",
        names=(frozenset({"movieId", "title", "genres"}),), picks=_MOVIE,
        texts=("title", "genres"), lists=frozenset({"genres"}),
    )  # fmt: skip
    yield Shape(
        mapping="movielens", kind="items", title="MovieLens' movies.dat",
        headers=("movieId", "title", "genres"), line=re.compile(r"\d+::[^:].*::[A-Z(][^:]*\s*"),
        delimiter="::", picks=_MOVIE, texts=("title", "genres"), lists=frozenset({"genres"}),
    )  # fmt: skip
    yield Shape(
        mapping="movielens", kind="items", title="MovieLens' u.item",
        headers=("movieId", "title", "release_date", "video_release_date", "imdb_url", *GENRES),
        line=re.compile(r"\d+\|[^|]+\|[^|]*\|[^|]*\|[^|]*(\|[01]){19}\s*"), delimiter="|",
        picks=_MOVIE, texts=("title", "genres"), flags=GENRES,
    )  # fmt: skip
    yield Shape(
        mapping="movielens", kind="users", title="MovieLens' users.dat",
        headers=("userId", "gender", "age", "occupation", "zip_code"),
        line=re.compile(r"\d+::[MF]::\d+::\d+::.+\s*"), delimiter="::", picks=_PERSON,
    )  # fmt: skip
    yield Shape(
        mapping="movielens", kind="users", title="MovieLens' u.user",
        headers=("userId", "age", "gender", "occupation", "zip_code"),
        line=re.compile(r"\d+\|\d+\|[MF]\|[a-z]+\|.+\s*"), delimiter="|", picks=_PERSON,
    )  # fmt: skip


def _gorse() -> Iterator[Shape]:
    bars = frozenset({"Labels", "labels", "Categories", "categories"})
    yield Shape(
        mapping="gorse", kind="interactions", title="Gorse's feedback",
        names=(
            frozenset({"FeedbackType", "UserId", "ItemId"}),
            frozenset({"feedback_type", "user_id", "item_id"}),
        ),
        picks={
            "type": ("FeedbackType", "feedback_type"),
            "user_id": ("UserId", "user_id"),
            "item_id": ("ItemId", "item_id"),
            "timestamp": ("Timestamp", "timestamp", "time_stamp"),
            "value": ("Value", "value"),
        },
        texts=("Comment", "comment"),
        nothing=frozenset({"0001-01-01T00:00:00Z", "0001-01-01 00:00:00 +0000 UTC"}),
    )  # fmt: skip
    yield Shape(
        mapping="gorse", kind="items", title="Gorse's items",
        names=(frozenset({"ItemId"}), frozenset({"item_id", "is_hidden"})),
        picks={"id": ("ItemId", "item_id")}, lists=bars,
        texts=("Comment", "comment", "Categories", "categories", "Labels", "labels"),
    )  # fmt: skip
    yield Shape(
        mapping="gorse", kind="users", title="Gorse's users",
        names=(frozenset({"UserId"}), frozenset({"user_id", "labels"})),
        picks={"id": ("UserId", "user_id")}, lists=bars,
        texts=("Comment", "comment", "Labels", "labels"),
    )  # fmt: skip


def _recbole() -> Iterator[Shape]:
    user, item = "user_id:token", "item_id:token"
    yield Shape(
        mapping="recbole", kind="interactions", title="a RecBole .inter file", typed=True,
        names=(frozenset({user, item}),),
        picks={
            "user_id": ("user_id",), "item_id": ("item_id",), "timestamp": ("timestamp",),
            "value": ("rating", "label"), "text": ("review", "review_text"),
        },
    )  # fmt: skip
    yield Shape(
        mapping="recbole", kind="items", title="a RecBole .item file", typed=True,
        names=(frozenset({item}),), picks={"id": ("item_id",)},
        texts=(
            "title", "movie_title", "name", "item_name", "description", "genre", "class",
            "categories", "category", "brand",
        ),
    )  # fmt: skip
    yield Shape(
        mapping="recbole", kind="users", title="a RecBole .user file", typed=True,
        names=(frozenset({user}),), picks={"id": ("user_id",)},
    )  # fmt: skip


def _amazon() -> Iterator[Shape]:
    yield Shape(
        mapping="amazon_reviews", kind="interactions", title="Amazon's reviews",
        names=(
            frozenset({"reviewerID", "asin", "overall"}),
            frozenset({"user_id", "parent_asin", "rating"}),
            frozenset({"user_id", "asin", "rating"}),
        ),
        picks={
            "user_id": ("reviewerID", "user_id"),
            "item_id": ("parent_asin", "asin"),
            "value": ("overall", "rating"),
            "timestamp": ("unixReviewTime", "timestamp"),
        },
        texts=("summary", "title", "reviewText", "text"),
    )  # fmt: skip
    yield Shape(
        mapping="amazon_reviews", kind="items", title="Amazon's products",
        names=(frozenset({"parent_asin"}), frozenset({"asin"})),
        picks={"id": ("parent_asin", "asin")},
        texts=("title", "description", "features", "categories", "category"),
    )  # fmt: skip


SHAPES = (*_movielens(), *_gorse(), *_recbole(), *_amazon())
MAPPINGS = tuple(dict.fromkeys(shape.mapping for shape in SHAPES))
"""The names that the parameter `mapping` knows."""
LATIN = frozenset({"movielens"})
"""Mappings whose older files are Latin-1: a line that is no UTF-8 is read so."""


def find(
    names: Collection[str], *, line: str = "", kind: str | None = None, mapping: str | None = None
) -> Shape | None:
    """Return the shape that these headers, or a first line without any, give away most surely."""
    present = set(names)
    fitting = [
        (shape.fit(present, line), shape)
        for shape in SHAPES
        if kind in {None, shape.kind} and mapping in {None, shape.mapping}
    ]
    sure, best = max(fitting, key=lambda found: found[0], default=(0, None))
    return best if sure else None


def hint(kind: str, names: Collection[str], *, line: str = "") -> str:
    """Return what to pass for a file of another system, or nothing; a sentence after a space."""
    shape = find(names, line=line)
    if shape is None:
        return ""
    way = "" if shape.kind == kind else f"kind={shape.kind} and "
    return f" This looks like {shape.title}: pass {way}mapping={shape.mapping}."


def titles(mapping: str, kind: str) -> str:
    """Return the files that a mapping knows of a kind, as a list for people; empty for none."""
    known = [s.title for s in SHAPES if s.mapping == mapping and s.kind == kind]
    return ", ".join(known[:-1]) + (" or " if len(known) > 1 else "") + "".join(known[-1:])
