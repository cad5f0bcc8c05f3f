"""Other systems' files, written as those systems write them, by the name of their mapping."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.api.ingest.columns import KINDS, check_preset, shape_of
from services.api.ingest.foreign import MAPPINGS, SHAPES, hint
from services.api.schemas.imports import FOREIGN
from services.shared.errors import InvalidError
from tests.ingest.bytes_of import parquet
from tests.ingest.files import Files

FLAGS = {"Animation": 3, "Children's": 4, "Comedy": 5}
U_ITEM = (
    "1|Toy Story (1995)|01-Jan-1995||http://us.imdb.com/M/title-exact?Toy%20Story%20(1995)|"
    + "|".join("1" if n in FLAGS.values() else "0" for n in range(19))
    + "\n543|Misérables, Les (1995)|01-Jan-1995||http://us.imdb.com/M/title-exact?Mis%E9rables|"
    + "|".join("1" if n == 8 else "0" for n in range(19))
    + "\n"
).encode("latin-1")
REVIEW_2018 = {
    "overall": 5.0,
    "vote": "2",
    "verified": True,
    "reviewTime": "09 13, 2009",
    "reviewerID": "A2SUAM1J3GNN3B",
    "asin": "0000013714",
    "reviewerName": "J. McDonald",
    "helpful": [2, 3],
    "reviewText": "I bought this for my husband.",
    "summary": "Heavenly Highway Hymns",
    "unixReviewTime": 1252800000,
}
REVIEW_2023 = {
    "rating": 4.0,
    "title": "Such a lovely scent",
    "text": "This spray is really nice.",
    "images": [],
    "asin": "B00YQ6X8EO",
    "parent_asin": "B00YQ6X8E1",
    "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ",
    "timestamp": 1588687728923,
    "helpful_vote": 0,
    "verified_purchase": True,
}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def lines(*objects: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(found).encode() + b"\n" for found in objects)


INTERACTIONS: dict[str, tuple[str, bytes, dict[str, Any], list[list[str]]]] = {
    "u.data": (
        "movielens",
        b"196\t242\t3\t881250949\n186\t302\t3\t891717742\n",
        {},
        [["196", "242", "", "3.0", "1997-12-04 15:55:49.000000+00", "", ""],
         ["186", "302", "", "3.0", "1998-04-04 19:22:22.000000+00", "", ""]],
    ),
    "ratings.dat": (
        "movielens",
        b"1::1193::5::978300760\n1::661::3.5::978302109\n",
        {},
        [["1", "1193", "", "5.0", "2000-12-31 22:12:40.000000+00", "", ""],
         ["1", "661", "", "3.5", "2000-12-31 22:35:09.000000+00", "", ""]],
    ),
    "ratings.csv": (
        "movielens",
        b"userId,movieId,rating,timestamp\n1,307,3.5,1256677221\n",
        {},
        [["1", "307", "", "3.5", "2009-10-27 21:00:21.000000+00", "", ""]],
    ),
    "feedback.csv": (
        "gorse",
        (b"FeedbackType,UserId,ItemId,Timestamp,Comment\nstar,u,o:r,2020-05-30T18:06:44Z,nice\n"
        b"read,u,o:s,0001-01-01T00:00:00Z,\n"),
        {},
        [["u", "o:r", "star", "", "2020-05-30 18:06:44.000000+00", "", "nice"],
         ["u", "o:s", "read", "", "", "", ""]],
    ),
    "feedback.csv of old": (
        "gorse",
        b"feedback_type,user_id,item_id,time_stamp\nstar,u,i,2020-05-30T18:06:44Z\n",
        {},
        [["u", "i", "star", "", "2020-05-30 18:06:44.000000+00", "", ""]],
    ),
    "feedback.jsonl": (
        "gorse",
        lines({"FeedbackType": "star", "UserId": "u", "ItemId": "i", "Value": 2,
               "Timestamp": "2020-05-30T18:06:44Z", "Comment": "", "Updated": "2020-05-30T18:06Z"}),
        {"format": "ndjson"},
        [["u", "i", "star", "2.0", "2020-05-30 18:06:44.000000+00", "", ""]],
    ),
    "ml-1m.inter": (
        "recbole",
        b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t1193\t5\t978300760\n",
        {},
        [["1", "1193", "", "5.0", "2000-12-31 22:12:40.000000+00", "", ""]],
    ),
    "yelp.inter": (
        "recbole",
        (b"review_id:token\tuser_id:token\titem_id:token\tstars:float\tuseful:float\n"
        b"r\tu\ti\t4.0\t0.0\n"),
        {"mapping": {"value": "stars:float", "event_id": "review_id"}},
        [["u", "i", "", "4.0", "", "r", ""]],
    ),
    "Books_5.json": (
        "amazon_reviews",
        lines(REVIEW_2018, {name: REVIEW_2018[name] for name in
                            ("overall", "reviewerID", "asin", "unixReviewTime")}),
        {"format": "ndjson"},
        [["A2SUAM1J3GNN3B", "0000013714", "", "5.0", "2009-09-13 00:00:00.000000+00", "",
          "Heavenly Highway Hymns\nI bought this for my husband."]],
    ),
    "All_Beauty.jsonl": (
        "amazon_reviews",
        lines(REVIEW_2023),
        {"format": "ndjson"},
        [["AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B00YQ6X8E1", "", "4.0",
          "2020-05-05 14:08:48.923000+00", "", "Such a lovely scent\nThis spray is really nice."]],
    ),
    "All_Beauty.csv": (
        "amazon_reviews",
        b"user_id,parent_asin,rating,timestamp,history\nA,B,5.0,1588687728923,C D\n",
        {},
        [["A", "B", "", "5.0", "2020-05-05 14:08:48.923000+00", "", ""]],
    ),
    "All_Beauty.parquet": (
        "amazon_reviews",
        parquet({name: [value] for name, value in REVIEW_2023.items()}),
        {"format": "parquet"},
        [["AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B00YQ6X8E1", "", "4.0",
          "2020-05-05 14:08:48.923000+00", "", "Such a lovely scent\nThis spray is really nice."]],
    ),
}  # fmt: skip

Profiles = dict[str, tuple[str, str, bytes, dict[str, Any], list[tuple[str, str, dict[str, Any]]]]]
PROFILES: Profiles = {
    "u.item": (
        "movielens", "items", U_ITEM, {},
        [("1", "Toy Story (1995)\nAnimation, Children's, Comedy",
          {"title": "Toy Story (1995)", "release_date": "01-Jan-1995",
           "imdb_url": "http://us.imdb.com/M/title-exact?Toy%20Story%20(1995)",
           "genres": ["Animation", "Children's", "Comedy"]}),
         ("543", "Misérables, Les (1995)\nDrama",
          {"title": "Misérables, Les (1995)", "release_date": "01-Jan-1995",
           "imdb_url": "http://us.imdb.com/M/title-exact?Mis%E9rables", "genres": ["Drama"]})],
    ),
    "movies.dat": (
        "movielens", "items",
        "1::Toy Story (1995)::Animation|Children's|Comedy\n73::Misérables, Les (1995)::Drama\n"
        .encode("latin-1"), {},
        [("1", "Toy Story (1995)\nAnimation, Children's, Comedy",
          {"title": "Toy Story (1995)", "genres": ["Animation", "Children's", "Comedy"]}),
         ("73", "Misérables, Les (1995)\nDrama",
          {"title": "Misérables, Les (1995)", "genres": ["Drama"]})],
    ),
    "movies.csv": (
        "movielens", "items",
        b'movieId,title,genres\n11,"American President, The (1995)",Comedy|Drama\n', {},
        [("11", "American President, The (1995)\nComedy, Drama",
          {"title": "American President, The (1995)", "genres": ["Comedy", "Drama"]})],
    ),
    "u.user": (
        "movielens", "users", b"1|24|M|technician|85711\n2|53|F|other|T8H1N\n", {},
        [("1", "", {"age": "24", "gender": "M", "occupation": "technician", "zip_code": "85711"}),
         ("2", "", {"age": "53", "gender": "F", "occupation": "other", "zip_code": "T8H1N"})],
    ),
    "users.dat": (
        "movielens", "users", b"1::F::1::10::48067\n", {},
        [("1", "", {"gender": "F", "age": "1", "occupation": "10", "zip_code": "48067"})],
    ),
    "items.jsonl": (
        "gorse", "items",
        lines({"ItemId": "o:r", "IsHidden": False, "Categories": ["python"], "Labels":
               ["cli", "http"], "Timestamp": "2020-05-30T18:06:44Z", "Comment": "a client"},
              {"ItemId": "o:s", "Labels": {"topics": ["a"], "embedding": [0.5, 1.0]}}),
        {"format": "ndjson"},
        [("o:r", "a client\npython\ncli, http",
          {"IsHidden": False, "Categories": ["python"], "Labels": ["cli", "http"],
           "Timestamp": "2020-05-30T18:06:44Z", "Comment": "a client"}),
         ("o:s", "", {"Labels": {"topics": ["a"], "embedding": [0.5, 1.0]}})],
    ),
    "items.csv of old": (
        "gorse", "items", (b"item_id,is_hidden,categories,time_stamp,labels,comment\n"
        b"i,false,a|b,2020-05-30T18:06:44Z,x|y,words\n"), {},
        [("i", "words\na, b\nx, y",
          {"is_hidden": "false", "categories": ["a", "b"], "time_stamp": "2020-05-30T18:06:44Z",
           "labels": ["x", "y"], "comment": "words"})],
    ),
    "users.jsonl": (
        "gorse", "users", lines({"UserId": "u", "Labels": ["a"], "Comment": "someone"}),
        {"format": "ndjson"},
        [("u", "someone\na", {"Labels": ["a"], "Comment": "someone"})],
    ),
    "ml-1m.item": (
        "recbole", "items",
        (b"item_id:token\tmovie_title:token_seq\trelease_year:token\tgenre:token_seq\n"
        b"1\tToy Story\t1995\tAnimation Children's Comedy\n"), {},
        [("1", "Toy Story\nAnimation Children's Comedy",
          {"movie_title": "Toy Story", "release_year": "1995",
           "genre": "Animation Children's Comedy"})],
    ),
    "ml-1m.user": (
        "recbole", "users", b"user_id:token\tage:token\tgender:token\n1\t1\tF\n", {},
        [("1", "", {"age": "1", "gender": "F"})],
    ),
    "meta_Books.json": (
        "amazon_reviews", "items",
        lines({"asin": "0000031852", "title": "Girls Ballet Tutu", "price": 3.17,
               "categories": [["Sports & Outdoors", "Dance"]], "brand": "Coxlures"}),
        {"format": "ndjson"},
        [("0000031852", "Girls Ballet Tutu\nSports & Outdoors, Dance",
          {"title": "Girls Ballet Tutu", "price": 3.17,
           "categories": [["Sports & Outdoors", "Dance"]], "brand": "Coxlures"})],
    ),
    "meta_All_Beauty.jsonl": (
        "amazon_reviews", "items",
        lines({"main_category": "All Beauty", "title": "Howard LC0008", "average_rating": 4.8,
               "features": [], "description": ["A cleaner.", "For wood."], "price": None,
               "categories": ["Wood", "Care"], "details": {"Volume": "473"},
               "parent_asin": "B01CUPMQZE"}),
        {"format": "ndjson"},
        [("B01CUPMQZE", "Howard LC0008\nA cleaner., For wood.\nWood, Care",
          {"main_category": "All Beauty", "title": "Howard LC0008", "average_rating": 4.8,
           "features": [], "description": ["A cleaner.", "For wood."], "price": None,
           "categories": ["Wood", "Care"], "details": {"Volume": "473"}})],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INTERACTIONS)
def test_interactions_of_other_systems_come_in(files: Files, name: str) -> None:
    preset, body, how, wanted = INTERACTIONS[name]
    outcome = files.parse(body, preset=preset, **how)
    assert (outcome.failure, outcome.errors) == (None, [])
    assert [row[1:8] for row in files.rows()][: len(wanted)] == wanted


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_of_other_systems_come_in_with_a_text(files: Files, name: str) -> None:
    preset, kind, body, how, wanted = PROFILES[name]
    outcome = files.parse(body, kind=kind, preset=preset, **how)
    assert (outcome.failure, outcome.errors) == (None, [])
    found = [(row[1], row[2], json.loads(row[3])) for row in files.rows()]
    assert found == wanted


ALL = {
    name: (preset, "interactions", body, how)
    for name, (preset, body, how, _) in INTERACTIONS.items()
}
ALL |= {name: case[:4] for name, case in PROFILES.items()}


@pytest.mark.parametrize("name", ALL)
def test_without_its_mapping_the_error_names_it(files: Files, name: str) -> None:
    preset, kind, body, how = ALL[name]
    given = {key: value for key, value in how.items() if key == "format"}
    failure = files.parse(body, kind=kind, **given).failure
    if failure is None:  # it has columns of our own names
        assert name == "All_Beauty.csv"
        return
    assert failure["code"] in {"MISSING_COLUMN", "UNKNOWN_COLUMN"}
    assert failure["detail"].endswith(f": pass mapping={preset}.")


def test_a_recbole_file_is_told_by_its_header(files: Files) -> None:
    body = INTERACTIONS["ml-1m.inter"][1]
    failure = files.parse(body).failure or {}
    assert failure["detail"] == (
        "The column user_id is missing; the file has user_id:token, item_id:token, rating:float, "
        "timestamp:float. This looks like a RecBole .inter file: pass mapping=recbole."
    )
    failure = files.parse(body, kind="items").failure or {}
    assert failure["detail"].endswith(
        " This looks like a RecBole .inter file: pass kind=interactions and mapping=recbole."
    )


def test_a_named_column_wins_over_the_mapping(files: Files) -> None:
    body = lines(REVIEW_2023)
    how: dict[str, Any] = {"format": "ndjson", "preset": "amazon_reviews"}
    assert files.parse(body, mapping={"item_id": "asin", "text": "title"}, **how).accepted == 1
    (row,) = files.rows()
    assert (row[2], row[7]) == ("B00YQ6X8EO", "Such a lovely scent")


def test_a_line_of_the_wrong_width_is_told_where_no_header_is(files: Files) -> None:
    outcome = files.parse(INTERACTIONS["u.data"][1] + b"1\t2\n", preset="movielens")
    assert [(error["line"], error["detail"]) for error in outcome.errors] == [
        (3, "The row has 2 fields where the header has 4.")
    ]


def test_a_mapping_that_does_not_fit_says_what_it_knows(files: Files) -> None:
    failure = files.parse(b"uid,iid\n1,2\n", preset="movielens").failure
    assert failure == {
        "code": "UNKNOWN_LAYOUT",
        "detail": "mapping=movielens knows as interactions MovieLens' ratings.csv, MovieLens' "
        "u.data or MovieLens' ratings.dat; this file has uid, iid.",
    }
    with pytest.raises(InvalidError, match="knows no users, only interactions, items"):
        check_preset(KINDS["users"], "amazon_reviews")


def test_every_mapping_has_its_name_in_the_contract() -> None:
    assert tuple(FOREIGN.__args__) == MAPPINGS
    assert {shape.kind for shape in SHAPES} == set(KINDS)
    for shape in SHAPES:
        assert set(shape.picks) <= set(KINDS[shape.kind].columns)
        assert set(KINDS[shape.kind].required) <= set(shape.picks)
        for names in shape.names:
            assert shape_of(KINDS[shape.kind], shape.mapping, list(names)) is not None


def test_our_own_files_look_like_nobody_elses() -> None:
    for kind in KINDS.values():
        assert hint(kind.name, kind.columns) == ""
