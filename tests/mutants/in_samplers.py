"""Mistakes in the drawing of negatives."""

from tests.mutants.mutant import core

SEMANTIC = "samplers/semantic_hard.py"

MUTANTS = (
    core(
        "a sampler that returns observed items",
        "samplers/uniform.py",
        "return rank + passed - self._starts[users].unsqueeze(1)",
        "return rank",
        "samplers",
    ),
    core(
        "draws lean to the front of the catalogue",
        "samplers/uniform.py",
        "rank = (coins * self._free",
        "rank = (coins * coins * self._free",
        "samplers",
    ),
    core(
        "the easiest instead of the hardest",
        "samplers/dns.py",
        ".argmax(dim=1, keepdim=True)",
        ".argmin(dim=1, keepdim=True)",
        "samplers",
    ),
    core(
        "shared negatives are not marked where taken",
        "samplers/shared.py",
        "columns[columns >= 0]] = True",
        "columns[columns >= 0]] = False",
        "samplers",
    ),
    core(
        "argmax for argmin in Eq. 10",
        SEMANTIC,
        "likeness.argmin(dim=1, keepdim=True)",
        "likeness.argmax(dim=1, keepdim=True)",
        "samplers",
    ),
    core(
        "Eq. 10 by dot products of texts",
        SEMANTIC,
        "Embeddings(F.normalize(texts.users, dim=1), F.normalize(texts.items, dim=1))",
        "texts",
        "samplers",
    ),
    core(
        "the pool is not kept",
        SEMANTIC,
        "        self._remember(users, members)\n",
        "",
        "samplers",
    ),
    core(
        "the old pool does not enter the new one",
        SEMANTIC,
        "torch.cat([self.pool[users], fresh], dim=1)",
        "torch.cat([fresh, fresh], dim=1)",
        "samplers",
    ),
    core(
        "Gumbel noise with the wrong sign",
        SEMANTIC,
        "return -(-uniform.clamp_min(1e-20).log()).log()",
        "return (-uniform.clamp_min(1e-20).log()).log()",
        "samplers",
    ),
    core(
        "no noise: always the K best",
        SEMANTIC,
        "scores / self._T + self._gumbel(scores)",
        "scores / self._T",
        "samplers",
    ),
    core(
        "the pool's temperature multiplies",
        SEMANTIC,
        "scores / self._T",
        "scores * self._T",
        "samplers",
    ),
    core(
        "negative scores count by their size",
        SEMANTIC,
        "scores.clamp_min(1e-12).log()",
        "scores.abs().log()",
        "samplers",
    ),
    core(
        "a repeated item has two tickets",
        SEMANTIC,
        "keys = keys.masked_fill(_repeated(joined), -torch.inf)",
        "keys = keys.clone()",
        "samplers",
    ),
    core(
        "the hardest pool holds the easiest",
        SEMANTIC,
        "            keys = scores\n",
        "            keys = -scores\n",
        "samplers",
    ),
    core(
        "the pool is missing from the checkpoint",
        SEMANTIC,
        'self.register_buffer("pool", uniform.draw(everyone, n=K))',
        'self.register_buffer("pool", uniform.draw(everyone, n=K), persistent=False)',
        "loop",
    ),
    core(
        "C_H is not excluded",
        "methods/llmhni.py",
        "taken = union if signals.hard is None else union.union(signals.hard)",
        "taken = union",
        "llmhni",
    ),
)
