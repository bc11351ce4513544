"""The pure core: what a change is, how changes fold, how they are counted and named.

No Spark session, no input or output, no clock. Everything here can be read and tested alone.
"""
