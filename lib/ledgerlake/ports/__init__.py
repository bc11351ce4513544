"""The outside world, passed in: clock, secrets and object storage.

Nothing here knows what a change or a batch is. Tests pass in the same classes with a
temporary folder, a fixed clock or a local server; nothing is patched.
"""
