"""What users declare: environments, pipelines, tables, marts; strict, frozen, with line numbers.

``models`` are the shapes, ``load`` reads YAML into them, ``check`` proves that everything
fits together before Spark starts.
"""
