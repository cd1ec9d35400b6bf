"""A page on this machine that shows the avatar of whoever speaks into its microphone."""

from voxtoon.web.server import WebListener

__all__ = ["WebListener"]
