"""The model the agency talks to: a built-in one that needs no key, or any OpenAI-compatible endpoint."""

import os
from functools import cache

from langchain_core.language_models import BaseChatModel

from agent.built_in_model import BuiltInModel
from agent.openai_compatible_model import OpenAICompatibleModel


def chat_model() -> BaseChatModel:
    """The model that the environment names; asked for inside a node, because a Worker's variables exist only there."""
    key = os.environ.get("OPENAI_API_KEY")
    if not key:
        return BuiltInModel()
    base_url = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
    return _compatible(base_url, key, os.environ.get("OPENAI_MODEL", "gpt-4o-mini"))


@cache
def _compatible(base_url: str, api_key: str, model: str) -> BaseChatModel:
    return OpenAICompatibleModel(base_url=base_url, api_key=api_key, model=model)
