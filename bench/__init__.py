"""Joules per inference for baseline against pruned, quantized and distilled models."""
