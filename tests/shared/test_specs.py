"""Parameters are refused where they are wrong, with the place and what would be right."""

from decimal import Decimal

import pytest

from services.shared.errors import InvalidError
from services.shared.specs import DatasetSettings, LlmhniParams, RunSpec


def test_an_empty_body_is_a_run_with_every_default() -> None:
    run = RunSpec.read({})
    assert (run.method, run.backbone, run.seed, run.budget_usd) == ("llmhni", "lightgcn", 0, None)
    # the reading of METHODS: conservative rule, at most a tenth of the edges dropped
    assert (run.params.rule, run.params.max_drop_share) == ("conservative", 0.1)
    assert (run.params.n1, run.params.n2, run.params.K_item, run.params.L) == (10, 2, 5, 2)


def test_the_papers_preset_fills_in_what_the_paper_prints() -> None:
    paper = LlmhniParams.read({"preset": "paper", "lr": 0.01})
    # arXiv 2511.07295, settings: d 64, batch 1024, M 30, K 10; and Eq. 7, 11, 15, 19 as printed
    assert (paper.d, paper.B, paper.M, paper.K, paper.tau) == (64, 1024, 30, 10, 0.5)
    assert (paper.pool, paper.rule, paper.positives, paper.loss) == (
        "relu",
        "paper",
        "printed",
        "bpr",
    )
    assert paper.lr == 0.01, "what the caller gives stands"
    assert LlmhniParams.read({}).B == 2048


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"params": {"d": 0}}, "/params/d", "greater than or equal to 4"),
        ({"params": {"lr": 0}}, "/params/lr", "greater than 0"),
        ({"params": {"lr": float("nan")}}, "/params/lr", "finite"),
        ({"params": {"rho": 1}}, "/params/rho", "less than 1"),
        ({"params": {"tau_de": -0.1}}, "/params/tau_de", "greater than 0"),
        ({"params": {"max_drop_share": 1.1}}, "/params/max_drop_share", "less than or equal to 1"),
        ({"params": {"rule": "strict"}}, "/params/rule", "'conservative', 'paper' or 'soft'"),
        ({"params": {"lambda": 1}}, "/params/lambda", "no such field"),
        ({"params": {"n1": 0, "n2": 0}}, "/params", "raise one of them"),
        ({"params": []}, "/params", "must be a JSON object"),
        ({"method": "bpr"}, "/method", "'llmhni'"),
        ({"backbone": "gcn"}, "/backbone", "'lightgcn', 'ngcf' or 'mf'"),
        ({"budget_pairs": 0}, "/budget_pairs", "greater than 0"),
        ({"budget_usd": 0}, "/budget_usd", "greater than 0"),
        ({"budget_usd": "NaN"}, "/budget_usd", "finite"),
        ({"seed": True}, "/seed", "must be a whole number"),
        ({"params": {"d": "64"}}, "/params/d", "must be a whole number"),
        ({"validate_only": "yes"}, "/validate_only", "must be true or false"),
        ({"budget_usd": True}, "/budget_usd", "must be a decimal number"),
        ({"seed": -1}, "/seed", "greater than or equal to 0"),
        ({"seed": 2**63}, "/seed", "less than or equal to"),
        ({"a/b~c": 1}, "/a~1b~0c", "no such field"),
    ],
)
def test_a_wrong_run_names_the_place_and_the_remedy(
    body: dict[str, object], pointer: str, words: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        RunSpec.read(body)
    assert caught.value.pointer == pointer
    assert words in caught.value.detail


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        RunSpec.read({"seed": -1, "params": {"d": 0, "B": 0}})
    places = sorted(fault.pointer or "" for fault in caught.value.errors)
    assert places == ["/params/B", "/params/d", "/seed"]


def test_the_hash_sees_what_shapes_the_result_and_nothing_else() -> None:
    base = RunSpec().config_hash()
    assert len(base) == 32
    assert RunSpec.read({"validate_only": True}).config_hash() == base
    assert RunSpec.read({"params": {"d": 64}}).config_hash() == base
    others = [{"seed": 1}, {"budget_pairs": 1}, {"budget_usd": 1}, {"params": {"rho": 0.3}}]
    hashes = {RunSpec.read(body).config_hash() for body in others}
    assert len(hashes | {base}) == 5


def test_a_preset_and_its_fields_written_out_are_the_same_run() -> None:
    preset = RunSpec.read({"params": {"preset": "paper"}})
    written = {name: value for name, value in preset.params.to_json().items() if name != "preset"}
    assert RunSpec.read({"params": written}).config_hash() == preset.config_hash()


@pytest.mark.parametrize(("given", "written"), [("12.50", "12.5"), (100, "100"), (0.1, "0.1")])
def test_one_amount_of_money_has_one_spelling(given: object, written: str) -> None:
    assert RunSpec.read({"budget_usd": given}).to_json()["budget_usd"] == written


def test_a_spec_survives_its_row() -> None:
    run = RunSpec.read({"budget_usd": "12.50", "params": {"preset": "paper"}})
    assert RunSpec.read(run.to_json()) == run
    assert run.budget_usd == Decimal("12.5")
    settings = DatasetSettings.read({"positive": "value>=4", "split": {"kind": "temporal"}})
    assert DatasetSettings.read(settings.to_json()) == settings


def test_a_dataset_may_reject_one_line_in_a_hundred_by_default() -> None:
    settings = DatasetSettings.read({})
    assert settings.max_rejected == 0.01
    assert (settings.positive, settings.timezone, settings.require_known_ids) == (None, None, False)


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"split": {"val": 0.5, "test": 0.5, "seed": 3}}, "/split", "below 1"),
        ({"split": {"kind": "kfold"}}, "/split/kind", "'leave_last'"),
        ({"timezone": "Mars/Olympus"}, "/timezone", "IANA"),
        ({"timezone": "../../etc/passwd"}, "/timezone", "IANA"),
        ({"positive": "value>=4\n"}, "/positive", "printable line"),
        ({"min_user_degree": 0}, "/min_user_degree", "greater than or equal to 1"),
        ({"max_rejected": 2}, "/max_rejected", "less than or equal to 1"),
        ({"ratings": 1}, "/ratings", "no such field"),
    ],
)
def test_wrong_settings_name_the_place_and_the_remedy(
    body: dict[str, object], pointer: str, words: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        DatasetSettings.read(body)
    assert caught.value.pointer == pointer
    assert words in caught.value.detail


def test_a_known_zone_is_taken() -> None:
    assert DatasetSettings.read({"timezone": "UTC"}).timezone == "UTC"


def test_an_unknown_field_is_told_with_the_known_ones() -> None:
    with pytest.raises(InvalidError, match=r"epoch: there is no such field; known are .*epochs"):
        RunSpec.read({"params": {"epoch": 3}})
