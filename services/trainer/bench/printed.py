"""What papers print for a split: a column of its own beside what was measured here.

A number that is not known is not there. Printed numbers were chosen with other encoders, other
LLMs and, for SELFRec and work built on it, by the best epoch on test.
"""

from collections.abc import Mapping

BOOKS = "rlmrec_amazon_books"
PRINTED: Mapping[str, Mapping[str, tuple[float, float]]] = {
    BOOKS: {  # R@20, N@20 under the protocol train; LLMHNI, arXiv 2511.07295, Table 1
        "LightGCN": (0.1415, 0.0893),
        "SimGCL": (0.1681, 0.1102),
        "LLaRD": (0.2028, 0.1326),
        "LLMHNI": (0.2040, 0.1369),
    },
}
"""By the dataset's folder, then by the method."""


def of(data: str, method: str) -> str:
    """Return "R@20/N@20" as printed, empty where unknown."""
    found = PRINTED.get(data, {}).get(method)
    return "" if found is None else f"{found[0]:.4f}/{found[1]:.4f}"


def without(data: str, methods: set[str]) -> list[str]:
    """Return the printed methods that no row of ours stands beside."""
    return [method for method in PRINTED.get(data, {}) if method not in methods]
