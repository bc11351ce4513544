"""Immutable copies of what sources delivered, and the manifests that list them.

An object is copied under its content hash and never rewritten. A manifest is written last, so
an extraction either counts whole or not at all. Nothing is parsed here beyond what a feed's
probe needs to refuse a broken file.
"""
