"""Export, verification and evaluation of voice-to-face models."""
