"""Vidi: Google's Gemini API for image understanding, served from your own machine."""

__version__ = "0.1.0"
