"""Beating-heart phantoms, written as raw k-space in the layout of CMRxRecon 2023."""
