"""Lines of JSON become raw changes here, in plain Python, a chunk of lines at a time (ADR 0013).

``lines`` cuts an object into lines, ``records`` parses them exactly, ``changes`` is what a feed's
decoder gives for a chunk, ``frame`` runs decoders: here for small batches, in Spark's workers else.
"""
