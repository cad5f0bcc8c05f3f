"""One planted graph and what may be known of its edges: doubt, ratings, and G' by both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from services.recsys.candidates import CandidateConfig, Candidates, choose_candidates
from services.recsys.closed_forms import GfCf
from services.recsys.data import Embeddings, Interactions
from services.recsys.decoys import Baited, bait
from services.recsys.plausibility import plausibility
from services.recsys.posterior import PosteriorConfig, heard, labels, weighed
from services.recsys.refine import RefineConfig, Refinement, refine
from services.recsys.seeds import Seeds
from services.recsys.suspicion import Scores, text_cosine
from services.recsys.texts import directions
from services.recsys.verdicts import RatedPairs
from services.trainer.bench import arms
from services.trainer.bench.answers import Profiles
from services.trainer.bench.arms import Views
from services.trainer.bench.noise_raters import Rates, drawn
from services.trainer.bench.planting import Planted
from services.trainer.bench.replay import Replay

NONE, LOCAL, PLACEBO, ORACLE, AS_SAID = "none", "local", "placebo", "oracle", "as the LLM"
RATERS = (LOCAL, PLACEBO, ORACLE, AS_SAID)
DECOYS = 0.1
"""Decoys per edge."""


@dataclass(frozen=True, kw_only=True)
class Dials:
    """What shapes G' here; chosen on validation (docs/log.md)."""

    posterior: PosteriorConfig = field(default_factory=PosteriorConfig)
    mild: PosteriorConfig = field(default_factory=lambda: PosteriorConfig(odds=0.2), repr=False)
    n2: int = 3  # edges per user that are asked about, the most doubtful first
    budget: int = 20_000  # of them in all


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A planted graph, the texts as this graph may know them, and who can be asked."""

    planted: Planted
    texts: Embeddings
    given: bool  # users' texts were given, not composed of this graph's edges
    words: csr_matrix  # TF-IDF of the items' texts
    profiles: Profiles  # what is shown to a rater
    ask: Callable[[Profiles, Candidates], Views]  # the local endpoint
    said: Mapping[str, Replay]  # ratings that are replayed, by name
    rates: Rates | None  # how often an LLM gave which labels to true and to planted edges
    dials: Dials = Dials()

    @property
    def train(self) -> Interactions:
        """Return G, fakes included."""
        return self.planted.split.train

    @cached_property
    def baited(self) -> Baited:
        """Return G with decoys."""
        return bait(self.train, share=DECOYS, rng=self._seeds().numpy("decoys"))

    @cached_property
    def pairs(self) -> Candidates:
        """Return the baited graph's most doubtful edges, which every rater is asked about."""
        graph = self.baited.graph
        config = CandidateConfig(n1=0, n2=self.dials.n2, budget=self.dials.budget)
        return choose_candidates(
            graph,
            GfCf().fit(graph).score_block,
            edge_scores=-self._with_profiles,
            config=config,
            rng=self._seeds().numpy("candidates"),
        )

    def log_odds(self, rater: str) -> Scores:
        """Return each edge's log odds of being noise, after this rater's words: (E,)."""
        moved = self._with_profiles
        if rater in RATERS:
            rated = arms.rated(self.pairs, self.views(rater))
            moved = heard(self.baited, moved, *labels(self.baited.graph, rated))
        return self._before + (moved - self._doubt)[self.baited.back(self.train)]

    def weighed(self, rater: str, *, mild: bool = False) -> Interactions:
        """Return G' by doubt and this rater; a replayed file cuts by the conservative rule."""
        config = self.dials.mild if mild else self.dials.posterior
        soft = weighed(self.train, self.log_odds(rater), config=config)
        if rater not in self.said:
            return soft
        return refine(soft, self.said[rater].pairs, config=RefineConfig()).interactions

    def refined(self, rater: str) -> Refinement:
        """Return G' by the services' rule and caps, with this rater's words alone."""
        return refine(self.train, self._rated(rater), config=RefineConfig())

    def views(self, rater: str) -> Views:
        """Return both labels of every pair; the truth's and the drawn ones need no asking."""
        fake = self.baited.decoys.copy()
        fake[self.baited.back(self.train)] = self.planted.fake
        if rater == ORACLE:
            return arms.truth(self.pairs, self.baited.graph, fake)
        chance = self._seeds().numpy(rater)
        if rater == AS_SAID and self.rates is not None:
            at = self.baited.graph.locate(users=self.pairs.users, items=self.pairs.items)
            return drawn(self.rates, fake[at], rng=chance)
        if rater == PLACEBO:
            return arms.shuffled(self.pairs, self._local, rng=chance)
        return self._local

    @cached_property
    def _local(self) -> Views:
        return self.ask(self.profiles, self.pairs)

    def _rated(self, rater: str) -> RatedPairs:
        if rater in self.said:
            return self.said[rater].pairs
        views, pairs = self.views(rater), self.pairs
        there = self.train.contains(users=pairs.users, items=pairs.items)  # no decoys
        known = replace(
            pairs,
            users=pairs.users[there],
            items=pairs.items[there],
            scores=pairs.scores[there],
        )
        return arms.rated(known, (views[0][there], views[1][there]))

    @cached_property
    def _before(self) -> Scores:
        return self._doubted(self.train)

    @cached_property
    def _doubt(self) -> Scores:
        return self._doubted(self.baited.graph)

    @cached_property
    def _with_profiles(self) -> Scores:
        """Return the baited graph's log odds after the users' given texts spoke: (E',)."""
        if not self.given:
            return self._doubt
        graph = self.baited.graph
        likeness = text_cosine(self.texts, users=graph.users, items=graph.items)
        return heard(self.baited, self._doubt, np.arange(len(graph)), likeness[:, None])

    def _doubted(self, graph: Interactions) -> Scores:
        """Return log odds of noise by co-occurrence, low rank, degrees and items' texts."""
        rng = self._seeds().numpy(f"doubt/{len(graph)}")
        return -plausibility(graph, vectors=directions(self.texts.items), rng=rng)

    def _seeds(self) -> Seeds:
        return Seeds(Seeds(self.planted.seed).integer(f"noise/{self.planted.share:g}"))


def flagged(case: Case, rater: str, *, mild: bool = False) -> dict[str, float]:
    """Return how G' by this rater treats the fakes: mean weights, edges gone."""
    weights = np.zeros(len(case.train), dtype=np.float32)
    graph = case.weighed(rater, mild=mild)
    at = case.train.locate(users=graph.users, items=graph.items)
    weights[at[at >= 0]] = graph.values()[at >= 0]
    fake = case.planted.fake
    told = {"dropped": float((weights == 0).sum()), "added": float((at < 0).sum())}
    told["weight_true"] = float(weights[~fake].mean())
    if fake.any():
        told["weight_fake"] = float(weights[fake].mean())
    return told
