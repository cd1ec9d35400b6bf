"""Quantization of voxtoon bundles."""
