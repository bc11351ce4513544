"""The run report: one self-contained HTML file that shows what a run did and why.

``facts`` reads the control tables, ``build*`` turns facts into the pages of ``page``, and
``sections`` and ``charts`` turn those into HTML and SVG. Only ``facts`` and ``write`` do I/O.
"""

from ledgerlake.report.write import write_report

__all__ = ["write_report"]
