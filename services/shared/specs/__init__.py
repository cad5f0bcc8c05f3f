"""What a caller may set: runs and datasets as validated models, without the science behind them."""

from services.shared.specs.dataset import DatasetSettings, Split
from services.shared.specs.llmhni import LlmhniParams
from services.shared.specs.run import RunSpec

__all__ = ["DatasetSettings", "LlmhniParams", "RunSpec", "Split"]
