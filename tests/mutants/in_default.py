"""Mistakes in blends, in text-aware closed forms, and in how edges are weighed."""

from tests.mutants.mutant import core

COLLECTIVE, IALS = "closed_forms/collective.py", "closed_forms/ials.py"

MUTANTS = (
    core(
        "all parts of a blend weigh alike",
        "blend.py",
        "np.float32(part.weight) * scaled(block, self.scale)",
        "scaled(block, self.scale)",
        "blend",
    ),
    core(
        "a blend's scores are never scaled",
        "blend.py",
        'if scale == "raw":',
        "if scale:",
        "blend",
    ),
    core(
        "a side of item texts without its weight",
        COLLECTIVE,
        "np.float32(side.weight) * outer(side.features, some)",
        "outer(side.features, some)",
        "collective",
    ),
    core(
        "a newcomer's text weighs otherwise than a known one's",
        COLLECTIVE,
        "(texts * np.float32(self.beta)) @ self.C",
        "texts @ self.C",
        "collective",
    ),
    core(
        "collective EASE recommends what was put in",
        COLLECTIVE,
        "        B[np.diag_indices(n)] = 0.0\n",
        "",
        "collective",
    ),
    core(
        "a refit trains a recipe that the preset does not have",
        "default.py",
        "if made.GRAPH in asked and preset.graph is None:",
        "if made.GRAPH in asked and not preset:",
        "default_preset",
    ),
    core(
        "a refit looks for settings of parts that were left out",
        "default.py",
        "asked = [name for name, weight in choices.weights.items() if weight]",
        "asked = list(choices.weights)",
        "default_preset",
    ),
    core(
        "iALS without its ridge",
        IALS,
        "(values.clip(min=0) + reg)",
        "(values.clip(min=0) + 1.0)",
        "collective",
    ),
    core(
        "iALS trusts an edge for its weight alone",
        IALS,
        "solve(B, D, a, (1 + a) * there)",
        "solve(B, D, a, a * there)",
        "collective",
    ),
    core(
        "the test set weighs the blend",
        "weighing.py",
        "self.mask, self.val = split.train, split.val",
        "self.mask, self.val = split.train, split.test",
        "weighing",
    ),
    core(
        "edges stand for pairs that nobody chose",
        "plausibility.py",
        "np.setdiff1d(keys, train.keys(), assume_unique=True)",
        "keys",
        "plausibility",
    ),
    core(
        "the regression takes edges for chance",
        "plausibility.py",
        "y = np.arange(len(X)) < len(true)",
        "y = np.arange(len(X)) >= len(true)",
        "plausibility",
    ),
    core(
        "a pair's own item is in the history that judges it",
        "evidence.py",
        "h = sums[u] - own[:, None] * vectors[i]",
        "h = sums[u]",
        "evidence",
    ),
    core(
        "an SVD judges the edges it was made of",
        "evidence.py",
        "_singular(train.where(by_edge != one))",
        "_singular(train)",
        "evidence",
    ),
    core(
        "the doubted edges weigh most",
        "posterior.py",
        "1 / (1 + np.exp(against))",
        "1 / (1 + np.exp(-against))",
        "posterior",
    ),
    core(
        "a user may lose the last edge to doubt",
        "posterior.py",
        "    stays[_least_doubted(train, log_odds)] = True\n",
        "",
        "posterior",
    ),
    core(
        "being chosen for judgement is no evidence",
        "posterior.py",
        " + _reach(baited.decoys, decoys)",
        "",
        "posterior",
    ),
    core(
        "a missing label beside a given one is below Low",
        "posterior.py",
        "np.where(views == MISSING, MID, views)[there]",
        "views[there]",
        "posterior",
    ),
)
