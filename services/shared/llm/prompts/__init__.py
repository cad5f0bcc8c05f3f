"""Versioned prompts: `render` a question from a template, `parse` the reply; pure functions."""

from services.shared.llm.prompts.answer import (
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
    template_from_row,
)
from services.shared.llm.prompts.render import (
    NO_TEXT,
    ItemQuestion,
    Message,
    Question,
    UserQuestion,
    cut,
    render,
)
from services.shared.llm.prompts.template import SCHEMA_VERSION, VIEWS, PromptTemplate, View

VERSION = SCHEMA_VERSION

__all__ = [
    "DEFAULT_TEMPLATES",
    "NO_TEXT",
    "PROMPT_NAMES",
    "RATE_ITEM_VIEW",
    "RATE_USER_VIEW",
    "REPLY_SCHEMA",
    "SCHEMA_VERSION",
    "VERSION",
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
    "render",
    "response_format",
    "template_from_row",
]
