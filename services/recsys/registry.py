"""The methods and backbones there are, by name."""

from services.recsys.backbones import Backbone
from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.backbones.mf import MF
from services.recsys.methods.bpr import BPR
from services.recsys.methods.llmhni import LLMHNI
from services.recsys.objective import Method

BACKBONES: dict[str, type[Backbone]] = {"mf": MF, "lightgcn": LightGCN}
METHODS: dict[str, type[Method]] = {"bpr": BPR, "llmhni": LLMHNI}
