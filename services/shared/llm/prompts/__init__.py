"""Versioned prompts: `render` a question from a template, `parse` the reply; pure functions."""

from services.shared.llm.prompts.answer import (
    REFERENCED_REPLY_SCHEMA,
    REPLY_SCHEMA,
    Answer,
    Label,
    parse,
    response_format,
)
from services.shared.llm.prompts.defaults import (
    DEFAULT_TEMPLATES,
    PROMPT_NAMES,
    RATE_ITEM_VIEW,
    RATE_USER_VIEW,
    REFERENCED_ITEM_VIEW,
    REFERENCED_USER_VIEW,
    template_from_row,
)
from services.shared.llm.prompts.render import (
    NO_TEXT,
    ItemQuestion,
    Message,
    Question,
    UserQuestion,
    cut,
    reference,
    render,
)
from services.shared.llm.prompts.template import SCHEMA_VERSIONS, VIEWS, PromptTemplate, View

__all__ = [
    "DEFAULT_TEMPLATES",
    "NO_TEXT",
    "PROMPT_NAMES",
    "RATE_ITEM_VIEW",
    "RATE_USER_VIEW",
    "REFERENCED_ITEM_VIEW",
    "REFERENCED_REPLY_SCHEMA",
    "REFERENCED_USER_VIEW",
    "REPLY_SCHEMA",
    "SCHEMA_VERSIONS",
    "VIEWS",
    "Answer",
    "ItemQuestion",
    "Label",
    "Message",
    "PromptTemplate",
    "Question",
    "UserQuestion",
    "View",
    "cut",
    "parse",
    "reference",
    "render",
    "response_format",
    "template_from_row",
]
